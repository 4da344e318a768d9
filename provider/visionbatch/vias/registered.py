"""Video sources and groups of them, as they are registered with the service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from visionbatch.model.finding import Finding
from visionbatch.model.secret import Secret
from visionbatch.vias.fields import refuse, without_none
from visionbatch.vias.rulebook import RULES

MOST_TAGS = 4
MOST_MEMBERS = 50
"""Of a group that is changed; how many one may be made with is not documented."""


@dataclass(frozen=True)
class SourceForm:
    """A video source to register, or what one is changed to.

    :param name: up to 100 letters, digits, Chinese characters, blanks and ``.-_()``.
    :param type: ``obs``, ``url``, ``vcn``, ``restful``, ``camera``, ``RTSP_STREAM``, ``VIDEO_PLATFORM`` or
        ``VIDEO_IMAGE_DB``.
    :param type_config: XML, taken as it is, for the documents show two forms. It does not print: it may hold a
        password.
    :param access_type: ``cloud`` or ``edge``; not changed by an update.
    :param latitude: with up to five decimals; may be empty.
    :param longitude: the same.
    :param tags: at most four, of 1 to 10 characters.
    :param group_ids: groups that a new source belongs to.
    """

    name: str
    type: str
    type_config: str = field(repr=False)
    access_type: str = "cloud"
    latitude: str | None = None
    longitude: str | None = None
    tags: tuple[str, ...] | None = None
    group_ids: tuple[str, ...] = ()

    def findings(self) -> Iterator[Finding]:
        """What is wrong with it."""
        yield from RULES["source-name"].on("video_source_name", self.name)
        yield from RULES["access-type"].on("access_type", self.access_type)
        yield from RULES["source-type"].on("type", self.type)
        if not 1 <= len(self.type_config) <= 1024:
            yield RULES["type-config"].broken("type_config", f"{len(self.type_config)} characters; 1 to 1024")
        for name in ("latitude", "longitude"):
            if getattr(self, name) is not None:
                yield from RULES["coordinate"].on(name, getattr(self, name))
        if len(self.tags or ()) > MOST_TAGS or not all(1 <= len(tag) <= 10 for tag in self.tags or ()):
            yield RULES["tags"].broken("tag")
        for group_id in self.group_ids:
            yield from RULES["group-id"].on("video_group_ids", group_id)

    def check(self) -> None:
        """Refuse it for a documented rule that it breaks.

        :raises InvalidInput: with the rule's name; nothing has been sent.
        """
        refuse(self.findings(), "the video source breaks documented rules; nothing was sent")

    def to_json(self) -> dict[str, Any]:
        """The documented object."""
        groups = {"video_group_ids": list(self.group_ids)} if self.group_ids else {}
        return {"access_type": self.access_type, "type": self.type, **self.changes(), **groups}

    def changes(self) -> dict[str, Any]:
        """The same as an update takes it: what a source is stays."""
        told = {
            "video_source_name": self.name,
            "type_config": Secret(self.type_config),
            "latitude": self.latitude,
            "longitude": self.longitude,
            "tag": None if self.tags is None else list(self.tags),
        }
        return without_none(told)

    check_change = check


@dataclass(frozen=True)
class GroupForm:
    """A group of video sources to register, or what one is changed to.

    :param name: up to 20 letters, digits, Chinese characters, ``-`` and ``_``.
    :param access_type: ``cloud`` or ``edge``, as are all its sources; not changed by an update.
    :param source_ids: its members. An update replaces them, and takes 1 to 50.
    """

    name: str
    access_type: str = "cloud"
    description: str | None = None
    source_ids: Sequence[str] = ()

    def findings(self) -> Iterator[Finding]:
        """What is wrong with it."""
        yield from RULES["group-name"].on("video_group_name", self.name)
        yield from RULES["access-type"].on("access_type", self.access_type)
        if self.description is not None:
            yield from RULES["group-description"].on("description", self.description)
        for source_id in self.source_ids:
            yield from RULES["source-id"].on("video_source_ids", source_id)
        if len(set(self.source_ids)) < len(self.source_ids):
            yield RULES["source-twice"].broken("video_source_ids")

    def check(self) -> None:
        """Refuse it for a documented rule that it breaks.

        :raises InvalidInput: with the rule's name; nothing has been sent.
        """
        refuse(self.findings(), "the group breaks documented rules; nothing was sent")

    def check_change(self) -> None:
        """The same for somebody who changes a group to this.

        :raises InvalidInput: also for other than 1 to 50 members.
        """
        self.check()
        if not 1 <= len(self.source_ids) <= MOST_MEMBERS:
            found = f"{len(self.source_ids)} sources; an update takes 1 to {MOST_MEMBERS}"
            refuse([RULES["group-members"].broken("video_source_ids", found)])

    def to_json(self) -> dict[str, Any]:
        """The documented object."""
        return {"access_type": self.access_type, **self.changes()}

    def changes(self) -> dict[str, Any]:
        """The same as an update takes it."""
        members = {"video_source_ids": list(self.source_ids)} if self.source_ids else {}
        return without_none({"video_group_name": self.name, "description": self.description, **members})
