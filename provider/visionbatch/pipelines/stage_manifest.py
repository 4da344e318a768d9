"""What a filled batch says of itself: small JSON for XCom, files and people."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from visionbatch.model.small_json import is_small
from visionbatch.roboflow.calls import SERVICE
from visionbatch.roboflow.media import Collection
from visionbatch.roboflow.ready import ready_ref
from visionbatch.roboflow.stage_settings import Kind

REASONS_SHOWN = 10

_INGESTED = (Kind.SHARDS, Kind.IMAGE_REFERENCES, Kind.VIDEO_REFERENCES)
"""Kinds of batches whose parts are what the service lists as shards."""


@dataclass(frozen=True)
class StageManifest:
    """A batch that holds all that was to be sent, though perhaps not yet indexed.

    :param kind: how it was filled, see `visionbatch.roboflow.stage_settings.Kind`.
    :param expected: items that it will count once it is ready.
    :param parts: requests or archives that the items went in.
    :param bytes: of the files.
    :param sent_bytes: handed to the network by this try, bodies sent twice counted twice.
    :param duplicated: parts that the service said it had already.
    :param skipped: files left out, by reason.
    :param renamed: files that are called otherwise in the batch than in the source.
    :param names: where the list of those is; empty when nobody asked for it.
    """

    batch_id: str
    kind: str
    expected: int
    parts: int = 0
    bytes: int = 0
    sent_bytes: int = 0
    duplicated: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    renamed: int = 0
    names: str = ""
    source: str = ""
    fingerprint: str = ""
    generation: int = 1
    service: str = SERVICE
    schema: int = 1

    @property
    def ready_ref(self) -> str:
        """What stands for waiting until all of it can be processed, see `visionbatch.roboflow.ready.ready_ref`."""
        return ready_ref(self.batch_id, self.expected, self.parts if self.kind in _INGESTED else None)

    def to_json(self) -> dict[str, Any]:
        """JSON primitives only, and small; ``ready_ref`` is among them."""
        value = {**dataclasses.asdict(self), "ready_ref": self.ready_ref}
        for name in ("source", "names"):
            if not is_small(value):
                value[name] = f"{value[name][:200]}…"
        return value


def reasons(skipped: Mapping[str, int]) -> dict[str, int]:
    """What was left out, the commonest reasons by name."""
    common = Counter(skipped).most_common()
    shown = dict(common[:REASONS_SHOWN])
    if len(common) > REASONS_SHOWN:
        shown["for other reasons"] = sum(count for _, count in common[REASONS_SHOWN:])
    return shown


def names_as_lines(images: Collection) -> bytes:
    """The files that were renamed, one JSON object a line, with ``name`` in the batch and ``path`` in the source."""
    pairs = images.origins()
    return b"".join(json.dumps({"name": name, "path": path}).encode() + b"\n" for name, path in pairs)
