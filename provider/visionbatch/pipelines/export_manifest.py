"""What the fetching of an export says of itself: small JSON for schedulers, and the whole of it in a file."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from visionbatch.errors import InputMissing
from visionbatch.pipelines.fetched import MANIFEST, reading_manifest, with_names

SCHEMA = 1


class FetchOutcome(StrEnum):
    """How a fetch ended."""

    DONE = "done"
    PARTIAL = "partial"
    """All data files are there, some images are not in the bucket."""
    UNFINISHED = "unfinished"
    """The fetch has not come to its end; what is listed is there."""
    ALREADY_DONE = "already_done"
    NOTHING_NEW = "nothing_new"


@dataclass(frozen=True)
class FetchedFile:
    """One file that is there.

    :param name: in the bucket.
    :param path: in the folder.
    :param created: Unix seconds at which it was finished in the bucket; 0 when that is not known.
    :param input_id: of an image; empty for a data file.
    """

    name: str
    generation: int
    size: int
    path: str
    created: float = 0.0
    input_id: str = ""


@dataclass(frozen=True)
class FetchManifest:
    """One fetch.

    :param source: address of bucket and prefix.
    :param folder: location that the files are in.
    :param files: data files and images.
    :param missing: ids of inputs without an image in the bucket.
    :param surplus: names of images in the bucket that no input of these files names.
    :param unreadable_lines: lines whose inputs could not be read; the tables say what is wrong with them.
    :param fetched_bytes: that went over the network in this run.
    """

    source: str
    folder: str
    outcome: FetchOutcome = FetchOutcome.UNFINISHED
    files: tuple[FetchedFile, ...] = ()
    missing: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()
    unreadable_lines: int = 0
    fetched_bytes: int = 0
    fingerprint: str = ""
    location: str = ""
    schema: int = field(default=SCHEMA)

    @property
    def data_files(self) -> tuple[FetchedFile, ...]:
        """Those with records, from old to new: of two records of a work order a later file has the later one."""
        found = (file for file in self.files if not file.input_id)
        return tuple(sorted(found, key=lambda file: (file.created, file.path)))

    @property
    def images(self) -> tuple[FetchedFile, ...]:
        """Those with pictures."""
        return tuple(file for file in self.files if file.input_id)

    def whole(self) -> bytes:
        """All of it as JSON, for a file."""
        return json.dumps(dataclasses.asdict(self), indent=1).encode()

    @classmethod
    def parse(cls, text: bytes) -> FetchManifest:
        """Read what `whole` wrote.

        :raises UnreadableRecord: when it is not that, or of a newer version.
        """
        with reading_manifest():
            value = json.loads(text)
            files = tuple(FetchedFile(**file) for file in value["files"])
            lists = {name: tuple(value[name]) for name in ("missing", "surplus")}
            return cls(**{**value, **lists, "files": files, "outcome": FetchOutcome(value["outcome"])})

    def to_json(self) -> dict[str, Any]:
        """The small form, below `MANIFEST_BYTES`: counts, and as many names as there is room for."""
        told = {
            "schema": SCHEMA,
            "source": self.source,
            "folder": self.folder,
            "outcome": self.outcome.value,
            "manifest": self.location,
            "fingerprint": self.fingerprint,
            "counts": self.counts(),
        }
        lists = {
            "data_files": [file.path for file in self.data_files],
            "missing_images": self.missing,
            "surplus_images": self.surplus,
        }
        return with_names(told, lists)

    def counts(self) -> dict[str, int]:
        """Numbers for people and metrics."""
        return {
            "data_files": len(self.data_files),
            "images": len(self.images),
            "missing_images": len(self.missing),
            "surplus_images": len(self.surplus),
            "unreadable_lines": self.unreadable_lines,
            "bytes": sum(file.size for file in self.files),
            "fetched_bytes": self.fetched_bytes,
        }


def read_manifest(folder: Path) -> FetchManifest:
    """The manifest of an export that was fetched to a folder on this machine.

    :raises InputMissing: when there is none, or the fetch has not come to its end.
    :raises UnreadableRecord: when it is not one of ours.
    """
    try:
        manifest = FetchManifest.parse((folder / MANIFEST).read_bytes())
    except OSError as error:
        raise InputMissing(f"{folder / MANIFEST} cannot be read: {error.strerror}") from error
    if manifest.outcome is FetchOutcome.UNFINISHED:
        raise InputMissing(f"the export in {folder} has not been fetched wholly", next_step="Fetch it again first.")
    return manifest
