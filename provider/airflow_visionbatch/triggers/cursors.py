"""Telling what is new to an asset's watchers, once, over restarts: the cursor is kept with the asset."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Any, Protocol, TypeVar

from airflow_visionbatch._compat import AirflowRuntimeError

Look = TypeVar("Look")
_B = TypeVar("_B", bound="Book")


class Book(Protocol):
    """What has been told, as a value that can be kept."""

    unsaved: bool

    def to_json(self) -> dict[str, Any]:
        """The cursor, JSON primitives only."""


class Cursors:
    """Where the cursor of one trigger is kept: with every asset that watches through it.

    :param store: what Airflow 3.3 gives a trigger; ``None`` keeps the cursor in memory.
    """

    def __init__(self, store: Any, key: str, log: Any) -> None:
        self._stores = _single_stores(store)
        self._key = key
        self._log = log

    async def load(self) -> Any:
        """The cursor, or ``None`` when there is none yet.

        :raises AirflowRuntimeError: when Airflow does not answer as it should.
        """
        for store in self._stores:
            cursor = await store.aget(self._key)
            if cursor is not None:
                return cursor
        return None

    async def keep(self, book: Book) -> None:
        """Write the cursor down if it has moved; what fails is done again at the next look."""
        if not book.unsaved:
            return
        try:
            for store in self._stores:
                await store.aset(self._key, book.to_json())
        except AirflowRuntimeError as error:
            self._log.warning("Airflow does not take the cursor, it is kept in memory: %s", error)
        else:
            book.unsaved = False

    async def told(
        self,
        looks: AsyncIterator[Look],
        resumed: Callable[[Any], _B],
        news: Callable[[_B, Look], Sequence[dict[str, Any]]],
    ) -> AsyncGenerator[dict[str, Any]]:
        """What is new, look by look.

        The cursor is kept at the look after an event, when Airflow has written the event down: to tell twice is better
        than to lose.

        :param resumed: makes the book from a cursor.
        :param news: the payloads of a look.
        """
        book: _B | None = None
        async for look in looks:
            if book is None:
                try:
                    cursor = await self.load()
                except AirflowRuntimeError as error:
                    self._log.warning("Airflow does not give the cursor, nothing is told before it does: %s", error)
                    continue
                book = resumed(cursor)
            await self.keep(book)
            payloads = news(book, look)
            for payload in payloads:
                yield payload
            if not payloads:
                await self.keep(book)


def _single_stores(store: Any) -> Sequence[Any]:
    """The stores of single assets: Airflow's own accessor serves one only, and two assets may share a trigger."""
    if store is None:
        return ()
    singles = [*getattr(store, "_by_name", {}).values(), *getattr(store, "_by_uri", {}).values()]
    return singles or (store,)
