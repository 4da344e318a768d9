"""The triggers that ours is compared with, and the one that measures how late the loop is."""

from __future__ import annotations

import array
import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
from airflow.triggers.base import BaseTrigger, TriggerEvent

PROBE_EVERY_S = 0.005


class Polling(BaseTrigger):
    """Looks at one batch every few seconds, for ever; the first time at a random moment of the first interval."""

    def __init__(self, url: str, interval_s: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's constructor has no annotations
        self.url = url
        self.interval_s = interval_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{type(self).__module__}.{type(self).__qualname__}", {"url": self.url, "interval_s": self.interval_s}

    async def poll(self, session: aiohttp.ClientSession) -> None:
        loop = asyncio.get_running_loop()
        following = loop.time() + random.uniform(0, self.interval_s)
        while True:
            await asyncio.sleep(max(following - loop.time(), 0))
            following += self.interval_s
            async with session.get(self.url, headers={"Authorization": "Token of-the-benchmark"}) as answer:
                answer.raise_for_status()
                if (await answer.json())["status"] != "processing":
                    return


class NoOp(Polling):
    """Airflow's floor: a trigger that does nothing at all."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        await asyncio.get_running_loop().create_future()
        yield TriggerEvent({})


class SessionPerTrigger(Polling):
    """What Airflow's own providers mostly do."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        async with aiohttp.ClientSession() as session:
            await self.poll(session)
        yield TriggerEvent({})


class SharedSession(Polling):
    """The best a trigger can do without a shared poll."""

    session: ClassVar[aiohttp.ClientSession | None] = None

    async def run(self) -> AsyncIterator[TriggerEvent]:
        if SharedSession.session is None:
            SharedSession.session = aiohttp.ClientSession()
        await self.poll(SharedSession.session)
        yield TriggerEvent({})


class Probe(BaseTrigger):
    """Notes how late each of the timers is that are due every 5 ms, those included that were due in a long block.

    :param folder: ``start`` appears there when the measurement begins, ``stop`` when it ends, and then ``lag``.
    """

    runner: ClassVar[Any] = None
    """The TriggerRunner of this process."""

    def __init__(self, folder: str, watchers: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's constructor has no annotations
        self.folder = folder
        self.watchers = watchers

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{type(self).__module__}.{type(self).__qualname__}", {"folder": self.folder, "watchers": self.watchers}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        folder = Path(self.folder)
        (folder / "ready").touch()
        while not (folder / "start").exists():
            # The watchers and this probe.
            if len(self.runner.triggers) > self.watchers and not (folder / "all-started").exists():
                (folder / "all-started").write_text(str(time.time()))
            await asyncio.sleep(0.02)
        started = len(self.runner.triggers) - 1
        lags = await self._lags(folder / "stop")
        (folder / "unfinished").write_text(json.dumps({"lags": lags, "started": started}))
        (folder / "unfinished").rename(folder / "lag")
        await asyncio.get_running_loop().create_future()
        yield TriggerEvent({})

    async def _lags(self, stop: Path) -> list[float]:
        clock = asyncio.get_running_loop().time
        lags = array.array("d")
        due = checked = clock() + PROBE_EVERY_S
        while True:
            await asyncio.sleep(due - clock())
            now = clock()
            while due <= now:
                lags.append(now - due)
                due += PROBE_EVERY_S
            if now - checked > 0.25:
                checked = now
                if stop.exists():
                    break
        return sorted(lags)
