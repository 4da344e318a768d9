"""How often those who wait look."""

from __future__ import annotations

from dataclasses import dataclass

from visionbatch.flow.effects import Pause

LONGEST_ASKED_S = 3600.0
"""The longest ``Retry-After`` that a watch obeys: waiting is cheap there, but a slip should not cost a day."""


@dataclass(frozen=True)
class Pace:
    """How often to look.

    The interval grows from ``first_s`` to ``longest_s`` while nothing changes, starts again at a change, and is
    spread evenly by ``spread`` either way so that thousands of watchers do not ask in step.

    :param confirm_s: seconds between an end and the second look that confirms it.
    :param grace_s: seconds after the first look in which 404 means "not yet visible".
    """

    first_s: float = 5.0
    longest_s: float = 60.0
    factor: float = 1.5
    spread: float = 0.2
    confirm_s: float = 1.0
    grace_s: float = 60.0

    def pause(self, looks: int, asked_s: float | None = None) -> Pause:
        """The wait after that many looks without a change, from 1.

        :param asked_s: what the service asked for in ``Retry-After``, honoured up to `LONGEST_ASKED_S`.
        """
        middle = min(self.longest_s, self.first_s * self.factor ** min(looks - 1, 64))
        least, most = middle * (1 - self.spread), middle * (1 + self.spread)
        if asked_s is None:
            return Pause(least, most)
        longer = max(least, min(asked_s, LONGEST_ASKED_S))
        return Pause(longer, longer + most - least)
