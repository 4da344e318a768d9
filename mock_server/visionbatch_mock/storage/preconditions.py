"""The `if...Match` conditions of Google's JSON API, on generation and metageneration."""

from dataclasses import dataclass
from typing import Protocol


class Versioned(Protocol):
    """What conditions are about."""

    @property
    def generation(self) -> int:
        """Changes with the content."""

    @property
    def metageneration(self) -> int:
        """Changes with the description."""


class PreconditionFailed(RuntimeError):
    """An `if...Match` condition of a request does not hold."""


class NotChanged(PreconditionFailed):
    """An `if...NotMatch` condition does not hold; a read is answered with 304 then."""


@dataclass(frozen=True, slots=True)
class Preconditions:
    """Conditions on the live generation; generation 0 means that there is none."""

    generation: int | None = None
    not_generation: int | None = None
    metageneration: int | None = None
    not_metageneration: int | None = None

    def check(self, live: Versioned | None) -> None:
        """Raise `PreconditionFailed` unless `live` satisfies them."""
        generation = live.generation if live else 0
        metageneration = live.metageneration if live else 0
        if self.generation not in {None, generation}:
            raise PreconditionFailed(f"the live generation is {generation}, not {self.generation}")
        if self.metageneration not in {None, metageneration}:
            raise PreconditionFailed(f"the live metageneration is {metageneration}, not {self.metageneration}")
        if self.not_generation == generation:
            raise NotChanged(f"the live generation is {generation}")
        if self.not_metageneration == metageneration:
            raise NotChanged(f"the live metageneration is {metageneration}")
