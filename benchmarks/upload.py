"""One file over one resumable session, ours beside what else there is.

Run: ``python -m benchmarks.upload [--size 256] [--rounds 5] [--latency 0] [--documented PATH_TO_SCRIPT]``
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import (
    FOREIGN_LIMIT,
    ForeignLoad,
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

MIB = 1 << 20
OURS, ONE, GOOGLE, STREAMING, SCRIPT = (
    "visionbatch",
    "visionbatch, one request",
    "google-resumable-media 8 MiB",
    "requests, streaming",
    "documented script",
)
CURL = "curl -T"


@dataclass(frozen=True)
class Run:
    """One upload by one method.

    :param foreign: cores kept busy by others meanwhile.
    """

    method: str
    round: int
    wall_s: float
    cpu_s: float
    peak_mib: float
    requests: int
    connections: int
    foreign: float


def run(method: str, number: int, url: str, sink: int, path: Path, script: str | None) -> Run:
    """Upload once."""
    asked(url)
    foreign = ForeignLoad(lambda: own_cpu() + cpu_seconds(sink))
    if method == CURL:
        # A whole process, which starts in some milliseconds.
        used = run_child(["curl", "-sS", "-f", "-o", "/dev/null", "-T", str(path), f"{url}/session/curl-{number}"])
        told = {"wall_s": used.wall_s, "cpu_s": used.cpu_s, "peak_mib": used.peak_mib}
    else:
        more = [script] if script and method == SCRIPT else []
        command = [sys.executable, "-m", "benchmarks.upload_clients", method, url, str(path), *more]
        told = json.loads(run_child(command).output)
    cores = foreign.cores()
    books = asked(url)
    if books["bytes"] < path.stat().st_size:
        raise RuntimeError(f"{method} sent {books['bytes']} bytes only")
    return Run(method, number, requests=books["requests"], connections=books["connections"] - 1, foreign=cores, **told)


def asked(url: str) -> dict[str, int]:
    """What the sink was sent since the last look."""
    with urllib.request.urlopen(f"{url}/books", timeout=30) as answer:
        return dict(json.load(answer))


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
                f"{median(found.requests for found in of):.0f}",
                f"{median(found.connections for found in of):.0f}",
            )
        )
    head = ("method", "wall, s", "to ours", "CPU s/GiB", "to ours", "peak, MiB", "requests", "connections")
    return table(head, rows)


def goals(runs: list[Run], latency_s: float) -> str:
    """The demands that this run can judge."""
    by = {(found.method, found.round): found for found in runs}
    numbers = sorted({found.round for found in runs})

    def ratios(attribute: str, peer: str, ours: str) -> list[float]:
        pairs = [(by.get((peer, number)), by.get((ours, number))) for number in numbers]
        return [getattr(a, attribute) / getattr(b, attribute) for a, b in pairs if a and b]

    def line(name: str, peer: str, attribute: str, least: float) -> tuple[str, str, str, str]:
        found = ratios(attribute, peer, ONE)
        what = {"wall_s": "faster", "cpu_s": "less CPU"}[attribute]
        reached = median(found) >= least if found else None
        return verdict(name, f">= {least:g} x {what} than {peer}", reached, f"{span(found, 1)}x")

    rows = [
        line("U1", SCRIPT, "wall_s", 20 if latency_s == 0 else 200),
        line("U1", SCRIPT, "cpu_s", 18),
        line("U1", CURL, "wall_s", 1.7 if latency_s == 0 else 1.0),
        line("U1", GOOGLE, "wall_s", 2),
        line("U1", GOOGLE, "cpu_s", 2),
    ]
    if any(found.method == ONE for found in runs):
        asked_for = median(found.requests for found in runs if found.method == ONE)
        rows.append(verdict("U2", "2 requests when nothing fails", asked_for == 2, f"{asked_for:.0f}"))
    return table(("goal, one request", "demand", "", "median (least-most)"), rows)


def main() -> None:
    """Run all methods, round by round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256, help="MiB")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer of the sink")
    parser.add_argument("--documented", metavar="PATH_TO_SCRIPT", help="the vendor's upload script")
    told = parser.parse_args()
    methods = [OURS, ONE, GOOGLE, STREAMING]
    methods += [CURL] if shutil.which("curl") else []
    methods += [SCRIPT] if told.documented else []
    script = str(Path(told.documented).resolve()) if told.documented else None
    print(machine_line("google-resumable-media", "requests"), flush=True)
    print(f"{told.size} MiB, {told.latency * 1000:g} ms before each answer, {told.rounds} rounds\n", flush=True)
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="visionbatch-bench-") as folder:
        path = Path(folder) / "archive.zip"
        with path.open("wb") as file:
            for _ in range(told.size):
                file.write(bytes(MIB))
        with server("benchmarks.sink", "--latency", str(told.latency)) as (url, pid):
            for number in range(told.rounds):
                for method in methods:
                    runs.append(run(method, number, url, pid, path, script))
                    print(runs[-1], file=sys.stderr, flush=True)
    print(f"{report(runs, methods, told.size)}\n")
    print(f"{goals(runs, told.latency)}\n")
    loads = [found.foreign for found in runs]
    noisy = sum(load > FOREIGN_LIMIT for load in loads)
    print(f"foreign load in cores: {span(loads)}; above {FOREIGN_LIMIT} in {noisy} of {len(loads)} runs")


if __name__ == "__main__":
    main()
