"""How often those who wait look."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from visionbatch.errors import ConfigError
from visionbatch.flow.effects import Pause

LONGEST_ASKED_S = 3600.0
"""The longest ``Retry-After`` that a watch obeys: waiting is cheap there, but a slip should not cost a day."""


@dataclass(frozen=True)
class Pace:
    """How often to look.

    The interval grows from ``first_s`` to ``longest_s`` while nothing changes, starts again at a change, and is
    spread evenly by ``spread`` either way so that thousands of watchers do not ask in step.

    :param confirm_s: seconds between an end and the second look that confirms it.
    :param grace_s: seconds after the first look in which 404 means "not yet visible"; 0 for none.
    :raises ConfigError: naming the field, for an interval with which somebody would ask without a pause.
    """

    first_s: float = 5.0
    longest_s: float = 60.0
    factor: float = 1.5
    spread: float = 0.2
    confirm_s: float = 1.0
    grace_s: float = 60.0

    def __post_init__(self) -> None:
        """Refuse what is no pace."""
        for name in ("first_s", "longest_s", "confirm_s"):
            self._refuse_unless(getattr(self, name) > 0, name, "greater than 0")
        self._refuse_unless(self.factor >= 1, "factor", "at least 1")
        self._refuse_unless(0 <= self.spread < 1, "spread", "at least 0 and less than 1")
        self._refuse_unless(self.grace_s >= 0, "grace_s", "0 or more")

    def _refuse_unless(self, right: bool, name: str, rule: str) -> None:  # private
        value = getattr(self, name)
        if not (right and isfinite(value)):
            raise ConfigError(f"{name} of a pace is {value:g}: it must be {rule}")

    def before_confirming(self) -> Pause:
        """The wait between an end and the look that confirms it."""
        return Pause(self.confirm_s, self.confirm_s)

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
