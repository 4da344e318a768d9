"""One file over one resumable session, ours beside what else there is, in five surroundings.

Run: ``python -m benchmarks.upload [--size 512] [--rounds 5] [--case NAME ...] [--documented PATH_TO_SCRIPT]``
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import certifi
import trustme
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

OURS, RAW, GOOGLE, STORAGE, STREAMING, CURL, SCRIPT = METHODS = (
    "visionbatch",
    "raw sendfile",
    "google-resumable-media 8 MiB",
    "google-cloud-storage",
    "requests, streaming",
    "curl -T",
    "documented script",
)


@dataclass(frozen=True)
class Case:
    """What lies between client and server.

    :param cap: bytes a second; 0 for no limit.
    """

    latency_s: float = 0.0
    cap: float = 0.0
    tls: bool = False


CASES = {
    "0ms": Case(),
    "20ms": Case(latency_s=0.02),
    "80ms": Case(latency_s=0.08),
    "cap": Case(latency_s=0.02, cap=100e6),
    "tls": Case(tls=True),
}


@dataclass(frozen=True)
class Demand:
    """One goal: at least so many times faster, or with so many times less CPU, than a peer.

    :param wall: least median ratio of wall times; for `RAW`, below 1.
    :param cpu: the same of CPU seconds.
    """

    name: str
    case: str
    peer: str
    wall: float | None = None
    cpu: float | None = None


DEMANDS = (
    Demand("U1", "0ms", SCRIPT, wall=20, cpu=18),
    Demand("U1", "0ms", STORAGE, wall=5, cpu=6),
    Demand("U1", "0ms", CURL, wall=1.7),
    Demand("U1", "0ms", RAW, wall=1 / 1.15),
    Demand("U2", "80ms", SCRIPT, wall=200),
    Demand("U2", "80ms", STORAGE, wall=4),
    Demand("U3", "cap", SCRIPT, wall=5),
    Demand("U3", "cap", STORAGE, wall=1.15),
    Demand("U3", "cap", RAW, wall=1 / 1.02),
    Demand("U4", "tls", SCRIPT, wall=80, cpu=80),
    Demand("U4", "tls", STORAGE, wall=2),
    Demand("U4", "tls", CURL, wall=1),
)


@dataclass(frozen=True, kw_only=True)
class Run(Measured):
    """One upload by one method."""

    case: str
    requests: int
    connections: int


class Bench:
    """Where everything is sent from and to."""

    def __init__(self, folder: Path, script: str | None) -> None:
        self.script = script
        self._authority = trustme.CA()
        self.bundle = folder / "authority.pem"
        self._certificate = folder / "certificate.pem"
        # The usual trust store with one more authority, for loading it is a part of what clients do.
        self.bundle.write_text(certifi.contents() + self._authority.cert_pem.bytes().decode())
        issued = self._authority.issue_cert("localhost")
        self._certificate.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
        # All clients but curl read the environment; a child inherits it.
        os.environ["SSL_CERT_FILE"] = os.environ["REQUESTS_CA_BUNDLE"] = str(self.bundle)

    @contextmanager
    def sink(self, case: Case) -> Iterator[tuple[str, int]]:
        """A sink for one case; gives its URL and process id."""
        more = ["--certificate", str(self._certificate)] if case.tls else []
        told = ["--latency", str(case.latency_s), "--cap", str(case.cap)]
        with server("benchmarks.sink", *told, *more) as found:
            yield found

    def run(self, case: str, method: str, number: int, url: str, sink: int, path: Path) -> Run:
        """Upload once."""
        books(url)
        back_memory(path.stat().st_size / MIB)
        foreign = ForeignLoad(lambda: own_cpu() + cpu_seconds(sink))
        if method == CURL:
            # A whole process, which starts in some milliseconds.
            target = f"{url}/session/curl-{number}"
            used = run_child(["curl", "-sSf", "--cacert", str(self.bundle), "-o", "/dev/null", "-T", str(path), target])
            told = {"wall_s": used.wall_s, "cpu_s": used.cpu_s, "peak_mib": used.peak_mib}
        else:
            more = [self.script] if self.script and method == SCRIPT else []
            command = [sys.executable, "-m", "benchmarks.upload_clients", method, url, str(path), *more]
            told = json.loads(run_child(command).output)
        cores = foreign.cores()
        counts = books(url)
        if counts["bytes"] < path.stat().st_size:
            raise RuntimeError(f"{method} sent {counts['bytes']} bytes only")
        # The look at the books is a connection too.
        connections = counts["connections"] - 1
        return Run(
            case=case,
            method=method,
            round=number,
            requests=counts["requests"],
            connections=connections,
            foreign=cores,
            **told,
        )


def books(url: str) -> dict[str, int]:
    """What the sink was sent since the last look."""
    with urllib.request.urlopen(f"{url}/books", timeout=30) as answer:
        return dict(json.load(answer))


def report(runs: list[Run], size_mib: int) -> str:
    """Medians with least and greatest, and the ratio to ours in the same round."""
    ours = {found.round: found for found in runs if found.method == OURS}
    rows = []
    for method in dict.fromkeys(found.method for found in runs):
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


def goals(runs: list[Run], size_mib: int) -> str:
    """The demands that these runs can judge."""
    by = {(found.case, found.method, found.round): found for found in runs}

    def ratios(demand: Demand, attribute: str) -> list[float]:
        mine = [found for found in runs if (found.case, found.method) == (demand.case, OURS)]
        pairs = [(by.get((demand.case, demand.peer, found.round)), found) for found in mine]
        return [getattr(peer, attribute) / getattr(found, attribute) for peer, found in pairs if peer is not None]

    rows = []
    for demand in DEMANDS:
        for attribute, least, what in (("wall_s", demand.wall, "faster"), ("cpu_s", demand.cpu, "less CPU")):
            found = ratios(demand, attribute) if least else []
            if least and found:
                claim = f"{demand.case}: {least:.2f}x {what} than {demand.peer}"
                rows.append(verdict(demand.name, claim, median(found) >= least, f"{span(found, 2)}x"))
    rows += [
        *_own(runs, "U2", "80ms", lambda run: run.requests, 2, "requests when nothing fails"),
        *_own(runs, "U4", "tls", lambda run: run.cpu_s * 1024 / size_mib, 1, "CPU seconds a GiB"),
    ]
    return table(("goal", "demand", "", "median (least-most)"), rows)


def _own(
    runs: list[Run], name: str, case: str, figure: Callable[[Run], float], most: float, what: str
) -> list[tuple[str, str, str, str]]:
    found = [figure(run) for run in runs if (run.case, run.method) == (case, OURS)]
    return [verdict(name, f"{case}: at most {most:g} {what}", median(found) <= most, span(found))] if found else []


def memory(bench: Bench, folder: Path) -> str:
    """Goal U5: the peak of an upload of 64 MiB beside one of 8 GiB, both of nothing but a hole."""
    peaks = []
    with bench.sink(Case()) as (url, pid):
        for mib in (64, 8192):
            path = folder / f"{mib}.zip"
            with path.open("wb") as file:
                file.truncate(mib * MIB)
            peaks.append(bench.run("memory", OURS, mib, url, pid, path).peak_mib)
    grown = peaks[1] - peaks[0]
    figure = f"{grown:.1f} MiB over {peaks[0]:.0f}"
    line = verdict("U5", "8 GiB takes at most 1 MiB more than 64 MiB", grown <= 1, figure)
    return table(("goal", "demand", "", "grown by"), [line])


def main() -> None:
    """Run all methods, case by case and round by round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512, help="MiB")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--case", nargs="*", choices=CASES, default=list(CASES))
    parser.add_argument("--documented", metavar="PATH_TO_SCRIPT", help="the vendor's upload script")
    told = parser.parse_args()
    present = [m for m in METHODS if (m != CURL or shutil.which("curl")) and (m != SCRIPT or told.documented)]
    print(machine_line("google-resumable-media", "google-cloud-storage", "requests"), flush=True)
    print(f"{told.size} MiB, {told.rounds} rounds; the documented script in the first only\n", flush=True)
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="visionbatch-bench-") as name:
        folder = Path(name)
        bench = Bench(folder, str(Path(told.documented).resolve()) if told.documented else None)
        path = folder / "archive.zip"
        with path.open("wb") as file:
            for _ in range(told.size):
                file.write(bytes(MIB))
        for case in told.case:
            methods = [m for m in present if not (m == RAW and CASES[case].tls)]
            with bench.sink(CASES[case]) as (url, pid):
                for number in range(told.rounds):
                    for method in methods[: None if number == 0 else -1] if told.documented else methods:
                        runs.append(bench.run(case, method, number, url, pid, path))
                        print(runs[-1], file=sys.stderr, flush=True)
            print(f"### {case}\n\n{report([found for found in runs if found.case == case], told.size)}\n", flush=True)
        path.unlink()
        print(f"{goals(runs, told.size)}\n\n{memory(bench, folder)}\n")
    loads = [found.foreign for found in runs]
    noisy = sum(load > FOREIGN_LIMIT for load in loads)
    print(f"foreign load in cores: {span(loads)}; above {FOREIGN_LIMIT} in {noisy} of {len(loads)} runs")


if __name__ == "__main__":
    main()
