"""The page of faults tells the truth."""

from __future__ import annotations

from collections import Counter

from docs.fault_rows import listed, marked


def test_every_fault_id_is_carried_by_one_test() -> None:
    counts = Counter(fault for fault, _ in marked())
    assert [fault for fault, count in counts.items() if count > 1] == []


def test_the_page_names_the_test_behind_every_row() -> None:
    carried = dict(marked())
    assert {fault: test for fault, (_, test) in listed().items()} == carried
