"""VIAS's operations, each written once as a flow: those on batch tasks here, the others beside."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from typing import Any

from visionbatch.errors import NotFound
from visionbatch.flow.effects import Flow, Now
from visionbatch.flow.listing import Enough
from visionbatch.flow.retry import RetryPolicy
from visionbatch.flow.roster import Roster
from visionbatch.model.listed import Listed
from visionbatch.model.snapshot import Snapshot
from visionbatch.model.text import printable
from visionbatch.vias.batch_task import BatchTask
from visionbatch.vias.calls import ONCE, SERVICE, Calls, Query, named
from visionbatch.vias.creation import Created, Creation, InDoubt
from visionbatch.vias.decode import Answer, BatchEntry, answer_of, entries_of
from visionbatch.vias.entries import AlgorithmEntry, EdgePool
from visionbatch.vias.goals import FINISHED, LEAVE, BatchRef
from visionbatch.vias.lists import BATCH_PAGE, Lists, page_numbers
from visionbatch.vias.patience import Patience
from visionbatch.vias.registry import GROUPS, SOURCES, Registry, algorithms, edge_pools
from visionbatch.vias.settings import ViasSettings
from visionbatch.vias.tasks_api import SingleTasks
from visionbatch.vias.words import Histogram, histogram_of, histogram_of_states, interpret

log = logging.getLogger(__name__)

LABEL_CHARS = 100
"""Characters that a name may have (its page), and that are kept of one in a list."""


class ViasApi:
    """The operations of one project.

    Every error that leaves a flow names the service and the batch.

    :param settings: with the id of the project.
    :param retry: patience of every operation but `look`, which has none: the watch has it.
    """

    name = SERVICE
    noun = "batch"

    def __init__(self, settings: ViasSettings, retry: RetryPolicy | None = None) -> None:
        self.settings = settings
        self._retry = retry or RetryPolicy()
        self._calls = Calls(settings, self._retry)
        self._lists = Lists(self._calls)
        self._creation = Creation(self._calls, self._lists)
        self._patience = Patience(settings.abnormal_s)
        self.single = SingleTasks(self._calls, self._lists)
        self.sources = Registry(SOURCES, self._calls, self._lists)
        self.groups = Registry(GROUPS, self._calls, self._lists)

    def ask(
        self, operation: str, values: Mapping[str, str] | None = None, *, query: Query = (), body: Any = None
    ) -> Flow[Any]:
        """Any of the twenty-nine operations, as the vendor names and describes them; gives the JSON of the answer.

        :param operation: such as ``CreateVideoSource``, see `visionbatch.vias.operations.OPERATIONS`.
        :param values: what its path needs.
        :raises ConfigError: for an operation or a value that cannot be one, before anything is sent.
        """
        return named("", self._ask(operation, values, query, body))

    def _ask(self, operation: str, values: Mapping[str, str] | None, query: Query, body: Any) -> Flow[Any]:
        response = yield from self._calls.send(operation, values, query=query, body=body)
        return response.json() if response.body else None

    def create(
        self, task: BatchTask, *, adopt: bool = False, own: bool = False, in_doubt: InDoubt = lambda _: None
    ) -> Flow[Created]:
        """Make one batch of this name.

        Creating twice would make two, for the service knows no mark of a request. So the name is looked up first, and
        a creation is repeated only when the service cannot have acted on it. Without a usable answer, what it may have
        made is looked for as long as ``settle_s`` of the settings says.

        :param adopt: go on with somebody else's batch of that name, if it has not ended and has as many tasks.
        :param own: an earlier try may have made it: it is looked for in the same way, and needs no ``adopt``.
        :param in_doubt: see `visionbatch.vias.creation.InDoubt`.
        :raises IdTaken: when somebody else has the name, or there are several batches of it.
        :raises OutcomeUnknown: when it cannot be found out what a creation came to; try again with ``own``.
        """
        return named("", self._creation.create(task, adopt=adopt, own=own, in_doubt=in_doubt))

    def find(self, name: str) -> Flow[BatchEntry | None]:
        """The one batch of exactly that name.

        :raises IdTaken: when there are several.
        """
        return named("", self._lists.by_name(name, self._retry))

    def entries(self, name_like: str = "") -> Flow[list[BatchEntry]]:
        """All batches of the project, the newest first.

        :param name_like: part of their names.
        """
        return named("", self._lists.batches(name_like, self._retry))

    def tasks(self, batch_id: str) -> Flow[list[Mapping[str, Any]]]:
        """The tasks of a batch, as the service lists them."""
        return named(batch_id, self._lists.tasks(batch_id, self._retry))

    def update(self, batch_id: str, task: BatchTask) -> Flow[Answer]:
        """Give a batch another configuration; algorithm and version stay, for they cannot be changed."""
        return named(batch_id, self._answered("UpdateBatchTask", {"id": batch_id}, task.changes()))

    def algorithms(self) -> Flow[list[AlgorithmEntry]]:
        """The account's algorithm services, with the words that tasks name them by."""
        return named("", algorithms(self._calls))

    def edge_pools(self) -> Flow[list[EdgePool]]:
        """The account's pools of edge nodes."""
        return edge_pools(self._calls, self._lists)

    def start(self, batch_id: str) -> Flow[Answer]:
        """Start the tasks of a batch."""
        return named(batch_id, self._answered("BatchStartStopTask", {"id": batch_id, "command": "start"}))

    def stop(self, batch_id: str) -> Flow[Answer]:
        """Stop the tasks of a batch; they can be started again."""
        return named(batch_id, self._answered("BatchStartStopTask", {"id": batch_id, "command": "stop"}))

    def delete(self, batch_id: str) -> Flow[Answer | None]:
        """Delete a batch and its tasks; ``None`` when it was not there any more."""
        return named(batch_id, self._unless_gone(self._answered("DeleteBatchTask", {"id": batch_id})))

    def _answered(self, operation: str, values: Mapping[str, str], body: Any = None) -> Flow[Answer]:
        response = yield from self._calls.send(operation, values, body=body)
        return answer_of(response)

    def _unless_gone(self, flow: Flow[Answer]) -> Flow[Answer | None]:
        try:
            return (yield from flow)
        except NotFound:
            log.info("%s: the batch is already gone", SERVICE)
            return None

    def cancel(self, ref: str) -> Flow[None]:
        """Stop a batch, or delete it, as the ref or the setting says; one that is gone counts as cancelled."""
        target = BatchRef.parse(ref)
        return named(target.batch_id, self._cancel(target.batch_id, target.on_cancel or self.settings.on_cancel))

    def _cancel(self, batch_id: str, how: str) -> Flow[None]:
        if how == LEAVE:
            log.warning("%s batch %s is somebody else's and left alone", SERVICE, batch_id)
            return
        if how == "delete":
            answer = yield from self.delete(batch_id)
        else:
            answer = yield from self._unless_gone(self.stop(batch_id))
        if answer is not None and answer.failed:
            log.warning("%s batch %s is not cancelled as a whole: %s", SERVICE, batch_id, answer)
        else:
            log.info("%s batch %s: cancelled", SERVICE, batch_id)

    def histogram(self, ref: str) -> Flow[Histogram]:
        """How many tasks of a batch are in which state."""
        target = BatchRef.parse(ref)
        return named(target.batch_id, self._histogram(target, self._retry))

    def _histogram(self, target: BatchRef, retry: RetryPolicy) -> Flow[Histogram]:
        if self.settings.states_from == "tasks":
            tasks = yield from self._lists.tasks(target.batch_id, retry)
            if tasks:
                return histogram_of_states((task.get("state") for task in tasks), self.settings.status_aliases)
        # A batch without tasks may be a new one or a deleted one, which only the list of batches can tell.
        return self._counted((yield from self._lists.batch(target.batch_id, target.name, retry)))

    def _counted(self, entry: BatchEntry) -> Histogram:
        return histogram_of(entry.counters, entry.tasks, self.settings.status_aliases)

    def look(self, ref: str) -> Flow[Snapshot]:
        """The state of a batch, asked for once.

        :param ref: see `visionbatch.vias.goals.BatchRef`.
        """
        target = BatchRef.parse(ref)
        return named(target.batch_id, self._look(target))

    def _look(self, target: BatchRef) -> Flow[Snapshot]:
        histogram = yield from self._histogram(target, ONCE)
        now: float = yield Now()
        return self._judged(target, histogram, now)

    def _judged(self, target: BatchRef, histogram: Histogram, now: float) -> Snapshot:
        """What a histogram is to somebody with a goal; ABNORMAL, or no task, is tolerated for a while."""
        return interpret(histogram, target.goal, lost_patience=self._patience.lost(target, histogram, now))

    def unwell_since(self, ref: str) -> float | None:
        """Unix seconds since when a batch is ABNORMAL, or without a task, by the last look or by the ref itself.

        ``None`` when it is not. Whoever looks again in another process gives it with the ref.
        """
        return self._patience.since(BatchRef.parse(ref))

    def look_all(self, roster: Roster) -> Flow[None]:
        """One look at every batch on the roster, from the pages of the list.

        The newest stand first, and those that are waited for are new: no more pages are read than twice as many as
        the roster would fill. Batches that are not found there are asked for alone, and so is a single one.
        """
        # Read when one is found: of thousands each would be a value of its own, at every look.
        missing = {ref: ref.partition("?")[0] for ref in roster.refs}
        listed = len(missing) > 1 and self.settings.states_from == "batches"
        for number in range(1, 2 * ceil(len(missing) / BATCH_PAGE) + 1 if listed else 1):
            entries, goes_on = yield from self._lists.page(number, "", ONCE)
            now: float = yield Now()
            there = {entry.batch_id: entry for entry in entries}
            for ref, batch_id in [pair for pair in missing.items() if pair[1] in there]:
                roster.saw(ref, self._judged(BatchRef.parse(ref), self._counted(there[batch_id]), now))
                del missing[ref]
            if not missing or not goes_on:
                break
        yield from roster.ask_each(missing, self.look)

    def newest(self, enough: Enough) -> Flow[tuple[Listed, ...]]:
        """The list of batches from its beginning, where the newest stand, page by page until that is enough."""
        return named("", self._newest(enough))

    def _newest(self, enough: Enough) -> Flow[tuple[Listed, ...]]:
        read: dict[str, Listed] = {}
        for number in page_numbers():
            entries, goes_on = yield from self._lists.page(number, "", ONCE)
            before = len(read)
            for entry in entries:
                label = printable(entry.name, LABEL_CHARS)
                snapshot = interpret(self._counted(entry), FINISHED)
                read.setdefault(entry.batch_id, Listed(entry.batch_id, label, snapshot))
            if not goes_on or len(read) == before or enough(tuple(read.values())):
                break
        return tuple(read.values())

    def ping(self) -> Flow[str]:
        """Whether the credential opens this project: asks for the shortest list, and gives the answer's ``Date``."""
        return named("", self._ping())

    def _ping(self) -> Flow[str]:
        response = yield from self._calls.send("ListBatchTasks", query=(("page_size", "5"),), retry=ONCE)
        entries_of(response.json_object())
        return response.headers.get("date", "")

    def console_url(self, ref: str) -> str:
        """The page on which people follow their tasks; it carries no credential.

        :param ref: id of a batch, or what is waited for.
        """
        batch_id = ref.partition("?")[0]
        return self.settings.console_url.replace("{batch_id}", batch_id).replace("{region}", self.settings.region)


def with_project(settings: ViasSettings, project_id: str) -> ViasSettings:
    """The same settings with the id that was looked up."""
    return replace(settings, project_id=project_id)
