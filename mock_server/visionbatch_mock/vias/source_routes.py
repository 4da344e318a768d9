"""`/v2/{project_id}/source`: video sources; the plural stands only where they are read."""

import re
from typing import Any

from flask import Response, request

from visionbatch_mock.answers import json_answer
from visionbatch_mock.exchange import current, operation
from visionbatch_mock.operations import Operation
from visionbatch_mock.vias import asking, rules
from visionbatch_mock.vias.book import ViasBook
from visionbatch_mock.vias.codes import Code
from visionbatch_mock.vias.errors import ViasError
from visionbatch_mock.vias.rooms import room, settled
from visionbatch_mock.vias.scenes import VideoSource

bp = room("vias_sources", "/source")

NAME = re.compile(r"(?! )[\u4E00-\u9FA5a-zA-Z0-9 .\-_()]{1,100}(?<! )")
ACCESS_TYPES = ("cloud", "edge")
TYPES = ("obs", "vcn", "url", "restful", "camera", "VIDEO_PLATFORM", "VIDEO_IMAGE_DB", "RTSP_STREAM")
LEVELS = {"Online": "1", "Offline": "2", "Abnormal": "9"}


@bp.post("")
@operation(Operation.VIAS_SOURCES_CREATE)
def create() -> Response:
    """A video source."""
    told = asking.json_body()
    name = rules.text(told, "video_source_name", NAME)
    kind = rules.word(told, "type", TYPES)
    access_type = rules.word(told, "access_type", ACCESS_TYPES)
    config = rules.text(told, "type_config", longest=1024)
    _check_places(told)
    groups = tuple(rules.ids(told, "video_group_ids", 0, 200))
    book = settled()
    with book.lock:
        for group_id in groups:
            book.places.group(group_id)
        made = book.places.add_source(name, kind, config, access_type=access_type, group_ids=groups)
        made.latitude, made.longitude = told.get("latitude") or "", told.get("longitude") or ""
        made.tag = list(told.get("tag") or [])
        return json_answer({"video_source_id": made.id})


@bp.get("/sources")
@operation(Operation.VIAS_SOURCES_LIST)
def list_sources() -> Response:
    """Video sources, all at once unless pages are asked for."""
    wanted = asking.pages("page_num", 200, paged=False)
    newest_first = asking.one_of("order_by", "desc", ("asc", "desc")) == "desc"
    sort_name = asking.one_of("sort_name", "create_at", ("create_at", "num_task", "num_template"))
    book = settled()
    with book.lock:
        found = [source for source in book.places.sources.values() if _is_wanted(book, source)]
        if sort_name == "num_task":
            found.sort(key=lambda source: _tasks_of(book, source))
        if newest_first:
            found.reverse()
        shown = [{"video_source_id": source.id, **_shown(book, source)} for source in wanted.of(found)]
    numbers = {"video_source_number": len(shown), "total_number": len(found)}
    quota = current().tenant.behaviour.vias_source_quota
    return json_answer({"video_source_list": shown, **numbers, "quota_number": quota})


@bp.get("/sources/<source_id>")
@operation(Operation.VIAS_SOURCES_SHOW)
def show(source_id: str) -> Response:
    """One of them; the detail does not repeat its id."""
    book = settled()
    with book.lock:
        return json_answer(_detail(book, book.places.source(rules.check_id("video_source_id", source_id))))


@bp.put("/<source_id>")
@operation(Operation.VIAS_SOURCES_UPDATE)
def update(source_id: str) -> Response:
    """Another name and configuration."""
    told = asking.json_body()
    name = rules.text(told, "video_source_name", NAME)
    config = rules.text(told, "type_config", longest=1024)
    _check_places(told)
    book = settled()
    with book.lock:
        source = book.places.source(rules.check_id("video_source_id", source_id))
        book.places.update_source(source, name, config)
        source.latitude = told.get("latitude", source.latitude) or ""
        source.longitude = told.get("longitude", source.longitude) or ""
        source.tag = list(told.get("tag", source.tag) or [])
        return json_answer(_detail(book, source))


@bp.delete("/<source_id>")
@operation(Operation.VIAS_SOURCES_DELETE)
def delete(source_id: str) -> Response:
    """Remove a source that no task uses: 200, and `true`."""
    book = settled()
    with book.lock:
        source = book.places.source(rules.check_id("video_source_id", source_id))
        if _tasks_of(book, source):
            raise ViasError(Code.NOT_ALLOWED, "tasks use the video source", source.id)
        book.places.remove_source(source)
        return json_answer(True)


def _check_places(told: dict[str, Any]) -> None:
    for key in ("latitude", "longitude"):
        rules.optional_text(told, key, re.compile(r"|-?[0-9]{1,3}(\.[0-9]{1,5})?"))
    if told.get("tag") is not None and not all(
        isinstance(tag, str) and 1 <= len(tag) <= 10 for tag in rules.items(told, "tag", 0, 4)
    ):
        raise rules.invalid("tag", "at most 4 texts of 1 to 10 characters are required")


def _is_wanted(book: ViasBook, source: VideoSource) -> bool:
    args = request.args
    names = [source.name]
    if args.get("scope") == "group_name":
        names = [book.places.groups[group_id].name for group_id in source.group_ids & set(book.places.groups)]
    groups, types, access = (asking.many(key) for key in ("video_group_id", "type", "access_type"))
    return (
        any(args.get("scope_name", "").lower() in name.lower() for name in names)
        and (not groups or bool(groups & source.group_ids))
        and (not types or source.type in types)
        and (not access or source.access_type in access)
        and LEVELS[source.status] in (asking.many("status") or set(LEVELS.values()))
        and args.get("tag", "") in ["", *source.tag]
    )


def _tasks_of(book: ViasBook, source: VideoSource) -> int:
    return sum(task.source_id == source.id for task in book.tasks())


def _shown(book: ViasBook, source: VideoSource) -> dict[str, Any]:
    groups = [book.places.groups[group_id] for group_id in sorted(source.group_ids & set(book.places.groups))]
    return {
        "video_source_name": source.name,
        "access_type": source.access_type,
        "type": source.type,
        "type_config": source.type_config,
        "stream_path": "",
        "status": {"status": source.status, "name": source.status, "level": LEVELS[source.status]},
        "create_at": int(source.created * 1000),
        "latitude": source.latitude,
        "longitude": source.longitude,
        "tag": source.tag,
        "num_tasks": _tasks_of(book, source),
        "num_service_config_templates": 0,
        "video_packages": [{"video_group_id": group.id, "video_group_name": group.name} for group in groups],
        "scene_recommend": [],
        "video_source_quality": [],
    }


def _detail(book: ViasBook, source: VideoSource) -> dict[str, Any]:
    return {**_shown(book, source), "image": "", "service_config_templates": []}
