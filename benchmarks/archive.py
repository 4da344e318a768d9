"""From a folder of photos to an uploaded archive, ours beside what else makes and sends one, and the goals A1 to A5.

Run: ``python -m benchmarks.archive [--documented PATH_TO_SCRIPT]``, which prints every table; for a quick look
``--photos 500 --rounds 1 --cases quick --members 50000``.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.archive_clients import METHODS, READY, files_below
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
from benchmarks.photos import write_folder
from benchmarks.upload import books

GIB = 1 << 30
OURS = "visionbatch"
DOCUMENTED, MADE = "make_archive, documented script", "make_archive, best upload"
STORED, NG, STREAM_ZIP = "ZIP_STORED file, best upload", "zipstream-ng", "stream-zip"
TAR_CURL, READ_ALL, SEND_ONE = "tar to curl -T -", "limit: read all", "limit: send one file"
SLOW = {DOCUMENTED, MADE}
RESUMES = 5


@dataclass(frozen=True)
class Case:
    """A line to send over.

    :param cap: bytes a second, 0 without limit.
    """

    name: str
    latency_s: float
    cap: float


CASES = {
    "quick": Case("0 ms", 0.0, 0.0),
    "capped": Case("20 ms, 100 MB/s", 0.02, 100e6),
}


@dataclass(frozen=True, kw_only=True)
class Run(Measured):
    """One way from the folder to the sink."""

    written_mib: float
    requests: int


@dataclass(frozen=True)
class Bench:
    """The folder, the place for temporary files, and the vendor's script."""

    folder: Path
    scratch: Path
    script: str | None
    bytes: int

    def run(self, method: str, number: int, url: str, sink: int) -> Run:
        """Once by one method, in a process of its own."""
        books(url)
        back_memory(2 * self.bytes / MIB)
        foreign = ForeignLoad(lambda: own_cpu() + cpu_seconds(sink))
        command = [sys.executable, "-m", "benchmarks.archive_clients", method, url, str(self.folder), str(self.scratch)]
        told = json.loads(run_child([*command, *([self.script] if self.script else [])], timeout_s=1800).output)
        cores = foreign.cores()
        counts = books(url)
        for made in self.scratch.glob("made*"):
            made.unlink()
        if method != READ_ALL and counts["bytes"] < self.bytes:
            raise RuntimeError(f"{method} sent {counts['bytes']} bytes only, of {self.bytes}")
        return Run(method=method, round=number, requests=counts["requests"], foreign=cores, **told)

    def rounds(self, case: Case, methods: Sequence[str], rounds: int, slow_rounds: int) -> list[Run]:
        """All methods in turn; the slow ones in the first rounds only."""
        runs = []
        with server("benchmarks.sink", "--latency", str(case.latency_s), "--cap", str(case.cap)) as (
            url,
            pid,
        ):
            for number in range(rounds):
                for method in methods:
                    if number < slow_rounds or method not in SLOW:
                        runs.append(self.run(method, number, url, pid))
                        print(runs[-1], file=sys.stderr, flush=True)
        return runs


class Results:
    """The runs of one case, by method and round."""

    def __init__(self, runs: list[Run]) -> None:
        self._by = {(found.method, found.round): found for found in runs}
        self.numbers = sorted({found.round for found in runs})
        self.methods = list(dict.fromkeys(found.method for found in runs))

    def of(self, method: str) -> list[Run]:
        return [self._by[method, number] for number in self.numbers if (method, number) in self._by]

    def ratios(self, figure: str, peer: str, ours: str = OURS) -> list[float]:
        """How many times more a peer took than we, round by round."""
        pairs = [(self._by.get((peer, number)), self._by.get((ours, number))) for number in self.numbers]
        return [getattr(a, figure) / getattr(b, figure) for a, b in pairs if a and b]

    def beyond_limits(self, ours: str = OURS) -> list[float]:
        """Our time by what reading all and sending one file take in the same round."""
        limits = zip(self.of(READ_ALL), self.of(SEND_ONE), self.of(ours), strict=True)
        return [own.wall_s / (reading.wall_s + sending.wall_s) for reading, sending, own in limits]

    def table(self, case: Case) -> str:
        """Medians with least and greatest, and the ratio to ours in the same round."""
        rows = [
            (
                method,
                span(found.wall_s for found in self.of(method)),
                span(self.ratios("wall_s", method), 1),
                span(found.cpu_s for found in self.of(method)),
                span(self.ratios("cpu_s", method), 1),
                f"{median(found.peak_mib for found in self.of(method)):.0f}",
                f"{median(found.written_mib for found in self.of(method)):.1f}",
                f"{median(found.requests for found in self.of(method)):.0f}",
            )
            for method in self.methods
        ]
        head = (
            f"method, {case.name}",
            "wall, s",
            "to ours",
            "CPU, s",
            "to ours",
            "peak, MiB",
            "written, MiB",
            "requests",
        )
        return table(head, rows)


Line = tuple[str, str, str, str]


def at_least(found: list[float], name: str, least: float, what: str) -> Line:
    reached = median(found) >= least if found else None
    return verdict(name, f">= {least:g} x {what}", reached, f"{span(found, 1)}x")


def at_most(found: list[float], name: str, most: float, what: str, unit: str = "") -> Line:
    reached = median(found) <= most if found else None
    return verdict(name, f"{what} <= {most:g}{unit}", reached, f"{span(found)}{unit}")


def quick_goals(results: Results) -> list[Line]:
    """A1 and A3."""
    wall, cpu = (lambda peer: results.ratios("wall_s", peer)), (lambda peer: results.ratios("cpu_s", peer))
    return [
        at_least(wall(DOCUMENTED), "A1", 40, f"faster than {DOCUMENTED}"),
        at_least(cpu(DOCUMENTED), "A1", 35, f"less CPU than {DOCUMENTED}"),
        at_least(wall(MADE), "A1", 30, f"faster than {MADE}"),
        at_least(wall(STORED), "A1", 3.5, f"faster than {STORED}"),
        at_least(wall(NG), "A1", 3, f"faster than {NG}"),
        at_least(cpu(NG), "A1", 2.5, f"less CPU than {NG}"),
        at_least(wall(STREAM_ZIP), "A1", 3.5, f"faster than {STREAM_ZIP}"),
        at_least(wall(TAR_CURL), "A1", 1.4, f"faster than {TAR_CURL}"),
        at_most(results.beyond_limits(), "A1", 1.5, "read all + send one file", "x"),
        at_most([found.written_mib for found in results.of(OURS)], "A3", 1, "written to disk", " MiB"),
        at_most([found.peak_mib for found in results.of(OURS)], "A4", 64, "peak of the upload", " MiB"),
    ]


def capped_goals(results: Results) -> list[Line]:
    """A2."""
    wall = lambda peer: results.ratios("wall_s", peer)  # noqa: E731  # read like those above
    return [
        at_least(wall(DOCUMENTED), "A2", 7, f"faster than {DOCUMENTED}"),
        at_least(wall(MADE), "A2", 3, f"faster than {MADE}"),
        at_least(wall(STORED), "A2", 1.15, f"faster than {STORED}"),
        at_most(results.ratios("wall_s", OURS, SEND_ONE), "A2", 1.03, "send one file", "x"),
    ]


GOALS: dict[str, Callable[[Results], list[Line]]] = {"quick": quick_goals, "capped": capped_goals}


def scale(*words: object) -> dict[str, Any]:
    """One measurement of `benchmarks.archive_scale`."""
    return dict(json.loads(run_child([sys.executable, "-m", "benchmarks.archive_scale", *map(str, words)]).output))


def memory_goals(members: int, rounds: int) -> list[Line]:
    """A4, and the plan of a million members."""
    small, large = ([scale("read", count)["peak_mib"] for _ in range(rounds)] for count in (20_000, 200_000))
    slope = [(much - little) * 1024 / 180_000 for little, much in zip(small, large, strict=True)]
    plans = [scale("plan", members) for _ in range(rounds)]
    return [
        at_most(small, "A4", 64, "peak of computing 20,000 members", " MiB"),
        at_most(slope, "A4", 0.6, "each further member, up to 200,000", " KiB"),
        at_most([one["wall_s"] for one in plans], "plan", 10, f"{members:,} members laid out", " s"),
        at_most([one["cpu_s"] for one in plans], "plan", 10, f"{members:,} members, CPU", " s"),
        at_most([one["peak_mib"] for one in plans], "plan", 450, f"{members:,} members, peak", " MiB"),
    ]


def resume_goals(folder: Path, archive_bytes: int) -> list[Line]:
    """A5: from random offsets, each in a process that has read nothing yet."""
    chance = random.Random(archive_bytes)
    offsets = [chance.randrange(archive_bytes // 2) for _ in range(RESUMES)]
    expected = scale("tails", folder, *offsets)
    found = {offset: scale("resume", folder, offset) for offset in offsets}
    same = all(one["tail"] == expected["tails"][str(offset)] for offset, one in found.items())
    late = [one["plan_s"] + one["first_s"] for one in found.values()]
    after_plan = [one["first_s"] for one in found.values()]
    allowed = [max(0.6 * offset / GIB, 0.2) for offset in offsets]
    in_time = all(one <= most for one, most in zip(late, allowed, strict=True))
    return [
        verdict("A5", "the same bytes from any offset", same, f"{RESUMES} of {RESUMES}" if same else "no"),
        verdict("A5", "first byte <= 0.6 s per GiB sent, 0.2 s at least", in_time, f"{span(late)} s"),
        at_most(after_plan, "A5", 0.2, "first byte after the folder is listed", " s"),
    ]


def main() -> None:
    """All cases, round by round, and then what is measured alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=20_000, help="of 50 KiB, ten in a folder")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slow-rounds", type=int, default=3, help="rounds with shutil.make_archive")
    parser.add_argument("--cases", default=",".join(CASES), help="of " + ",".join(CASES))
    parser.add_argument("--members", type=int, default=1_000_000, help="of the plan that is only laid out")
    parser.add_argument("--scratch", type=Path, help="folder on a real disk, for the photos and temporary archives")
    parser.add_argument("--documented", metavar="PATH_TO_SCRIPT", help="the vendor's upload script")
    told = parser.parse_args()
    print(machine_line("zipstream-ng", "stream-zip", "requests"), flush=True)
    with tempfile.TemporaryDirectory(prefix="visionbatch-bench-", dir=told.scratch) as place:
        folder = write_folder(Path(place) / "photos", told.photos, folders=max(told.photos // 10, 1))
        scratch = Path(place) / "scratch"
        scratch.mkdir()
        total = sum(Path(path).stat().st_size for path in files_below(str(folder)))
        archive_bytes = scale("tails", folder)["size"]
        with (scratch / READY).open("wb") as ready:
            for start in range(0, archive_bytes, MIB):
                ready.write(bytes(min(MIB, archive_bytes - start)))
        script = str(Path(told.documented).resolve()) if told.documented else None
        methods = [name for name in METHODS if available(name, script)]
        print(f"{told.photos} photos of 50 KiB, {archive_bytes / MIB:.0f} MiB, {told.rounds} rounds\n", flush=True)
        bench = Bench(folder, scratch, script, total)
        lines: list[Line] = []
        loads: list[float] = []
        for key in told.cases.split(","):
            runs = bench.rounds(CASES[key], methods, told.rounds, told.slow_rounds)
            results = Results(runs)
            loads += [found.foreign for found in runs]
            lines += GOALS[key](results)
            print(f"{results.table(CASES[key])}\n", flush=True)
        lines += memory_goals(told.members, min(told.rounds, 3))
        lines += resume_goals(folder, archive_bytes)
    print(f"{table(('goal', 'demand', '', 'median (least-most)'), lines)}\n")
    noisy = sum(load > FOREIGN_LIMIT for load in loads)
    print(f"foreign load in cores: {span(loads)}; above {FOREIGN_LIMIT} in {noisy} of {len(loads)} runs")


def available(method: str, script: str | None) -> bool:
    if method == DOCUMENTED:
        return script is not None
    return method != TAR_CURL or bool(shutil.which("curl"))


if __name__ == "__main__":
    main()
