"""Lists, page by page; the first two tell how batches stand, for no operation shows a single one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from visionbatch.errors import EndlessList, IdTaken, NotFound
from visionbatch.flow.effects import Flow
from visionbatch.flow.retry import RetryPolicy
from visionbatch.vias.calls import Calls, Query
from visionbatch.vias.decode import BatchEntry, entries_of, items_of

BATCH_PAGE = 200
TASK_PAGE = 1000
"""Entries to a page, the greatest that the lists take."""


@dataclass(frozen=True)
class Paged:
    """A list, and how its pages are asked for, which differs from list to list.

    :param entries: field of the answer with the list.
    :param id: field of an entry with its id.
    :param number: parameter with the number of the page.
    :param size: the greatest page that it gives.
    :param paging: parameters without which it gives no pages.
    """

    operation: str
    entries: str
    id: str
    number: str = "page_num"
    size: int = BATCH_PAGE
    paging: Query = (("is_paged", "true"),)


TASKS = Paged("ListTasks", "tasks", "id", "page", TASK_PAGE, ())


class Lists:
    """Batches, tasks, sources and groups of one project."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def page(self, number: int, name_like: str, retry: RetryPolicy) -> Flow[tuple[list[BatchEntry], bool]]:
        """Batches on a page of the list, newest first, and whether there may be another.

        :param name_like: part of their names; empty for all.
        """
        like = (("type_like", "batch_task_name"), ("name_like", name_like)) if name_like else ()
        paging = (("is_paged", "true"), ("page_size", str(BATCH_PAGE)), ("page_num", str(number)))
        order = (("sort_name", "created_at"), ("order_by", "desc"))
        response = yield from self._calls.send("ListBatchTasks", query=(*paging, *order, *like), retry=retry)
        page = response.json_object()
        entries = entries_of(page)
        return entries, len(page["batch_task_list"]) >= BATCH_PAGE

    def batches(self, name_like: str, retry: RetryPolicy) -> Flow[list[BatchEntry]]:
        """All batches, newest first.

        :raises EndlessList: when a page comes round again.
        """
        found: list[BatchEntry] = []
        seen: set[str] = set()
        for number in page_numbers():
            entries, goes_on = yield from self.page(number, name_like, retry)
            found += entries
            if not goes_on:
                break
            _require_news(seen, (entry.batch_id for entry in entries))
        return found

    def by_name(self, name: str, retry: RetryPolicy) -> Flow[BatchEntry | None]:
        """The one batch of exactly that name; the service itself only looks for parts of names.

        :raises IdTaken: when there are several.
        """
        alike = yield from self.batches(name, retry)
        matches = {entry.batch_id: entry for entry in alike if entry.name == name}
        if len(matches) > 1:
            raise IdTaken(f"there are {len(matches)} batches named {name!r}: {', '.join(matches)}")
        return next(iter(matches.values()), None)

    def batch(self, batch_id: str, name: str, retry: RetryPolicy) -> Flow[BatchEntry]:
        """One batch, from as many pages as it takes.

        :param name: the name it was given, which makes the list short; empty when it is not known. Should it have
            another by now, the whole list is read.
        :raises NotFound: when it is not in the list.
        """
        for name_like in dict.fromkeys((name, "")):
            entry = yield from self._among(batch_id, name_like, retry)
            if entry is not None:
                return entry
        raise NotFound("it is not in the list of batch tasks", status=404)

    def _among(self, batch_id: str, name_like: str, retry: RetryPolicy) -> Flow[BatchEntry | None]:
        seen: set[str] = set()
        for number in page_numbers():
            entries, goes_on = yield from self.page(number, name_like, retry)
            for entry in entries:
                if entry.batch_id == batch_id:
                    return entry
            if not goes_on:
                break
            _require_news(seen, (entry.batch_id for entry in entries))
        return None

    def tasks(self, batch_id: str, retry: RetryPolicy) -> Flow[list[Mapping[str, Any]]]:
        """The tasks of a batch; see `every`."""
        return self.every(TASKS, (("batch_id", batch_id),), retry)

    def every(self, of: Paged, query: Query, retry: RetryPolicy) -> Flow[list[Mapping[str, Any]]]:
        """All entries of a list, page by page.

        :raises EndlessList: when a page comes round again.
        """
        found: list[Mapping[str, Any]] = []
        seen: set[str] = set()
        for number in page_numbers():
            paging = (*of.paging, ("page_size", str(of.size)), (of.number, str(number)))
            response = yield from self._calls.send(of.operation, query=(*query, *paging), retry=retry)
            page = items_of(response.json_object(), of.entries)
            found += page
            # Its count may be that of the page alone, so it is the short page that ends the list.
            if len(page) < of.size:
                break
            _require_news(seen, (str(entry.get(of.id)) for entry in page))
        return found


def page_numbers() -> Iterator[int]:
    """As many as the lists take."""
    return iter(range(1, 10_001))


def _require_news(seen: set[str], ids: Iterator[str]) -> None:
    before = len(seen)
    seen.update(ids)
    if len(seen) == before:
        raise EndlessList("the list goes round: a page came a second time")
