"""What all benchmarks share: rounds, medians, tables, the machine's line, and what a child process used."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.tree_memory import TreeMemory

ROOT = Path(__file__).parents[1]
TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20
FOREIGN_LIMIT = 0.35
"""Cores used by others, above which the wall times of a round say little."""


def machine_line(*packages: str) -> str:
    """Python, kernel and the versions that were measured, in one line."""
    found = [f"{package} {_version(package)}" for package in packages]
    return ", ".join([f"{os.cpu_count()} cores, shared", f"Python {platform.python_version()}", *found])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def busy_seconds() -> float:
    """CPU seconds that the whole machine has worked since it started."""
    user, nice, system, _, _, irq, softirq, *_ = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(int(ticks) for ticks in (user, nice, system, irq, softirq)) / TICKS


def cpu_seconds(pid: int) -> float:
    """CPU seconds that a live process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_kib(pid: int | str = "self", what: str = "VmRSS") -> int:
    """Resident memory of a live process: ``VmRSS`` now, ``VmHWM`` at its highest."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1])
    raise ProcessLookupError(pid)


class ForeignLoad:
    """Cores that other work kept busy meanwhile.

    :param own: CPU seconds used so far by everything that belongs to the measurement.
    """

    def __init__(self, own: Callable[[], float]) -> None:
        self._own = own
        self._began = (time.monotonic(), busy_seconds(), own())

    def cores(self) -> float:
        """Their number since this was made."""
        began, busy, own = self._began
        elapsed = time.monotonic() - began
        return max(busy_seconds() - busy - (self._own() - own), 0.0) / elapsed if elapsed else 0.0


def back_memory(mib: float) -> None:
    """Have the host of a virtual machine back so much free memory before something is measured.

    It takes back what lies idle, and the guest pays for each page when that is touched again: writing 800 MiB to a
    fresh file took 0.2 CPU seconds here or 2, whoever came first. What was just freed is handed out first, so that a
    file written and deleted is enough.
    """
    block = bytes(MIB)
    with tempfile.TemporaryFile() as filler:
        for _ in range(int(mib)):
            filler.write(block)


def own_cpu() -> float:
    """CPU seconds of this process and of its children that have ended."""
    mine, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One method in one round.

    :param foreign: cores kept busy by others meanwhile.
    """

    method: str
    round: int
    wall_s: float
    cpu_s: float
    peak_mib: float
    foreign: float


@dataclass(frozen=True)
class ChildUse:
    """What a child process took, interpreter start included.

    :param peak_mib: of the largest process; never below what this one itself held when it started the child.
    :param tree_mib: of the child and all that it started together, see `benchmarks.tree_memory.TreeMemory`.
    """

    wall_s: float
    cpu_s: float
    peak_mib: float
    tree_mib: float
    output: str


def run_child(command: Sequence[str], *, timeout_s: float = 600.0) -> ChildUse:
    """Run a command to its end and measure it.

    :raises RuntimeError: when it fails, with the end of what it said.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as complaint:
        began = time.perf_counter()
        child = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=complaint, env=quiet_environment())
        watchdog = threading.Timer(timeout_s, child.kill)
        watchdog.start()
        with TreeMemory(child.pid) as memory:
            # wait4 and not wait: only it says what this one child used.
            _, status, used = os.wait4(child.pid, 0)
            wall_s = time.perf_counter() - began
        watchdog.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        complaint.seek(0)
        if child.returncode:
            raise RuntimeError(f"{command} ended with {child.returncode}: {complaint.read()[-2000:]}")
        cpu_s = used.ru_utime + used.ru_stime
        return ChildUse(wall_s, cpu_s, used.ru_maxrss / 1024, memory.peak_kib / 1024, output.read())


def quiet_environment() -> dict[str, str]:
    """The environment without proxies, so that loopback stays loopback.

    Bytecode may be kept, as it is of whatever was installed: a peer has its own since then, and a checkout would be
    compiled anew in each run.
    """
    dropped = {"http_proxy", "https_proxy", "all_proxy", "pythondontwritebytecode"}
    return {name: value for name, value in os.environ.items() if name.lower() not in dropped}


@contextmanager
def server(module: str, *arguments: str) -> Iterator[tuple[str, int]]:
    """A server in a process of its own, which prints its URL first; gives the URL and its process id."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            url = child.stdout.readline().strip()
            if not url:
                raise RuntimeError(f"{module} did not start")
            yield url, child.pid
        finally:
            child.terminate()


def median(values: Iterable[float]) -> float:
    """The median; not a number when there is nothing."""
    found = list(values)
    return statistics.median(found) if found else float("nan")


def span(values: Iterable[float], digits: int = 2) -> str:
    """Median with least and greatest, such as ``2.1 (1.9-2.4)``."""
    found = list(values)
    if not found:
        return "-"
    middle, least, most = statistics.median(found), min(found), max(found)
    return f"{middle:.{digits}f}" if len(found) == 1 else f"{middle:.{digits}f} ({least:.{digits}f}-{most:.{digits}f})"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown, padded so that it reads well in a terminal too."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    lines = [f"| {' | '.join(row)} |" for row in padded]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def verdict(name: str, demand: str, reached: bool | None, figure: str) -> tuple[str, str, str, str]:
    """One line of the table of goals; ``None`` for one that this run does not measure."""
    return name, demand, {True: "reached", False: "NOT reached", None: "not measured"}[reached], figure
