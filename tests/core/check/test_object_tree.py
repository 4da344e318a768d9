from __future__ import annotations

import os

import pytest

from core.check.builders import broken, check, findings
from visionbatch.io import object_tree
from visionbatch.io.object_tree import ObjectTree
from visionbatch.model.tree import Entry, Kind


class Listing:
    """A store that answers with what it is told to, by prefix, as some do."""

    def __init__(self, *names: str, size: int = 0) -> None:
        self._items = [
            {"name": name.removesuffix("|dir"), "type": "directory" if name.endswith("|dir") else "file", "size": size}
            for name in names
        ]
        self.forgotten = 0

    def ls(self, path, detail=True):
        assert detail
        return self._items

    def invalidate_cache(self, path):
        self.forgotten += 1


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["b/site1/A|dir", "b/site10/B|dir", "b/site1x|dir"], [Entry("A", Kind.FOLDER)]),
        (["/b/site1/A|dir", "gs://b/site1/B|dir"], [Entry("A", Kind.FOLDER), Entry("B", Kind.FOLDER)]),
        (["b/site1", "b/site1/", "b/site1|dir"], []),
        (["b/site1/A/", "b/site1/A|dir"], [Entry("A", Kind.FOLDER)]),
        (["b/site1/A|dir", "b/site1/A"], [Entry("A", Kind.FOLDER)]),
        (["b/site1/A_$folder$", "b/site1/A|dir"], [Entry("A", Kind.FOLDER)]),
        (["b/site1/A/deep.jpg"], []),
    ],
)
def test_markers_and_look_alikes_of_an_object_store_are_not_mistaken_for_content(names, expected):
    store = Listing(*names)
    assert list(ObjectTree(store, "gs://b/site1/").entries()) == expected
    assert store.forgotten


@pytest.mark.parametrize("turn", [1, -1])
def test_an_object_with_bytes_is_not_hidden_by_a_folder_of_its_name(turn):
    [folder], [file] = Listing("b/A|dir").ls("b"), Listing("b/A", size=5).ls("b")
    store = Listing()
    store._items = [folder, file][::turn]
    assert broken(check(ObjectTree(store, "b"))) == {("file-at-root", "A")}


def test_an_object_store_s_own_errors_are_os_errors_and_so_become_findings():
    class Failing(Listing):
        def ls(self, path, detail=True):
            raise LookupError("token expired")

    [found] = findings(check(ObjectTree(Failing(), "gs://b/x")))
    assert (found.rule, found.path) == ("unreadable", "")
    assert "token expired" in found.message


def test_the_location_of_an_object_tree_names_no_user():
    assert ObjectTree(Listing(), "sftp://me:secret@host/a@b").location == "sftp://host/a@b"


class Counting:
    """One object, with a store's refusal of ranges beyond its end."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.ranges: list[tuple[int, int]] = []

    def cat_file(self, path, start=None, end=None):
        self.ranges.append((start, end))
        if start >= len(self.content):
            raise ValueError("416 range not satisfiable")
        return self.content[start:end]

    def info(self, path):
        return {"size": len(self.content)}


def test_an_object_s_header_costs_one_small_request():
    store = Counting(bytes(10_000_000))
    with ObjectTree(store, "b").open("A/x.jpg") as stream:
        stream.read(4096)
    assert store.ranges == [(0, object_tree.FIRST_READ_BYTES)]


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 65_537, 3 * 65_536, 1_000_000])
def test_an_object_is_read_to_its_end_in_growing_requests(size):
    content = os.urandom(size)
    store = Counting(content)
    with ObjectTree(store, "b").open("A/x.jpg") as stream:
        assert stream.read() == content
    assert len(store.ranges) <= 6
