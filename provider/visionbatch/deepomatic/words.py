"""Deepomatic's status words, which it does not publish: a table that settings can extend."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeGuard

from visionbatch.errors import ConfigError
from visionbatch.model.snapshot import Counts, Phase, Snapshot
from visionbatch.model.text import printable

WORD_CHARS = 100
"""Characters of a status that are kept: it goes into every log line and into the scheduler's database."""

_WORDS: Mapping[Phase, tuple[str, ...]] = {
    Phase.AWAITING_DATA: (
        "created", "new", "pending", "waiting", "waiting_for_upload", "uploading", "upload_in_progress",
    ),
    Phase.QUEUED: ("uploaded", "queued", "received", "scheduled"),
    Phase.RUNNING: ("processing", "running", "started", "in_progress", "ongoing", "analyzing"),
    Phase.SUCCEEDED: ("success", "succeeded", "done", "completed", "complete", "finished", "processed"),
    Phase.PARTIAL: ("partial_success", "completed_with_errors", "done_with_errors", "partial", "warning"),
    Phase.FAILED: ("error", "failed", "failure", "invalid", "aborted"),
    Phase.CANCELLED: ("cancelled", "canceled", "deleted", "expired"),
}  # fmt: skip

PHASES = {word: phase for phase, words in _WORDS.items() for word in words}
"""Every word assumed, to its phase. The vocabulary is not public; a word that is missing here is polled through."""


def normalised(word: str) -> str:
    """A status word as the table writes it: lower case, with underscores."""
    return word.strip().lower().replace(" ", "_").replace("-", "_")


def phases_with(aliases: Mapping[str, str]) -> Mapping[str, Phase]:
    """The table with a site's own words added.

    :raises ConfigError: for an alias of something that is not a phase.
    """
    try:
        return {**PHASES, **{normalised(word): Phase(phase) for word, phase in aliases.items()}}
    except ValueError as error:
        raise ConfigError(f"status_aliases: {error}; phases are {[p.value for p in Phase]}") from error


def interpret(answer: Mapping[str, Any], phases: Mapping[str, Phase]) -> Snapshot:
    """A batch, as the service describes it, in shared words.

    :param answer: JSON object of the batch; counters under ``work_orders`` are used when they are there.
    """
    # One character more than is kept, so that a word which is cut still shows it.
    native, word = _both_forms(str(answer.get("status", ""))[: WORD_CHARS + 1])
    phase, counts = phases.get(word, Phase.UNKNOWN), _counts(answer.get("work_orders"))
    return _bare(phase, native) if counts is None else Snapshot(phase, native, counts)


@lru_cache(maxsize=256)
def _both_forms(status: str) -> tuple[str, str]:
    """A status for people and for the table; a service has a dozen of them, and says them thousands of times."""
    native = printable(status, WORD_CHARS)
    return native, normalised(native)


@lru_cache(maxsize=256)
def _bare(phase: Phase, native: str) -> Snapshot:
    """One value for all the batches that are in the same state, of which thousands may be watched."""
    return Snapshot(phase, native)


def _counts(value: Any) -> Counts | None:
    if not isinstance(value, dict):
        return None
    total, succeeded, failed = (value.get(key) for key in ("total", "succeeded", "failed"))
    if _is_count(total) and _is_count(succeeded) and _is_count(failed):
        return Counts(total, succeeded, failed)
    return None


def _is_count(value: Any) -> TypeGuard[int]:
    return type(value) is int and value >= 0
