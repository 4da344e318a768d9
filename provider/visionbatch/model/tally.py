"""How many batches or jobs fare at one moment: a byte for each, and the first that did not end well."""

from __future__ import annotations

import json
import zlib
from base64 import b85decode, b85encode
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

from visionbatch.model.small_json import MANIFEST_BYTES

MOST = 5000
"""Batches of one tally. The fates of so many fit into an event of 4 KB, however mixed they are: 2.8 bits each."""

EXAMPLES = 10
"""Batches that a tally names with the reason, of those that did not end well."""

REASON_CHARS = 100

JSON_BYTES = 3400
"""Room of a tally as JSON, which leaves 500 bytes of an event to others; the fates alone take 2.9 KB at the worst."""


class Fate(StrEnum):
    """What became of one of many; the policy on partial success has been asked."""

    WAITING = "waiting"
    """It has not ended, or nobody has seen it."""
    DONE = "done"
    PARTIAL = "partial"
    """Partly failed, and accepted."""
    REFUSED = "partial_refused"
    """Partly failed, and more than the policy accepts."""
    FAILED = "failed"
    CANCELLED = "cancelled"
    MISSING = "missing"
    """There is no such batch, or not any more."""

    @property
    def well(self) -> bool:
        """Whether it is an end that its user takes for a success."""
        return self in (Fate.DONE, Fate.PARTIAL)


FATES = tuple(Fate)
"""A fate's place is its byte in `Tally.marks`, which outlives versions: new ones come last."""


@dataclass(frozen=True)
class Example:
    """One that did not end well.

    :param reason: for people, at most `REASON_CHARS` characters.
    """

    ref: str
    fate: Fate
    reason: str


@dataclass(frozen=True)
class Tally:
    """How many fare.

    :param of: `digest` of their ids.
    :param marks: the place in `FATES` for each, in their order.
    :param examples: the first that did not end well, `EXAMPLES` at most.
    """

    of: str
    marks: bytes
    examples: tuple[Example, ...] = ()

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self.marks)

    @property
    def counts(self) -> dict[str, int]:
        """Number of each fate that occurs."""
        found = {fate.value: self.marks.count(place) for place, fate in enumerate(FATES)}
        return {word: number for word, number in found.items() if number}

    @property
    def waiting(self) -> int:
        """How many have not ended."""
        return self.marks.count(FATES.index(Fate.WAITING))

    @property
    def well(self) -> int:
        """How many ended well."""
        return sum(self.marks.count(place) for place, fate in enumerate(FATES) if fate.well)

    def fates(self, refs: Sequence[str]) -> dict[str, Fate]:
        """The fate of each.

        :param refs: the ids, in the order in which they were waited for.
        :raises ValueError: when these are not the ids that the tally is of.
        """
        if digest(refs) != self.of:
            raise ValueError("the tally is of other batches")
        return {ref: FATES[mark] for ref, mark in zip(refs, self.marks, strict=True)}

    def to_json(self) -> dict[str, Any]:
        """JSON primitives only, for events between processes: at most `JSON_BYTES`, for which examples are left out."""
        packed = b85encode(zlib.compress(self.marks, 9)).decode()
        return self.with_examples({"of": self.of, "marks": packed}, room=JSON_BYTES)

    def with_examples(self, value: dict[str, Any], room: int = MANIFEST_BYTES - 1) -> dict[str, Any]:
        """A JSON object with as many of the examples as there is room for.

        :param room: greatest number of bytes of the whole as JSON; a manifest's without.
        """
        examples = [{"ref": it.ref, "fate": it.fate.value, "reason": it.reason} for it in self.examples]
        whole = {**value, "examples": examples}
        while examples and len(json.dumps(whole)) > room:
            examples.pop()
        return whole

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Tally:
        """Read what `to_json` wrote.

        :raises ValueError: for anything else.
        """
        try:
            unpacked = zlib.decompressobj()
            marks = unpacked.decompress(b85decode(value["marks"]), MOST + 1)
            examples = tuple(Example(it["ref"], Fate(it["fate"]), it["reason"]) for it in value["examples"])
            of = str(value["of"])
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            raise ValueError("this is no tally") from error
        if len(marks) > MOST or not unpacked.eof or any(mark >= len(FATES) for mark in marks):
            raise ValueError("this is a tally of another version")
        return cls(of, marks, examples)

    def __str__(self) -> str:
        """Such as ``40 of 50 ended: 38 done, 2 failed, 10 waiting``."""
        told = ", ".join(f"{number} {word.replace('_', ' ')}" for word, number in sorted(self.counts.items()))
        return f"{self.total - self.waiting} of {self.total} ended" + (f": {told}" if told else "")


def digest(refs: Sequence[str]) -> str:
    """What stands for a list of ids, 16 characters."""
    return sha256("\0".join(refs).encode()).hexdigest()[:16]
