"""Not a peer but a limit: every line of an export as a typed and checked record, and nothing done with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from visionbatch.deepomatic import export_records as known

CHUNK_BYTES = 8 << 20
"""As in the loops of the peers."""
VALUE = str | float | bool | None


def decode_only(*, in_chunks: bool) -> Callable[[Path, Path], dict[str, int]]:
    """Decode a file.

    :param in_chunks: as whoever makes tables of it in Python has to: every value is an object of Python, the records of
        a chunk are there at once, and the collector of cycles runs over them. Otherwise each record is gone before the
        next one comes, so that all happens in the processor's cache, and free-form values stay texts, as in ours.
    """
    decode = msgspec.json.Decoder(_with_objects() if in_chunks else _with_texts()).decode

    def one_by_one(file: BinaryIO) -> int:
        count = 0
        for count, line in enumerate(file, 1):  # noqa: B007  # the last number is the count
            decode(line)
        return count

    def chunk_by_chunk(file: BinaryIO) -> int:
        return sum(len([decode(line) for line in lines]) for lines in _chunks(file))

    def convert(path: Path, _: Path) -> dict[str, int]:
        with path.open("rb") as file:
            return {"work_orders": chunk_by_chunk(file) if in_chunks else one_by_one(file)}

    return convert


def _chunks(file: BinaryIO) -> Iterator[list[bytes]]:
    while lines := file.readlines(CHUNK_BYTES):
        yield lines


def _with_texts() -> Any:
    """Our records, with the parts that ours reads later."""
    photo = _changed(
        known.Input, data_conformity=list[known.DataConformity] | None, job_conformity=list[known.JobConformity] | None
    )
    return _nested(photo)


def _with_objects() -> Any:
    """The same with no text left, and known to the collector."""
    check = _changed(known.DataConformity, gc=True)
    job = _changed(known.JobConformity, gc=True, analyzed_value=VALUE, corrected_value=VALUE)
    free = dict[str, Any] | None
    photo = _changed(
        known.Input, gc=True, metadata=free, data_conformity=list[check] | None, job_conformity=list[job] | None
    )
    return _nested(photo, gc=True, metadata=free)


def _nested(photo: Any, *, gc: bool = False, **types: Any) -> Any:
    item = _changed(known.WorkItem, gc=gc, input=list[photo] | None)
    return _changed(known.WorkOrder, gc=gc, work_items=list[item] | None, **types)


def _changed(kind: Any, *, gc: bool = False, **types: Any) -> Any:
    """A kind of record with other types for some optional fields."""
    return msgspec.defstruct(kind.__name__, [(name, of, None) for name, of in types.items()], bases=(kind,), gc=gc)
