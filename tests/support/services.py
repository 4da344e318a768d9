"""Redis and PostgreSQL of our own for a test: from Debian's packages, with nothing kept, ended by their pids."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .airflow_stack import free_port

PROGRAMS = {"redis-server": "redis-server", "postgres": "postgresql", "initdb": "postgresql"}
"""Programs and the Debian packages that hold them."""

READY_S = 60.0
POSTGRES_USER = "postgres"
"""Who the server runs as when root starts it, which it refuses to be; the package makes this user."""


class ServiceError(RuntimeError):
    """A service is not installed, or did not start; the message says which and what to do."""


def program(name: str) -> Path:
    """Where a service's program is; Debian keeps PostgreSQL's out of the search path.

    :raises ServiceError: when it is not installed.
    """
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    found = shutil.which(name) or (debian[-1] if debian else None)
    if found is None:
        raise ServiceError(
            f"{name} is missing: run `make debian-packages` as root, or install the package {PROGRAMS[name]}"
        )
    return Path(found)


@contextmanager
def redis_server() -> Iterator[str]:
    """A Redis that keeps nothing; gives its URL."""
    redis = program("redis-server")
    with _folder("redis") as folder:
        port = free_port()
        settings = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        process = _start([str(redis), *settings, "--dir", str(folder)], folder)
        with _ending(process, signal.SIGTERM):
            _wait_until(lambda: _answers(port), process, folder)
            yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def postgres_server() -> Iterator[str]:
    """An empty PostgreSQL on a socket in a folder that is its own; gives what follows ``postgresql+driver``."""
    postgres, initdb = program("postgres"), program("initdb")
    with _folder("postgres") as folder:
        data = folder / "data"
        user = None if os.geteuid() else POSTGRES_USER
        if user:
            shutil.chown(folder, user)
        made = ["--username=airflow", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        making = _start([str(initdb), *made, str(data)], folder, user)
        if making.wait(READY_S):
            raise ServiceError(f"initdb failed:\n{_log(folder)}")
        # Nothing of it outlives the test, so that nothing has to reach a disk.
        options = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        command = [str(postgres), "-D", str(data), "-k", str(folder), "-c", "listen_addresses=", *settings]
        process = _start(command, folder, user)
        # SIGINT ends it at once, without waiting for those who are connected.
        with _ending(process, signal.SIGINT):
            _wait_until(lambda: "ready to accept connections" in _log(folder), process, folder)
            yield f"://airflow@/postgres?host={folder}"


@contextmanager
def _folder(name: str) -> Iterator[Path]:
    """A short path, for a socket's has to be, and one that another user may enter."""
    folder = Path(tempfile.mkdtemp(prefix=f"visionbatch-{name}-", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(command: list[str], folder: Path, user: str | None = None) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=[] if user else None,
        )


@contextmanager
def _ending(process: subprocess.Popen[bytes], number: signal.Signals) -> Iterator[None]:
    try:
        yield
    finally:
        process.send_signal(number)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def _wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + READY_S
    while not ready():
        if process.poll() is not None or time.monotonic() > until:
            raise ServiceError(f"{process.args!r} did not start:\n{_log(folder)}")
        time.sleep(0.05)


def _log(folder: Path) -> str:
    return (folder / "log").read_text(errors="replace")[-3000:]


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
