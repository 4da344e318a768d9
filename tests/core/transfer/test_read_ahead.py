"""Reading ahead: the same blocks, in order, no further ahead than allowed, and nothing left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.listener import PATIENCE_S
from visionbatch.transfer import read_ahead
from visionbatch.transfer.read_ahead import ahead, in_turn


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "read-ahead"]


@given(blocks=st.lists(st.binary(max_size=3), max_size=30), depth=st.integers(1, 5))
def test_the_blocks_are_the_same_and_in_order(blocks: list[bytes], depth: int) -> None:
    assert list(ahead(iter(blocks), depth)) == blocks
    assert not readers()


def test_an_error_comes_in_its_place_among_the_blocks() -> None:
    def blocks() -> Iterator[bytes]:
        yield b"one"
        raise OSError(5, "Input/output error")

    found = ahead(blocks())
    assert next(found) == b"one"
    with pytest.raises(OSError, match="Input/output error"):
        next(found)
    assert not readers()


def test_who_stops_early_leaves_no_thread_and_no_open_file() -> None:
    closed = threading.Event()

    def blocks() -> Iterator[bytes]:
        try:
            while True:
                yield b"block"
        finally:
            closed.set()

    found = ahead(blocks())
    next(found)
    found.close()
    assert not readers()
    del found
    assert closed.wait(PATIENCE_S)


def test_no_more_is_read_than_may_wait() -> None:
    read = threading.Semaphore(0)
    count = 0

    def blocks() -> Iterator[bytes]:
        nonlocal count
        for _ in range(100):
            count += 1
            read.release()
            yield b"block"

    found = ahead(blocks(), 4)
    next(found)
    # One was taken, four wait, and one is in the reader's hand.
    for _ in range(6):
        assert read.acquire(timeout=PATIENCE_S)
    assert not read.acquire(timeout=0.2)
    found.close()
    assert count <= 7


def test_a_disk_that_hangs_for_one_body_is_read_for_another_all_the_same() -> None:
    reading, disk = threading.Event(), threading.Event()
    late: list[bytes] = []

    def hanging() -> Iterator[bytes]:
        reading.set()
        disk.wait(PATIENCE_S)
        yield b"late"

    reader = threading.Thread(target=lambda: late.extend(in_turn(hanging())))
    reader.start()
    assert reading.wait(PATIENCE_S)
    assert list(in_turn(iter([b"one", b"two"]))) == [b"one", b"two"]
    assert not late
    disk.set()
    reader.join(PATIENCE_S)
    assert late == [b"late"]


def test_an_error_of_one_body_leaves_the_turn_to_the_others() -> None:
    def broken() -> Iterator[bytes]:
        yield b"one"
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"):
        list(in_turn(broken()))
    assert not read_ahead._TURN.locked()
