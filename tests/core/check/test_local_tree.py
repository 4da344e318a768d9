from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from core.check.builders import BATCH, JPEG, accepted, broken, check, write
from visionbatch.io.local_tree import LocalTree


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of everything that is opened while the check runs."""
    seen: list[str] = []
    real = os.open

    def spy(path, *args, **kwargs):
        seen.append(os.fspath(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", spy)
    return seen


class Unopenable(LocalTree):
    """Stands for a user without rights: who runs as root can read everything."""

    def open(self, path, offset=0):
        if path.endswith("secret-0.jpg"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return super().open(path, offset)


@pytest.mark.fault("AR4")
def test_links_pipes_devices_and_locked_files_are_refused_with_their_path_and_never_opened(tmp_path, opened):
    outside = write(tmp_path / "outside", {"WO_9/door-0.jpg": JPEG})
    root = write(tmp_path / "root", {"WO_1/door-0.jpg": JPEG, "WO_2/secret-0.jpg": JPEG})
    odd = root / "WO_3"
    odd.mkdir()
    (odd / "file-0.jpg").symlink_to(root / "WO_1" / "door-0.jpg")
    (odd / "outside-0.jpg").symlink_to(outside / "WO_9" / "door-0.jpg")
    (odd / "loop-0.jpg").symlink_to("loop-0.jpg")
    (odd / "nowhere-0.jpg").symlink_to("gone")
    os.mkfifo(odd / "pipe-0.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(odd / "socket-0.jpg"))
        (odd / "device-0.jpg").symlink_to("/dev/zero")
        (root / "WO_4").symlink_to(outside / "WO_9")
        (root / "WO_5").symlink_to(".")
        os.mkfifo(root / "pipe")
        opened.clear()
        results = check(Unopenable(root))
    links = ("file", "outside", "loop", "nowhere", "device")
    assert broken(results) == {
        *(("link", f"WO_3/{name}-0.jpg") for name in links),
        ("special-file", "WO_3/pipe-0.jpg"),
        ("special-file", "WO_3/socket-0.jpg"),
        ("special-file", "pipe"),
        ("link", "WO_4"),
        ("link", "WO_5"),
        ("unreadable", "WO_2/secret-0.jpg"),
    }
    assert accepted(results) == ["WO_1"]
    assert set(opened) == {os.fspath(root), "WO_1", "WO_2", "WO_3", "door-0.jpg"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device")
def test_a_real_device_is_refused_without_being_opened(tmp_path):
    (tmp_path / "WO_1").mkdir()
    try:
        os.mknod(tmp_path / "WO_1" / "zero-0.jpg", 0o20666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("this machine's root may not make devices")
    assert broken(check(LocalTree(tmp_path))) == {("special-file", "WO_1/zero-0.jpg")}


@pytest.mark.parametrize("path", ["link/door-0.jpg", "WO_1/link.jpg", "WO_1/pipe", "WO_1", "WO_1/gone"])
def test_a_local_file_that_is_replaced_after_listing_is_not_read_through_a_link(tmp_path, path):
    root = write(tmp_path, {"WO_1/door-0.jpg": JPEG})
    (root / "link").symlink_to("WO_1")
    (root / "WO_1" / "link.jpg").symlink_to("door-0.jpg")
    os.mkfifo(root / "WO_1" / "pipe")
    with pytest.raises(OSError):  # noqa: PT011  # which one is the system's choice
        LocalTree(root).open(path)
    with pytest.raises(OSError):  # noqa: PT011  # the same
        LocalTree(root).entries("link")


def test_a_pipe_that_takes_a_file_s_place_at_the_last_moment_does_not_hang(tmp_path, monkeypatch):
    root = write(tmp_path, {"WO_1/door-0.jpg": JPEG})
    plain = (root / "WO_1" / "door-0.jpg").stat()
    (root / "WO_1" / "door-0.jpg").unlink()
    os.mkfifo(root / "WO_1" / "door-0.jpg")
    monkeypatch.setattr(os, "stat", lambda *args, **kwargs: plain)
    with pytest.raises(OSError, match="not a plain file"):
        LocalTree(root).open("WO_1/door-0.jpg")


def test_a_local_root_may_be_a_link_itself(tmp_path):
    root = write(tmp_path / "root", BATCH)
    (tmp_path / "current").symlink_to(root)
    assert accepted(check(LocalTree(tmp_path / "current"))) == ["WO_1", "WO_2"]


def test_a_local_tree_keeps_no_descriptor(tmp_path):
    root = write(tmp_path, BATCH)
    (root / "WO_1" / "link.jpg").symlink_to("x")
    before = len(list(Path("/proc/self/fd").iterdir()))
    tree = LocalTree(root)
    check(tree)
    listing = tree.entries()
    for path in ("WO_1/link.jpg", "WO_1", "WO_9/x"):
        with pytest.raises(OSError):  # noqa: PT011  # whichever
            tree.open(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert [entry.name for entry in listing] == ["WO_1", "WO_2"]
