"""Making one batch and not two, though the service knows no mark by which two requests are the same."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from visionbatch.errors import (
    IdTaken,
    OutcomeUnknown,
    Refused,
    ServiceError,
    TransportError,
    Unavailable,
    VisionBatchError,
)
from visionbatch.flow.effects import Flow, Now
from visionbatch.flow.retry import persist, transient
from visionbatch.vias.batch_task import BatchTask
from visionbatch.vias.calls import ONCE, SERVICE, Calls
from visionbatch.vias.decode import Answer, BatchEntry, answer_of
from visionbatch.vias.goals import FINISHED
from visionbatch.vias.lists import Lists
from visionbatch.vias.made_once import LOOKS, without_answer
from visionbatch.vias.words import Histogram, histogram_of, interpret

log = logging.getLogger(__name__)

InDoubt = Callable[[bool], None]
"""Told ``True`` before the first request that may make a batch, ``False`` when the service said that it made none."""


@dataclass(frozen=True)
class Created:
    """A batch that is there.

    :param answer: what its creation came to; ``None`` when it was found under its name instead.
    :param tasks: how many it has, where it was found.
    :param adopted: whether it was there before anything was asked for, so that somebody else made it.
    """

    batch_id: str
    name: str
    answer: Answer | None = None
    tasks: int | None = None
    adopted: bool = False


class Creation:
    """Creations in one project."""

    def __init__(self, calls: Calls, lists: Lists) -> None:
        self._calls = calls
        self._lists = lists

    def create(self, task: BatchTask, *, adopt: bool, own: bool, in_doubt: InDoubt) -> Flow[Created]:
        """See `visionbatch.vias.api.ViasApi.create`."""
        making = _Making(self._calls, self._lists, task, adopt=adopt, own=own, in_doubt=in_doubt)
        try:
            return (yield from persist(making, self._calls.retry, on=making.may_try_again))
        except VisionBatchError:
            making.settle()
            raise


class _Making:
    """One try after the other to make a batch, and what is not known of them."""

    def __init__(
        self, calls: Calls, lists: Lists, task: BatchTask, *, adopt: bool, own: bool, in_doubt: InDoubt
    ) -> None:
        self._calls = calls
        self._lists = lists
        self._task = task
        self._adopt = adopt
        self._in_doubt = in_doubt
        self._ours = own
        self._sought = not own
        self._told = False
        self._searching = False

    def __call__(self) -> Flow[Created]:
        if self._sought:
            found = yield from self._lists.by_name(self._task.name, ONCE)
        else:
            found = yield from self._search()
            self._sought = True
        if found is not None:
            return self._taken(found)
        return (yield from self._post())

    def may_try_again(self, error: VisionBatchError) -> bool:
        """Whether it may: what the service can have acted on ends in a search, and that has a patience of its own."""
        return transient(error) and not self._searching

    def settle(self) -> None:
        """Say so when there is nothing that a later try would have to look for."""
        if self._told and not self._ours:
            self._in_doubt(False)

    def _post(self) -> Flow[Created]:
        before, self._ours = self._ours, True
        if not self._told:
            self._told = True
            self._in_doubt(True)
        try:
            response = yield from self._calls.send("CreateBatchTask", body=self._task.to_json(), retry=ONCE)
            answer = answer_of(response)
        except VisionBatchError as error:
            self._ours = before or not _made_nothing(error)
            return (yield from self._after(error, before))
        return Created(answer.batch_id, self._task.name, answer)

    def _after(self, error: VisionBatchError, before: bool) -> Flow[Created]:
        """What there is in spite of an error; the error itself where it says enough."""
        if isinstance(error, Refused) and error.code in self._calls.settings.name_taken_codes:
            if not before and not self._adopt:
                raise IdTaken(f"somebody else has just made a batch named {self._task.name!r}") from error
            return (yield from self._instead(error))
        if without_answer(error):
            return (yield from self._instead(error))
        # 503 comes from in front of the service as a rule. What it did all the same shows in the list, if late.
        self._sought = not isinstance(error, Unavailable)
        raise error

    def _instead(self, error: VisionBatchError) -> Flow[Created]:
        """The batch that may be there although its creation was not answered with it."""
        found = yield from self._search()
        if found is not None:
            return self._taken(found)
        raise OutcomeUnknown(
            f"a batch may have been made, but it is not in the list: {error.what}",
            next_step=f"Run again: the name {self._task.name!r} is looked up before anything is made.",
        ) from error

    def _search(self) -> Flow[BatchEntry | None]:
        """Look until it is there with all its tasks, or for so long that it would be: a list may lag behind."""
        self._searching = True
        began: float = yield Now()
        looks = 0
        while True:
            found = yield from self._lists.by_name(self._task.name, self._calls.retry)
            looks += 1
            now: float = yield Now()
            whole = found is not None and not self._lacks(self._histogram(found))
            if whole or now - began >= self._calls.settings.settle_s:
                self._searching = False
                return found
            yield LOOKS.pause_after(looks)

    def _taken(self, found: BatchEntry) -> Created:
        histogram = self._histogram(found)
        if not self._ours:
            self._require_adoptable(found, histogram)
        log.info("%s batch %s has the name %s: going on with it", SERVICE, found.batch_id, self._task.name)
        return Created(found.batch_id, self._task.name, tasks=histogram.total, adopted=not self._ours)

    def _require_adoptable(self, found: BatchEntry, histogram: Histogram) -> None:
        reason = ""
        if self._adopt and interpret(histogram, FINISHED).phase.is_terminal:
            reason = "; it is not adopted, for it has ended"
        elif self._adopt and self._task.names_all and histogram.total != self._task.sources:
            reason = f"; it is not adopted, for it has {histogram.total} tasks and not {self._task.sources}"
        if reason or not self._adopt:
            raise IdTaken(
                f"there is a batch named {self._task.name!r} already, which this run has not made{reason}",
                ref=found.batch_id,
                next_step="Give each run a name of its own, such as one with the date; adopt takes a live batch over.",
            )

    def _lacks(self, histogram: Histogram) -> bool:
        return self._task.names_all and histogram.total < self._task.sources

    def _histogram(self, entry: BatchEntry) -> Histogram:
        return histogram_of(entry.counters, entry.tasks, self._calls.settings.status_aliases)


def _made_nothing(error: VisionBatchError) -> bool:
    """Whether it is certain that nothing came of a request: it was never sent, or the service has refused it."""
    if isinstance(error, TransportError):
        return not error.maybe_received
    return isinstance(error, ServiceError) and not isinstance(error, Unavailable)
