"""R2: the results of a job, 200 files of 4 MiB at 30 ms for each request, by the command line; its start is counted.

Run: ``python -m benchmarks.roboflow_fetch [--files 200] [--size 4] [--rounds 5] [--peer PROGRAM]``

``PROGRAM`` is the vendor's ``inference`` (``inference-cli``), in an environment of its own; without it ours alone is
measured.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

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
    server,
    span,
    table,
    verdict,
)
from benchmarks.results_server import BATCH

OURS, PEER = "visionbatch", "inference-cli"


@dataclass(frozen=True, kw_only=True)
class Run(Measured):
    """One fetch by one of the two."""


def command(method: str, peer: str, url: str, target: Path) -> list[str]:
    """What is run."""
    if method == PEER:
        return [peer, "rf-cloud", "data-staging", "export-batch", "--batch-id", BATCH, "--target-dir", str(target)]
    program = [str(Path(sys.executable).with_name("visionbatch")), "--quiet", "roboflow", "--url", url]
    return [*program, "--store-host", url, "fetch", "--batch", BATCH, str(target)]


def run(method: str, number: int, peer: str, served: tuple[str, int], folders: tuple[Path, Path]) -> Run:
    """Fetch once, and compare."""
    url, pid = served
    source, target = folders
    shutil.rmtree(target, ignore_errors=True)
    back_memory(2 * sum(path.stat().st_size for path in source.iterdir()) / MIB)
    foreign = ForeignLoad(lambda: own_cpu() + cpu_seconds(pid))
    used = run_child(command(method, peer, url, target))
    cores = foreign.cores()
    fetched = {path.name: path for path in target.rglob("*.bin")}
    if not all(filecmp.cmp(path, fetched[path.name], shallow=False) for path in source.iterdir()):
        raise RuntimeError(f"{method} fetched something else")
    return Run(method=method, round=number, foreign=cores, wall_s=used.wall_s, cpu_s=used.cpu_s, peak_mib=used.tree_mib)


def report(runs: list[Run], gib: float) -> str:
    """Medians with least and greatest."""
    rows = []
    for method in dict.fromkeys(found.method for found in runs):
        of = [found for found in runs if found.method == method]
        cpu = span(found.cpu_s / gib for found in of)
        peak = f"{median(found.peak_mib for found in of):.0f}"
        rows.append((method, span(found.wall_s for found in of), span(found.cpu_s for found in of), cpu, peak))
    return table(("method", "wall, s", "CPU, s", "CPU s/GiB", "peak, MiB"), rows)


def goals(runs: list[Run], gib: float) -> str:
    """The demands of R2."""
    by = {(found.method, found.round): found for found in runs}
    rounds = sorted({found.round for found in runs if (PEER, found.round) in by})

    def line(demand: str, attribute: str, least: float) -> tuple[str, str, str, str]:
        found = [getattr(by[PEER, n], attribute) / getattr(by[OURS, n], attribute) for n in rounds]
        return verdict("R2", demand, median(found) >= least if found else None, f"{span(found, 1)}x")

    ours = [found.cpu_s / gib for found in runs if found.method == OURS]
    rows = [
        line(">= 4.5 x faster than the vendor's client", "wall_s", 4.5),
        line(">= 5 x less CPU", "cpu_s", 5.0),
        line("<= 1/8 of its memory", "peak_mib", 8.0),
        verdict("R2", "CPU <= 1.5 s/GiB", median(ours) <= 1.5, span(ours)),
    ]
    return table(("goal", "demand", "", "median (least-most)"), rows)


def main() -> None:
    """Run both, round by round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--size", type=int, default=4, help="MiB of each")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer", default="", help="The vendor's program.")
    told = parser.parse_args()
    gib = told.files * told.size / 1024
    print(machine_line("requests"), flush=True)
    print(f"{told.files} files of {told.size} MiB, {told.rounds} rounds\n", flush=True)
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="visionbatch-bench-") as folder:
        source, target = Path(folder) / "source", Path(folder) / "target"
        source.mkdir()
        for number in range(told.files):
            (source / f"{number:04}.bin").write_bytes(os.urandom(told.size * MIB))
        with server("benchmarks.results_server", str(source)) as served:
            os.environ |= {"VISIONBATCH_ROBOFLOW_API_KEY": "k", "ROBOFLOW_API_KEY": "k", "API_BASE_URL": served[0]}
            for number in range(told.rounds):
                for method in [OURS, *([PEER] if told.peer else [])]:
                    runs.append(run(method, number, told.peer, served, (source, target)))
                    print(runs[-1], file=sys.stderr, flush=True)
    print(f"{report(runs, gib)}\n\n{goals(runs, gib)}\n")
    loads = [found.foreign for found in runs]
    noisy = sum(load > FOREIGN_LIMIT for load in loads)
    print(f"foreign load in cores: {span(loads)}; above {FOREIGN_LIMIT} in {noisy} of {len(loads)} runs")


if __name__ == "__main__":
    main()
