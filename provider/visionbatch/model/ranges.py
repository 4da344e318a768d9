"""A set of numbers that is nearly a few runs, as a short text: which of thousands of parts are done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def ranges_text(numbers: Iterable[int]) -> str:
    """Numbers as ``0-6,9``; runs in order, empty for none."""
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in _runs(sorted(set(numbers))))


def ranges_of(text: str) -> set[int]:
    """The numbers of such a text.

    :raises ValueError: for anything else.
    """
    found: set[int] = set()
    for part in text.split(",") if text else ():
        first, dash, last = part.partition("-")
        found.update(range(int(first), int(last if dash else first) + 1))
    return found


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    start = 0
    for index in range(1, len(numbers) + 1):
        if index == len(numbers) or numbers[index] != numbers[index - 1] + 1:
            yield numbers[start], numbers[index - 1]
            start = index
