"""Taking the body of a chunk: from the stream to the session's file, block by block."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from visionbatch_mock.bodies import Body
from visionbatch_mock.exchange import current
from visionbatch_mock.faults import Fault, Instruction
from visionbatch_mock.storage.chunks import QUANTUM, Receive
from visionbatch_mock.storage.sessions import UploadSession


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a body: where it ended, and whether all of it arrived."""

    stop: int
    whole: bool


def receive(session: UploadSession, decision: Receive, instruction: Instruction | None) -> Taken:
    """Persist what the decision and the fault let through, and report it to the watcher.

    The session is not locked meanwhile: each block knows its offset, and what another request has
    persisted in the meantime is skipped.
    """
    limit = _limit(session, decision, instruction)
    stop = decision.start
    run = range(session.persisted, session.persisted)
    for offset, block in _blocks(decision.start, instruction):
        stop = offset + len(block)
        kept = block if limit is None else block[: max(0, limit - offset)]
        added = session.append(offset, memoryview(kept))
        if added and added.start != run.stop:
            session.note_persisted(run.start, run.stop)
            run = added
        run = range(run.start, added.stop) if added else run
        _stall(instruction, decision.start, offset, stop)
    session.note_persisted(run.start, run.stop)
    broken = current().body.broken or _breaks(instruction)
    return Taken(stop, whole=not broken)


def _limit(session: UploadSession, decision: Receive, instruction: Instruction | None) -> int | None:
    """The offset at which keeping stops: by the rules, or earlier by a fault."""
    cut = _cut(session.persisted, decision.start, instruction)
    if cut is None or decision.limit is None:
        return decision.limit if cut is None else cut
    return min(cut, decision.limit)


def _cut(persisted: int, start: int, instruction: Instruction | None) -> int | None:
    match instruction.fault if instruction else None:
        case Fault.STATUS_AFTER if instruction:
            return instruction.size
        case Fault.PARTIAL if instruction:
            return max(start, persisted) + instruction.size
        case Fault.PERSIST_NOTHING:
            return persisted
    return None


def _breaks(instruction: Instruction | None) -> bool:
    return instruction is not None and instruction.fault is Fault.RESET_MID_BODY


def _blocks(start: int, instruction: Instruction | None) -> Iterator[tuple[int, bytes]]:
    """The blocks that may be kept, with their offsets.

    Of a body that breaks off only complete blocks of 256 KiB count, as on the real service; by the
    setting nothing of it counts, for which it has to be seen whole first.
    """
    exchange = current()
    body, keep = exchange.body, exchange.tenant.behaviour.persist_broken
    upto = instruction.size if instruction and _breaks(instruction) else None
    arriving = body.blocks(upto) if keep else _whole(body, upto)
    offset = start
    for block in arriving:
        if len(block) < QUANTUM and (body.broken or upto is not None):
            return
        yield offset, block
        offset += len(block)


def _whole(body: Body, upto: int | None) -> Iterator[bytes]:
    with tempfile.TemporaryFile(dir=current().world.directory) as scratch:
        for block in body.blocks(upto):
            scratch.write(block)
        if body.broken or upto is not None:
            return
        scratch.seek(0)
        while block := scratch.read(QUANTUM):
            yield block


def _stall(instruction: Instruction | None, start: int, offset: int, stop: int) -> None:
    """Pause once, with the block that reaches the instruction's offset or begins beyond it."""
    if instruction is None or instruction.fault is not Fault.STALL:
        return
    if offset < max(instruction.size, start + 1) <= stop:
        current().world.pause(instruction.seconds)
