"""From records to the bytes of a file: JSON Lines in UTF-8, and the ways in which files go wrong."""

import json
import zlib
from collections.abc import Collection, Iterable, Iterator

from visionbatch_mock.exports.oddities import Oddity
from visionbatch_mock.exports.records import Record

BLOCK_BYTES = 256 * 1024
GZIP_WINDOW = 16 + zlib.MAX_WBITS
BOM = b"\xef\xbb\xbf"

_BROKEN = {
    Oddity.NAN: b'{"id": "nan", "progress_score": NaN}',
    Oddity.NOT_JSON: b"this line is no JSON",
    Oddity.NOT_AN_OBJECT: b'["a", "list"]',
}
_TORN = b'{"id": "torn", "name": "the last li'


def line_of(record: Record) -> bytes:
    """One record as one line, without its end."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def file_of(lines: Iterable[bytes], oddities: Collection[Oddity] = ()) -> Iterator[bytes]:
    """The bytes of a file in blocks of about 256 KiB."""
    end = b"\r\n" if Oddity.CRLF in oddities else b"\n"
    held = bytearray(BOM if Oddity.BOM in oddities else b"")
    for line in _with_strays(lines, oddities):
        held += line
        held += end
        if len(held) >= BLOCK_BYTES:
            yield bytes(held)
            held.clear()
    if Oddity.TRUNCATED_LAST_LINE in oddities:
        held += _TORN
    if held:
        yield bytes(held)


def packed(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same as gzip."""
    pack = zlib.compressobj(wbits=GZIP_WINDOW)
    for block in blocks:
        yield pack.compress(block)
    yield pack.flush()


def _with_strays(lines: Iterable[bytes], oddities: Collection[Oddity]) -> Iterator[bytes]:
    """The lines, with a blank one after each if asked, and one broken line of each kind in between."""
    broken = [line for oddity, line in _BROKEN.items() if oddity in oddities]
    for line in lines:
        yield line
        if broken:
            yield broken.pop(0)
        if Oddity.BLANK_LINES in oddities:
            yield b""
    yield from broken
