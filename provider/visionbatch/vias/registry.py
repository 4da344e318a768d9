"""VIAS's operations on what is registered, video sources and groups of them, and on what there is to choose from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from visionbatch.errors import NotFound
from visionbatch.flow.effects import Flow
from visionbatch.vias.calls import SERVICE, Calls, Query, named
from visionbatch.vias.decode import id_in, items_of
from visionbatch.vias.entries import AlgorithmEntry, EdgePool, GroupEntry, SourceEntry
from visionbatch.vias.lists import Lists, Paged
from visionbatch.vias.made_once import Ids, made_once
from visionbatch.vias.registered import GroupForm, SourceForm

log = logging.getLogger(__name__)

E = TypeVar("E")


class Form(Protocol):
    """What something is registered with."""

    @property
    def name(self) -> str:
        """As people know it."""

    def check(self) -> None:
        """Refuse it for a documented rule that it breaks."""

    def check_change(self) -> None:
        """The same for a change."""

    def to_json(self) -> dict[str, Any]:
        """The body that registers it."""

    def changes(self) -> dict[str, Any]:
        """The body that changes it."""


F = TypeVar("F", bound=Form)


@dataclass(frozen=True)
class Kind(Generic[F, E]):
    """What can be registered.

    :param name: as the vendor's operations call it, such as ``VideoSource``.
    :param noun: for people.
    :param field: beginning of its fields, such as ``video_source``.
    :param listing: its list.
    :param named: the parameters that look for a part of a name.
    :param read: reads an entry of the list, or the detail with its id.
    """

    name: str
    noun: str
    field: str
    listing: Paged
    named: Callable[[str], Query]
    read: Callable[[Mapping[str, Any], str], E]

    @property
    def id(self) -> str:
        """Field and parameter of the id."""
        return f"{self.field}_id"


SOURCES: Kind[SourceForm, SourceEntry] = Kind(
    "VideoSource",
    "video source",
    "video_source",
    Paged("ListVideoSources", "video_source_list", "video_source_id"),
    lambda name: (("scope", "source_name"), ("scope_name", name)),
    SourceEntry.read,
)
GROUPS: Kind[GroupForm, GroupEntry] = Kind(
    "VideoGroup",
    "group of video sources",
    "video_group",
    Paged("ListVideoGroups", "video_group_list", "video_group_id"),
    lambda name: (("name", name),),
    GroupEntry.read,
)
POOLS = Paged("ListEdgePools", "edge_pools", "id", size=1000, paging=())


class Registry(Generic[F, E]):
    """What is registered of one kind in one project."""

    def __init__(self, kind: Kind[F, E], calls: Calls, lists: Lists) -> None:
        self._kind = kind
        self._calls = calls
        self._lists = lists

    def create(self, form: F) -> Flow[str]:
        """Register it, once, and give its id; see `visionbatch.vias.made_once.made_once`."""
        kind = self._kind

        def post() -> Flow[Ids]:
            response = yield from self._calls.send(f"Create{kind.name}", body=form.to_json())
            return (id_in(response.json_object(), kind.id),)

        def alike() -> Flow[Ids]:
            found = yield from self._lists.every(kind.listing, kind.named(form.name), self._calls.retry)
            return tuple(id_in(each, kind.id) for each in found if each.get(f"{kind.field}_name") == form.name)

        what = f"a {kind.noun} named {form.name!r}"
        (made,) = yield from named("", made_once(post, alike, self._calls.settings, what=what))
        return made

    def entries(self, name: str = "", more: Query = ()) -> Flow[list[E]]:
        """All of them.

        :param name: part of their names.
        :param more: further parameters of the list, as the vendor documents them.
        """
        query = (*(self._kind.named(name) if name else ()), *more)
        found = yield from named("", self._lists.every(self._kind.listing, query, self._calls.retry))
        return [self._kind.read(each, "") for each in found]

    def show(self, one: str) -> Flow[E]:
        """One of them, by its id."""
        response = yield from named(one, self._calls.send(f"Show{self._kind.name}Detail", {self._kind.id: one}))
        return self._kind.read(response.json_object(), one)

    def update(self, one: str, form: F) -> Flow[None]:
        """Change it to this."""
        yield from named(one, self._calls.send(f"Update{self._kind.name}", {self._kind.id: one}, body=form.changes()))

    def delete(self, one: str) -> Flow[bool]:
        """Remove it; ``False`` when it was not there any more."""
        try:
            yield from named(one, self._calls.send(f"Delete{self._kind.name}", {self._kind.id: one}))
        except NotFound:
            log.info("%s: %s %s is already gone", SERVICE, self._kind.noun, one)
            return False
        return True


def algorithms(calls: Calls) -> Flow[list[AlgorithmEntry]]:
    """The account's algorithm services; each is asked about too, for only its detail says how tasks name it."""
    response = yield from calls.send("ListUserServices")
    found: list[AlgorithmEntry] = []
    for value in items_of(response.json_object(), "service_list"):
        try:
            detail = (yield from calls.send("ShowServiceDetail", {"service_id": str(value.get("service_id"))})).json()
        except NotFound:
            detail = {}
        found.append(AlgorithmEntry.read(value, detail if isinstance(detail, Mapping) else {}))
    return found


def edge_pools(calls: Calls, lists: Lists) -> Flow[list[EdgePool]]:
    """The account's pools of edge nodes."""
    found = yield from named("", lists.every(POOLS, (), calls.retry))
    return [EdgePool(str(each.get("id", "")), str(each.get("name", ""))) for each in found]
