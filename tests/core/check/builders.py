"""Sources for the check: pictures, folders in memory, and short ways to look at what came out."""

from __future__ import annotations

import errno
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

from visionbatch.deepomatic.rules import CheckSettings, survey
from visionbatch.model.finding import Finding, Severity
from visionbatch.model.tree import Entry, Kind, Tree, WorkOrder


@cache
def picture(kind: str = "JPEG", width: int = 32, height: int = 24) -> bytes:
    body = io.BytesIO()
    # Noise, so that the file has a body to cut off.
    Image.effect_noise((width, height), 90).save(body, kind)
    return body.getvalue()


JPEG = picture()
PNG = picture("PNG")
BATCH = {"WO_1/door-0.jpg": JPEG, "WO_1/metadata.json": b"{}", "WO_2/door-0.png": PNG}


class MemoryTree:
    """Files by path; a value that is a `Kind` or an `OSError` stands for something that is no file."""

    def __init__(self, files: Mapping[str, bytes | Kind | OSError]) -> None:
        self._files = files
        self.opened: list[str] = []

    @property
    def location(self) -> str:
        return "memory"

    def entries(self, folder: str = "") -> Iterator[Entry]:
        prefix = f"{folder}/" if folder else ""
        found: dict[str, Entry] = {}
        for path, value in self._files.items():
            if path == folder and isinstance(value, OSError):
                raise value
            if path.startswith(prefix):
                name, slash, _ = path.removeprefix(prefix).partition("/")
                found[name] = Entry(name, Kind.FOLDER) if slash else self._entry(name, value)
        return iter(sorted(found.values(), key=lambda entry: entry.name))

    @staticmethod
    def _entry(name: str, value: bytes | Kind | OSError) -> Entry:
        if isinstance(value, Kind):
            return Entry(name, value)
        return Entry(name, Kind.FILE, len(value) if isinstance(value, bytes) else 100)

    def open(self, path: str, offset: int = 0) -> BinaryIO:
        self.opened.append(path)
        value = self._files[path]
        if isinstance(value, OSError):
            raise value
        assert isinstance(value, bytes), f"{path} was opened and is a {value}"
        return io.BytesIO(value[offset:])


def denied() -> OSError:
    return PermissionError(errno.EACCES, "Permission denied")


def write(root: Path, files: Mapping[str, bytes]) -> Path:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def check(tree: Tree, **settings: Any) -> list[WorkOrder | Finding]:
    return list(survey(tree, CheckSettings(**settings)))


def check_files(files: Mapping[str, bytes | Kind | OSError], **settings: Any) -> list[WorkOrder | Finding]:
    return check(MemoryTree(files), **settings)


def findings(results: Iterable[WorkOrder | Finding]) -> list[Finding]:
    return [item for item in results if isinstance(item, Finding)]


def accepted(results: Iterable[WorkOrder | Finding]) -> list[str]:
    return [item.name for item in results if isinstance(item, WorkOrder)]


def broken(results: Iterable[WorkOrder | Finding]) -> set[tuple[str, str]]:
    """Rule and path of every finding."""
    return {(item.rule, item.path) for item in findings(results)}


def errors(results: Iterable[WorkOrder | Finding]) -> set[tuple[str, str]]:
    return {(item.rule, item.path) for item in findings(results) if item.severity is Severity.ERROR}


def photo_rules(content: bytes, name: str = "door-0.jpg", **settings: Any) -> list[str]:
    return [item.rule for item in findings(check_files({f"WO_1/{name}": content}, **settings))]


def document_rules(content: bytes, **settings: Any) -> list[str]:
    files = {"WO_1/door-0.jpg": JPEG, "WO_1/metadata.json": content}
    return [item.rule for item in findings(check_files(files, **settings))]


def zipped(files: Mapping[str, bytes], **options: Any) -> io.BytesIO:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content, **options)
    return body
