"""Reading a stream of Huawei's Data Ingestion Service, each operation written once as a flow.

Facts from Huawei's API reference of DIS: a cursor is good for five minutes, and is refused with 400 then, as is one for
a record that the stream does not keep any more. Requests are signed, or carry a token, as those of VIAS.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from visionbatch.errors import ConfigError, EndlessList, UnreadableAnswer
from visionbatch.flow.call import call
from visionbatch.flow.effects import Flow, Request
from visionbatch.flow.retry import RetryPolicy
from visionbatch.vias.calls import SERVICE, Query, named
from visionbatch.vias.decode import items_of, trouble
from visionbatch.vias.rulebook import RULES
from visionbatch.vias.settings import ViasSettings

FETCH_BYTES = 4_000_000
"""Of a page of records, so that it is an answer of a size that a plane takes though it is written in base64. Below the
size of one record, by the vendor's page, a page would be empty for ever."""

PARTITIONS = 1000
"""On a page of the list, the greatest that it gives."""


@dataclass(frozen=True)
class StreamRecord:
    """One record of a partition.

    :param sequence: its number there, which only grows.
    :param arrived: Unix seconds at which the stream took it; ``None`` when the answer does not say.
    """

    sequence: str
    data: bytes
    arrived: float | None


@dataclass(frozen=True)
class StreamPage:
    """Records from a cursor on.

    :param after: cursor behind the last of them.
    """

    records: tuple[StreamRecord, ...]
    after: str


class DisApi:
    """One stream of one project.

    :param settings: with the id of the project.
    :param retry: patience of every operation: all of them only read.
    :raises ConfigError: for a name that no stream can have.
    """

    def __init__(self, settings: ViasSettings, stream: str, retry: RetryPolicy) -> None:
        broken = list(RULES["dis-stream"].on("stream", stream))
        if broken:
            raise ConfigError(str(broken[0]))
        self._settings = settings
        self._stream = stream
        self._retry = retry

    def partitions(self) -> Flow[tuple[str, ...]]:
        """Ids of the stream's partitions, those included that nothing is written into any more.

        :raises NotFound: when there is no such stream.
        """
        found: dict[str, None] = {}
        while True:
            paging: Query = (("limit_partitions", str(PARTITIONS)),)
            if found:
                paging = (*paging, ("start_partitionId", list(found)[-1]))
            page = yield from self._asked(f"streams/{self._stream}", paging)
            before = len(found)
            found.update(dict.fromkeys(str(each.get("partition_id")) for each in items_of(page, "partitions")))
            if not page.get("has_more_partitions"):
                return tuple(found)
            if len(found) == before:
                raise EndlessList("the list of partitions goes round: a page came a second time")

    def cursor(self, partition: str, *, after: str = "", since: float | None = None) -> Flow[str]:
        """Where to read a partition from: behind a record, from a moment on, or from the oldest record that is kept.

        :param after: sequence number of a record.
        :param since: Unix seconds at which a record was taken.
        :raises Refused: when that record is not kept any more.
        """
        where: Query = (("cursor-type", "TRIM_HORIZON"),)
        if after:
            where = (("cursor-type", "AFTER_SEQUENCE_NUMBER"), ("starting-sequence-number", after))
        elif since is not None:
            where = (("cursor-type", "AT_TIMESTAMP"), ("timestamp", str(int(since * 1000))))
        page = yield from self._asked("cursors", (("stream-name", self._stream), ("partition-id", partition), *where))
        return _text(page, "partition_cursor")

    def records(self, cursor: str) -> Flow[StreamPage]:
        """The records from a cursor on; none at the end, and sometimes before it.

        :raises Refused: when the cursor has run out.
        """
        page = yield from self._asked("records", (("partition-cursor", cursor), ("max_fetch_bytes", str(FETCH_BYTES))))
        return StreamPage(
            tuple(_record(each) for each in items_of(page, "records")), str(page.get("next_partition_cursor") or "")
        )

    def _asked(self, what: str, query: Query) -> Flow[Mapping[str, Any]]:
        request = Request("GET", f"/v2/{self._settings.project_id}/{what}", tuple(query))
        response = yield from named("", call(request, self._retry, trouble(self._settings)))
        found: Mapping[str, Any] = response.json_object()
        return found


def dis_address(stream: str) -> str:
    """The address of a stream for people and records, such as ``dis://inspections``."""
    return f"dis://{stream}"


def stream_in(address: str) -> str:
    """The stream that an address names; empty for an address of anything else."""
    scheme, _, stream = address.partition("://")
    return stream.strip("/") if scheme == "dis" else ""


def _record(value: Mapping[str, Any]) -> StreamRecord:
    try:
        data = base64.b64decode(str(value.get("data", "")), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnreadableAnswer("a record's data is not base64", service=SERVICE) from error
    at = value.get("timestamp")
    return StreamRecord(_text(value, "sequence_number"), data, at / 1000 if type(at) is int else None)


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str) or not found:
        raise UnreadableAnswer(f"the answer has no {name}", service=SERVICE)
    return found
