"""The download engine against a server that misbehaves, over real sockets and real files."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.clocks import HandClock
from support.patience import wait_until
from support.shelf import (
    Shelf,
    another_range,
    chunked,
    cut,
    dripping,
    flipped,
    replaced,
    status,
    until_closed,
    well,
    whole,
)
from visionbatch.config import DownloadSettings
from visionbatch.errors import (
    AlreadyRunning,
    Damaged,
    LinkExpired,
    NoRoom,
    Redirected,
    Unavailable,
    UnreadableAnswer,
    UnsafeArchive,
    UnsafeName,
    UnsafeUrl,
    VisionBatchError,
)
from visionbatch.io.partial import NAME_BYTES, Partial, safe_target
from visionbatch.transfer.crc import combined
from visionbatch.transfer.download import Download
from visionbatch.transfer.link import Link
from visionbatch.transfer.remote import Downloaded

MIB = 1 << 20
CONTENT = random.Random(5).randbytes(3 * MIB + 12345)
OTHER = random.Random(6).randbytes(3 * MIB + 999)
QUICK = {"checkpoint_s": 0.0, "block_bytes": 64 * 1024}


@pytest.fixture
def shelf():
    with Shelf(CONTENT) as shelf:
        yield shelf
        shelf.all_met()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "export.jsonl"


def link(shelf: Shelf, **more) -> Link:
    settings = DownloadSettings(**{**QUICK, **more.pop("settings", {})})
    return Link(shelf.url, hosts=(shelf.host,), settings=settings, **more)


def fetch(shelf: Shelf, target: Path, *, remote: Link | None = None, **settings) -> Downloaded:
    remote = remote or link(shelf, settings=settings)
    with remote:
        return Download(remote, target, settings=DownloadSettings(**{**QUICK, **settings}), clock=HandClock()).run()


def left_beside(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir() if path != target)


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, len(CONTENT)])
def test_a_file_arrives_and_nothing_else_is_left(shelf, target, size):
    shelf.content = CONTENT[:size]
    done = fetch(shelf, target)
    assert target.read_bytes() == CONTENT[:size]
    assert (done.size, done.fetched_bytes, done.kept_bytes) == (size, size, 0)
    assert done.crc32c == google_crc32c.value(CONTENT[:size])
    assert left_beside(target) == []
    assert [asked.headers.get("authorization") for asked in shelf.asked] == [None]


def test_it_is_asked_for_whole_and_as_it_is_stored(shelf, target):
    fetch(shelf, target)
    (asked,) = shelf.asked
    assert "range" not in asked.headers
    assert asked.headers["accept-encoding"] == "identity"


class Known(Link):
    """A link whose size and version are known beforehand, as a listing tells them of an object."""

    def known(self, content: bytes, version: str, crc32c: int | None = None) -> Known:
        self.size, self.version, self.crc32c = len(content), version, crc32c
        return self


def known(shelf: Shelf, content: bytes = CONTENT, **settings) -> Known:
    remote = Known(shelf.url, hosts=(shelf.host,), settings=DownloadSettings(**{**QUICK, **settings}))
    return remote.known(content, shelf.etag, google_crc32c.value(content))


def test_a_large_file_comes_in_parts_over_several_connections(shelf, target):
    done = fetch(shelf, target, remote=known(shelf), part_bytes=MIB, connections=3)
    assert target.read_bytes() == CONTENT
    assert sorted((asked.start, asked.stop) for asked in shelf.asked) == [
        (0, MIB), (MIB, 2 * MIB), (2 * MIB, 3 * MIB), (3 * MIB, len(CONTENT)),
    ]  # fmt: skip
    assert done.crc32c == google_crc32c.value(CONTENT)
    assert 1 < shelf.connections <= 3


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_the_checksum_of_two_parts_joined_follows_from_theirs(first, second):
    joined = combined(google_crc32c.value(first), google_crc32c.value(second), len(second))
    assert joined == google_crc32c.value(first + second)


@pytest.mark.parametrize("reset", [False, True])
def test_a_broken_connection_is_gone_on_from_where_it_broke(shelf, target, reset):
    shelf.misdeeds = [cut(MIB, reset=reset), cut(0, reset=reset), status("503 Busy", Retry_After="3")]
    fetch(shelf, target)
    assert target.read_bytes() == CONTENT
    if not reset:
        # A reset may overtake bytes that were sent before it.
        assert [asked.start for asked in shelf.asked] == [0, MIB, MIB, MIB]
        assert shelf.given == len(CONTENT)


@pytest.mark.fault("EX6")
@pytest.mark.parametrize("how", ["length", "chunks", "close", "close-unknown"])
def test_an_answer_that_is_too_short_is_never_taken_for_the_whole(shelf, target, how):
    misdeed = {"length": cut(MIB), "chunks": chunked(MIB), "close": until_closed(MIB), "close-unknown": until_closed()}
    shelf.misdeeds = [misdeed[how]]
    if how == "close-unknown":
        # Nothing says how long it should be: its end cannot be told from a break, so it is refused.
        shelf.misdeeds *= 2
        with pytest.raises(UnreadableAnswer, match="cannot be told"):
            fetch(shelf, target)
        assert not target.exists()
        return
    fetch(shelf, target, remote=known(shelf) if how == "close" else None)
    assert target.read_bytes() == CONTENT
    assert [asked.start for asked in shelf.asked] == [0, MIB]


def test_an_answer_in_chunks_and_one_that_ends_with_its_connection_are_fine_when_they_can_be_checked(shelf, target):
    shelf.misdeeds = [chunked()]
    fetch(shelf, target)
    assert target.read_bytes() == CONTENT
    target.unlink()
    shelf.misdeeds = [until_closed()]
    fetch(shelf, target, remote=known(shelf))
    assert target.read_bytes() == CONTENT


@pytest.mark.fault("EX5")
@pytest.mark.parametrize("how", ["ignored", "another", "changed"])
def test_an_answer_that_is_no_continuation_is_never_appended(shelf, target, how):
    second = {"ignored": whole, "another": another_range, "changed": replaced(OTHER, '"two"', well)}[how]
    shelf.misdeeds = [cut(MIB), second]
    fetch(shelf, target)
    assert target.read_bytes() == (OTHER if how == "changed" else CONTENT)
    # The second answer is thrown away, and the file begun anew.
    assert [asked.start for asked in shelf.asked][2:] == [0]
    assert left_beside(target) == []


def test_a_server_without_ranges_that_breaks_off_again_and_again_is_given_up(shelf, target):
    shelf.misdeeds = [cut(MIB)] + [whole, cut(MIB)] * 3 + [whole]
    with pytest.raises(VisionBatchError, match="whole"):
        fetch(shelf, target)
    assert not target.exists()


def test_without_any_mark_a_broken_file_is_begun_anew(shelf, target):
    shelf.etag = ""
    shelf.misdeeds = [cut(MIB)]
    fetch(shelf, target)
    assert target.read_bytes() == CONTENT
    assert [asked.start for asked in shelf.asked] == [0, 0]


@pytest.mark.fault("EX4")
def test_a_link_that_expires_on_the_way_is_renewed_and_gone_on_with(shelf, target):
    shelf.misdeeds = [cut(MIB), status("403 Forbidden")]
    fresh = shelf.url.replace("very-secret-token", "another-token")
    asked_for = []
    remote = link(shelf, renew=lambda: asked_for.append(1) or fresh)
    fetch(shelf, target, remote=remote)
    assert target.read_bytes() == CONTENT
    assert [(asked.start, "another-token" in asked.path) for asked in shelf.asked] == [
        (0, False), (MIB, False), (MIB, True),
    ]  # fmt: skip
    assert shelf.asked[-1].headers["if-range"] == '"one"'
    assert asked_for == [1]


@pytest.mark.parametrize("answer", ["403 Forbidden", "404 Not Found", "410 Gone"])
def test_a_link_that_nobody_renews_says_that_it_has_expired_and_what_to_do(shelf, target, answer, caplog):
    shelf.misdeeds = [cut(MIB), status(answer)]
    with pytest.raises(LinkExpired) as caught:
        fetch(shelf, target)
    text = str(caught.value)
    assert "sent again" in text
    assert "127.0.0.1" in text
    for secret in ("very-secret-token", "sig-9f8a7b6c5d4e"):
        assert secret not in text + caplog.text + repr(caught.value.__cause__)
    # What had arrived is kept for the new link.
    fetch(shelf, target)
    assert [asked.start for asked in shelf.asked] == [0, MIB, MIB]
    assert target.read_bytes() == CONTENT


def test_a_link_goes_only_to_allowed_hosts_and_follows_nobody(shelf, target):
    with pytest.raises(UnsafeUrl):
        Link(shelf.url)
    shelf.misdeeds = [status("302 Found", Location="http://127.0.0.1:9/elsewhere")]
    with pytest.raises(Redirected):
        fetch(shelf, target)


def test_a_wrong_bit_is_found_and_the_file_fetched_again_once(shelf, target):
    shelf.misdeeds = [flipped]
    fetch(shelf, target, remote=known(shelf))
    assert target.read_bytes() == CONTENT
    target.unlink()
    shelf.misdeeds = [flipped, flipped]
    with pytest.raises(Damaged, match="CRC-32C"):
        fetch(shelf, target, remote=known(shelf))
    assert not target.exists()


def test_the_checksum_that_the_server_names_is_compared(shelf, target):
    shelf.fields = {"x-goog-hash": "crc32c=AAAAAA==,md5=1B2M2Y8AsgTpgAmY7PhCfg=="}
    with pytest.raises(Damaged):
        fetch(shelf, target)


def test_an_md5_is_compared_where_there_is_nothing_better(shelf, target):
    remote = known(shelf)
    remote.crc32c, remote.md5 = None, b"\0" * 16
    with pytest.raises(Damaged, match="MD5"):
        fetch(shelf, target, remote=remote)


def test_one_bad_part_is_retried_alone(shelf, target):
    shelf.misdeeds = [well, cut(1000), well]
    fetch(shelf, target, remote=known(shelf), part_bytes=MIB, connections=1)
    fetched = fetch(shelf, target, remote=known(shelf), part_bytes=MIB, connections=2)
    assert target.read_bytes() == CONTENT
    assert fetched.fetched_bytes == len(CONTENT)


def test_a_file_that_is_stored_compressed_is_verified_as_stored_and_kept_expanded(shelf, target):
    shelf.content = gzip.compress(CONTENT)
    shelf.fields = {"Content-Encoding": "gzip"}
    done = fetch(shelf, target, remote=known(shelf, shelf.content))
    assert target.read_bytes() == CONTENT
    assert done.size == len(CONTENT)
    assert done.crc32c == google_crc32c.value(shelf.content)
    assert left_beside(target) == []
    shelf.content = shelf.content[:-20]
    target.unlink()
    with pytest.raises(Damaged, match="is cut"):
        fetch(shelf, target, remote=known(shelf, shelf.content))
    assert not target.exists()


def test_trouble_beyond_patience_is_told_and_what_has_arrived_is_kept(shelf, target):
    shelf.misdeeds = [cut(MIB), *[status("503 Busy")] * 6]
    with pytest.raises(Unavailable):
        fetch(shelf, target)
    done = fetch(shelf, target)
    assert (done.kept_bytes, done.fetched_bytes) == (MIB, len(CONTENT) - MIB)
    assert target.read_bytes() == CONTENT


def test_a_peer_that_gives_too_slowly_is_left_and_asked_for_the_rest(shelf, target):
    shelf.misdeeds = [dripping]
    fetch(shelf, target, min_bytes_per_s=MIB, slow_after_s=0.2)
    assert target.read_bytes() == CONTENT
    assert 0 < shelf.asked[1].start < 1000


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        (gzip.compress(b"one\n") + gzip.compress(CONTENT) + bytes(512), None),
        (gzip.compress(CONTENT) + b"and more", "is a damaged gzip"),
        (CONTENT, "is not"),
        (b"", "is not"),
    ],
    ids=["several members and padding", "other bytes behind", "no gzip", "nothing"],
)
def test_all_members_of_a_gzip_are_expanded_and_what_is_none_is_refused(shelf, target, stored, told):
    shelf.content, shelf.fields = stored, {"Content-Encoding": "gzip"}
    if told is None:
        assert fetch(shelf, target).size == 4 + len(CONTENT)
        assert target.read_bytes() == b"one\n" + CONTENT
        return
    with pytest.raises(Damaged, match=told):
        fetch(shelf, target)
    assert not target.exists()


@pytest.mark.parametrize(("content", "reserve", "told"), [
    (bytes(40 * MIB), 0, UnsafeArchive),
    (CONTENT, 1 << 60, NoRoom),
], ids=["budget", "disk"])  # fmt: skip
def test_what_comes_out_of_a_gzip_is_stopped_before_the_disk_is_full(
    shelf, target, monkeypatch, content, reserve, told
):
    shelf.content, shelf.fields = gzip.compress(content), {"Content-Encoding": "gzip"}
    monkeypatch.setattr("visionbatch.io.partial.RESERVE_BYTES", reserve)
    with pytest.raises(told):
        fetch(shelf, target)
    assert not any(path.stat().st_size > len(shelf.content) for path in target.parent.iterdir())
    assert not target.exists()


@pytest.mark.parametrize("spoiled", ["bytes", "note", "cut"])
def test_a_partial_file_that_was_spoiled_is_found_out(shelf, target, spoiled):
    shelf.misdeeds = [cut(2 * MIB), *[status("503 Busy")] * 6]
    with pytest.raises(Unavailable):
        fetch(shelf, target)
    partial = target.with_name(f".{target.name}.partial")
    note = partial.with_name(f"{partial.name}.json")
    if spoiled == "bytes":
        with partial.open("r+b") as file:
            file.seek(MIB)
            file.write(b"spoiled")
    elif spoiled == "cut":
        os.truncate(partial, MIB)
    else:
        note.write_text('{"schema": 1, "version": "\\"one\\"", "spans": [[0, 2097152, 1], [5, "x"], 7]}')
    done = fetch(shelf, target)
    assert done.kept_bytes == 0
    assert target.read_bytes() == CONTENT


def test_a_partial_file_of_another_version_is_forgotten(shelf, target):
    shelf.misdeeds = [cut(2 * MIB), *[status("503 Busy")] * 6]
    with pytest.raises(Unavailable):
        fetch(shelf, target, remote=known(shelf))
    shelf.content, shelf.etag = OTHER, '"two"'
    done = fetch(shelf, target, remote=known(shelf, OTHER))
    assert done.kept_bytes == 0
    assert target.read_bytes() == OTHER


PROGRAM = """
import sys
from pathlib import Path
from visionbatch.config import DownloadSettings
from visionbatch.transfer.download import Download
from visionbatch.transfer.link import Link
url, host, target = sys.argv[1:]
settings = DownloadSettings(checkpoint_s=0.0, block_bytes=64 * 1024)
with Link(url, hosts=(host,), settings=settings) as link:
    Download(link, Path(target), settings=settings).run()
"""


def child(shelf: Shelf, target: Path, **options) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, shelf.url, shelf.host, str(target)], **options)


def waiting_at(position: int, arrived: threading.Event, go_on: threading.Event):
    """Gives so many bytes and the rest only when it is told to."""

    def answer(shelf, peer, asked):
        peer.sendall(shelf.head(asked).encoded())
        shelf.give(peer, asked, asked.start + position)
        arrived.set()
        go_on.wait(20)
        return False

    return answer


def test_a_kill_leaves_the_old_file_or_the_new_one_and_the_rest_is_fetched(shelf, target):
    target.parent.mkdir()
    target.write_bytes(b"the old one")
    arrived, go_on = threading.Event(), threading.Event()
    shelf.misdeeds = [waiting_at(2 * MIB, arrived, go_on)]
    note = target.with_name(f".{target.name}.partial.json")

    def noted() -> int:
        try:
            return sum(stop - start for start, stop, _ in json.loads(note.read_text())["spans"])
        except (OSError, ValueError):
            return 0

    with child(shelf, target) as process:
        try:
            assert arrived.wait(20)
            wait_until(lambda: noted() == 2 * MIB)
        finally:
            process.send_signal(signal.SIGKILL)
    go_on.set()
    assert target.read_bytes() == b"the old one"
    done = fetch(shelf, target)
    assert target.read_bytes() == CONTENT
    assert (done.kept_bytes, done.fetched_bytes) == (2 * MIB, len(CONTENT) - 2 * MIB)
    assert left_beside(target) == []


@pytest.mark.fault("EX20")
def test_two_processes_with_one_target_do_not_mix(shelf, target):
    arrived, go_on = threading.Event(), threading.Event()
    shelf.misdeeds = [waiting_at(MIB, arrived, go_on)]
    with child(shelf, target) as process:
        try:
            assert arrived.wait(20)
            with pytest.raises(AlreadyRunning, match=r"export\.jsonl"):
                fetch(shelf, target)
            go_on.set()
            assert process.wait(30) == 0
        finally:
            go_on.set()
            process.kill()
    assert target.read_bytes() == CONTENT
    assert [asked.start for asked in shelf.asked] == [0, MIB]


def test_a_later_holder_never_writes_into_the_finished_file(shelf, target):
    with Partial(target, "v") as first:
        with pytest.raises(AlreadyRunning):
            Partial(target, "v")
        span = first.missing(3)[0]
        first.spans = [span]
        first.write(span, b"abc")
        first.finish()
    assert target.read_bytes() == b"abc"
    with Partial(target, "v") as second:
        assert second.arrived == 0
    assert target.read_bytes() == b"abc"


@pytest.fixture
def small_disk(tmp_path: Path):
    """A disk of one MiB; needs the right to mount."""
    place = tmp_path / "disk"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place]
    if subprocess.run(mounting, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.fault("EX9")
@pytest.mark.parametrize("connections", [1, 3])
def test_a_full_disk_keeps_what_has_arrived_and_the_next_try_asks_for_the_rest(shelf, small_disk, connections):
    target = small_disk / "export.jsonl"
    options = {"connections": connections, "part_bytes": MIB // 4, "checkpoint_s": 60.0}
    with pytest.raises(NoRoom) as caught:
        fetch(shelf, target, remote=known(shelf), **options)
    assert caught.value.persisted > MIB // 4
    assert not target.exists()
    assert "Make room" in str(caught.value)
    note = json.loads((small_disk / ".export.jsonl.partial.json").read_text())
    assert note["version"] == '"one"'
    subprocess.run(["mount", "-o", "remount,size=16m", small_disk], check=True)
    done = fetch(shelf, target, remote=known(shelf), **options)
    assert target.read_bytes() == CONTENT
    assert done.kept_bytes == sum(stop - start for start, stop, _ in note["spans"]) > MIB // 4
    assert done.kept_bytes + done.fetched_bytes == len(CONTENT)


HOSTILE = ["", ".", "..", "../x", "a/../../x", "/etc/passwd", "a//b", "a/", "C:/x", "c:x", "..\\x", "a\0b", "a\nb",
           "x" * (NAME_BYTES + 1), "\udc80"]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    with pytest.raises(UnsafeName):
        safe_target(tmp_path, name)


def test_a_link_in_the_target_folder_is_not_followed_out_of_it(tmp_path):
    (tmp_path / "out").mkdir()
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "way").symlink_to(tmp_path / "out")
    with pytest.raises(UnsafeName, match="link"):
        safe_target(folder, "way/x.jpg")
    assert safe_target(folder, "a/x.jpg") == folder / "a" / "x.jpg"


def test_the_longest_name_there_is_can_be_fetched(shelf, tmp_path):
    target = tmp_path / ("x" * NAME_BYTES)
    fetch(shelf, target)
    assert target.read_bytes() == CONTENT


def test_memory_does_not_grow_with_the_file(shelf, target):
    peaks = []
    program = PROGRAM + "from support.memory import peak_memory; print(peak_memory())"
    for size in (4 * MIB, 160 * MIB):
        shelf.content = bytes(size)
        command = [sys.executable, "-c", program, shelf.url, shelf.host, str(target)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250, check=True)
        assert target.stat().st_size == size
        peaks.append(int(ran.stdout))
    assert peaks[1] - peaks[0] < 16 * MIB
