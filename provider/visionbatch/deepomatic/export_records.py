"""One line of a data export as a typed record (the vendor's documentation of the export, "records").

A line is read by a strict decoder first, which is fast and knows exactly what is documented. What it refuses is read
field by field: a key that nobody documented is kept as text, and so is an optional field of another type than
documented. Only what a table cannot be without makes a line broken.

`Raw` stands where the document allows any JSON: it keeps the text as it was delivered. It also stands for what lies
below an input, of which an export has many and few that differ: who makes tables of them reads each distinct text once,
with `RecordReader.parts`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import repeat
from typing import Annotated, Any, Final, TypeAlias, TypeVar

from msgspec import UNSET, DecodeError, Meta, Raw, Struct, ValidationError, json
from msgspec.structs import fields

Identifier: TypeAlias = Annotated[str, Meta(min_length=1)]
Moment: TypeAlias = Annotated[datetime, Meta(tz=True)]

ABSENT: Final = Raw(b"")
"""The value of a key that is not there; ``null`` has its own text."""


class _Object(Struct, gc=False, forbid_unknown_fields=True):
    """Base of all; without cycles, so that the collector need not know them."""


class DataConformity(_Object):
    """One check of an input's quality."""

    check: str
    code: str | None = None
    level: str | None = None


class JobConformity(_Object):
    """One task's verdict over an input."""

    task_name: str
    is_conformity_validated: bool
    analyzed_value: Raw = ABSENT
    corrected_value: Raw = ABSENT
    corrected_date: Moment | None = None
    message: str | None = None


class Input(_Object):
    """One photo or value that was analysed, with the texts of each `DataConformity` and `JobConformity`."""

    id: Identifier
    file_extension: str | None = None
    metadata: Raw = ABSENT
    data_conformity: list[Raw] | None = None
    job_conformity: list[Raw] | None = None


class WorkItem(_Object):
    """One use of a task group; its inputs stand under a key in the singular."""

    id: Identifier
    name: str
    input: list[Input] | None = None


class WorkOrder(_Object):
    """One line of an export of either type; ``work-orders-states`` has at most one input in each work item."""

    id: Identifier
    name: str
    site_id: str
    create_date: Moment
    update_date: Moment
    metadata: Raw = ABSENT
    progress_score: float | None = None
    work_items: list[WorkItem] | None = None


class Broken(Exception):  # says what the line is; never leaves the reading of an export
    """A line that cannot become rows.

    :param rule: stable name of the rule it breaks; listed in the documentation.
    :param reason: what is wrong, and where in the record.
    """

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule
        self.reason = reason


_S = TypeVar("_S", bound=_Object)
_PARTS: Final[dict[type[_Object], dict[str, type[_Object]]]] = {
    WorkOrder: {"work_items": WorkItem},
    WorkItem: {"input": Input},
}
_TEXTS: Final[dict[type[_Object], dict[str, type[_Object]]]] = {
    Input: {"data_conformity": DataConformity, "job_conformity": JobConformity},
}
"""Parts that stay texts in the record."""
_DECODERS: Final[dict[type[_Object], dict[str, json.Decoder[Any]]]] = {
    kind: {field.name: json.Decoder(field.type) for field in fields(kind)}
    for kind in (WorkOrder, WorkItem, Input, DataConformity, JobConformity)
}
_REQUIRED: Final[dict[type[_Object], list[str]]] = {
    kind: [field.name for field in fields(kind) if field.required] for kind in _DECODERS
}
_MOMENTS: Final = {"create_date", "update_date", "corrected_date"}
_STRICT: Final = json.Decoder(WorkOrder)
_STRICT_PART: Final[dict[type[_Object], json.Decoder[Any]]] = {
    kind: json.Decoder(kind) for kind in (DataConformity, JobConformity)
}
_LOOSE: Final = json.Decoder(dict[str, Raw])
_LIST: Final = json.Decoder(list[Raw] | None)
_MOMENT: Final = json.Decoder(datetime)
_TEXT: Final = json.Decoder(str)
_SCALAR: Final[json.Decoder[str | float | bool | None]] = json.Decoder(str | float | bool | None)


class RecordReader:
    """Lines to records.

    :param assume_utc: take a time without an offset for UTC; otherwise it is as good as none.
    """

    def __init__(self, *, assume_utc: bool = False) -> None:
        self._assume_utc = assume_utc
        self._fresh: dict[int, str] = {}
        self.extras: dict[int, str] = {}
        """What no column holds, as a JSON object, by `id` of its record; the caller clears it with the records."""

    def read_many(self, lines: list[bytes]) -> list[WorkOrder] | None:
        """The records of some lines at once; ``None`` when one of them must be looked at by itself.

        Texts that stay texts in them may turn out not to be UTF-8, or not to become `parts`.
        """
        try:
            return [*map(_STRICT.decode, lines)]
        except (UnicodeDecodeError, DecodeError, RecursionError):
            return None

    def read(self, line: bytes) -> WorkOrder:
        """The record of one line, whose texts are known to become `parts`.

        :raises Broken: when it is not UTF-8, not JSON, or lacks what the tables cannot be without.
        """
        try:
            _check_encoding(line)
            record = _STRICT.decode(line)
            for text, kind in _texts_of(record):
                _STRICT_PART[kind].decode(text)
        except ValidationError:
            record, extras = self._leniently(WorkOrder, Raw(line))
            # Only now: a part of a record that turned out broken is gone, and its identity free for another.
            self.extras.update(extras)
        except UnicodeDecodeError as error:
            raise Broken("not-utf-8", f"byte {error.start} of the line is not UTF-8: {error.reason}") from None
        except DecodeError as error:
            raise Broken("not-json", str(error)) from None
        except RecursionError:
            raise Broken("too-deep", "arrays or objects are nested too deeply") from None
        return record

    def parts(self, kind: type[_S], texts: list[str]) -> tuple[list[_S], list[str | None]]:
        """What lies below inputs, from texts, and for each what no column holds, as a JSON object.

        :raises Broken: when one of them lacks what the tables cannot be without.
        """
        try:
            return [*map(_STRICT_PART[kind].decode, texts)], [None] * len(texts)
        except (DecodeError, RecursionError):
            read = [self._leniently(kind, Raw(text)) for text in texts]
            return [part for part, _ in read], [extras.get(id(part)) for part, extras in read]

    def _leniently(self, kind: type[_S], text: Raw) -> tuple[_S, dict[int, str]]:
        """An object, and what no column holds by `id` of the object and of those in it."""
        self._fresh = {}
        try:
            return self._object(kind, text, "$"), self._fresh
        except ValidationError as error:
            raise Broken("wrong-type", str(error)) from None
        except DecodeError as error:
            raise Broken("not-json", str(error)) from None
        except RecursionError:
            raise Broken("too-deep", "arrays or objects are nested too deeply") from None

    def _object(self, kind: type[_S], text: Raw, where: str) -> _S:
        values, extra = self._fields(kind, text, where)
        record = kind(**values)
        if extra:
            self._fresh[id(record)] = json.encode(extra).decode()
        return record

    def _sound(self, kind: type[_Object], text: Raw, where: str) -> Raw:
        """A text that will become one of `parts`."""
        self._fields(kind, text, where)
        return text

    def _fields(self, kind: type[_Object], text: Raw, where: str) -> tuple[dict[str, Any], dict[str, Raw]]:
        """The values of an object by their names, and what no column can hold."""
        given = _decoded(_LOOSE, text, where, "an object")
        values: dict[str, Any] = {}
        extra: dict[str, Raw] = {}
        for key, value in given.items():
            found = self._field(kind, key, value, where)
            if found is UNSET:
                extra[key] = value
            else:
                values[key] = found
        for name in _REQUIRED[kind]:
            if name not in values:
                raise Broken("missing-field", f"{where}.{name} is not there")
        return values, extra

    def _field(self, kind: type[_Object], key: str, text: Raw, where: str) -> Any:
        """The value of one key; `UNSET` when no column can hold it."""
        place = f"{where}.{key}"
        if key in _PARTS.get(kind, {}):
            part = _PARTS[kind][key]
            return [self._object(part, item, at) for at, item in _listed(text, place)]
        if key in _TEXTS.get(kind, {}):
            part = _TEXTS[kind][key]
            return [self._sound(part, item, at) for at, item in _listed(text, place)]
        decoder = _DECODERS[kind].get(key)
        if decoder is None:
            return UNSET
        try:
            return decoder.decode(text)
        except ValidationError as error:
            moment = self._moment(text) if key in _MOMENTS else None
            if moment is None and key in _REQUIRED[kind]:
                raise Broken("wrong-type", f"{place}: {_first(error)}") from None
            return UNSET if moment is None else moment

    def _moment(self, text: Raw) -> datetime | None:
        """A time without an offset, or in one of the forms of ISO 8601 that the strict decoder does not take."""
        try:
            moment = _MOMENT.decode(text)
        except ValidationError:
            try:
                moment = datetime.fromisoformat(_TEXT.decode(text))
            except ValueError:
                return None
        if moment.tzinfo is not None:
            return moment
        return moment.replace(tzinfo=UTC) if self._assume_utc else None


def _texts_of(record: WorkOrder) -> Iterator[tuple[Raw, type[_Object]]]:
    """All texts in a record, each with what it should become."""
    for item in record.work_items or ():
        for photo in item.input or ():
            yield from zip(photo.data_conformity or (), repeat(DataConformity))
            yield from zip(photo.job_conformity or (), repeat(JobConformity))


def _check_encoding(text: bytes) -> None:
    """The decoder does not look into the values that it leaves as text."""
    if not text.isascii():
        text.decode()


def scalar(text: str) -> str | float | bool | None:
    """The value of a JSON text that is a string, a number or a boolean; ``None`` for anything else.

    Also ``None`` for a number that no double can hold.
    """
    try:
        return _SCALAR.decode(text)
    except (DecodeError, RecursionError):
        return None


def file_extension(text: str) -> str:
    """With a leading dot and in lower case, as both forms are seen; empty stays empty."""
    bare = text.strip().removeprefix(".").lower()
    return f".{bare}" if bare else ""


def _decoded(decoder: json.Decoder[Any], text: Raw, where: str, wanted: str) -> Any:
    try:
        return decoder.decode(text)
    except ValidationError:
        raise Broken("wrong-type", f"{where} is not {wanted}") from None


def _listed(text: Raw, where: str) -> Iterator[tuple[str, Raw]]:
    """The elements of an array, each with its place; none of ``null``."""
    listed = _decoded(_LIST, text, where, "an array")
    for index, item in enumerate(listed or ()):
        yield f"{where}[{index}]", item


def _first(error: Exception) -> str:
    return str(error).partition(" - at ")[0]
