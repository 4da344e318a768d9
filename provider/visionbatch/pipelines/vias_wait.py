"""Waiting for a batch task: a table of its states in the log, and no waiting for an end that never comes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from visionbatch.errors import ConfigError, DeadlinePassed, NotFound, Refused, UnreadableAnswer
from visionbatch.flow.vigil import Observer
from visionbatch.model.snapshot import Snapshot
from visionbatch.pipelines.decide import Action, Decision
from visionbatch.pipelines.vias import Vias
from visionbatch.pipelines.vias_create import ViasRun, require_an_end
from visionbatch.vias.batch_task import BatchTask
from visionbatch.vias.calls import SERVICE
from visionbatch.vias.goals import BatchRef, Goal
from visionbatch.vias.words import table

log = logging.getLogger(__name__)

ASKED = 5
"""Tasks of a batch that are asked about before a wait: its sources are mostly of one kind."""

MAKES = frozenset({Action.BEGIN, Action.SEEK, Action.REPLACE})
"""What a try does that has a batch made."""


class LoggedTable:
    """An observer that writes the states of a batch's tasks into the log whenever they have changed.

    :param ref: what is waited for.
    """

    def __init__(self, ref: str) -> None:
        self._subject = f"{SERVICE} batch {BatchRef.parse(ref).batch_id}"
        self._written: list[str] = []

    def __call__(self, snapshot: Snapshot) -> None:
        """Write the table, one line a state, unless it stands there already."""
        lines = table(snapshot)
        if lines == self._written:
            return
        self._written = lines
        for line in lines:
            log.info("%s: %s", self._subject, line)


def wait(vias: Vias, ref: str, *, deadline: float | None = None, observe: Observer = lambda _: None) -> Snapshot:
    """Wait until a batch is where its goal says, with a table in the log for every change.

    :param deadline: Unix seconds.
    :param observe: told of every change too.
    :raises ConfigError: for an end that cannot come, see `require_finite`.
    """
    require_finite(vias, ref)
    table_of = LoggedTable(ref)

    def both(snapshot: Snapshot) -> None:
        table_of(snapshot)
        observe(snapshot)

    return vias.wait(ref, deadline=deadline, observe=both)


def require_finite(vias: Vias, ref: str) -> None:
    """Refuse to wait for the end of weekly plans and live streams.

    The first few tasks and their sources are asked about. What cannot be asked is not refused.

    :raises ConfigError: naming the task, for one that never ends while somebody waits for more than that it runs.
    """
    target = BatchRef.parse(ref)
    if "RUNNING" in target.goal.wanted:
        return
    for listed in vias.tasks(target.batch_id)[:ASKED]:
        task = _asked(vias, "ShowTaskInfo", {"task_id": str(listed.get("id"))})
        reason = "follows a weekly schedule" if task.get("schedule") else _endless(vias, _sources_of(task))
        if reason:
            raise ConfigError(
                f"task {task.get('name')!r} {reason} and never ends, so nobody can wait for it to be {target.goal}",
                service=SERVICE,
                ref=target.batch_id,
                next_step="Use wait=False, or wait_for=running.",
            )


def require_finite_sources(vias: Vias, task: BatchTask, wait_for: str | Goal) -> None:
    """The same for a batch task that is not made yet, by the first few sources that it names.

    :raises ConfigError: for a live stream, or a weekly schedule, of which somebody waits for more than that it runs.
    """
    goal = Goal.parse(wait_for)
    if "RUNNING" in goal.wanted:
        return
    require_an_end(task, goal)
    sources = [source.video_source_id for group in task.groups for source in group.video_source_list]
    reason = _endless(vias, sources[:ASKED])
    if reason:
        raise ConfigError(
            f"batch {task.name!r} {reason} and never ends, so nobody can wait for it to be {goal}; none was made",
            service=SERVICE,
            next_step="Use wait=False, or wait_for=running.",
        )


def made_but_endless(error: ConfigError) -> DeadlinePassed:
    """What `require_finite` says of a batch that is there, so that nobody takes it for one that was never sent."""
    return DeadlinePassed(
        f"the batch is made and runs, but {error.what}", service=SERVICE, ref=error.ref, next_step=error.next_step
    )


class WaitForRun:
    """The wait at the end of a run that makes its batch: what never ends is refused before it is made.

    :param goal: what the run waits for; ``None`` when it does not wait.
    """

    def __init__(self, vias: Vias, task: BatchTask, goal: Goal | None) -> None:
        self._vias = vias
        self._task = task
        self._goal = goal
        self.action: Action | None = None

    def decided(self, decision: Decision) -> None:
        """Told of what a try is going to do, as `visionbatch.pipelines.vias_create.ViasRun` tells it.

        :raises ConfigError: see `require_finite_sources`; nothing was made.
        """
        self.action = decision.action
        if self._goal is not None and decision.action in MAKES:
            require_finite_sources(self._vias, self._task, self._goal)

    def end(self, run: ViasRun, deadline: float | None) -> Snapshot:
        """Wait, see `wait`. A batch that this very try has made and that never ends is not refused: it is there.

        :raises DeadlinePassed: for an end that cannot come, at once.
        """
        try:
            return wait(self._vias, run.ref, deadline=deadline, observe=run.saw)
        except ConfigError as error:
            if self.action not in MAKES:
                raise
            raise made_but_endless(error) from error


def _sources_of(task: Mapping[str, Any]) -> list[str]:
    given = task.get("input")
    data = given.get("data") if isinstance(given, dict) else None
    ids = [item.get("video_source_id") for item in data if isinstance(item, dict)] if isinstance(data, list) else []
    return [source_id for source_id in ids if isinstance(source_id, str)]


def _endless(vias: Vias, sources: Sequence[str]) -> str:
    for source_id in sources:
        source = _asked(vias, "ShowVideoSourceDetail", {"video_source_id": source_id})
        address = str(source.get("type_config", "")).lower()
        if source.get("type") in vias.api.settings.endless_types or "rtsp://" in address or "rtmp://" in address:
            return f"looks at a live stream ({source.get('type')})"
    return ""


def _asked(vias: Vias, operation: str, values: Mapping[str, str]) -> Mapping[str, Any]:
    try:
        answer = vias.ask(operation, values)
    except (ConfigError, NotFound, Refused, UnreadableAnswer) as error:
        log.debug("%s: %s tells nothing: %s", SERVICE, operation, error.what)
        return {}
    return answer if isinstance(answer, dict) else {}
