"""Counters of one world in Prometheus's text format, version 0.0.4.

What only shows while it happens is counted here; what a scrape can see by looking is looked up then, so
that a request costs no more than a few additions.
"""

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "visionbatch_mock"
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of the histogram of times: those that Prometheus's own clients use."""


@dataclass(slots=True)
class _Times:
    """Times of one operation: how many fell below each bound, and their sum."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    total_s: float = 0.0


class Metrics:
    """What was counted since the start. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str]] = Counter()
        self._faults: Counter[str] = Counter()
        self._times: dict[str, _Times] = {}
        self._received = self._unmatched = 0

    def request(self, operation: str, status: str, seconds: float, received: int, *, matched: bool) -> None:
        """Count one request; `operation` comes from a closed set, so that no client makes the page grow."""
        with self._lock:
            self._requests[operation, status] += 1
            times = self._times.setdefault(operation, _Times())
            times.counts[bisect_left(BUCKETS_S, seconds)] += 1
            times.total_s += seconds
            self._received += received
            self._unmatched += not matched

    def fault(self, kind: str) -> None:
        """Count one fault that a request met."""
        with self._lock:
            self._faults[kind] += 1

    def lines(self) -> Iterator[str]:
        """Everything that was counted."""
        with self._lock:
            yield from _head("requests_total", "counter", "Requests by operation and status of the answer.")
            for (operation, status), count in sorted(self._requests.items()):
                yield _line("requests_total", count, operation=operation, status=status)
            yield from _head("request_seconds", "histogram", "Time from a request's head to its answer.")
            for operation, times in sorted(self._times.items()):
                yield from _histogram("request_seconds", operation, times)
            yield from _head("faults_met_total", "counter", "Faults that requests met, by kind.")
            for kind, count in sorted(self._faults.items()):
                yield _line("faults_met_total", count, fault=kind)
            yield from single("received_bytes_total", "counter", "Bytes of request bodies.", self._received)
            yield from single("unmatched_requests_total", "counter", "Requests without a route.", self._unmatched)


def single(name: str, kind: str, text: str, value: float) -> Iterator[str]:
    """A family of one line."""
    yield from _head(name, kind, text)
    yield _line(name, value)


def several(name: str, kind: str, text: str, label: str, values: Mapping[str, float]) -> Iterator[str]:
    """A family with one line for each value of a label."""
    yield from _head(name, kind, text)
    for value, count in values.items():
        yield _line(name, count, **{label: value})


def _histogram(name: str, operation: str, times: _Times) -> Iterator[str]:
    bounds = [*(f"{bound:g}" for bound in BUCKETS_S), "+Inf"]
    for bound, count in zip(bounds, accumulate(times.counts), strict=True):
        yield _line(f"{name}_bucket", count, operation=operation, le=bound)
    yield _line(f"{name}_sum", times.total_s, operation=operation)
    yield _line(f"{name}_count", sum(times.counts), operation=operation)


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {PREFIX}_{name} {text}"
    yield f"# TYPE {PREFIX}_{name} {kind}"


def _line(name: str, value: float, **labels: str) -> str:
    shown = ",".join(f'{label}="{text}"' for label, text in labels.items())
    return f"{PREFIX}_{name}{{{shown}}} {value:.10g}" if shown else f"{PREFIX}_{name} {value:.10g}"
