"""`/v2/{project_id}/streams`, `/cursors` and `/records`: reading what was written into a stream (DIS).

DIS is a service of its own on a host of its own; here it answers where VIAS does, behind the same gateway.
"""

from flask import Response, request

from visionbatch_mock.answers import json_answer
from visionbatch_mock.exchange import current, operation
from visionbatch_mock.operations import Operation
from visionbatch_mock.vias import asking
from visionbatch_mock.vias.rooms import room, settled
from visionbatch_mock.vias.streams import CURSOR_S, Cursor, Record

bp = room("vias_streams")

MOST_BYTES = 1 << 20
"""Ours: records in one answer unless `max_fetch_bytes` says otherwise."""


@bp.get("/streams/<name>")
@operation(Operation.VIAS_STREAMS_SHOW)
def show(name: str) -> Response:
    """A stream with a page of its partitions."""
    found = _partitions(name)
    if found is None:
        return _error(404, "DIS.4301", f"the stream {name} does not exist")
    last = request.args.get("start_partitionId", "")
    ids = [_id(number) for number in range(len(found)) if _id(number) > last]
    page = ids[: asking.whole("limit_partitions", 100, 1, 1000)]
    shown = [{"partition_id": each, "status": "ACTIVE", "sequence_number_range": _range(found, each)} for each in page]
    return json_answer(
        {
            "stream_name": name,
            "status": "RUNNING",
            "data_type": "JSON",
            "partitions": shown,
            "has_more_partitions": len(page) < len(ids),
        }
    )


@bp.get("/cursors")
@operation(Operation.VIAS_STREAMS_CURSOR)
def cursor() -> Response:
    """A cursor at the place that the query describes."""
    name, partition = request.args.get("stream-name", ""), request.args.get("partition-id", "")
    found = _partitions(name)
    if found is None or not partition.removeprefix("shardId-").isdecimal() or _number(partition) >= len(found):
        return _error(400, "DIS.4302", f"the partition {partition} of the stream {name} does not exist")
    position = _position(name, _number(partition), found[_number(partition)])
    if position is None:
        return _error(400, "DIS.4300", "the cursor type or its sequence number is not valid, or not kept any more")
    given = Cursor(name, _number(partition), position, current().tenant.clock.now())
    return json_answer({"partition_cursor": given.written()})


@bp.get("/records")
@operation(Operation.VIAS_STREAMS_RECORDS)
def records() -> Response:
    """What stands behind a cursor, as much as fits, and the cursor behind that."""
    now = current().tenant.clock.now()
    try:
        at = Cursor.read(request.args.get("partition-cursor", ""))
    except ValueError:
        return _error(400, "DIS.4300", "the cursor is not valid")
    found = _partitions(at.stream)
    if found is None or at.given + CURSOR_S < now:
        return _error(400, "DIS.4300", "the cursor has run out")
    room_left = asking.whole("max_fetch_bytes", MOST_BYTES, 1, 1 << 30)
    shown: list[Record] = []
    for record in found[at.partition][at.position :]:
        room_left -= len(record.data)
        if room_left < 0 or len(shown) == current().tenant.behaviour.vias_stream_page:
            break
        shown.append(record)
    following = Cursor(at.stream, at.partition, at.position + len(shown), now)
    return json_answer({"records": [each.shown() for each in shown], "next_partition_cursor": following.written()})


def _partitions(name: str) -> list[list[Record]] | None:
    book = settled()
    # What is due has to be in the stream before somebody looks into it.
    book.deliver()
    return book.deliveries.streams.partitions(name)


def _position(name: str, partition: int, found: list[Record]) -> int | None:
    kind, told = request.args.get("cursor-type", "AT_SEQUENCE_NUMBER"), request.args.get("starting-sequence-number", "")
    first = settled().deliveries.streams.kept_from(name, partition)
    if kind == "TRIM_HORIZON":
        return first
    if kind == "LATEST":
        return len(found)
    if kind == "AT_TIMESTAMP":
        since = int(request.args.get("timestamp", "0")) / 1000
        return next((record.sequence for record in found[first:] if record.at >= since), len(found))
    if kind not in {"AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"} or not told.isdecimal():
        return None
    position = int(told) + (kind == "AFTER_SEQUENCE_NUMBER")
    return position if position >= first else None


def _error(status: int, code: str, message: str) -> Response:
    return json_answer({"errorCode": code, "message": message}, status)


def _id(number: int) -> str:
    return f"shardId-{number:010}"


def _number(partition: str) -> int:
    return int(partition.removeprefix("shardId-"))


def _range(found: list[list[Record]], partition: str) -> str:
    return f"[0 : {len(found[_number(partition)])}]"
