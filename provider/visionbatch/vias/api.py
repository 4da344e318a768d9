"""VIAS's operations, each written once as a flow."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, TypeVar

from visionbatch.errors import (
    ConfigError,
    EndlessList,
    IdTaken,
    NotFound,
    OutcomeUnknown,
    Refused,
    UnreadableAnswer,
    VisionBatchError,
)
from visionbatch.flow.call import call
from visionbatch.flow.effects import Flow, Now, Pause, Request, Response
from visionbatch.flow.listing import Enough
from visionbatch.flow.retry import RetryPolicy, persist
from visionbatch.flow.roster import Roster
from visionbatch.model.listed import Listed
from visionbatch.model.snapshot import Snapshot
from visionbatch.model.text import printable
from visionbatch.vias.batch_task import BatchTask
from visionbatch.vias.decode import Answer, BatchEntry, answer_of, entries_of, tasks_of, trouble
from visionbatch.vias.goals import FINISHED, BatchRef
from visionbatch.vias.operations import OPERATIONS
from visionbatch.vias.settings import ViasSettings
from visionbatch.vias.words import ABNORMAL, Histogram, histogram_of, histogram_of_states, interpret

log = logging.getLogger(__name__)

T = TypeVar("T")

SERVICE = "huawei_vias"
ONCE = RetryPolicy(attempts=1)
LABEL_CHARS = 100
"""Characters that a name may have (its page), and that are kept of one in a list."""

BATCH_PAGE = 200
TASK_PAGE = 1000
"""Entries to a page, the greatest that the lists take."""

SETTLE = Pause(2.0, 4.0)
"""Seconds between two looks for a batch whose creation was not answered: a list may lag behind."""

Query = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Created:
    """A batch that is there.

    :param answer: what its creation came to; ``None`` when it was found under its name instead.
    """

    batch_id: str
    name: str
    answer: Answer | None = None


class ViasApi:
    """The operations of one project.

    Every error that leaves a flow names the service and the batch.

    :param settings: with the id of the project.
    :param retry: patience of every operation but `look`, which has none: the watch has it.
    """

    name = SERVICE
    noun = "batch"

    def __init__(self, settings: ViasSettings, retry: RetryPolicy | None = None) -> None:
        if not settings.project_id:
            raise ConfigError("the project id is not known", next_step="Give project_id, or have it looked up.")
        self.settings = settings
        self._retry = retry or RetryPolicy()
        self._trouble = trouble(settings)
        self._abnormal_since: dict[str, float] = {}

    def ask(
        self, operation: str, values: Mapping[str, str] | None = None, *, query: Query = (), body: Any = None
    ) -> Flow[Any]:
        """Any of the twenty-nine operations, as the vendor names and describes them; gives the JSON of the answer.

        :param operation: such as ``CreateVideoSource``, see `visionbatch.vias.operations.OPERATIONS`.
        :param values: what its path needs.
        :raises ConfigError: for an operation or a value that cannot be one, before anything is sent.
        """
        return _named("", self._ask(operation, values, query, body))

    def _ask(self, operation: str, values: Mapping[str, str] | None, query: Query, body: Any) -> Flow[Any]:
        response = yield from self._send(operation, values, query=query, body=body)
        return response.json() if response.body else None

    def _send(
        self,
        operation: str,
        values: Mapping[str, str] | None = None,
        *,
        query: Query = (),
        body: Any = None,
        retry: RetryPolicy | None = None,
    ) -> Flow[Response]:
        if operation not in OPERATIONS:
            raise ConfigError(f"{operation!r} is none of VIAS's operations; those are {', '.join(OPERATIONS)}")
        known = OPERATIONS[operation]
        path = known.at(self.settings.project_id, values or {})
        request = Request(known.method, path, tuple(query), body, repeatable=known.repeatable)
        return (yield from call(request, retry or self._retry, self._trouble))

    def create(self, task: BatchTask, *, adopt: bool = True) -> Flow[Created]:
        """See that there is one batch of this name.

        Creating twice would make two, for the service knows no mark of a request. So the name is looked up first; a
        creation without a usable answer is followed by looks for what it made, and repeated only when nothing is there.

        :param adopt: take a batch that has the name already for ours.
        :raises IdTaken: when there is one and ``adopt`` is off, or when there are several.
        :raises OutcomeUnknown: when it cannot be found out what a creation came to.
        """
        return _named("", persist(self._create_attempts(task, adopt=adopt), self._retry))

    def _create_attempts(self, task: BatchTask, *, adopt: bool) -> Callable[[], Flow[Created]]:
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
            response = yield from self._send("CreateBatchTask", body=task.to_json(), retry=ONCE)
            answer = answer_of(response)
        except UnreadableAnswer as error:
            if error.ref:
                raise
            return (yield from self._instead(task, error))
        except Refused as error:
            if error.code not in self.settings.name_taken_codes:
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

    def find(self, name: str) -> Flow[BatchEntry | None]:
        """The one batch of exactly that name.

        :raises IdTaken: when there are several.
        """
        return _named("", self._by_name(name, self._retry))

    def _find(self, name: str, *, patiently: bool) -> Flow[BatchEntry | None]:
        """One look, or two; the attempts of the creation are the patience when a look fails."""
        found = yield from self._by_name(name, ONCE)
        if found is None and patiently:
            yield SETTLE
            found = yield from self._by_name(name, ONCE)
        return found

    def _by_name(self, name: str, retry: RetryPolicy) -> Flow[BatchEntry | None]:
        matches: list[BatchEntry] = []
        for number in range(1, BATCH_PAGE):
            entries, goes_on = yield from self._page(number, name, retry)
            matches += [entry for entry in entries if entry.name == name]
            if not goes_on:
                break
        if len({entry.batch_id for entry in matches}) > 1:
            ids = ", ".join(entry.batch_id for entry in matches)
            raise IdTaken(f"there are {len(matches)} batches named {name!r}: {ids}")
        return matches[0] if matches else None

    def entries(self, name_like: str = "") -> Flow[list[BatchEntry]]:
        """All batches of the project, the newest first.

        :param name_like: part of their names.
        """
        return _named("", self._entries(name_like))

    def _entries(self, name_like: str) -> Flow[list[BatchEntry]]:
        found: list[BatchEntry] = []
        seen: set[str] = set()
        for number in _pages():
            entries, goes_on = yield from self._page(number, name_like, self._retry)
            _require_news(seen, (entry.batch_id for entry in entries), goes_on=goes_on)
            found += entries
            if not goes_on:
                break
        return found

    def _page(self, number: int, name_like: str, retry: RetryPolicy) -> Flow[tuple[list[BatchEntry], bool]]:
        """Entries of a page of the list, newest first, and whether there may be another."""
        like = (("type_like", "batch_task_name"), ("name_like", name_like)) if name_like else ()
        paging = (("is_paged", "true"), ("page_size", str(BATCH_PAGE)), ("page_num", str(number)))
        order = (("sort_name", "created_at"), ("order_by", "desc"))
        response = yield from self._send("ListBatchTasks", query=(*paging, *order, *like), retry=retry)
        page = response.json_object()
        entries = entries_of(page)
        return entries, len(page["batch_task_list"]) >= BATCH_PAGE

    def update(self, batch_id: str, task: BatchTask) -> Flow[Answer]:
        """Give a batch another configuration; algorithm and version stay, for they cannot be changed."""
        body = {name: item for name, item in task.to_json().items() if name not in ("service_name", "service_version")}
        return _named(batch_id, self._answered("UpdateBatchTask", {"id": batch_id}, body))

    def start(self, batch_id: str) -> Flow[Answer]:
        """Start the tasks of a batch."""
        return _named(batch_id, self._answered("BatchStartStopTask", {"id": batch_id, "command": "start"}))

    def stop(self, batch_id: str) -> Flow[Answer]:
        """Stop the tasks of a batch; they can be started again."""
        return _named(batch_id, self._answered("BatchStartStopTask", {"id": batch_id, "command": "stop"}))

    def delete(self, batch_id: str) -> Flow[Answer | None]:
        """Delete a batch and its tasks; ``None`` when it was not there any more."""
        return _named(batch_id, self._delete(batch_id))

    def _delete(self, batch_id: str) -> Flow[Answer | None]:
        try:
            return (yield from self._answered("DeleteBatchTask", {"id": batch_id}))
        except NotFound:
            log.info("%s batch %s is already gone", SERVICE, batch_id)
            return None

    def _answered(self, operation: str, values: Mapping[str, str], body: Any = None) -> Flow[Answer]:
        response = yield from self._send(operation, values, body=body)
        return answer_of(response)

    def cancel(self, ref: str) -> Flow[None]:
        """Stop a batch, or delete it, by the setting ``on_cancel``; one that is gone counts as cancelled."""
        batch_id = BatchRef.parse(ref).batch_id
        return _named(batch_id, self._cancel(batch_id))

    def _cancel(self, batch_id: str) -> Flow[None]:
        if self.settings.on_cancel == "delete":
            answer = yield from self._delete(batch_id)
        else:
            try:
                answer = yield from self.stop(batch_id)
            except NotFound:
                return
        if answer is not None and answer.failed:
            log.warning("%s batch %s is not cancelled as a whole: %s", SERVICE, batch_id, answer)

    def tasks(self, batch_id: str) -> Flow[list[Mapping[str, Any]]]:
        """The tasks of a batch, as the service lists them."""
        return _named(batch_id, self._tasks(batch_id, self._retry))

    def _tasks(self, batch_id: str, retry: RetryPolicy) -> Flow[list[Mapping[str, Any]]]:
        found: list[Mapping[str, Any]] = []
        seen: set[str] = set()
        for number in _pages():
            query = (("batch_id", batch_id), ("page_size", str(TASK_PAGE)), ("page", str(number)))
            response = yield from self._send("ListTasks", query=query, retry=retry)
            page = tasks_of(response.json_object())
            # Its count may be that of the page alone, so it is the short page that ends the list.
            _require_news(seen, (str(task.get("id")) for task in page), goes_on=len(page) >= TASK_PAGE)
            found += page
            if len(page) < TASK_PAGE:
                break
        return found

    def histogram(self, ref: str) -> Flow[Histogram]:
        """How many tasks of a batch are in which state."""
        target = BatchRef.parse(ref)
        return _named(target.batch_id, self._histogram(target, self._retry))

    def _histogram(self, target: BatchRef, retry: RetryPolicy) -> Flow[Histogram]:
        if self.settings.states_from == "tasks":
            tasks = yield from self._tasks(target.batch_id, retry)
            if tasks:
                return histogram_of_states((task.get("state") for task in tasks), self.settings.state_aliases)
        entry = yield from self._entry(target, retry)
        return self._counted(entry)

    def _entry(self, target: BatchRef, retry: RetryPolicy) -> Flow[BatchEntry]:
        """A batch's entry in the list, for no operation shows a single one."""
        seen: set[str] = set()
        for number in _pages():
            entries, goes_on = yield from self._page(number, target.name, retry)
            for entry in entries:
                if entry.batch_id == target.batch_id:
                    return entry
            _require_news(seen, (entry.batch_id for entry in entries), goes_on=goes_on)
            if not goes_on:
                break
        raise NotFound("it is not in the list of batch tasks", status=404)

    def _counted(self, entry: BatchEntry) -> Histogram:
        return histogram_of(entry.counters, entry.tasks, self.settings.state_aliases)

    def look(self, ref: str) -> Flow[Snapshot]:
        """The state of a batch, asked for once.

        :param ref: see `visionbatch.vias.goals.BatchRef`.
        """
        target = BatchRef.parse(ref)
        return _named(target.batch_id, self._look(target))

    def _look(self, target: BatchRef) -> Flow[Snapshot]:
        histogram = yield from self._histogram(target, ONCE)
        now: float = yield Now()
        return self._judged(target, histogram, now)

    def _judged(self, target: BatchRef, histogram: Histogram, now: float) -> Snapshot:
        """What a histogram is to somebody with a goal; ABNORMAL is tolerated for as long as the settings say."""
        if ABNORMAL not in histogram.counts:
            self._abnormal_since.pop(target.batch_id, None)
            return interpret(histogram, target.goal)
        since = self._abnormal_since.setdefault(target.batch_id, now)
        return interpret(histogram, target.goal, lost_patience=now - since >= self.settings.abnormal_s)

    def look_all(self, roster: Roster) -> Flow[None]:
        """One look at every batch on the roster, from the pages of the list.

        The newest stand first, and those that are waited for are new: no more pages are read than twice as many as
        the roster would fill. Batches that are not found there are asked for alone, and so is a single one.
        """
        missing = {ref: BatchRef.parse(ref) for ref in roster.refs}
        listed = len(missing) > 1 and self.settings.states_from == "batches"
        for number in range(1, 2 * ceil(len(missing) / BATCH_PAGE) + 1 if listed else 1):
            entries, goes_on = yield from self._page(number, "", ONCE)
            now: float = yield Now()
            there = {entry.batch_id: entry for entry in entries}
            for ref, target in [(ref, target) for ref, target in missing.items() if target.batch_id in there]:
                roster.saw(ref, self._judged(target, self._counted(there[target.batch_id]), now))
                del missing[ref]
            if not missing or not goes_on:
                break
        yield from roster.ask_each(missing, self.look)

    def newest(self, enough: Enough) -> Flow[tuple[Listed, ...]]:
        """The list of batches from its beginning, where the newest stand, page by page until that is enough."""
        return _named("", self._newest(enough))

    def _newest(self, enough: Enough) -> Flow[tuple[Listed, ...]]:
        read: dict[str, Listed] = {}
        for number in _pages():
            entries, goes_on = yield from self._page(number, "", ONCE)
            before = len(read)
            for entry in entries:
                label = printable(entry.name, LABEL_CHARS)
                snapshot = interpret(self._counted(entry), FINISHED)
                read.setdefault(entry.batch_id, Listed(entry.batch_id, label, snapshot))
            if not goes_on or len(read) == before or enough(tuple(read.values())):
                break
        return tuple(read.values())

    def ping(self) -> Flow[None]:
        """Whether the credential opens this project: asks for the shortest list."""
        return _named("", self._ping())

    def _ping(self) -> Flow[None]:
        response = yield from self._send("ListBatchTasks", query=(("page_size", "5"),), retry=ONCE)
        entries_of(response.json_object())

    def console_url(self, batch_id: str) -> str:
        """The page on which people follow their tasks; it carries no credential."""
        return self.settings.console_url.replace("{batch_id}", batch_id).replace("{region}", self.settings.region)


def with_project(settings: ViasSettings, project_id: str) -> ViasSettings:
    """The same settings with the id that was looked up."""
    return replace(settings, project_id=project_id)


def _pages() -> Iterator[int]:
    """Numbers of pages, as many as the list takes."""
    return iter(range(1, 10_001))


def _require_news(seen: set[str], ids: Iterator[str], *, goes_on: bool) -> None:
    before = len(seen)
    seen.update(ids)
    if goes_on and len(seen) == before:
        raise EndlessList("the list goes round: a page came a second time")


def _named(batch_id: str, flow: Flow[T]) -> Flow[T]:
    try:
        return (yield from flow)
    except VisionBatchError as error:
        error.about(SERVICE, batch_id)
        raise
