"""The archive of a batch, opened for real: from a file on disk to work orders and problems.

The vendor's batch page asks for one folder per work order with everything directly inside. What it
does not describe (files at the root, sub-folders, a wrapping folder) is reported and left out.

Nothing that the archive says of itself is believed: a member is read up to its limit and not one
byte further, whatever size its header claims, so an archive made to explode costs one photo's worth
of memory.
"""

import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from visionbatch_mock.config import Behaviour, ValueType
from visionbatch_mock.deepomatic.naming import (
    EXTENSIONS,
    WORK_ORDER_NAME,
    PhotoName,
    parse_photo_name,
    processing_order,
    split_extension,
)
from visionbatch_mock.deepomatic.problems import Code, Problem
from visionbatch_mock.images import Photo, UnreadableImage, inspect

MAX_JSON_BYTES = 1024 * 1024
"""Ours: metadata is a handful of values, and it is parsed in memory."""

METADATA, PARAMETERS = "metadata.json", "parameters.json"


class BrokenArchive(ValueError):
    """A file that cannot be opened as an archive."""


class _TooLarge(ValueError):
    pass


@dataclass(frozen=True, slots=True)
class AnalysedPhoto:
    """A photo that the analysis took, with what it knows of it; `content` reads it from the archive again."""

    name: PhotoName
    photo: Photo
    content: Callable[[], bytes]


@dataclass(slots=True)
class Folder:
    """One work order of an archive; `photos` are in processing order."""

    name: str
    photos: list[AnalysedPhoto] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether the work order cannot be analysed."""
        return any(problem.code.stops_work_order for problem in self.problems)

    def report(self, code: Code, message: str, file: str | None = None) -> None:
        """Add a problem of this work order."""
        self.problems.append(Problem(code, message, self.name, file))


@dataclass(slots=True)
class Examination:
    """What an archive holds: its folders in order of appearance, and problems outside of them."""

    folders: list[Folder]
    problems: list[Problem]

    @property
    def all_problems(self) -> list[Problem]:
        """Every line of the error report."""
        return self.problems + [p for folder in self.folders for p in folder.problems]


def examine(path: Path, rules: Behaviour) -> Examination:
    """Apply every rule to the archive at `path`; raises `BrokenArchive`."""
    try:
        with zipfile.ZipFile(path) as archive:
            found, strays = _sort(archive.infolist())
            folders = [_Reader(archive, rules, name, found[name]).read() for name in found]
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as cause:
        raise BrokenArchive(f"the archive cannot be opened: {cause}") from cause
    _report_case_twins(folders)
    return Examination(folders, strays)


def _sort(infos: list[zipfile.ZipInfo]) -> tuple[dict[str, list[zipfile.ZipInfo]], list[Problem]]:
    """Members by work order, and what lies outside of every work order."""
    found: dict[str, list[zipfile.ZipInfo]] = {}
    strays: list[Problem] = []
    for info in infos:
        folder, slash, inside = info.filename.partition("/")
        if not slash or not folder:
            message = "the root of the archive holds nothing but one folder per work order"
            strays.append(Problem(Code.UNEXPECTED_ENTRY, message, file=info.filename))
        else:
            members = found.setdefault(folder, [])
            if inside:
                members.append(info)
    return found, strays


def _report_case_twins(folders: list[Folder]) -> None:
    seen: set[str] = set()
    for folder in folders:
        key = folder.name.casefold()
        if key in seen:
            folder.report(Code.DUPLICATE_WORK_ORDER, "another folder differs only by case")
        seen.add(key)


class _Reader:
    """Reads one folder; a class only because every step shares the same four things."""

    def __init__(
        self,
        archive: zipfile.ZipFile,
        rules: Behaviour,
        name: str,
        members: list[zipfile.ZipInfo],
    ) -> None:
        self._archive = archive
        self._rules = rules
        self._members = members
        self._folder = Folder(name)

    def read(self) -> Folder:
        """The folder with everything that can be said of it."""
        folder = self._folder
        if not WORK_ORDER_NAME.fullmatch(folder.name):
            message = "a work order's name has letters, digits, '_' and '-', at most 128"
            folder.report(Code.INVALID_WORK_ORDER_NAME, message)
        pictures = self._split_off_json()
        self._read_photos(pictures)
        if not folder.photos:
            folder.report(Code.NO_IMAGE, "the work order has no photo that can be analysed")
        if reason := self._rules.analysis_failures.get(folder.name):
            folder.report(Code.ANALYSIS_FAILED, reason)
        return folder

    def _split_off_json(self) -> dict[str, zipfile.ZipInfo]:
        """Read metadata and parameters; returns the other files by name."""
        files = dict(self._files())
        folder, rules = self._folder, self._rules
        folder.metadata = self._json(METADATA, files.pop(METADATA, None))
        folder.parameters = self._json(PARAMETERS, files.pop(PARAMETERS, None))
        self._check(METADATA, folder.metadata, rules.required_metadata, Code.MISSING_METADATA)
        self._check(PARAMETERS, folder.parameters, rules.required_parameters, Code.MISSING_PARAMETERS)
        return files

    def _files(self) -> Iterator[tuple[str, zipfile.ZipInfo]]:
        seen: set[str] = set()
        for info in self._members:
            file = info.filename.partition("/")[2]
            if "/" in file or "\\" in file or file in {".", ".."}:
                message = "everything of a work order lies directly in its folder"
                self._folder.report(Code.UNEXPECTED_ENTRY, message, file)
            elif file in seen:
                self._folder.report(Code.UNEXPECTED_ENTRY, "the file is there twice", file)
            else:
                seen.add(file)
                yield file, info

    def _json(self, file: str, info: zipfile.ZipInfo | None) -> dict[str, Any]:
        if info is None:
            return {}
        try:
            value = json.loads(self._content(info, MAX_JSON_BYTES))
        except (*_READ_ERRORS, _TooLarge, ValueError, RecursionError) as cause:
            self._folder.report(Code.INVALID_JSON, f"not readable as JSON: {cause}", file)
            return {}
        if not isinstance(value, dict):
            self._folder.report(Code.INVALID_JSON, "the root has to be an object", file)
            return {}
        return value

    def _check(self, file: str, values: Mapping[str, Any], required: Mapping[str, ValueType], code: Code) -> None:
        for name, kind in required.items():
            if name not in values:
                self._folder.report(code, f"{name} is required", file)
            elif not has_type(values[name], kind):
                self._folder.report(Code.INVALID_METADATA_TYPE, f"{name} has to be a {kind}", file)

    def _read_photos(self, files: Mapping[str, zipfile.ZipInfo]) -> None:
        named = [name for file in files if (name := self._photo_name(file))]
        for name in processing_order(named):
            photo = self._photo(name.file, files[name.file])
            if photo is not None:
                content = partial(_member, Path(self._archive.filename or ""), files[name.file].filename)
                self._folder.photos.append(AnalysedPhoto(name, photo, content))

    def _photo_name(self, file: str) -> PhotoName | None:
        if split_extension(file)[1] not in EXTENSIONS:
            message = f"photos are {', '.join(sorted(EXTENSIONS))}"
            self._folder.report(Code.UNSUPPORTED_EXTENSION, message, file)
            return None
        name = parse_photo_name(file, self._rules.task_groups)
        if name is None:
            self._folder.report(Code.UNKNOWN_TASK_GROUP, "the name has no known task group", file)
        return name

    def _photo(self, file: str, info: zipfile.ZipInfo) -> Photo | None:
        limit = self._rules.max_image_bytes
        try:
            return inspect(self._content(info, limit))
        except _TooLarge:
            self._folder.report(Code.IMAGE_TOO_LARGE, f"the limit is {limit} bytes", file)
        except (*_READ_ERRORS, UnreadableImage) as cause:
            self._folder.report(Code.UNREADABLE_IMAGE, str(cause), file)
        return None

    def _content(self, info: zipfile.ZipInfo, limit: int) -> bytes:
        with self._archive.open(info) as member:
            content = member.read(limit + 1)
            if len(content) > limit:
                raise _TooLarge(f"more than {limit} bytes")
            # The member's own checksum is compared only when its end has been read.
            member.read(1)
        return content


def _member(archive: Path, name: str) -> bytes:
    with zipfile.ZipFile(archive) as opened:
        return opened.read(name)


# zipfile raises RuntimeError for encrypted members and zlib.error for damaged ones.
_READ_ERRORS = (
    OSError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)


def has_type(value: object, kind: ValueType) -> bool:
    """Whether a JSON value is of a metadata type; true and false are no numbers."""
    match kind:
        case ValueType.BOOLEAN:
            return isinstance(value, bool)
        case ValueType.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str)
