"""Making things that the service gives ids to, though no mark tells it that two requests are the same."""

from __future__ import annotations

from collections.abc import Callable

from visionbatch.errors import (
    IdTaken,
    OutcomeUnknown,
    Refused,
    Throttled,
    TransportError,
    Unavailable,
    UnreadableAnswer,
    VisionBatchError,
)
from visionbatch.flow.effects import Flow, Now
from visionbatch.flow.retry import RetryPolicy
from visionbatch.vias.settings import ViasSettings

LOOKS = RetryPolicy(first_s=4.0, cap_s=20.0)
"""Pauses between looks for what may have been made; `ViasSettings.settle_s` says for how long."""

Ids = tuple[str, ...]


def made_once(
    post: Callable[[], Flow[Ids]], alike: Callable[[], Flow[Ids]], settings: ViasSettings, *, what: str, count: int = 1
) -> Flow[Ids]:
    """Ids of what a creation has made; without a usable answer they are looked for, and nothing is asked for twice.

    :param post: makes the request, and repeats it only when the service cannot have acted on it.
    :param alike: gives the ids of all that have the name. What is among them after the request and was not before is
        taken for ours.
    :param what: what is made, for messages.
    :param count: how many.
    :raises IdTaken: when the service says that the name is taken.
    :raises OutcomeUnknown: when it cannot be found out what the request came to.
    """
    before = frozenset((yield from alike()))
    try:
        return (yield from post())
    except VisionBatchError as error:
        if isinstance(error, Refused) and error.code in settings.name_taken_codes:
            raise IdTaken(f"{what} is there already: {error.what}", next_step="Give it another name.") from error
        if not without_answer(error):
            raise
        began: float = yield Now()
        looks = 0
        while True:
            found = tuple(each for each in (yield from alike()) if each not in before)
            if len(found) >= count:
                return found
            looks += 1
            now: float = yield Now()
            if now - began >= settings.settle_s:
                break
            yield LOOKS.pause_after(looks)
        raise OutcomeUnknown(
            f"{what} may have been made, but {len(found)} of {count} are in the list: {error.what}",
            ref=", ".join(found),
            next_step="Look into the list before it is made again.",
        ) from error


def without_answer(error: VisionBatchError) -> bool:
    """Whether something may have come of it that nobody has told; 503 comes from in front of the service."""
    if isinstance(error, UnreadableAnswer):
        return not error.ref
    if isinstance(error, Throttled):
        return isinstance(error, Unavailable) and error.status != 503
    return isinstance(error, TransportError) and error.maybe_received
