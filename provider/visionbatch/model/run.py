"""The run record: what a later try, on any machine, needs to know to go on."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from visionbatch.errors import UnreadableRecord

SCHEMA = 1
"""Version of the JSON form; a reader refuses a greater one and supplies defaults for a lesser one."""


class Stage(StrEnum):
    """How far a run has come. Each is written before the effect that follows it."""

    INTENT = "intent"
    CREATED = "created"
    UPLOADED = "uploaded"
    ENDED = "ended"


@dataclass(frozen=True)
class RunRecord:
    """One run, as small JSON, without any secret: a session URL is asked for again through the batch.

    :param service: whose batch it is.
    :param place: where the input lay, so that a record inherited from another task's item is known as such.
    :param fingerprint: identity of the input, see `visionbatch.transfer.plan`.
    :param generation: 1 for the first remote batch of this run, one more for each that replaced it.
    :param stage: how far the run has come.
    :param ref: id of the remote batch, once there is one.
    :param total: bytes of the archive; 0 before it is planned.
    :param sent: bytes the server had acknowledged at the last checkpoint: a hint for people, for the
        server is asked again anyway.
    :param checked: prefix of the archive that ``crc32c`` covers, in bytes.
    :param crc32c: CRC-32C of that prefix, which tells a later try whether the source still is the same.
    :param deadline: Unix seconds by which the batch has to end; ``None`` is never.
    :param created_at: Unix seconds at which the service had made the remote batch; ``None`` when it is not on record.
    :param outcome: last word about the batch once it ended.
    :param token: part of the batch's label that no other run has, by which it can be found again.
    :param notes: what one service needs beyond these, JSON primitives; whoever writes one gives it a name of its own.
    """

    service: str
    fingerprint: str
    generation: int = 1
    stage: Stage = Stage.INTENT
    ref: str = ""
    total: int = 0
    sent: int = 0
    checked: int = 0
    crc32c: int = 0
    deadline: float | None = None
    created_at: float | None = None
    outcome: str = ""
    place: str = ""
    token: str = ""
    notes: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The stored form, JSON primitives only."""
        return {"schema": SCHEMA, **dataclasses.asdict(self), "stage": self.stage.value}

    @classmethod
    def parse(cls, text: bytes, where: object) -> RunRecord:
        """Read the text of the stored form.

        :param where: what to call it in the error.
        :raises UnreadableRecord: as `from_json`, and for what is not JSON.
        """
        try:
            return cls.from_json(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise UnreadableRecord(f"{where} cannot be used: it is not JSON") from error
        except UnreadableRecord as error:
            raise UnreadableRecord(f"{where} cannot be used: {error.what}") from error

    @classmethod
    def from_json(cls, value: Any) -> RunRecord:
        """Read the stored form; keys it does not know are ignored, missing ones take their defaults.

        :raises UnreadableRecord: for a newer schema, or when it is not a record at all.
        """
        if not isinstance(value, dict) or not isinstance(value.get("schema"), int):
            raise UnreadableRecord("the run record is not a JSON object with a schema number")
        if value["schema"] > SCHEMA:
            raise UnreadableRecord(f"the run record has schema {value['schema']}, this version reads up to {SCHEMA}")
        fields = {key: item for key, item in value.items() if key in _KINDS}
        for key, item in fields.items():
            if isinstance(item, bool) or not isinstance(item, _KINDS[key]):
                raise UnreadableRecord(f"the run record's {key} is {type(item).__name__}")
        try:
            return cls(**{**fields, "stage": Stage(fields["stage"])})
        except (KeyError, TypeError, ValueError) as error:
            raise UnreadableRecord(f"the run record lacks or garbles a field: {error}") from error


_TEXTS = ("service", "fingerprint", "stage", "ref", "outcome", "place", "token")
_NUMBERS = ("generation", "total", "sent", "checked", "crc32c")
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(_TEXTS, (str,)),
    **dict.fromkeys(_NUMBERS, (int,)),
    "deadline": (int, float, type(None)),
    "created_at": (int, float, type(None)),
    "notes": (dict,),
}


class RunStore(Protocol):
    """Where the record of one run is kept."""

    def load(self) -> RunRecord | None:
        """The record, or ``None`` when the run never began.

        :raises UnreadableRecord: when there is one that cannot be read.
        """

    def save(self, record: RunRecord) -> None:
        """Replace the record at once and for good: after a crash either the old or the new one is there.

        :raises Superseded: when another process has taken the run over.
        """

    def clear(self) -> None:
        """Forget the run."""
