"""A batch whose archive has arrived, or a job that was started: what whoever waits for its end carries along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from visionbatch.model.run import RunRecord
from visionbatch.pipelines.manifest import Manifest


@dataclass(frozen=True)
class Submitted:
    """A batch whose archive has arrived, or a job that was started.

    :param archive: for the manifest: what was handed in, such as size, CRC-32C, fingerprint, counts.
    """

    record: RunRecord
    archive: dict[str, int | str]
    warnings: int = 0

    @property
    def batch_id(self) -> str:
        """The remote batch or job."""
        return self.record.ref

    def manifest(self, console_url: str) -> Manifest:
        """What is known while nobody waits for the end."""
        return Manifest(
            self.record.service,
            self.batch_id,
            "submitted",
            generation=self.record.generation,
            archive=dict(self.archive),
            warnings=self.warnings,
            console_url=console_url,
        )

    def to_json(self) -> dict[str, Any]:
        """JSON primitives only, to cross a deferral."""
        return {"record": self.record.to_json(), "archive": self.archive, "warnings": self.warnings}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Submitted:
        """Read what `to_json` wrote."""
        return cls(RunRecord.from_json(value["record"]), dict(value["archive"]), int(value.get("warnings", 0)))
