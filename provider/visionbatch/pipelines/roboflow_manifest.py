"""What the fetching of results says of itself: small JSON for schedulers, and the whole of it in a file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from visionbatch.pipelines.fetched import reading_manifest, with_names
from visionbatch.pipelines.places import unpacked_path

SCHEMA = 1


class ResultsOutcome(StrEnum):
    """How a fetch ended."""

    DONE = "done"
    PARTIAL = "partial"
    """All files are there, but members of archives were left out, or lines of a table."""
    UNFINISHED = "unfinished"
    """The fetch has not come to its end; what is listed is there."""
    NOTHING = "nothing"
    """The batches have no files."""


@dataclass(frozen=True)
class ResultKey:
    """Which file of the service's listing it is; URLs change with every listing, this does not.

    :param name: as the service calls it.
    :param nth: of those that have all the rest in common, counted from 0.
    """

    batch: str
    part: str
    name: str
    shard: str = ""
    nth: int = 0


@dataclass(frozen=True)
class MemberFile:
    """A file that came out of an archive; ``path`` is below the archive's folder."""

    path: str
    size: int
    crc32c: str


@dataclass(frozen=True)
class ResultFile:
    """A file of the service, and what has become of it here.

    :param path: in the folder; an archive that was unpacked has been there.
    :param size: bytes as they were fetched.
    :param crc32c: of these bytes, in hexadecimal.
    :param unpacked: whether it is an archive that was unpacked.
    :param members: of an archive that was unpacked.
    :param refused: members that were left out, each with the rule that it broke; the first thousand.
    :param refused_count: all of them.
    """

    key: ResultKey
    path: str
    size: int
    crc32c: str
    unpacked: bool = False
    members: tuple[MemberFile, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    refused_count: int = 0

    @property
    def place(self) -> str:
        """Where it is, or where the folder is that it was unpacked to."""
        return unpacked_path(self.path) if self.unpacked else self.path

    @property
    def renamed(self) -> bool:
        """Whether it is called otherwise here than by the service."""
        return not self.path.endswith(f"/{self.key.name}")

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Self:
        """Read what `dataclasses.asdict` and JSON have made of it."""
        members = tuple(MemberFile(**member) for member in value["members"])
        refused = tuple((str(name), str(rule)) for name, rule in value["refused"])
        return cls(**{**value, "key": ResultKey(**value["key"]), "members": members, "refused": refused})


@dataclass(frozen=True)
class ResultsManifest:
    """One fetch of results.

    :param job_id: empty when batches were named.
    :param batches: ids of the output batches.
    :param folder: location that the files are in.
    :param fingerprint: changes when the results are made anew, such as by a restart of the job.
    :param fetched_bytes: that went over the network in this run.
    :param table: what was joined, see `visionbatch.pipelines.row_table.RowTable.to_json`; empty when nothing was.
    :param location: of the whole manifest.
    """

    job_id: str
    batches: tuple[str, ...]
    folder: str
    outcome: ResultsOutcome = ResultsOutcome.UNFINISHED
    files: tuple[ResultFile, ...] = ()
    fetched_bytes: int = 0
    fingerprint: str = ""
    table: dict[str, Any] = field(default_factory=dict)
    location: str = ""
    service: str = "roboflow"
    schema: int = SCHEMA

    def whole(self) -> bytes:
        """All of it as JSON, for a file."""
        return json.dumps(dataclasses.asdict(self), indent=1).encode()

    @classmethod
    def parse(cls, text: bytes) -> ResultsManifest:
        """Read what `whole` wrote.

        :raises UnreadableRecord: when it is not that, or of a newer version.
        """
        with reading_manifest():
            value = json.loads(text)
            files = tuple(ResultFile.read(file) for file in value["files"])
            outcome = ResultsOutcome(value["outcome"])
            return cls(**{**value, "files": files, "batches": tuple(value["batches"]), "outcome": outcome})

    def to_json(self) -> dict[str, Any]:
        """The small form, below `MANIFEST_BYTES`: counts, and as many paths as there is room for."""
        told = {
            "schema": self.schema,
            "service": self.service,
            "job_id": self.job_id,
            "batches": list(self.batches[:10]),
            "folder": self.folder,
            "outcome": self.outcome.value,
            "manifest": self.location,
            "fingerprint": self.fingerprint,
            "counts": self.counts(),
            "table": {name: told for name, told in self.table.items() if name not in ("columns", "renamed")},
        }
        return with_names(told, {"files": [file.place for file in self.files]})

    def counts(self) -> dict[str, int]:
        """Numbers for people and metrics."""
        return {
            "files": len(self.files),
            "archives": sum(file.unpacked for file in self.files),
            "members": sum(len(file.members) for file in self.files),
            "refused": sum(file.refused_count for file in self.files),
            "renamed": sum(file.renamed for file in self.files),
            "bytes": sum(file.size for file in self.files),
            "fetched_bytes": self.fetched_bytes,
        }
