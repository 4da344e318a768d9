"""What an earlier try has sent is read once more while the rest is already leaving, and the last bytes wait for it."""

from __future__ import annotations

import random
import threading
from typing import Any

import google_crc32c
import pytest

from support.books import CHUNKS, At, Books, BytesSource
from support.listener import PATIENCE_S
from support.orders import CHUNK
from visionbatch.errors import InputChanged
from visionbatch.model.secret import SecretUrl
from visionbatch.transfer.upload import Checkpoint

CONTENT = random.Random(12).randbytes(12 * CHUNK + 77)


class Died(Exception):
    pass


class GatedSource(BytesSource):
    """An archive whose beginning can only be read when a gate has been opened."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.gate = threading.Event()

    def blocks(self, offset: int, stop: int, block_bytes: int):
        if offset == 0:
            assert self.gate.wait(PATIENCE_S), "the rest did not leave before the beginning was read"
        return super().blocks(offset, stop, block_bytes)


def broken_off(client: Any, url: SecretUrl) -> Checkpoint:
    """What is on record of an upload that died in the middle."""
    saved: list[Checkpoint] = []

    def die() -> None:
        raise Died

    with pytest.raises(Died):
        client.upload(BytesSource(CONTENT), url, progress=At(6 * CHUNK, die), checkpoint=saved.append)
    return saved[-1]


def test_the_rest_leaves_while_what_was_sent_before_is_read_again(site: Any, books: Books) -> None:
    client = site(chunk_bytes=0, checkpoint_s=0)
    url = client.create("resumed").upload_url
    earlier = broken_off(client, url)
    assert earlier.checked > 2 * CHUNK
    source = GatedSource(CONTENT)

    client.upload(source, url, resume=earlier, progress=At(11 * CHUNK, source.gate.set))

    books.arrived_once(CONTENT)
    assert len(books.requests(CHUNKS)) == 3


def test_another_beginning_is_noticed_before_the_last_bytes_leave(site: Any, books: Books) -> None:
    client = site(chunk_bytes=0, checkpoint_s=0)
    url = client.create("changed").upload_url
    earlier = broken_off(client, url)
    source = GatedSource(b"!" + CONTENT[1:])

    with pytest.raises(InputChanged, match=f"the first {earlier.checked} bytes of memory are not those"):
        client.upload(source, url, resume=earlier, progress=At(11 * CHUNK, source.gate.set))

    books.nothing_processed()
    assert not books.effects("archive.committed")


@pytest.mark.parametrize("in_flight", [0, 2 * CHUNK + 7], ids=["all-arrived", "some-lost"])
def test_the_checksum_goes_on_where_an_earlier_try_has_stopped(site: Any, in_flight: int) -> None:
    client = site(chunk_bytes=0, checkpoint_s=0)
    url = client.create("checksum").upload_url
    earlier = broken_off(client, url)
    length = earlier.checked + in_flight
    earlier = Checkpoint(earlier.sent, length, google_crc32c.value(CONTENT[:length]))
    whole: list[Checkpoint] = []

    uploaded = client.upload(BytesSource(CONTENT), url, resume=earlier, checkpoint=whole.append)

    assert uploaded.crc32c == whole[-1].crc32c
    assert whole[-1].checked == len(CONTENT)
