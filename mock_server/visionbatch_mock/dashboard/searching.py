"""Finding lines of the journal and of the ledger by words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from flask import current_app

from visionbatch_mock.dashboard.wording import safe
from visionbatch_mock.journal import JournalEntry
from visionbatch_mock.ledger import LedgerEntry
from visionbatch_mock.near_miss import NearMiss, nearest

_T = TypeVar("_T")

MOST_LINES = 200
"""Ours: lines of a page."""

KINDS = ("all", "refused", "faults", "stray")


@dataclass(frozen=True, slots=True)
class Found(Generic[_T]):
    """The newest lines that match, and how many there are."""

    lines: list[_T]
    count: int
    of: int


@dataclass(frozen=True, slots=True)
class Line:
    """A request, and the route that it was probably meant for when it found none."""

    entry: JournalEntry
    near: NearMiss | None


@dataclass(frozen=True, slots=True)
class Search:
    """Words that all have to be in a line, whatever their case, and a kind of lines."""

    text: str = ""
    only: str = "all"

    @classmethod
    def of(cls, told: Mapping[str, str]) -> "Search":
        """What the query of a page asks; a kind that does not exist is all."""
        only = told.get("only", "all")
        return cls(told.get("q", "").strip(), only if only in KINDS else "all")

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind."""
        return KINDS

    def find(self, entries: Sequence[JournalEntry]) -> Found[Line]:
        """Requests, newest first."""
        found = [each for each in reversed(entries) if self._is_wanted(each) and self._matches(_words(each))]
        return Found([_line(each) for each in found[:MOST_LINES]], len(found), len(entries))

    def find_effects(self, entries: Sequence[LedgerEntry]) -> Found[LedgerEntry]:
        """Effects, newest first."""
        found = [each for each in reversed(entries) if self._matches([each.effect.value, *_pairs(each)])]
        return Found(found[:MOST_LINES], len(found), len(entries))

    def _is_wanted(self, entry: JournalEntry) -> bool:
        return {
            "refused": entry.status is None or entry.status >= 400,
            "faults": entry.fault is not None,
            "stray": not entry.matched,
        }.get(self.only, True)

    def _matches(self, words: Iterable[str]) -> bool:
        line = " ".join(words).lower()
        return all(word in line for word in self.text.lower().split())


def _words(entry: JournalEntry) -> list[str]:
    told = (entry.method, entry.path, entry.operation, entry.status, entry.fault, entry.content_range, entry.user_agent)
    return [f"#{entry.seq}", *(str(each) for each in told if each is not None)]


def _pairs(entry: LedgerEntry) -> list[str]:
    return [f"{name}={value}" for name, value in safe(entry.facts).items()]


def _line(entry: JournalEntry) -> Line:
    return Line(entry, None if entry.matched else nearest(current_app.url_map, entry.method, entry.path))
