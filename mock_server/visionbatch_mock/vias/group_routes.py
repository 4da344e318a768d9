"""`/v2/{project_id}/video-group`: groups of video sources."""

import re
from typing import Any

from flask import Response, request

from visionbatch_mock.answers import json_answer
from visionbatch_mock.exchange import current, operation
from visionbatch_mock.operations import Operation
from visionbatch_mock.vias import asking, rules
from visionbatch_mock.vias.book import ViasBook
from visionbatch_mock.vias.rooms import room, settled
from visionbatch_mock.vias.scenes import VideoGroup
from visionbatch_mock.vias.source_routes import ACCESS_TYPES

bp = room("vias_groups", "/video-group")

NAME = re.compile(r"[\u4E00-\u9FA5a-zA-Z0-9_-]{1,20}")
SORTS = ("create_at", "modify_at", "num_video_source", "num_task")


@bp.post("")
@operation(Operation.VIAS_GROUPS_CREATE)
def create() -> Response:
    """A group, with members if any are named."""
    told = asking.json_body()
    name = rules.text(told, "video_group_name", NAME)
    access_type = rules.word(told, "access_type", ACCESS_TYPES)
    rules.optional_text(told, "description", longest=100)
    members = rules.ids(told, "video_source_ids", 1, 5000)
    book = settled()
    with book.lock:
        sources = [book.places.source(source_id) for source_id in members]
        if any(source.access_type != access_type for source in sources):
            raise rules.invalid("video_source_ids", f"sources of a {access_type} group are {access_type} too")
        made = book.places.add_group(name, access_type=access_type, description=told.get("description") or "")
        for source in sources:
            source.group_ids.add(made.id)
        return json_answer({"video_group_id": made.id})


@bp.get("/groups")
@operation(Operation.VIAS_GROUPS_LIST)
def list_groups() -> Response:
    """Groups, all at once unless pages are asked for."""
    wanted = asking.pages("page_num", 200, paged=False)
    newest_first = asking.one_of("order_by", "desc", ("asc", "desc")) == "desc"
    sort_name = asking.one_of("sort_name", "create_at", SORTS)
    has_task = asking.yes("has_task", default=True) if "has_task" in request.args else None
    book = settled()
    with book.lock:
        found = [group for group in book.places.groups.values() if _is_wanted(book, group, has_task)]
        keys = {"modify_at": lambda group: group.modified, "num_task": lambda group: _batches_of(book, group)}
        if sort_name == "num_video_source":
            keys[sort_name] = lambda group: len(book.places.members(group.id))
        if sort_name in keys:
            found.sort(key=keys[sort_name])
        if newest_first:
            found.reverse()
        shown = [{**_shown(book, group), "type": _types(book, group)} for group in wanted.of(found)]
    numbers = {"video_group_number": len(shown), "total_number": len(found)}
    quota = current().tenant.behaviour.vias_group_quota
    return json_answer({"video_group_list": shown, **numbers, "quota_number": quota})


@bp.get("/<group_id>")
@operation(Operation.VIAS_GROUPS_SHOW)
def show(group_id: str) -> Response:
    """One of them; its members are found through the list of sources."""
    book = settled()
    with book.lock:
        group = book.places.group(rules.check_id("video_group_id", group_id))
        return json_answer({**_shown(book, group), "description": group.description})


@bp.put("/<group_id>")
@operation(Operation.VIAS_GROUPS_UPDATE)
def update(group_id: str) -> Response:
    """Other members, instead of those that it had; name and description if given."""
    told = asking.json_body()
    rules.optional_text(told, "video_group_name", NAME)
    rules.optional_text(told, "description", longest=100)
    rules.items(told, "video_source_ids", 1, 50)
    members = rules.ids(told, "video_source_ids", 1, 50)
    book = settled()
    with book.lock:
        group = book.places.group(rules.check_id("video_group_id", group_id))
        book.places.update_group(group, [book.places.source(source_id) for source_id in members])
        group.name = told.get("video_group_name") or group.name
        group.description = told.get("description", group.description) or ""
        return json_answer("success")


@bp.delete("/<group_id>")
@operation(Operation.VIAS_GROUPS_DELETE)
def delete(group_id: str) -> Response:
    """Remove a group; its sources stay."""
    book = settled()
    with book.lock:
        book.places.remove_group(book.places.group(rules.check_id("video_group_id", group_id)))
        return json_answer("success")


def _is_wanted(book: ViasBook, group: VideoGroup, has_task: bool | None) -> bool:
    access, types = asking.many("access_type"), asking.many("type")
    return (
        request.args.get("name", "").lower() in group.name.lower()
        and (not access or group.access_type in access)
        and (not types or any(source.type in types for source in book.places.members(group.id)))
        and has_task in {None, bool(_batches_of(book, group))}
    )


def _batches_of(book: ViasBook, group: VideoGroup) -> int:
    return len({task.batch_id for task in book.tasks() if task.group_id == group.id})


def _types(book: ViasBook, group: VideoGroup) -> str:
    return ",".join(dict.fromkeys(source.type for source in book.places.members(group.id)))


def _shown(book: ViasBook, group: VideoGroup) -> dict[str, Any]:
    states = [source.status for source in book.places.members(group.id)]
    counts = {"num_online": "Online", "num_offline": "Offline", "num_exception": "Abnormal"}
    return {
        "video_group_id": group.id,
        "video_group_name": group.name,
        "access_type": group.access_type,
        "num_video_source": len(states),
        "num_batch_task": _batches_of(book, group),
        "group_status": {key: states.count(state) for key, state in counts.items()},
        "create_at": int(group.created * 1000),
        "modify_at": int(group.modified * 1000),
    }
