"""What the instructions do to the content of an object on its way to the client."""

from collections.abc import Callable, Iterable, Iterator

from flask import Response, request

from visionbatch_mock.faults.effects import WRONG_CRC32C, WRONG_MD5, afterwards
from visionbatch_mock.faults.grammar import Fault, Instruction
from visionbatch_mock.hangup import Ending, hang_up

Pause = Callable[[float], None]

TICKS_PER_S = 20
"""Ours: a slow body comes in this many pieces a second."""


def beforehand(instruction: Instruction | None) -> None:
    """Change the request as the service sees it."""
    if instruction is not None and instruction.fault is Fault.IGNORE_RANGE:
        request.environ.pop("HTTP_RANGE", None)


def altered(instruction: Instruction | None, response: Response, pause: Pause) -> Response:
    """The answer that leaves the mock: its content changed, slowed or broken, or as `afterwards` makes it."""
    if instruction is None or not instruction.content:
        return afterwards(instruction, response)
    match instruction.fault:
        case Fault.FLIP_BIT:
            start = response.content_range.start or 0
            response.response = _flipped(response.iter_encoded(), instruction.size - start)
        case Fault.STALL:
            response.response = _stalled(response.iter_encoded(), instruction, pause)
        case Fault.THROTTLE:
            response.response = _throttled(response.iter_encoded(), instruction.size, pause)
        case Fault.WRONG_CONTENT_RANGE:
            response.headers["Content-Range"] = _shifted(response)
        case Fault.WRONG_HASH:
            response.headers["x-goog-hash"] = f"crc32c={WRONG_CRC32C},md5={WRONG_MD5}"
        case Fault.NO_HASH:
            response.headers.pop("x-goog-hash", None)
        case Fault.RESET_ANSWER:
            return hang_up(response, Ending.CUT_AND_RESET, instruction.size)
        case Fault.TRUNCATE_CHUNKED:
            response.headers.pop("Content-Length", None)
            return hang_up(response, Ending.CUT, instruction.size)
        case Fault.TRUNCATE_CLOSE:
            response.headers.pop("Content-Length", None)
            return hang_up(response, Ending.CUT_SILENTLY, instruction.size)
    return response


def _flipped(blocks: Iterable[bytes], place: int) -> Iterator[bytes]:
    """The content with the lowest bit of one byte turned over."""
    offset = 0
    for block in blocks:
        if offset <= place < offset + len(block):
            changed = bytearray(block)
            changed[place - offset] ^= 1
            yield bytes(changed)
        else:
            yield block
        offset += len(block)


def _stalled(blocks: Iterable[bytes], instruction: Instruction, pause: Pause) -> Iterator[bytes]:
    left = instruction.size
    for block in blocks:
        if left < len(block):
            yield block[:left]
            pause(instruction.seconds)
            yield block[left:]
            yield from blocks
            return
        yield block
        left -= len(block)


def _throttled(blocks: Iterable[bytes], bytes_per_s: int, pause: Pause) -> Iterator[bytes]:
    piece = max(1, bytes_per_s // TICKS_PER_S)
    for block in blocks:
        for start in range(0, len(block), piece):
            yield block[start : start + piece]
            pause(1 / TICKS_PER_S)


def _shifted(response: Response) -> str:
    told = response.content_range
    return f"bytes {(told.start or 0) + 1}-{told.stop or 0}/{told.length}"
