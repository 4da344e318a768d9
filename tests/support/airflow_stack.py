"""A real Airflow on this machine: api-server, scheduler, dag-processor and triggerer over SQLite.

Used by the tests that need real processes, by ``make demo`` and by ``make airflow``. Every process is started from this
interpreter's environment, listens on loopback, and is ended by its pid.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")


class StackError(RuntimeError):
    """Airflow did not do in time what was waited for; the message ends with what its log says."""


class AirflowStack:
    """Four Airflow processes with a home of their own; use as a context manager.

    :param home: directory for the database, the logs and the settings.
    :param dags: folder of Dag files.
    :param connections: Airflow connections by id, in their JSON form.
    :param settings: further ``AIRFLOW__SECTION__KEY`` settings.
    """

    def __init__(
        self,
        home: Path,
        dags: Path,
        *,
        connections: Mapping[str, Mapping[str, Any]] | None = None,
        settings: Mapping[str, str] | None = None,
        port: int = 0,
    ) -> None:
        self.home = home
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = home / "airflow.db"
        self.logs = home / "logs"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._groups: list[int] = []
        self._running: set[str] = set()
        self._session = requests.Session()
        self._session.trust_env = False
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__FERNET_KEY": _fernet_key(),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "true",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.database}",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "task-logs"),
            "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "false",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
            # A log server for workers and one for triggers would each want a fixed port.
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in (connections or {}).items()},
            **(settings or {}),
        }

    def __enter__(self) -> Self:
        try:
            self.migrate()
            self.start_all()
            self.wait_healthy()
        except BaseException:
            self.stop_all()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop_all()
        self._session.close()

    def start_all(self) -> None:
        """Start what an Airflow consists of."""
        for component in COMPONENTS:
            self.start(component)

    def migrate(self) -> None:
        """Make the database."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(exist_ok=True)
        with (self.logs / "migrate.log").open("ab") as log:
            subprocess.run(
                [sys.executable, "-m", "airflow", "db", "migrate"],
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=True,
                timeout=180,
            )

    def start(
        self,
        component: str,
        name: str | None = None,
        settings: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start one component in a process group of its own.

        :param component: what stands behind ``airflow`` on the command line.
        :param name: key under which it is kept, for a second triggerer.
        :param settings: what is different for this process only.
        :param folder: its working directory.
        """
        name = name or component
        with (self.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "airflow", *component.split()],
                env={**self.environment, **self._patience(component), **(settings or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder or self.home,
                start_new_session=True,
            )
        self._processes[name] = process
        self._groups.append(process.pid)
        return process

    def _patience(self, component: str) -> dict[str, str]:
        """How long a component waits for SQLite's one lock.

        Two requests at once can lock each other out inside the api-server until one of them gives up, and everybody
        else waits for that; the others must not give up before.
        """
        seconds = 2 if component == "api-server" else 60
        return {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.database}?timeout={seconds}"}

    def pid(self, name: str) -> int:
        """Process id of a component."""
        return self._processes[name].pid

    def kill(self, name: str, timeout: float = 20.0) -> None:
        """End one component at once and leave whatever it started to itself, until everything is ended."""
        process = self._processes.pop(name)
        process.kill()
        process.wait(timeout)

    def wait_gone(self, name: str, timeout: float = 60.0) -> None:
        """Wait until a component has exited by itself."""
        process = self._processes[name]
        self.wait_for(lambda: process.poll() is not None, f"{name} to exit", timeout)
        del self._processes[name]

    def stop(self, name: str, *, timeout: float = 20.0) -> None:
        """End one component and whatever it started."""
        process = self._processes.pop(name)
        _signal_group(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout)
        _signal_group(process.pid, signal.SIGKILL)
        process.wait(timeout)

    def stop_all(self) -> None:
        """End everything, the api-server last, so that the others can say goodbye to it."""
        for name in sorted(self._processes, key=lambda name: name == "api-server"):
            self.stop(name)
        for group in self._groups:
            _signal_group(group, signal.SIGKILL)

    def wait_healthy(self, timeout: float = 180.0) -> None:
        """Wait until all four components report themselves healthy."""

        def healthy() -> bool:
            self._require_alive()
            try:
                answer = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=5)
            except requests.RequestException:
                return False
            return answer.ok and all(
                answer.json().get(part, {}).get("status") == "healthy"
                for part in ("metadatabase", "scheduler", "triggerer", "dag_processor")
            )

        self.wait_for(healthy, "Airflow to be healthy", timeout, every=0.5)

    def api(self, method: str, path: str, **arguments: Any) -> Any:
        """Call Airflow's REST API; JSON in, JSON out."""
        if "Authorization" not in self._session.headers:
            token = self._session.get(f"{self.url}/auth/token", timeout=30)
            token.raise_for_status()
            self._session.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
        for _ in range(20):
            answer = self._session.request(method, f"{self.url}/api/v2{path}", timeout=60, **arguments)
            # SQLite has lost patience, see `_patience`.
            if answer.status_code != 500 or "Database error" not in answer.text:
                break
            time.sleep(0.2)
        if not answer.ok:
            raise StackError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None, run_id: str | None = None) -> str:
        """Start a run of a Dag, waiting for the Dag to be known first, and give its id."""
        self.unpause(dag_id)
        asked = {"logical_date": None, "conf": dict(conf or {})}
        if run_id is not None:
            asked["dag_run_id"] = run_id
            if self.rows("select 1 from dag_run where run_id = ?", run_id):
                raise StackError(f"there is a run {run_id} already")
            try:
                self.api("POST", f"/dags/{dag_id}/dagRuns", json=asked)
            except StackError:
                # It may be there although the database lost patience with what Airflow wrote after it.
                if not self.rows("select 1 from dag_run where run_id = ?", run_id):
                    raise
            return run_id
        run = self.api("POST", f"/dags/{dag_id}/dagRuns", json=asked)
        return str(run["dag_run_id"])

    def unpause(self, dag_id: str) -> None:
        """Let a Dag run, waiting for it to be known first."""

        def known() -> bool:
            found = self.api("GET", "/dags", params={"dag_id_pattern": dag_id})
            return any(dag["dag_id"] == dag_id for dag in found["dags"])

        if dag_id not in self._running:
            self.wait_for(known, f"the Dag {dag_id} to be parsed", 90)
            self.api("PATCH", f"/dags/{dag_id}", json={"is_paused": False})
            self._running.add(dag_id)

    def clear(self, dag_id: str, run_id: str, *task_ids: str) -> None:
        """Clear tasks of a run, whatever their state, as the button in the UI does."""
        asked = {
            "dag_run_id": run_id,
            "task_ids": list(task_ids),
            "dry_run": False,
            "only_failed": False,
            "reset_dag_runs": True,
        }
        self.api("POST", f"/dags/{dag_id}/clearTaskInstances", json=asked)

    def mark_task(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Mark a task as successful or failed."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        self.api("PATCH", path, json={"new_state": state})

    def mark_run(self, dag_id: str, run_id: str, state: str) -> None:
        """Mark a Dag run as successful or failed."""
        self.api("PATCH", f"/dags/{dag_id}/dagRuns/{run_id}", json={"state": state})

    def connect(self, conn_id: str, **fields: Any) -> None:
        """Make a connection, as the form in the UI does."""
        self.api("POST", "/connections", json={"connection_id": conn_id, **fields})

    def run_state(self, dag_id: str, run_id: str) -> str:
        """State of a Dag run."""
        return str(self.api("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def wait_run(self, dag_id: str, run_id: str, timeout: float = 180.0) -> str:
        """Wait for the end of a Dag run and give its state."""
        ended = ("success", "failed")
        self.wait_for(lambda: self.run_state(dag_id, run_id) in ended, f"{dag_id} {run_id} to end", timeout, every=0.5)
        return self.run_state(dag_id, run_id)

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """A value that a task pushed, decoded."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.api("GET", path, params={"deserialize": "false"})["value"]

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> str:
        """The log of one try, as text."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        return "\n".join(json.dumps(line) for line in self.api("GET", path)["content"])

    def rows(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Rows of the metadata database, read without a lock."""
        with _read_only(self.database) as connection:
            return connection.execute(query, arguments).fetchall()

    def is_writable(self, patience_s: float = 2.0) -> bool:
        """Whether nobody sits on the lock of the metadata database."""
        connection = sqlite3.connect(self.database, timeout=patience_s, isolation_level=None)
        try:
            connection.execute("begin immediate")
            connection.execute("rollback")
        except sqlite3.OperationalError:
            return False
        finally:
            connection.close()
        return True

    def wait_for(self, condition: Callable[[], Any], what: str, timeout: float = 60.0, *, every: float = 0.2) -> Any:
        """Ask again and again until the answer is true, and give it.

        :raises StackError: when the deadline passes, with the ends of the logs.
        """
        until = time.monotonic() + timeout
        while True:
            found = condition()
            if found:
                return found
            if time.monotonic() > until:
                raise StackError(f"waited {timeout:.0f} s in vain for {what}\n{self._log_ends()}")
            time.sleep(every)

    def _require_alive(self) -> None:
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise StackError(f"{name} has exited with {process.returncode}\n{self._log_ends()}")

    def _log_ends(self) -> str:
        parts = []
        for path in sorted(self.logs.glob("*.log")):
            tail = path.read_bytes()[-1500:].decode(errors="replace")
            parts.append(f"--- {path.name}\n{tail}")
        return "\n".join(parts)


@contextmanager
def _read_only(database: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)
    try:
        yield connection
    finally:
        connection.close()


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
