"""What the triggers of `AssetWatcher` have in common: a shared look, and a cursor of each of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_visionbatch.triggers.cursors import Cursors


class WatchingTrigger(BaseEventTrigger):
    """Tells what a look at something shared has brought, each news once.

    A trigger says what is looked at (``shared_stream_key``, ``open_shared_stream``), by which key its cursor is kept,
    and what is news to it.
    """

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """One event for each news that this trigger is for."""
        cursors = Cursors(getattr(self, "asset_state_store", None), self._cursor_key(), self.log)
        async with aclosing(cursors.told(shared_stream, self._resumed, self._news)) as payloads:
            async for payload in payloads:
                yield TriggerEvent(payload)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """The same with a look of its own, where Airflow shares none."""
        async with aclosing(type(self).open_shared_stream(self.serialize()[1])) as stream:  # type: ignore[type-var]  # it is a generator
            async for event in self.filter_shared_stream(stream):
                yield event

    def _cursor_key(self) -> str:
        raise NotImplementedError

    def _resumed(self, cursor: Any) -> Any:
        """The book that goes on from a cursor; ``None`` begins a new one."""
        raise NotImplementedError

    def _news(self, book: Any, look: Any) -> Sequence[dict[str, Any]]:
        """The payloads of a look."""
        raise NotImplementedError
