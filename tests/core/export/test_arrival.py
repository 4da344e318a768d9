"""What has arrived, and whether it is whole."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.clocks import HandClock, TenantClock
from visionbatch.deepomatic.export_layout import ExportLayout
from visionbatch.errors import UnreadableRecord
from visionbatch.model.bucket_file import BucketFile
from visionbatch.pipelines.export_arrival import OVERLAP_S, Arrivals, looked, settled

LAYOUT = ExportLayout("p/")
HOUR = 3600.0


def file(name: str, created: float = 0.0, generation: int = 1) -> BucketFile:
    return BucketFile(f"p/{name}.jsonl", generation, 10, created)


def look(*files: BucketFile):
    return looked(sorted(files, key=lambda one: one.name), LAYOUT)


def told(arrivals: Arrivals, *files: BucketFile) -> list[str]:
    """What is told when the set stands still."""
    arrivals.news(look(*files), 0)
    return [one.name for one in arrivals.news(look(*files), 1000)]


@pytest.mark.fault("EX1")
def test_a_set_that_still_grows_is_not_told_before_two_looks_agree(bucket, owner, tenant):
    arrivals = Arrivals(catch_up=True, settle_s=30.0)
    clock = TenantClock(tenant)
    writing = [("p/a.jsonl", b"1"), ("p/b.jsonl", b"2"), ("p/images/x.jpg", b"3"), ("p/b.jsonl", b"4"), None]

    def looks(count: int) -> list[str]:
        found = []
        for _ in range(count):
            found += [one.name for one in arrivals.news(looked(bucket.files("p/"), LAYOUT), clock.now())]
            tenant.clock.advance(29.0)
        return found

    for step in writing:
        if step is None:
            owner.delete("p/a.jsonl")
        else:
            owner.put(*step)
        assert looks(2) == []
    assert looks(3) == ["p/b.jsonl"]
    assert looks(3) == []


@pytest.mark.fault("EX19")
def test_nothing_new_is_nothing_and_costs_one_look(bucket, owner):
    owner.put("p/a.jsonl", b"1")
    clock = HandClock()
    arrivals = Arrivals(None)
    seen = []

    def looks():
        seen.append(1)
        return looked(bucket.files("p/"), LAYOUT)

    for _ in range(3):
        assert settled(looks, arrivals, clock) == []
    assert (len(seen), clock.pauses) == (3, [])
    owner.put("p/b.jsonl", b"2")
    assert [one.name for one in settled(looks, arrivals, clock)] == ["p/b.jsonl"]
    assert [pause.at_least for pause in clock.pauses] == [30.0]
    assert settled(looks, arrivals, clock) == []


def test_without_a_cursor_the_telling_begins_with_what_arrives():
    arrivals = Arrivals()
    assert told(arrivals, file("old")) == []
    assert arrivals.unsaved
    assert told(arrivals, file("old"), file("new", 5)) == ["p/new.jsonl"]
    assert told(Arrivals(catch_up=True), file("old")) == ["p/old.jsonl"]
    assert told(Arrivals(since=3.0), file("old"), file("new", 5)) == ["p/new.jsonl"]


def test_a_file_that_is_written_again_is_told_again():
    arrivals = Arrivals(catch_up=True)
    assert told(arrivals, file("a")) == ["p/a.jsonl"]
    assert told(arrivals, file("a", 9, generation=2)) == ["p/a.jsonl"]


def test_a_restart_neither_repeats_nor_loses():
    arrivals = Arrivals(since=0.0)
    first = [file("a", 10), file("b", 11), file("older than asked for", -10)]
    assert told(arrivals, *first) == ["p/a.jsonl", "p/b.jsonl"]
    cursor = json.loads(json.dumps(arrivals.to_json()))
    again = Arrivals(cursor)
    assert told(again, *first) == []
    # Finished before the newest that was told, and seen only now.
    assert told(again, *first, file("late", 5)) == ["p/late.jsonl"]


def test_the_cursor_holds_the_last_hour_and_no_more():
    arrivals = Arrivals(catch_up=True)
    everything = [file(f"{number:04}", number * HOUR / 10) for number in range(300)]
    assert len(told(arrivals, *everything)) == 300
    assert len(arrivals.to_json()["marks"]) == 11
    assert told(Arrivals(arrivals.to_json()), *everything) == []


@pytest.mark.parametrize("cursor", [{}, [], 3, {"schema": 2}, {"schema": 1, "newest": "x", "floor": None, "marks": {}},
                                    {"schema": 1, "newest": 1, "floor": None, "marks": []}])  # fmt: skip
def test_a_cursor_of_somebody_else_is_refused(cursor):
    with pytest.raises(UnreadableRecord, match="cursor"):
        Arrivals(cursor)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, int(OVERLAP_S) - 1)), max_size=40, unique_by=lambda it: it[0])
)
def test_whatever_the_order_every_file_is_told_once(arrivals_in):
    """Files become visible in any order, at most the overlap after they were finished; each look may be the last
    before a restart.
    """
    written = [file(f"{number:03}", created=float(created)) for number, created in arrivals_in]
    visible: list[BucketFile] = []
    cursor, found = Arrivals(catch_up=True).to_json(), []
    for one in written:
        visible.append(one)
        arrivals = Arrivals(cursor)
        found += told(arrivals, *visible)
        cursor = json.loads(json.dumps(arrivals.to_json()))
    assert sorted(found) == sorted(one.name for one in written)
