"""Filling a batch with 5,000 photos at 30 ms a request, ours beside the vendor's own client, whole processes both.

Run: ``python -m benchmarks.roboflow [--photos N] [--rounds N] [--vendor .venv-inference/bin/inference]``; ``--video``
sends a video of 700 MB instead, ours alone. `benchmarks.roboflow_sink` takes what is sent.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness import (
    FOREIGN_LIMIT,
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
from benchmarks.photos import KIB, photo

OURS, VENDOR = "ours, 500 an archive", "vendor's client"
METHODS = {OURS: ("500",), "ours, 256 an archive": ("256",), VENDOR: ()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latency", type=float, default=0.03)
    parser.add_argument("--vendor", type=Path, default=Path(".venv-inference/bin/inference"), help="left out if absent")
    parser.add_argument("--video", type=int, nargs="?", const=700, default=0, metavar="MB", help="one video; 700")
    told = parser.parse_args()
    # The vendor's client opens a film first, and leaves this one out: it is noise.
    methods = [name for name in METHODS if METHODS[name] or (told.vendor.exists() and not told.video)]
    os.environ |= {"VISIONBATCH_ROBOFLOW_API_KEY": "key", "ROBOFLOW_API_KEY": "key", "NO_COLOR": "1"}
    with prepared(told) as (folder, state), server("benchmarks.roboflow_sink", "--latency", str(told.latency)) as sink:
        url, pid = sink
        os.environ["API_BASE_URL"] = url
        print(machine_line("click"))
        rows, books = [], {}
        for number in range(told.rounds):
            for method in methods[:1] if told.video else methods:
                run = measured(method, number, command(method, url, folder, state, told), pid)
                rows.append(run)
                books[method] = json.load(urllib.request.urlopen(f"{url}/books"))
                print(run, file=sys.stderr, flush=True)
        print(f"{report(rows, books)}\n")
        print("" if told.video else f"{goals(rows, books)}\n")
    loads = [row.foreign for row in rows]
    noisy = sum(load > FOREIGN_LIMIT for load in loads)
    print(f"foreign load in cores: {span(loads)}; above {FOREIGN_LIMIT} in {noisy} of {len(loads)} runs")


@contextmanager
def prepared(told: argparse.Namespace) -> Iterator[tuple[Path, Path]]:
    """A folder of photos, or with one video; and one for records."""
    base = Path(tempfile.mkdtemp(prefix="bench-staging-"))
    try:
        (base / "in").mkdir()
        if told.video:
            with (base / "in" / "film.mp4").open("wb") as film:
                for _ in range(told.video):
                    film.write(os.urandom(1_000_000))
        else:
            pool, chance = os.urandom(4 << 20), random.Random(1)
            for index in range(told.photos):
                (base / "in" / f"{index:05}.jpg").write_bytes(photo(pool, chance, 50 * KIB))
        yield base / "in", base / "state"
    finally:
        shutil.rmtree(base)


def command(method: str, url: str, folder: Path, state: Path, told: argparse.Namespace) -> list[str]:
    if not METHODS[method]:
        kind = ("create-batch-of-videos", "--videos-dir") if told.video else ("create-batch-of-images", "--images-dir")
        # It leaves a log beside the photos, by which it would send nothing the second time.
        for log in folder.glob(".import_log*"):
            log.unlink()
        vendor = [str(told.vendor), "rf-cloud", "data-staging", kind[0], "--api-key", "key"]
        return [*vendor, kind[1], str(folder), "--batch-id", "bench"]
    shutil.rmtree(state, ignore_errors=True)
    program = [str(Path(sys.executable).parent / "visionbatch"), "--quiet", "--state-dir", str(state)]
    media = ["--media", "videos"] if told.video else ["--images-per-shard", *METHODS[method]]
    service = ["roboflow", "--url", url, "--store-host", url]
    return [*program, *service, "stage", str(folder), "--batch-id", "bench", *media]


def measured(method: str, number: int, line: list[str], pid: int) -> Measured:
    # The vendor's nine processes take most.
    back_memory(512)
    load = ForeignLoad(lambda: own_cpu() + cpu_seconds(pid))
    used = run_child(line)
    return Measured(
        method=method, round=number, wall_s=used.wall_s, cpu_s=used.cpu_s, peak_mib=used.tree_mib, foreign=load.cores()
    )


def report(rows: list[Measured], books: dict[str, dict[str, int]]) -> str:
    """Each method, and the ratios of each round, for a shared machine is slow in whole rounds."""
    lines = []
    for method in books:
        mine = [row for row in rows if row.method == method]
        ratios = [_ratios(rows, method, what) for what in ("wall_s", "cpu_s", "peak_mib")]
        figures = [span(row.wall_s for row in mine), span(row.cpu_s for row in mine)]
        peak = span((row.peak_mib for row in mine), 0)
        lines.append([method, *figures, peak, books[method]["requests"], *(span(ratio, 1) for ratio in ratios)])
    return table(["method", "wall, s", "CPU, s", "peak, MiB", "requests", "wall x", "CPU x", "memory x"], lines)


def _ratios(rows: list[Measured], method: str, what: str) -> list[float]:
    """How often one of ours goes into the vendor's, round by round."""
    vendor = {row.round: getattr(row, what) for row in rows if row.method == VENDOR}
    mine = {row.round: getattr(row, what) for row in rows if row.method == method}
    return [vendor[number] / mine[number] for number in mine if number in vendor]


def goals(rows: list[Measured], books: dict[str, dict[str, int]]) -> str:
    """The demands of R1."""

    def line(demand: str, what: str, least: float) -> tuple[str, str, str, str]:
        found = _ratios(rows, OURS, what)
        return verdict("R1", demand, median(found) >= least if found else None, f"{span(found, 1)}x")

    asked = books[OURS]["requests"]
    lines = [
        line(">= 6 x faster than the vendor's client", "wall_s", 6.0),
        line(">= 9 x less CPU", "cpu_s", 9.0),
        line("<= 1/10 of its memory, all processes", "peak_mib", 10.0),
        verdict("R1", "requests <= 41", asked <= 41, str(asked)),
    ]
    return table(("goal", "demand", "", "median (least-most)"), lines)


if __name__ == "__main__":
    main()
