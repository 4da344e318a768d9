"""What can be strange about a record or about its file, one function for each kind of strange record."""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from visionbatch_mock.exports.records import Record

HOSTILE = (
    "<script>alert(1)</script>",
    "=1+1",
    "+1",
    "@SUM(A1)",
    "../../etc/passwd",
    "line\nbreak",
    "\x1b[31mred",
    "a\u2028b",
)
"""Texts that must stay texts: in pages, spreadsheets, paths, logs, and lines of JSON."""


class Oddity(StrEnum):
    """What can be strange about a record, or about the file that it stands in."""

    ABSENT = "absent"
    """Every optional field is missing."""
    NULL = "null"
    """Every optional field is null."""
    OTHER_TYPE = "other-type"
    """Values of another type than their neighbours: texts for numbers, numbers for texts."""
    UNKNOWN = "unknown"
    """A key that no document has, at each level."""
    EMPTY = "empty"
    """A work item without inputs, and a work order without work items every other time."""
    HOSTILE = "hostile"
    """Texts made to break whoever prints them."""
    DUPLICATE = "duplicate"
    """The record comes a second time, with a later `update_date`, before its first."""
    CRLF = "crlf"
    BOM = "bom"
    BLANK_LINES = "blank-lines"
    NAN = "nan"
    """A line with NaN for a number, which JSON does not have."""
    NOT_JSON = "not-json"
    NOT_AN_OBJECT = "not-an-object"
    TRUNCATED_LAST_LINE = "truncated-last-line"

    @property
    def of_files(self) -> bool:
        """Whether it is about lines rather than about records."""
        return self in _OF_FILES


_OF_FILES = frozenset(
    {
        Oddity.CRLF,
        Oddity.BOM,
        Oddity.BLANK_LINES,
        Oddity.NAN,
        Oddity.NOT_JSON,
        Oddity.NOT_AN_OBJECT,
        Oddity.TRUNCATED_LAST_LINE,
    }
)

_OPTIONAL = frozenset(
    {"progress_score", "metadata", "file_extension", "analyzed_value", "corrected_value", "corrected_date", "message"}
)


def _walk(value: Any, change: Callable[[Record], Record]) -> Any:
    """The value with every object that is a part of the record's own shape changed, from the inside out."""
    if isinstance(value, list):
        return [_walk(item, change) for item in value]
    if isinstance(value, dict):
        return change({key: item if key == "metadata" else _walk(item, change) for key, item in value.items()})
    return value


def _absent(record: Record, _: int) -> Iterator[Record]:
    yield _walk(record, lambda part: {key: value for key, value in part.items() if key not in _OPTIONAL})


def _null(record: Record, _: int) -> Iterator[Record]:
    yield _walk(record, lambda part: {key: None if key in _OPTIONAL else value for key, value in part.items()})


def _other_type(record: Record, turn: int) -> Iterator[Record]:
    strange = {
        "progress_score": "0.5",
        "analyzed_value": ("12", 1.5, True, 2**70)[turn % 4],
        "corrected_value": (7, "true", False, "")[turn % 4],
        "message": 404,
    }
    yield _walk(record, lambda part: {key: strange.get(key, value) for key, value in part.items()})


def _unknown(record: Record, turn: int) -> Iterator[Record]:
    yield _walk(record, lambda part: {**part, "x_unheard_of": {"turn": turn, "list": [1, None, "two"]}})


def _empty(record: Record, turn: int) -> Iterator[Record]:
    items = [] if turn % 2 else [{**item, "input": []} for item in record["work_items"]]
    yield {**record, "work_items": items}


def _hostile(record: Record, turn: int) -> Iterator[Record]:
    text = HOSTILE[turn % len(HOSTILE)]
    names = {"name", "task_name", "message", "code"}
    changed = _walk(record, lambda part: {key: text if key in names else value for key, value in part.items()})
    yield {**changed, "metadata": {text: text}}


def _duplicate(record: Record, _: int) -> Iterator[Record]:
    yield {**record, "update_date": "2099-01-01T00:00:00.000000Z", "progress_score": 1.0}
    yield record


STRANGE: Mapping[Oddity, Callable[[Record, int], Iterator[Record]]] = MappingProxyType(
    {
        Oddity.ABSENT: _absent,
        Oddity.NULL: _null,
        Oddity.OTHER_TYPE: _other_type,
        Oddity.UNKNOWN: _unknown,
        Oddity.EMPTY: _empty,
        Oddity.HOSTILE: _hostile,
        Oddity.DUPLICATE: _duplicate,
    }
)
"""From a sound record, and how many odd ones there were before it, to what takes its place."""
