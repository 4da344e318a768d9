"""Making one batch and not two, though the service knows no mark by which two requests are the same."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from visionbatch.errors import IdTaken, OutcomeUnknown, Refused, UnreadableAnswer, VisionBatchError
from visionbatch.flow.effects import Flow, Pause
from visionbatch.flow.retry import persist
from visionbatch.vias.batch_task import BatchTask
from visionbatch.vias.calls import ONCE, SERVICE, Calls
from visionbatch.vias.decode import Answer, BatchEntry, answer_of
from visionbatch.vias.lists import Lists

log = logging.getLogger(__name__)

SETTLE = Pause(2.0, 4.0)
"""Seconds between two looks for a batch whose creation was not answered: a list may lag behind."""


@dataclass(frozen=True)
class Created:
    """A batch that is there.

    :param answer: what its creation came to; ``None`` when it was found under its name instead.
    """

    batch_id: str
    name: str
    answer: Answer | None = None


class Creation:
    """Creations in one project."""

    def __init__(self, calls: Calls, lists: Lists) -> None:
        self._calls = calls
        self._lists = lists

    def create(self, task: BatchTask, *, adopt: bool) -> Flow[Created]:
        """See `visionbatch.vias.api.ViasApi.create`."""
        return persist(self._attempts(task, adopt=adopt), self._calls.retry)

    def _attempts(self, task: BatchTask, *, adopt: bool) -> Callable[[], Flow[Created]]:
        tried = False

        def attempt() -> Flow[Created]:
            nonlocal tried
            found = yield from self._find(task.name, patiently=tried)
            if found is not None and not (adopt or tried):
                raise IdTaken(f"there is a batch named {task.name!r} already", ref=found.batch_id)
            if found is not None:
                log.info("%s batch %s has the name %s: going on with it", SERVICE, found.batch_id, task.name)
                return Created(found.batch_id, task.name)
            tried = True
            return (yield from self._create_once(task))

        return attempt

    def _create_once(self, task: BatchTask) -> Flow[Created]:
        try:
            response = yield from self._calls.send("CreateBatchTask", body=task.to_json(), retry=ONCE)
            answer = answer_of(response)
        except UnreadableAnswer as error:
            if error.ref:
                raise
            return (yield from self._instead(task, error))
        except Refused as error:
            if error.code not in self._calls.settings.name_taken_codes:
                raise
            return (yield from self._instead(task, error))
        return Created(answer.batch_id, task.name, answer)

    def _instead(self, task: BatchTask, error: VisionBatchError) -> Flow[Created]:
        """The batch that must be there although its creation was not answered with it."""
        found = yield from self._find(task.name, patiently=True)
        if found is not None:
            return Created(found.batch_id, task.name)
        raise OutcomeUnknown(
            f"a batch may have been made, but it is not in the list: {error.what}",
            next_step=f"Run again: the name {task.name!r} is looked up before anything is made.",
        ) from error

    def _find(self, name: str, *, patiently: bool) -> Flow[BatchEntry | None]:
        """One look, or two; the attempts of the creation are the patience when a look fails."""
        found = yield from self._lists.by_name(name, ONCE)
        if found is None and patiently:
            yield SETTLE
            found = yield from self._lists.by_name(name, ONCE)
        return found
