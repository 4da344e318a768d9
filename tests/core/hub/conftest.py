"""A crowd, its batches, and what was said to whom."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.crowds import WHO, Crowd, Opener
from visionbatch_mock import MockServer
from visionbatch_mock.lifecycle import BatchState
from visionbatch_mock.tenant import Tenant


@pytest.fixture
async def crowd(mock: MockServer, tenant: Tenant) -> Crowd:
    tenant.configure(profile="rich", lifecycle="manual")
    return Crowd(Opener(mock, tenant), tenant)


@pytest.fixture
def batches(tenant: Tenant) -> Callable[[int], list[Any]]:
    def make(count: int) -> list[Any]:
        made = [tenant.batches.create(f"batch {number}") for number in range(count)]
        for batch in made:
            batch.force(BatchState.PROCESSING)
        return made

    return make


@pytest.fixture
def lines() -> Iterator[list[tuple[str, str]]]:
    """Who said what: the context in which a line was written, and the line."""
    found: list[tuple[str, str]] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append((WHO.get(), record.getMessage()))

    listener, logger = Listener(), logging.getLogger("visionbatch")
    level = logger.level
    logger.addHandler(listener)
    logger.setLevel(logging.INFO)
    yield found
    logger.removeHandler(listener)
    logger.setLevel(level)
