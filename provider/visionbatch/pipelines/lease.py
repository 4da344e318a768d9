"""One of something for all who want it on one event loop: opened for its first holder, closed behind its last."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

Opener: TypeAlias = Callable[[AsyncExitStack], Awaitable[T]]
"""Opens it; what the stack is given is closed behind the last holder."""


def held(key: str, opener: Opener[T]) -> AbstractAsyncContextManager[T]:
    """A holder's part in the one thing of a key on the running loop.

    :param key: what the holders have in common.
    :param opener: called once, for the first of them.
    """
    return _Hold(key, opener)


@dataclass
class _Lease:
    key: str
    opening: asyncio.Task[tuple[Any, AsyncExitStack]]
    holders: int = 0


_leases: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Lease]] = WeakKeyDictionary()


class _Hold(Generic[T]):
    """One holder's part in a lease. Thousands are held at once, so it is no generator and keeps only the lease."""

    __slots__ = ("_lease", "_wanted")

    def __init__(self, key: str, opener: Opener[T]) -> None:
        self._wanted: tuple[str, Opener[T]] | None = (key, opener)
        self._lease: _Lease | None = None

    async def __aenter__(self) -> T:
        assert self._wanted is not None, "held once"  # noqa: S101
        key, opener = self._wanted
        self._wanted = None
        leases = _leases.setdefault(asyncio.get_running_loop(), {})
        lease = leases.get(key)
        if lease is None:
            lease = leases[key] = _Lease(key, asyncio.create_task(_open(opener)))
        lease.holders += 1
        try:
            # Shielded, for one holder that is cancelled must not take it from the others.
            opened, _ = await asyncio.shield(lease.opening)
        except BaseException:
            await _give_back(lease)
            raise
        self._lease = lease
        return opened  # type: ignore[no-any-return]  # the lease of a key holds what its opener gave

    async def __aexit__(self, *_: object) -> None:
        if self._lease is not None:
            await _give_back(self._lease)


async def _give_back(lease: _Lease) -> None:
    lease.holders -= 1
    if lease.holders == 0:
        _leases[asyncio.get_running_loop()].pop(lease.key, None)
        await _close(lease)


async def _open(opener: Opener[T]) -> tuple[T, AsyncExitStack]:
    async with AsyncExitStack() as stack:
        opened = await opener(stack)
        return opened, stack.pop_all()


async def _close(lease: _Lease) -> None:
    closing = asyncio.create_task(_closed(lease.opening))
    cancelled: asyncio.CancelledError | None = None
    while not closing.done():
        # Who is cancelled while it closes, and again and again as Airflow does it, closes to the end, and then ends.
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


async def _closed(opening: asyncio.Task[tuple[Any, AsyncExitStack]]) -> None:
    opening.cancel()
    # A failure to open was told to those who asked for it.
    with suppress(asyncio.CancelledError, Exception):
        _, stack = await opening
        await stack.aclose()
