"""An export made into tables, ours beside what else there is, and the memory that takes.

Run: ``python -m benchmarks.export_tables [--size 256] [--rounds 3] [--methods "visionbatch;json"] [--memory 256,4096]``

The table of the documentation: ``--size 1024 --rounds 5 --memory 256,4096``, on a machine with nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.export_records import write
from benchmarks.harness import (
    FOREIGN_LIMIT,
    MIB,
    ForeignLoad,
    Measured,
    back_memory,
    machine_line,
    median,
    own_cpu,
    run_child,
    span,
    table,
    verdict,
)

OURS, TWO = "visionbatch", "visionbatch, 2 processes"
GOALS = {"json": 2.6, "orjson": 1.8, "duckdb": 4.0, "duckdb, once through": 4.0, "polars": 5.0}
"""J1: how many times faster than each peer. The goal means duckdb as one writes it first; the other is faster still."""
LIMITS = ("decode only, in chunks", "decode only")
"""J1 means the first, which is what decoding costs a program that makes tables; the second is harder by far."""
TWO_AND_ORJSON = 2.2
"""J1: how many times faster two processes are than orjson's loop."""
SHARE_OF_LIMIT = 0.45
MEMORY_MIB = 256
SAME_MEMORY = 1.1
"""What counts as the same memory, as a factor: the allocator of Arrow alone moves it by some MiB from run to run."""


@dataclass(frozen=True, kw_only=True)
class Run(Measured):
    """One export by one method."""

    rows: dict[str, int]


def run(method: str, number: int, path: Path) -> Run:
    """Convert once."""
    back_memory(4 * path.stat().st_size / MIB)
    foreign = ForeignLoad(own_cpu)
    with tempfile.TemporaryDirectory(prefix="visionbatch-bench-", dir=path.parent) as folder:
        command = [sys.executable, "-m", "benchmarks.export_readers", method, str(path), folder]
        told = json.loads(run_child(command, timeout_s=3600).output)
    return Run(method=method, round=number, foreign=foreign.cores(), **told)


def check(runs: list[Run]) -> None:
    """All methods must have made the same number of rows."""
    found = {json.dumps(one.rows, sort_keys=True) for one in runs if one.method not in LIMITS}
    if len(found) > 1:
        raise RuntimeError(f"the methods disagree: {sorted(found)}")


def report(runs: list[Run], methods: list[str], size_mib: float) -> str:
    """Medians with least and greatest, and the ratio to ours in the same round."""
    ours = {one.round: one for one in runs if one.method == OURS}
    rows = []
    for method in methods:
        of = [one for one in runs if one.method == method]
        rows.append(
            (
                method,
                span((size_mib / one.wall_s for one in of), 1),
                span((one.wall_s / ours[one.round].wall_s for one in of), 1),
                span((one.cpu_s * 1024 / size_mib for one in of), 1),
                span((one.cpu_s / ours[one.round].cpu_s for one in of), 1),
                f"{median(one.peak_mib for one in of):.0f}",
            )
        )
    head = ("method", "MiB/s", "time to ours", "CPU s/GiB", "CPU to ours", "peak, MiB")
    return table(head, rows)


def goals(runs: list[Run]) -> list[tuple[str, str, str, str]]:
    """The demands on speed."""
    by = {(one.method, one.round): one for one in runs}
    rounds = sorted({one.round for one in runs})

    def times(method: str) -> list[float]:
        return [by[method, n].wall_s / by[OURS, n].wall_s for n in rounds if (method, n) in by]

    rows = []
    for peer, least in GOALS.items():
        found = times(peer)
        reached = median(found) >= least if found else None
        rows.append(verdict("J1", f">= {least:g} x faster than {peer}", reached, f"{span(found, 1)}x"))
    both = [n for n in rounds if (TWO, n) in by and ("orjson", n) in by]
    found = [by["orjson", n].wall_s / by[TWO, n].wall_s for n in both]
    reached = median(found) >= TWO_AND_ORJSON if found else None
    rows.append(
        verdict("J1", f"two processes >= {TWO_AND_ORJSON:g} x faster than orjson", reached, f"{span(found, 1)}x")
    )
    for limit in LIMITS:
        share = times(limit)
        reached = median(share) >= SHARE_OF_LIMIT if share else None
        rows.append(verdict("J1", f">= {SHARE_OF_LIMIT} of the speed of {limit}", reached, span(share)))
    return rows


def memory(sizes: list[int], folder: Path, again: float) -> list[Run]:
    """Ours over exports of several sizes, in which some work orders come twice."""
    runs = []
    for number, size in enumerate(sizes):
        path = folder / "memory.jsonl"
        write(path, size * MIB, seed=number, again=again)
        runs.append(run(OURS, number, path))
        path.unlink()
        print(runs[-1], file=sys.stderr, flush=True)
    return runs


def memory_goals(runs: list[Run]) -> list[tuple[str, str, str, str]]:
    """The demands on memory."""
    peaks = [one.peak_mib for one in runs]
    told = ", ".join(f"{peak:.0f}" for peak in peaks) + " MiB"
    return [
        verdict("J2", f"<= {MEMORY_MIB} MiB", max(peaks) <= MEMORY_MIB, told),
        verdict("J2", f"the same for each size, to {SAME_MEMORY:.0%}", max(peaks) <= SAME_MEMORY * min(peaks), told),
    ]


def main() -> None:
    """Run all methods, round by round, and then ours over the sizes for memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256, help="MiB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--methods", default=";".join([OURS, TWO, *GOALS, *LIMITS]))
    parser.add_argument("--memory", default="", metavar="MIB,MIB", help="also measure memory over these sizes")
    parser.add_argument("--again", type=float, default=0.02, help="share of repeated work orders when measuring memory")
    told = parser.parse_args()
    methods = told.methods.split(";")
    print(machine_line("msgspec", "pyarrow", "orjson", "polars", "duckdb"), flush=True)
    with tempfile.TemporaryDirectory(prefix="visionbatch-bench-") as folder:
        path = Path(folder) / "export.jsonl"
        count = write(path, told.size * MIB)
        print(f"{told.size} MiB, {count} work orders, {told.rounds} rounds\n", flush=True)
        runs = []
        for number in range(told.rounds):
            for method in methods:
                runs.append(run(method, number, path))
                print(runs[-1], file=sys.stderr, flush=True)
        path.unlink()
        check(runs)
        print(f"{report(runs, methods, told.size)}\n")
        demands = goals(runs)
        if told.memory:
            demands += memory_goals(memory([int(size) for size in told.memory.split(",")], Path(folder), told.again))
        print(f"{table(('goal', 'demand', '', 'median (least-most)'), demands)}\n")
    loads = [one.foreign for one in runs]
    noisy = sum(load > FOREIGN_LIMIT for load in loads)
    print(f"foreign load in cores: {span(loads)}; above {FOREIGN_LIMIT} in {noisy} of {len(loads)} runs")


if __name__ == "__main__":
    main()
