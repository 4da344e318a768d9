"""The task's process is ended by SIGKILL at every step of the run record; the next try goes on from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from crash.scenes import BLOCK, Scene, Theatre
from support.books import CHUNKS
from support.orders import CHUNK

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Kill:
    """Where the process ends, how the task waits, and who asks for the next try."""

    step: str
    mode: str
    way: str

    def __str__(self) -> str:
        return f"{self.step}-{self.mode}-{self.way}"


# Keyed by what has just happened; "whole" stands for the size of the archive.
STEPS: dict[str, dict[str, Any]] = {
    "checked": {"moment": "before", "stage": "intent"},
    "intended": {"moment": "after", "stage": "intent", "nth": 2},
    "created": {"moment": "before", "stage": "created"},
    "noted": {"moment": "after", "stage": "created"},
    "first chunk": {"moment": "after", "stage": "created", "sent": CHUNK},
    "mid-chunk": {"moment": "after", "stage": "created", "checked": 5 * CHUNK + 2 * BLOCK},
    "all sent, not answered": {"moment": "after", "stage": "created", "checked": "whole"},
    "uploaded": {"moment": "after", "stage": "uploaded"},
    "waiting": {"moment": "waiting"},
    "end seen": {"moment": "before", "stage": "ended"},
    "end noted": {"moment": "after", "stage": "ended"},
}
APART = ("created", "mid-chunk")
"""Steps with a test of their own."""

DEFAULT = {
    "created-deferrable-retry",
    "mid-chunk-sync-retry",
    "all sent, not answered-deferrable-clear",
    "uploaded-deferrable-retry",
    "waiting-sync-clear",
    "end seen-deferrable-retry",
}
"""What runs even where time is short."""


def kills(*steps: str) -> list[Any]:
    every = (
        Kill(step, mode, way)
        for step in steps
        for mode in ("sync", "deferrable")
        for way in ("retry", "clear")
        if (step, mode) != ("waiting", "deferrable")
    )
    return [
        pytest.param(kill, id=str(kill), marks=[] if str(kill) in DEFAULT else [pytest.mark.slow]) for kill in every
    ]


IN_FLIGHT = 8
"""Runs at a time: twice what the executor takes, so that it never waits, and no more than SQLite bears."""


class Campaign:
    """Runs for all kills, several at once, for starting processes and waiting costs more than the work does."""

    def __init__(self, theatre: Theatre, kills: list[Kill]) -> None:
        self._theatre = theatre
        self._ahead = kills
        self._scenes: dict[Kill, Scene] = {}

    def finished(self, kill: Kill) -> Scene:
        """A run that has been killed once and has come through."""

        def ended() -> bool:
            self._tend()
            return kill in self._scenes and self._has_ended(kill)

        self._theatre.stack.wait_for(ended, f"the run with {kill} to end", 600, every=0.5)
        scene = self._scenes[kill]
        assert scene.state == "success", scene.log[-6000:]
        assert scene.is_killed
        assert scene.cleared == (kill.way == "clear")
        return scene

    def _tend(self) -> None:
        """Clear what has failed and waits for it, and start what there is room for."""
        for kill, scene in self._scenes.items():
            if kill.way == "clear" and not scene.cleared and scene.run_state == "failed":
                scene.clear()
        running = sum(not self._has_ended(kill) for kill in self._scenes)
        for kill in self._ahead[: IN_FLIGHT - running]:
            self._start(kill)
            self._ahead.remove(kill)

    def _start(self, kill: Kill) -> None:
        plan = dict(STEPS[kill.step])
        if plan.get("checked") == "whole":
            plan["checked"] = len(self._theatre.archive)
        self._scenes[kill] = scene = self._theatre.scene(f"{kill.mode}_{kill.way}", str(kill), plan=plan)
        if kill.step == "all sent, not answered":
            scene.tenant.faults.plan({"instructions": {CHUNKS: ["drop-response-final"]}})

    def _has_ended(self, kill: Kill) -> bool:
        scene = self._scenes[kill]
        return scene.state == "success" or (scene.state == "failed" and bool(scene.cleared or kill.way == "retry"))


@pytest.fixture(scope="module")
def campaign(theatre: Theatre, request: pytest.FixtureRequest) -> Campaign:
    callspecs = (getattr(item, "callspec", None) for item in request.session.items)
    asked = (callspec.params.get("kill") for callspec in callspecs if callspec)
    return Campaign(theatre, [kill for kill in asked if isinstance(kill, Kill)])


@pytest.mark.parametrize("kill", kills(*(step for step in STEPS if step not in APART)))
def test_whatever_step_a_kill_follows_the_batch_is_processed_once(campaign, kill):
    row = campaign.finished(kill).processed_once(tries=2)
    assert row.generation == 1
    if STEPS[kill.step].get("stage") in (None, "uploaded", "ended"):
        assert row.resent_bytes == 0


@pytest.mark.fault("CR2")
@pytest.mark.parametrize("kill", kills("created"))
def test_a_kill_before_the_new_id_is_saved_costs_one_empty_batch_at_most(campaign, kill):
    row = campaign.finished(kill).processed_once(tries=2, empty=1, resent=0)
    assert row.generation == 1


@pytest.mark.fault("UP1")
@pytest.mark.parametrize("kill", kills("mid-chunk"))
def test_a_kill_in_the_middle_of_a_chunk_costs_less_than_that_chunk(campaign, kill):
    scene = campaign.finished(kill)
    row = scene.processed_once(tries=2, resent=CHUNK - 1)
    assert row.generation == 1
