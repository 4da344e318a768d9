"""Filling a batch with 5,000 photos at 30 ms a request, ours beside the vendor's own client, whole processes both.

Run: ``python -m benchmarks.roboflow [--photos N] [--rounds N] [--vendor .venv-inference/bin/inference]``; ``--video``
sends a video of 700 MB instead. `benchmarks.roboflow_sink` takes what is sent.
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

from benchmarks.harness import ForeignLoad, Measured, machine_line, own_cpu, run_child, server, span, table
from benchmarks.photos import KIB, photo

METHODS = {"ours, 500 an archive": ("500",), "ours, 256 an archive": ("256",), "vendor's client": ()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latency", type=float, default=0.03)
    parser.add_argument("--vendor", type=Path, default=Path(".venv-inference/bin/inference"))
    parser.add_argument("--video", action="store_true")
    told = parser.parse_args()
    os.environ |= {"VISIONBATCH_ROBOFLOW_API_KEY": "key", "ROBOFLOW_API_KEY": "key", "NO_COLOR": "1"}
    with prepared(told) as (folder, state), server("benchmarks.roboflow_sink", "--latency", str(told.latency)) as sink:
        url, pid = sink
        os.environ["API_BASE_URL"] = url
        print(machine_line("requests", "urllib3"))
        rows, books = [], {}
        for number in range(told.rounds):
            # The vendor's client opens a film first, and leaves this one out: it is noise.
            for method in [name for name in METHODS if METHODS[name] or not told.video]:
                run = measured(method, number, command(method, url, folder, state, told), pid)
                rows.append(run)
                books[method] = json.load(urllib.request.urlopen(f"{url}/books"))
                print(f"{run.round} {run.method}: {run.wall_s:.2f} s, {run.cpu_s:.2f} s CPU, {run.peak_mib:.0f} MiB")
        if not told.video:
            report(rows, books)


@contextmanager
def prepared(told: argparse.Namespace) -> Iterator[tuple[Path, Path]]:
    """A folder of photos, or with one video; and one for records."""
    base = Path(tempfile.mkdtemp(prefix="bench-staging-"))
    try:
        (base / "in").mkdir()
        if told.video:
            with (base / "in" / "film.mp4").open("wb") as film:
                for _ in range(700):
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
    del pid
    load = ForeignLoad(own_cpu)
    used = run_child(line)
    return Measured(
        method=method, round=number, wall_s=used.wall_s, cpu_s=used.cpu_s, peak_mib=used.peak_mib, foreign=load.cores()
    )


def report(rows: list[Measured], books: dict[str, dict[str, int]]) -> None:
    """Each method, and the ratios of each round, for a shared machine is slow in whole rounds."""
    vendor = {row.round: row for row in rows if not METHODS[row.method]}
    lines = []
    for method in METHODS:
        mine = [row for row in rows if row.method == method]
        peers = [(row, vendor[row.round]) for row in mine]
        lines.append(
            [
                method,
                span(row.wall_s for row in mine),
                span(row.cpu_s for row in mine),
                span((row.peak_mib for row in mine), 0),
                books[method]["requests"],
                span(peer.wall_s / row.wall_s for row, peer in peers),
                span(peer.cpu_s / row.cpu_s for row, peer in peers),
                span(peer.peak_mib / row.peak_mib for row, peer in peers),
            ]
        )
    head = ["method", "wall s", "CPU s", "peak MiB", "requests", "wall x", "CPU x", "memory x"]
    print(table(head, lines))


if __name__ == "__main__":
    main()
