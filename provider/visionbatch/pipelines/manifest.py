"""What a finished run says of itself: small JSON for XCom, files and people."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from visionbatch.model.small_json import is_small

CODES_SHOWN = 20


@dataclass(frozen=True)
class Manifest:
    """The result of one run.

    :param outcome: ``done``, ``partial``, ``failed`` or ``cancelled``; ``submitted`` when it was not waited for.
    :param status: the service's own word.
    :param counts: items by outcome, as far as known.
    :param archive: ``size`` in bytes, ``crc32c`` in hexadecimal, ``fingerprint``, ``work_orders``, ``files``.
    :param errors: of the error report: ``lines``, ``by_code``, and ``location`` where it was saved.
    :param results: where results are, when the service says so: of a job, its input and output batches.
    :param warnings: findings of the check that did not keep the input from being sent.
    """

    service: str
    batch_id: str
    outcome: str
    status: str = ""
    generation: int = 1
    counts: dict[str, int] = field(default_factory=dict)
    archive: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    warnings: int = 0
    console_url: str = ""
    schema: int = 1

    def to_json(self) -> dict[str, Any]:
        """JSON primitives only, and small: codes are left out, rarest first, until it fits."""
        value = dataclasses.asdict(self)
        codes = sorted(self.errors.get("by_code", {}).items(), key=lambda pair: -pair[1])
        kept = min(len(codes), CODES_SHOWN)
        while codes:
            value["errors"]["by_code"] = dict(codes[:kept])
            if kept < len(codes):
                value["errors"]["codes_left_out"] = len(codes) - kept
            if not kept or is_small(value):
                break
            kept -= 1
        return value
