"""A real Airflow whose tasks run on Celery workers that share nothing but the network, over PostgreSQL and Redis."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
from celery import Celery

from support.airflow_stack import AirflowStack

QUEUE = "default"
"""Airflow's own name for the queue of tasks that ask for no other."""


class CeleryStack(AirflowStack):
    """The same Airflow with workers in places of their own.

    :param database: of PostgreSQL, what follows ``postgresql+driver`` in its URL.
    :param broker: URL of Redis.
    :param hosts: names of the workers; each has a folder ``home/<name>``, where it works, and which is its home.
    """

    def __init__(
        self, home: Path, dags: Path, *, database: str, broker: str, hosts: Sequence[str], settings: Mapping[str, str]
    ) -> None:
        self._sql = f"postgresql{database}"
        driver = f"postgresql+psycopg{database}"
        self.hosts = hosts
        self._control = Celery(broker=broker, set_as_current=False).control
        super().__init__(
            home,
            dags,
            settings={
                "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
                "AIRFLOW__CELERY__BROKER_URL": broker,
                "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2",
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": driver,
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": driver,
                # What Airflow calls the host of a task is what this function of Python's says: LOGNAME.
                "AIRFLOW__CORE__HOSTNAME_CALLABLE": "getpass.getuser",
                **settings,
            },
        )

    def start_all(self) -> None:
        """Start Airflow and the workers, and wait for these."""
        super().start_all()
        for host in self.hosts:
            self.start_worker(host)
        for host in self.hosts:
            self.wait_worker(host)

    def folder(self, host: str) -> Path:
        """Where a worker works."""
        return self.home / host

    def start_worker(self, host: str, settings: Mapping[str, str] | None = None) -> None:
        """Start a worker with a working directory, a home and a place for temporary files of its own."""
        folder = self.folder(host)
        temporary = folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        own = {"AIRFLOW_HOME": str(folder), "HOME": str(folder), "TMPDIR": str(temporary), "LOGNAME": host}
        command = f"celery worker --celery-hostname {host} --skip-serve-logs --without-mingle --without-gossip"
        self.start(command, host, {**own, **(settings or {})}, folder)

    def restart_lost(self) -> None:
        """Bring back the workers that were lost."""
        lost = [host for host in self.hosts if host not in self._processes]
        for host in lost:
            self.start_worker(host)
        for host in lost:
            self.wait_worker(host)

    @contextmanager
    def further_worker(self, host: str, settings: Mapping[str, str]) -> Iterator[Callable[[], str]]:
        """One more worker for a while; gives what reads its log."""
        self.start_worker(host, settings)
        try:
            yield lambda: (self.logs / f"{host}.log").read_text(errors="replace")
        finally:
            self.stop(host)

    def wait_worker(self, host: str, timeout: float = 120.0) -> None:
        """Wait until a worker takes tasks."""
        self.wait_for(lambda: self._control.ping([f"celery@{host}"], timeout=1.0), f"{host} to take tasks", timeout)

    def give_work_to(self, *hosts: str) -> None:
        """Let these workers take new tasks, and no other."""
        for host in self.hosts:
            if host in self._processes:
                tell = self._control.add_consumer if host in hosts else self._control.cancel_consumer
                tell(QUEUE, destination=[f"celery@{host}"], reply=True, timeout=10.0)

    def lose(self, host: str) -> None:
        """End a worker and all that it runs as if its machine had lost power: none of it hears of the others' end."""
        worker = psutil.Process(self.pid(host))
        lost = [worker, *worker.children(recursive=True)]
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in lost:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
        self.kill(host)

    def rows(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Rows of the metadata database."""
        with psycopg.connect(self._sql) as connection:
            return connection.execute(query.replace("?", "%s"), arguments).fetchall()

    def _patience(self, component: str) -> dict[str, str]:
        """PostgreSQL locks rows, not itself."""
        return {}
