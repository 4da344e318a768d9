"""Which batches have ended since the last look, without a server."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.clocks import HandClock
from visionbatch import EndedSince, Listed, Pace, Phase, Snapshot
from visionbatch.errors import BulkUnsupported, NotAuthorized, Throttled, Unavailable, UnreadableRecord
from visionbatch.flow.effects import Flow, Request, Response
from visionbatch.flow.ended import KNOWN
from visionbatch.flow.listing import WINDOW, Enough, Listing, merge
from visionbatch.io.drive import drive

PACE = Pace(first_s=10, longest_s=60, spread=0, confirm_s=2)


def listed(*words: str) -> tuple[Listed, ...]:
    """Batches by id, newest first; the id of one that has ended is written in capitals."""
    return tuple(
        Listed(word.lower(), f"label {word.lower()}", Snapshot(Phase.SUCCEEDED if word.isupper() else Phase.RUNNING))
        for word in words
    )


def refs(items: Sequence[Listed]) -> list[str]:
    return [item.ref for item in items]


class NoPlane:
    def send(self, request: Request, refused: int | None = None) -> Response | None:
        raise AssertionError("nothing is sent here")


class Site:
    """A list of batches in pages of two, that may be out of order for some looks."""

    def __init__(self, *words: str) -> None:
        self.words = list(words)
        self.faults: list[Exception] = []
        self.pages: list[int] = []

    def look(self, enough: Enough) -> Flow[tuple[Listed, ...]]:
        if self.faults:
            raise self.faults.pop(0)
        whole = listed(*self.words)
        read: tuple[Listed, ...] = ()
        for start in range(0, len(whole), 2):
            read += whole[start : start + 2]
            if enough(read):
                break
        self.pages.append((len(read) + 1) // 2)
        return read
        yield  # pragma: no cover  # makes it a flow


class Reader:
    def __init__(self, site: Site) -> None:
        self.clock = HandClock()
        self._listing = Listing(site.look, subject="batches", pace=PACE)

    def next(self) -> tuple[Listed, ...]:
        return drive(self._listing.next(), NoPlane(), self.clock)


def test_an_end_is_told_once_and_only_when_it_is_confirmed():
    since = EndedSince()
    assert since.news(listed("b", "a")) == []
    assert since.news(listed("b", "A")) == []
    assert refs(since.news(listed("b", "A"))) == ["a"]
    assert since.news(listed("B", "A")) == []
    assert refs(since.news(listed("B", "A"))) == ["b"]
    assert since.news(listed("B", "A")) == []


def test_an_end_that_the_next_look_takes_back_is_not_told():
    since = EndedSince()
    shown = [("a",), ("A",), ("a",), ("A",), ("a",)]
    assert not [item for words in shown for item in since.news(listed(*words))]


def test_what_has_ended_before_the_first_look_is_told_only_to_catch_up():
    for catch_up, told in ((False, []), (True, ["a", "b"])):
        since = EndedSince(catch_up=catch_up)
        assert since.news(listed("c", "B", "A")) == []
        assert refs(since.news(listed("c", "B", "A"))) == told


def test_the_oldest_end_is_told_first():
    since = EndedSince(EndedSince().to_json())
    since.news(listed("C", "B", "A"))
    assert refs(since.news(listed("C", "B", "A"))) == ["a", "b", "c"]


def test_only_what_is_wanted_is_told_or_kept():
    since = EndedSince(wanted=lambda item: item.label == "label a", catch_up=True)
    since.news(listed("B", "A"))
    assert refs(since.news(listed("B", "A"))) == ["a"]
    assert len(since.to_json()["known"]) == 1


def test_the_cursor_says_when_it_has_moved():
    since = EndedSince()
    since.news(listed("a"))
    assert since.unsaved, "where the telling begins has to be kept, too"
    since.unsaved = False
    since.news(listed("A"))
    assert not since.unsaved
    since.news(listed("A"))
    assert since.unsaved


def test_the_same_window_costs_no_scan_once_nothing_is_unconfirmed():
    class Counted(tuple[Listed, ...]):
        scans = 0

        def __reversed__(self):
            Counted.scans += 1
            return reversed(list(self))

    since, window = EndedSince(), Counted(listed("B", "a"))
    for _ in range(5):
        since.news(window)
    assert Counted.scans == 1


@pytest.mark.parametrize(
    "cursor", ["text", [], {}, {"schema": 1}, {"schema": 2, "known": []}, {"schema": 1, "known": "abc"}]
)
def test_a_cursor_of_somebody_else_is_refused(cursor):
    with pytest.raises(UnreadableRecord, match="cursor"):
        EndedSince(cursor)


def test_the_cursor_stays_small_however_long_it_runs():
    since = EndedSince(catch_up=True)
    for start in range(0, 5 * WINDOW, WINDOW):
        window = listed(*(f"BATCH-{number}" for number in range(start + WINDOW, start, -1)))
        since.news(window)
        assert len(since.news(window)) == WINDOW
        assert since.news(window) == []
    value = since.to_json()
    assert len(value["known"]) == KNOWN
    assert len(json.dumps(value)) < 32_000


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_over_restarts_every_end_is_told_exactly_once(seed, steps):
    """Batches come and end at random; the teller dies at random after a look whose cursor was kept."""
    chance = random.Random(seed)
    site = Site()
    since, told = EndedSince(), []
    since.news(())
    for step in range(steps + 4):
        if step < steps:
            if chance.random() < 0.5:
                site.words.insert(0, f"b{step}")
            site.words = [word.upper() if chance.random() < 0.2 else word for word in site.words]
        told += refs(since.news(listed(*site.words)))
        if chance.random() < 0.3:
            since = EndedSince(json.loads(json.dumps(since.to_json())))
    for _ in range(2):
        told += refs(since.news(listed(*site.words)))
    assert sorted(told) == sorted(word.lower() for word in site.words if word.isupper())


@pytest.mark.parametrize(
    ("window", "read", "merged"),
    [
        ("", "b a", "b a"),
        ("b a", "c b", "c b a"),
        ("b a", "c B", "c B a"),
        ("d c b a", "d b", "d b a"),
        ("b a", "e d", "e d"),
        ("c b a", "d c c b", "d c b a"),
    ],
    ids=["first", "new one", "changed", "one is gone", "all is new", "pushed to the next page while it was read"],
)
def test_a_read_beginning_replaces_what_stood_there(window, read, merged):
    assert merge(listed(*window.split()), listed(*read.split())) == listed(*merged.split())


def test_the_window_has_an_end():
    many = listed(*(f"b{number}" for number in range(WINDOW)))
    assert len(merge(many, listed("new", "b0"))) == WINDOW


def test_the_first_look_reads_everything_and_the_next_as_far_as_something_lives():
    site = Site("F", "E", "d", "C", "B", "A")
    reader = Reader(site)
    assert refs(reader.next()) == list("fedcba")
    reader.next()
    site.words[2] = "D"
    reader.next()
    reader.next()
    assert site.pages == [3, 2, 2, 1]


def test_one_that_lived_and_is_gone_is_not_looked_for_for_ever():
    site = Site("C", "B", "A", "x")
    reader = Reader(site)
    reader.next()
    site.words.remove("x")
    for _ in range(3):
        window = reader.next()
    assert refs(window) == ["c", "b", "a"]
    assert site.pages == [2, 2, 1, 1]


def test_a_window_that_has_not_changed_is_the_same_object():
    reader = Reader(Site("B", "a"))
    assert reader.next() is reader.next()


def test_the_look_after_an_end_comes_soon_and_then_later_and_later():
    site = Site("a")
    reader = Reader(site)
    moments = []
    for step in range(9):
        if step == 4:
            site.words = ["A"]
        reader.next()
        moments.append(reader.clock.time)
    pauses = [round(later - before) for before, later in pairwise(moments)]
    assert pauses == [10, 15, 22, 34, 2, 15, 22, 34]


def test_an_outage_is_lived_through_at_the_service_s_own_pace():
    site = Site("a")
    site.faults = [Unavailable("502", status=502), Throttled("429", status=429, retry_after_s=500)]
    reader = Reader(site)
    began = reader.clock.time
    assert refs(reader.next()) == ["a"]
    assert reader.clock.time - began >= 510


@pytest.mark.parametrize("error", [BulkUnsupported("the site does not list batches"), NotAuthorized("401", status=401)])
@pytest.mark.parametrize("before", [0, 1])
def test_what_waiting_does_not_mend_is_raised(error, before):
    site = Site("a")
    reader = Reader(site)
    for _ in range(before):
        reader.next()
    site.faults = [error]
    with pytest.raises(type(error)):
        reader.next()
