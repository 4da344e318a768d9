"""Thousands of waiting batches in one process of Airflow's triggerer, ours beside what else there is.

The runner is Airflow's own ``TriggerRunner`` below its own supervisor, of which only the database side is replaced: the
triggers to run are handed over directly, and nothing is written back. Every watcher asks every 5 seconds for a batch
that never ends.

Run: ``python -m benchmarks.triggers [--service vias] [--watchers 100,1000,5000,10000] [--rounds 3] [--window 15]``
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import (
    FOREIGN_LIMIT,
    ForeignLoad,
    cpu_seconds,
    machine_line,
    median,
    memory_kib,
    own_cpu,
    server,
    span,
    table,
    verdict,
)
from benchmarks.status_server import BATCHES, batch_id

from visionbatch.model.tally import MOST

INTERVAL_S = 5.0
MODES = (
    "no-op",
    "session per trigger",
    "shared session",
    "visionbatch",
    "visionbatch, no list",
    "visionbatch, one list",
)
FLOOR, PER_TRIGGER, SHARED, OURS, STRICT, LISTED = MODES
PEERS = {FLOOR: "NoOp", PER_TRIGGER: "SessionPerTrigger", SHARED: "SharedSession"}
CONNECTION = "benchmark"
SERVICES = {"deepomatic": "deepomatic", "vias": "huawei_vias"}
"""As they are called here, and by triggers and connections."""
OF_VIAS = (FLOOR, OURS, STRICT, LISTED)
"""VIAS shows no single batch, so what asks for one, as the peers do, has nothing to ask. Without the list of batches it
is the list of a batch's tasks that is asked for."""
PAGE = {"deepomatic": 100, "vias": 200}
"""Batches on a page of the list."""
PACE = {"first_s": INTERVAL_S, "longest_s": INTERVAL_S, "spread": 0.0}
LONGEST_START_S = 60.0


@dataclass(frozen=True)
class Cell:
    """What one mode did with so many watchers, in one round.

    :param cpu: CPU of the runner, in % of a core.
    :param requests_s: requests that arrived, in a second.
    :param start_s: from the first trigger handed over to the last one running; infinite when that did not happen.
    :param started: triggers that ran when the measurement began.
    :param lag_ms: how late a timer is that falls due at any moment, median and 99th percentile.
    :param kib: resident memory per watcher.
    :param connections: open at the end.
    :param foreign: cores kept busy by others.
    """

    mode: str
    watchers: int
    round: int
    cpu: float
    requests_s: float
    start_s: float
    started: int
    lag_p50_ms: float
    lag_p99_ms: float
    kib: float
    connections: int
    foreign: float


def start_supervisor(capacity: int) -> Any:
    """Airflow's own supervisor without a database, and its runner below it."""
    from airflow.jobs.triggerer_job_runner import TriggerRunner, TriggerRunnerSupervisor
    from benchmarks.peers import Probe

    class Supervisor(TriggerRunnerSupervisor):  # type: ignore[misc]  # its base is untyped to mypy
        """Airflow's, without a database."""

        def load_triggers(self) -> None: ...
        def heartbeat(self) -> None: ...
        def clean_unused(self) -> None: ...
        def emit_metrics(self) -> None: ...
        def on_trigger_event(self, trigger_id: int, event: Any) -> None:
            raise RuntimeError(f"trigger {trigger_id} ended: {event}")

        def on_trigger_failure(self, trigger_id: int, exc: list[str] | None) -> None:
            raise RuntimeError(f"trigger {trigger_id} failed: {''.join(exc or ())}")

        @classmethod
        def run_in_process(cls) -> None:
            Probe.runner = TriggerRunner()
            Probe.runner.run()

    return Supervisor.start(job=None, capacity=capacity)


def connection_of(service: str, mode: str, url: str) -> dict[str, Any]:
    """The connection of all watchers."""
    if service == "vias":
        extra = {"project_id": "p" * 32, "states_from": "tasks" if mode == STRICT else "batches"}
        return {"conn_type": "huawei_vias", "host": url, "login": "AK", "password": "of-the-benchmark", "extra": extra}
    return {
        "conn_type": "deepomatic",
        "host": f"{url}/strict" if mode == STRICT else url,
        "password": "of-the-benchmark",
    }


def measure(mode: str, watchers: int, number: int, url: str, server_pid: int, window_s: float, service: str) -> Cell:
    """One cell, in this process: supervisor here, runner below it."""
    connection = connection_of(service, mode, url)
    os.environ[f"AIRFLOW_CONN_{CONNECTION.upper()}"] = json.dumps(connection)
    folder = Path(tempfile.mkdtemp(prefix="visionbatch-bench-"))
    supervisor = start_supervisor(watchers + 10)
    runner = supervisor.pid

    def serve_for(seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if not supervisor.is_alive():
                raise RuntimeError("the runner ended")
            supervisor._service_subprocess(min(left, 0.2))  # noqa: SLF001  # its loop is run by hand
            supervisor.handle_events()
            supervisor.handle_failed_triggers()

    def serve_until(name: str, limit_s: float) -> None:
        until = time.monotonic() + limit_s
        while not (folder / name).exists():
            if time.monotonic() > until:
                raise TimeoutError(f"{mode}, {watchers} watchers: no {name} after {limit_s} s")
            serve_for(0.02)

    try:
        # One watcher first: what the first one costs, such as imports and the session, is not a watcher's.
        rest = triggers(mode, watchers, url, SERVICES[service])
        supervisor.creating_triggers.append(workload(1, "benchmarks.peers.Probe", str(folder), 1 + len(rest)))
        supervisor.creating_triggers.append(workload(2, *trigger(mode, 0, url, SERVICES[service])))
        serve_until("ready", 60)
        serve_for(3)
        before = memory_kib(runner)
        supervisor.creating_triggers.extend(workload(number, *it) for number, it in enumerate(rest, 3))
        began = time.time()
        # Who has not started all of them by then never does: the loop has more to do than there is time.
        with suppress(TimeoutError):
            serve_until("all-started", LONGEST_START_S)
        stamp = folder / "all-started"
        start_s = float(stamp.read_text()) - began if stamp.exists() else float("inf")
        serve_for(INTERVAL_S * 1.5)
        foreign = ForeignLoad(lambda: own_cpu() + cpu_seconds(runner) + cpu_seconds(server_pid))
        asked(url)
        (folder / "start").touch()
        cpu, clock = cpu_seconds(runner), time.monotonic()
        serve_for(window_s)
        cpu, elapsed = cpu_seconds(runner) - cpu, time.monotonic() - clock
        books = asked(url)
        (folder / "stop").touch()
        more = memory_kib(runner) - before
        serve_until("lag", 120)
        said = json.loads((folder / "lag").read_text())
        lags = said["lags"]
        return Cell(
            mode,
            watchers,
            number,
            cpu=100 * cpu / elapsed,
            requests_s=(books["looks"] + books["lists"]) / elapsed,
            start_s=start_s,
            lag_p50_ms=1000 * lags[len(lags) // 2],
            lag_p99_ms=1000 * lags[len(lags) * 99 // 100],
            kib=more / max(watchers - 1 if mode == LISTED else said["started"] - 1, 1),
            started=said["started"],
            # One of them asks for the books.
            connections=books["open"] - 1,
            foreign=foreign.cores(),
        )
    finally:
        # No farewell: ten thousand triggers would each say theirs.
        os.kill(runner, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


def asked(url: str) -> dict[str, int]:
    """What the server was asked since the last look."""
    with urllib.request.urlopen(f"{url}/books", timeout=30) as answer:
        return dict(json.load(answer))


def trigger(mode: str, number: int, url: str, service: str) -> tuple[str, dict[str, Any]]:
    """Class path and arguments of a watcher."""
    ref = batch_id(number)
    if mode in PEERS:
        return f"benchmarks.peers.{PEERS[mode]}", {"url": f"{url}{BATCHES}/{ref}", "interval_s": INTERVAL_S}
    from airflow_visionbatch.triggers.snapshot import SnapshotTrigger

    classpath, arguments = SnapshotTrigger(service, CONNECTION, ref, pace=PACE).serialize()
    return classpath, arguments


def triggers(mode: str, watchers: int, url: str, service: str) -> list[tuple[str, dict[str, Any]]]:
    """All watchers but the first: a trigger for each, or as few as can wait for them as lists."""
    if mode != LISTED:
        return [trigger(mode, number, url, service) for number in range(1, watchers)]
    from airflow_visionbatch.triggers.batch_list import BatchListTrigger

    refs = [batch_id(number) for number in range(1, watchers)]
    parts = [refs[start : start + MOST] for start in range(0, len(refs), MOST)]
    return [BatchListTrigger(service, CONNECTION, part, pace=PACE).serialize() for part in parts]


def workload(number: int, classpath: str, *rest: Any) -> Any:
    """A trigger of a task, as the supervisor hands it over."""
    from airflow.executors.workloads import RunTrigger
    from airflow.executors.workloads.task import TaskInstanceDTO
    from airflow.models.trigger import Trigger

    arguments = rest[0] if isinstance(rest[0], dict) else {"folder": rest[0], "watchers": rest[1]}
    task = TaskInstanceDTO(
        id=uuid.uuid4(),
        dag_version_id=uuid.uuid4(),
        task_id=f"task-{number}",
        dag_id="dag",
        run_id="run",
        try_number=1,
        map_index=-1,
        pool_slots=1,
        queue="default",
        priority_weight=1,
    )
    return RunTrigger(id=number, classpath=classpath, encrypted_kwargs=Trigger.encrypt_kwargs(arguments), ti=task)


def cell_in_child(*arguments: Any) -> Cell:
    """One cell in a fork of its own, so that no cell finds the memory that another one left."""
    context = multiprocessing.get_context("fork")
    results: Any = context.SimpleQueue()
    child = context.Process(target=_fill, args=(results, arguments))
    child.start()
    child.join(900)
    if child.exitcode != 0:
        child.kill()
        raise RuntimeError(f"{arguments[:3]} ended with {child.exitcode}")
    return Cell(**results.get())


def _fill(results: Any, arguments: tuple[Any, ...]) -> None:
    sys.stdout = sys.stderr = Path(os.devnull).open("w") if "-v" not in sys.argv else sys.stderr  # noqa: SIM115  # stays open as long as the process
    results.put(asdict(measure(*arguments)))


@contextmanager
def airflow_home() -> Iterator[None]:
    """A place for Airflow's settings that nobody else uses; logs are as by default, but go nowhere."""
    with tempfile.TemporaryDirectory(prefix="visionbatch-airflow-") as home:
        os.environ.update(AIRFLOW_HOME=home, AIRFLOW__CORE__LOAD_EXAMPLES="False")
        import airflow.jobs.triggerer_job_runner  # noqa: F401  # before the forks, which all need it

        yield


def report(cells: list[Cell], page: int) -> str:
    """Tables of all cells, medians over rounds, and ratios within a round.

    :param page: batches on a page of the list.
    """
    sizes = sorted({cell.watchers for cell in cells})
    modes = [mode for mode in MODES if any(cell.mode == mode for cell in cells)]
    rows = []
    for watchers in sizes:
        for mode in modes:
            of = [cell for cell in cells if (cell.mode, cell.watchers) == (mode, watchers)]
            if not of:
                continue
            pages = f"{-(-watchers // page) / INTERVAL_S:g}"
            wanted = {FLOOR: "0", OURS: pages, LISTED: pages}.get(mode, f"{watchers / INTERVAL_S:g}")
            rows.append(
                (
                    watchers,
                    mode,
                    span((cell.cpu for cell in of), 1),
                    f"{median(cell.requests_s for cell in of):.1f} ({wanted})",
                    span((cell.start_s for cell in of), 1),
                    f"{median(cell.lag_p50_ms for cell in of):.2f}",
                    span((cell.lag_p99_ms for cell in of), 0),
                    f"{median(cell.kib for cell in of):.1f}",
                    f"{median(cell.connections for cell in of):.0f}",
                )
            )
    head = ("watchers", "mode", "CPU %", "requests/s (wanted)", "start of all, s", "lag p50, ms", "lag p99, ms")
    return table((*head, "KiB per watcher", "connections"), rows)


def goals(cells: list[Cell], watchers: int, page: int) -> str:
    """The demands, each with what this run says of it."""
    by = {(cell.mode, cell.round): cell for cell in cells if cell.watchers == watchers}
    rounds = sorted({number for _, number in by})

    def ratios(attribute: str, above: str, below: str) -> list[float]:
        pairs = [(by.get((above, number)), by.get((below, number))) for number in rounds]
        return [getattr(a, attribute) / max(getattr(b, attribute), 1e-9) for a, b in pairs if a and b]

    def extra(attribute: str, mode: str) -> list[float]:
        pairs = [(by.get((mode, number)), by.get((FLOOR, number))) for number in rounds]
        return [getattr(a, attribute) - getattr(b, attribute) for a, b in pairs if a and b]

    def values(attribute: str, mode: str) -> list[float]:
        return [getattr(by[mode, number], attribute) for number in rounds if (mode, number) in by]

    def line(name: str, demand: str, found: list[float], holds: Any, unit: str = "", digits: int = 1) -> Any:
        middle = median(found)
        return verdict(name, demand, holds(middle) if found else None, span(found, digits) + unit)

    pages = -(-watchers // page) / INTERVAL_S
    per_poll = {
        mode: [
            more / rate for more, rate in zip(extra("cpu", mode), values("requests_s", mode), strict=False) if rate > 0
        ]
        for mode in (SHARED, STRICT)
    }
    listed = [cpu / watchers for cpu in values("cpu", LISTED)]
    s5 = [ours / peer for ours, peer in zip(per_poll[STRICT], per_poll[SHARED], strict=False)]
    rows = [
        line("S1", "CPU <= 1/8 of a shared session", ratios("cpu", SHARED, OURS), lambda r: r >= 8, "x"),
        line("S1", "CPU <= floor + 3 % of a core", extra("cpu", OURS), lambda r: r <= 3, " %"),
        line("S2", "memory <= 1/2 of a session per trigger", ratios("kib", PER_TRIGGER, OURS), lambda r: r >= 2, "x"),
        line("S2", "memory <= floor + 1 KiB per watcher", extra("kib", OURS), lambda r: r <= 1, " KiB", 2),
        line("S3", f"{pages:g} requests/s", values("requests_s", OURS), lambda r: r <= pages * 1.05, "/s"),
        line("S4", "lag p50 <= 1/100 of a shared session", ratios("lag_p50_ms", SHARED, OURS), lambda r: r >= 100, "x"),
        line("S4", "lag p99 <= 1/2.5 of a shared session", ratios("lag_p99_ms", SHARED, OURS), lambda r: r >= 2.5, "x"),
        line("S4", "lag p50 <= 1 ms", values("lag_p50_ms", OURS), lambda r: r <= 1, " ms", 2),
        line("S4", "lag p99 <= 1.3 x floor", ratios("lag_p99_ms", OURS, FLOOR), lambda r: r <= 1.3, "x", 2),
        line("S5", "no list: CPU per look <= 1.2 x a bare GET", s5, lambda r: r <= 1.2, "x", 2),
        line("list", "memory <= 1 KiB a batch", values("kib", LISTED), lambda k: k <= 1, " KiB", 2),
        line("list", "CPU of the whole runner <= 0.002 % of a core a batch", listed, lambda c: c <= 0.002, " %", 4),
        line("S6", "start >= 3 x sooner than a shared session", ratios("start_s", SHARED, OURS), lambda r: r >= 3, "x"),
        line("S6", "start <= 1.5 x floor", ratios("start_s", OURS, FLOOR), lambda r: r <= 1.5, "x", 2),
    ]
    return table((f"goal, {watchers} watchers", "demand", "", "median (least-most)"), rows)


def main() -> None:
    """Run all cells, round by round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--service", choices=SERVICES, default="deepomatic")
    parser.add_argument("--watchers", default="100,1000,5000,10000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--window", type=float, default=15.0)
    parser.add_argument("--modes", default=";".join(MODES), help="separated by semicolons")
    parser.add_argument("-v", action="store_true", help="show what the runner says")
    asked_for = parser.parse_args()
    sizes = [int(text) for text in asked_for.watchers.split(",")]
    possible = OF_VIAS if asked_for.service == "vias" else MODES
    modes = [mode for mode in possible if mode in asked_for.modes.split(";")]
    page = PAGE[asked_for.service]
    print(machine_line("apache-airflow", "aiohttp"), flush=True)
    cells: list[Cell] = []
    with airflow_home(), server("benchmarks.status_server", "--batches", str(max(sizes))) as (url, pid):
        for number in range(asked_for.rounds):
            for watchers in sizes:
                for mode in modes:
                    cells.append(cell_in_child(mode, watchers, number, url, pid, asked_for.window, asked_for.service))
                    print(json.dumps(asdict(cells[-1])), file=sys.stderr, flush=True)
    print(f"\n{report(cells, page)}\n")
    for watchers in sizes:
        if len(modes) > 1:
            print(f"{goals(cells, watchers, page)}\n")
    loads = [cell.foreign for cell in cells]
    noisy = sum(load > FOREIGN_LIMIT for load in loads)
    print(f"foreign load in cores: {span(loads)}; above {FOREIGN_LIMIT} in {noisy} of {len(loads)} cells")


if __name__ == "__main__":
    main()
