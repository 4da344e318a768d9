"""Instructions for one operation, in the order in which requests meet them."""

import random
from collections.abc import Sequence

from visionbatch_mock.faults.grammar import Instruction
from visionbatch_mock.faults.outlook import Outlook


class Queue:
    """What waits for the requests of one operation; only the head can be met.

    An instruction with a time to live is met by every request that fits, for so many seconds of the tenant's
    clock after it came to the head; any other is met once. With a probability, chance lets fitting requests pass.
    """

    def __init__(self, seed: str, instructions: Sequence[Instruction], now: float) -> None:
        self.instructions = list(instructions)
        self.lapsed: list[Instruction] = []
        """Those that no request met in time."""
        self._seed = seed
        self._draws = 0
        self._since = now
        self._met = False

    @property
    def unmet(self) -> list[Instruction]:
        """The instructions that no request has met."""
        return self.lapsed + self.instructions[self._met :]

    def take(self, outlook: Outlook, now: float) -> Instruction | None:
        """The instruction that a request meets at `now`, if any."""
        self.settle(now)
        if not self.instructions or not outlook.satisfies(head := self.instructions[0]) or not self._chance(head):
            return None
        self._met = True
        if head.ttl is None:
            self._next(now)
        return head

    def settle(self, now: float) -> None:
        """Let go of instructions whose time is over; the next one's begins when that of the one before ended."""
        while self.instructions and (ttl := self.instructions[0].ttl) is not None and now >= self._since + ttl:
            self._next(self._since + ttl)

    def _next(self, now: float) -> None:
        head = self.instructions.pop(0)
        if not self._met:
            self.lapsed.append(head)
        self._met, self._since = False, now

    def _chance(self, head: Instruction) -> bool:
        if head.probability >= 1:
            return True
        self._draws += 1
        # Each draw from a seed of its own: the state of a generator would have to be kept with the plan.
        drawn = random.Random(f"{self._seed}/{self._draws}").random()  # noqa: S311 - repeatable, not secret
        return drawn < head.probability
