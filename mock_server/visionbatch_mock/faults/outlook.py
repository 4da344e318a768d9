"""What a request is about to do, held against what an instruction waits for."""

from dataclasses import dataclass

from visionbatch_mock.faults.grammar import Fault, Instruction, Need

_OF_READS = frozenset({Need.DESCRIPTION, Need.LONGER, Need.CONTENT, Need.COVERS, Need.RANGED_CONTENT, Need.CONTINUES})


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a request is about to do, as far as can be told before it is served.

    `stop` is the offset after its last byte (None when not announced), `body` its length,
    `final` whether it would complete the object, `acknowledged` how many bytes were persisted
    before it, and `live` whether there is still something to do. Of a read, `content` is the span
    of the object's bytes that it will get (None for a description), `ranged` whether it asked for a
    range, and `continues` whether it goes on with a listing.
    """

    stop: int | None = None
    body: int = 0
    final: bool = False
    acknowledged: int = 0
    live: bool = True
    content: range | None = None
    ranged: bool = False
    continues: bool = False

    def satisfies(self, instruction: Instruction) -> bool:
        """Whether this is the request that `instruction` waits for."""
        if instruction.need is Need.ANY:
            return True
        return self.live and self._has(instruction)

    def _has(self, instruction: Instruction) -> bool:
        return self._has_content(instruction) if instruction.need in _OF_READS else self._has_body(instruction)

    def _has_content(self, instruction: Instruction) -> bool:
        place = 0 if instruction.fault is Fault.THROTTLE else instruction.size
        content = self.content
        return {
            Need.DESCRIPTION: content is None,
            Need.LONGER: content is None or len(content) > place,
            Need.CONTENT: content is not None and len(content) > place,
            Need.COVERS: content is not None and place in content,
            Need.RANGED_CONTENT: bool(content) and self.ranged,
            Need.CONTINUES: self.continues,
        }[instruction.need]

    def _has_body(self, instruction: Instruction) -> bool:
        # A throttle's size is a rate; only for the others is it a place inside the body.
        place = 0 if instruction.fault is Fault.THROTTLE else instruction.size
        return {
            Need.OFFSET: self.stop is not None and self.stop >= instruction.size,
            Need.BODY: self.body > place,
            Need.FINAL: self.final,
            Need.UNFINISHED: not self.final,
            Need.RANGED: not self.final and (self.acknowledged > 0 or self.body > 0),
            Need.ACKNOWLEDGED: not self.final and self.acknowledged > 0,
        }[instruction.need]
