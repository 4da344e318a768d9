"""Deepomatic's batch operations, each written once as a flow."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from math import ceil
from typing import Any
from urllib.parse import quote

from visionbatch.config import AllowedHosts
from visionbatch.deepomatic.settings import DeepomaticSettings
from visionbatch.deepomatic.words import interpret, phases_with
from visionbatch.errors import (
    BulkUnsupported,
    NotFound,
    OutcomeUnknown,
    Refused,
    UnreadableAnswer,
    UnsafeUrl,
    VisionBatchError,
)
from visionbatch.flow.call import call, unhappy
from visionbatch.flow.effects import Flow, Now, Request, Response, Send
from visionbatch.flow.listing import Enough
from visionbatch.flow.retry import RetryPolicy, persist
from visionbatch.flow.roster import Roster
from visionbatch.model.listed import Listed
from visionbatch.model.secret import SecretUrl
from visionbatch.model.snapshot import Phase, Snapshot
from visionbatch.model.text import printable

log = logging.getLogger(__name__)

SERVICE = "deepomatic"
ONCE = RetryPolicy(attempts=1)
ID_CHARS = 200
NOWHERE = "00000000-0000-4000-8000-000000000000"
"""An id that no batch has."""
LABEL_CHARS = 200
"""Characters of a batch's name that are kept of a list: it goes into events, and so into the scheduler's database."""

LIST_PAGE = 100
"""Batches to a page of the list: what Django's paginators commonly allow."""


@dataclass(frozen=True)
class Batch:
    """A batch as the service knows it.

    :param batch_id: its id.
    :param upload_url: its session; ``None`` once the archive is complete, or when the service does not say.
    :param snapshot: its state.
    """

    batch_id: str
    upload_url: SecretUrl | None
    snapshot: Snapshot


class DeepomaticApi:
    """The operations of one site.

    Every error that leaves a flow names the service and the batch.

    :param retry: patience of every operation but `look`, which has none: the watch has it.
    """

    name = SERVICE
    noun = "batch"

    def __init__(self, settings: DeepomaticSettings, retry: RetryPolicy | None = None) -> None:
        self._settings = settings
        self._retry = retry or RetryPolicy()
        self._hosts = AllowedHosts(settings.upload_hosts)
        self._phases = phases_with(settings.status_aliases)

    def create(self, label: str) -> Flow[Batch]:
        """Make a batch and give its id and session.

        A batch is processed when its last byte arrives and not before, so creating one twice leaves an empty batch and
        no double work: a creation whose answer was lost is looked for by its label, where the site lists batches, and
        else repeated.

        :param label: name shown to people; unique to the run, or it cannot be found again.
        :raises OutcomeUnknown: when the service says it made one but not which.
        """
        return self._named("", persist(self._create_attempts(label), self._retry))

    def _create_attempts(self, label: str) -> Callable[[], Flow[Batch]]:
        tried = False

        def attempt() -> Flow[Batch]:
            nonlocal tried
            if tried:
                found = yield from self._find(label)
                if found is not None:
                    return found
                log.warning("deepomatic: an empty batch named %r may stay behind", printable(label))
            tried = True
            return (yield from self._create_once(label))

        return attempt

    def find(self, label: str) -> Flow[Batch | None]:
        """The one batch with this label that waits for its archive; ``None`` also where batches are not listed.

        Only the first page of the list is read: it is asked for a batch made moments ago.
        """
        return self._named("", self._find(label))

    def _create_once(self, label: str) -> Flow[Batch]:
        request = Request("POST", self._settings.batches_path, body={"filename": label}, repeatable=False)
        response = yield from call(request, ONCE)
        try:
            return self._read_new(response)
        except UnreadableAnswer as error:
            found = yield from self._find(label)
            if found is not None:
                return found
            raise OutcomeUnknown(
                f"a batch was made, but its answer cannot be used: {error.what}",
                next_step="Run again: an empty batch stays behind, which is never processed.",
            ) from error

    def _find(self, label: str) -> Flow[Batch | None]:
        try:
            response = yield from call(Request("GET", self._settings.batches_path), ONCE)
            results = response.json_object().get("results")
        except (NotFound, Refused, UnreadableAnswer):
            return None
        items = results if isinstance(results, list) else []
        matches = [item.get("batch_id") for item in items if isinstance(item, dict) and item.get("filename") == label]
        if len(matches) != 1 or not isinstance(matches[0], str):
            return None
        batch = yield from self.get(matches[0])
        waiting = batch.snapshot.phase is Phase.AWAITING_DATA and batch.upload_url is not None
        return batch if waiting else None

    def get(self, batch_id: str) -> Flow[Batch]:
        """A batch with its state and, while it waits for its archive, its session."""
        return self._named(batch_id, self._get(batch_id, self._retry))

    def _get(self, batch_id: str, retry: RetryPolicy) -> Flow[Batch]:
        response = yield from call(Request("GET", self._path(self._settings.batch_path, batch_id)), retry)
        return self._read(response, batch_id)

    def look(self, batch_id: str) -> Flow[Snapshot]:
        """The state of a batch, asked for once."""
        return self._named(batch_id, self._look(batch_id))

    def _look(self, batch_id: str) -> Flow[Snapshot]:
        path = self._path(self._settings.batch_path, batch_id)
        response = yield from call(Request("GET", path), ONCE)
        answer = response.json_object()
        if not isinstance(answer.get("status"), str):
            raise UnreadableAnswer(f"GET {path} was answered without a status")
        return interpret(answer, self._phases)

    def look_all(self, roster: Roster) -> Flow[None]:
        """One look at every batch on the roster, from the pages of the list, where the site has one.

        The newest stand first, and those that are waited for are new: no more pages are read than twice as many as
        the roster would fill. Batches that are not found there are asked for alone, and so is a single one.

        :raises BulkUnsupported: when the site has no list (404 or 405).
        """
        missing = set(roster.refs)
        for number in range(2 * ceil(len(missing) / LIST_PAGE) if len(missing) > 1 else 0):
            items, goes_on = yield from self._page(number)
            for item in items:
                batch_id = item.get("batch_id")
                # An entry without a status is a summary: such a batch has to be asked for.
                if isinstance(batch_id, str) and batch_id in missing and isinstance(item.get("status"), str):
                    missing.discard(batch_id)
                    roster.saw(batch_id, interpret(item, self._phases))
            if not missing or not goes_on:
                break
        yield from roster.ask_each(missing, self.look)

    def newest(self, enough: Enough) -> Flow[tuple[Listed, ...]]:
        """The list of batches from its beginning, where the newest stand, page by page until that is enough.

        :raises BulkUnsupported: when the site has no list (404 or 405).
        """
        return self._named("", self._newest(enough))

    def _newest(self, enough: Enough) -> Flow[tuple[Listed, ...]]:
        read: dict[str, Listed] = {}
        for number in count():
            items, goes_on = yield from self._page(number)
            for item in items:
                batch_id = _identifier(item)
                if batch_id and isinstance(item.get("status"), str):
                    label = printable(str(item.get("filename") or ""), LABEL_CHARS)
                    read.setdefault(batch_id, Listed(batch_id, label, interpret(item, self._phases)))
            if not (items and goes_on) or enough(tuple(read.values())):
                break
        return tuple(read.values())

    def _page(self, number: int) -> Flow[tuple[list[Mapping[str, Any]], bool]]:
        """The entries of a page, and whether there is another."""
        query = (("offset", str(number * LIST_PAGE)), ("limit", str(LIST_PAGE)))
        try:
            response = yield from call(Request("GET", self._settings.batches_path, query), ONCE)
        except (NotFound, Refused) as error:
            raise BulkUnsupported(f"the site does not list batches: {error.what}", service=SERVICE) from error
        page = response.json_object()
        results = page.get("results")
        if not isinstance(results, list):
            raise BulkUnsupported("the site does not list batches: the answer has no results", service=SERVICE)
        return [item for item in results if isinstance(item, dict)], bool(page.get("next"))

    def cancel(self, batch_id: str) -> Flow[None]:
        """Delete a batch; one that is not there any more counts as cancelled."""
        return self._named(batch_id, self._cancel(batch_id))

    def _cancel(self, batch_id: str) -> Flow[None]:
        try:
            yield from call(Request("DELETE", self._path(self._settings.batch_path, batch_id)), self._retry)
        except NotFound:
            log.info("deepomatic batch %s is already gone", batch_id)

    def error_report(self, batch_id: str) -> Flow[Response | None]:
        """The error report, untouched; ``None`` where the site has none by API (404 or 405)."""
        return self._named(batch_id, self._error_report(batch_id))

    def _error_report(self, batch_id: str) -> Flow[Response | None]:
        if self._settings.errors_path == "off":
            return None
        request = Request("GET", self._path(self._settings.errors_path, batch_id))
        try:
            return (yield from call(request, self._retry))
        except NotFound:
            return None
        except Refused as error:
            if error.status == 405:
                return None
            raise

    def ping(self) -> Flow[None]:
        """Whether this is a site that takes the key: asks once for a batch that cannot exist.

        :raises UnreadableAnswer: when the 404 is not JSON: some other kind of server.
        :raises ServiceError: for any other unhappy answer.
        """
        return self._named("", self._ping())

    def _ping(self) -> Flow[None]:
        request = Request("GET", self._path(self._settings.batch_path, NOWHERE))
        response: Response = yield Send(request)
        if response.status != 404 and not 200 <= response.status < 300:
            now: float = yield Now()
            raise unhappy(request, response, now)
        response.json_object()

    def console_url(self, batch_id: str) -> str:
        """The page on which people follow the batch; it carries no credential."""
        return self._settings.console_url.replace("{batch_id}", quote(batch_id, safe=""))

    def admit(self, url: object) -> SecretUrl:
        """Wrap an upload URL that the user has, if it leads to an allowed host."""
        return self._hosts.admit(url)

    def _read(self, response: Response, batch_id: str = "") -> Batch:
        answer = response.json_object()
        url = answer.get("upload_url")
        found = _identifier(answer) or batch_id
        if url is not None and not isinstance(url, str):
            raise UnreadableAnswer(f"upload_url is {type(url).__name__}, not a string")
        try:
            session = self._hosts.admit(url) if url else None
        except UnsafeUrl as error:
            raise error.about(SERVICE, found) from None
        return Batch(found, session, interpret(answer, self._phases))

    def _read_new(self, response: Response) -> Batch:
        batch = self._read(response)
        missing = "upload_url" if batch.upload_url is None else "batch_id" if not batch.batch_id else ""
        if missing:
            raise UnreadableAnswer(f"the answer to the creation of a batch has no {missing}")
        return batch

    def _path(self, template: str, batch_id: str) -> str:
        return template.replace("{batch_id}", quote(batch_id, safe=""))

    def _named(self, batch_id: str, flow: Flow[Any]) -> Flow[Any]:
        try:
            return (yield from flow)
        except VisionBatchError as error:
            error.about(SERVICE, batch_id)
            raise


def _identifier(answer: Mapping[str, Any]) -> str:
    """The id of a batch: ``batch_id``, or ``id`` should the service come to call it that."""
    value = answer.get("batch_id", answer.get("id", ""))
    if not isinstance(value, str) or len(value) > ID_CHARS or not value.isprintable():
        raise UnreadableAnswer(f"the batch's id is not a printable string of at most {ID_CHARS} characters")
    return value
