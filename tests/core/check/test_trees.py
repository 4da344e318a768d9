from __future__ import annotations

from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from core.check.builders import BATCH, JPEG, accepted, check, write, zipped
from visionbatch.io.local_tree import LocalTree
from visionbatch.io.object_tree import ObjectTree
from visionbatch.io.zip_tree import ZipTree
from visionbatch.model.tree import Archive, Entry, Kind


@pytest.mark.parametrize("path", ["", "..", "../x", "/etc/passwd", "WO_1//x", "WO_1/./x", "a\0b", "a\ud800"])
def test_no_tree_opens_a_path_that_is_not_inside_it(tmp_path, path):
    for tree in (LocalTree(tmp_path), ObjectTree(MemoryFileSystem(), str(tmp_path)), ZipTree(zipped(BATCH))):
        with pytest.raises(OSError):  # noqa: PT011  # each tree says it in its way
            tree.open(path).read()


def object_store(files: dict[str, bytes]) -> MemoryFileSystem:
    store = MemoryFileSystem(skip_instance_cache=True)
    # The class keeps one store for the whole process; this instance gets one of its own.
    store.store, store.pseudo_dirs = {}, [""]
    for path, content in files.items():
        store.pipe_file(path, content)
    return store


def all_trees(tmp_path: Path):
    return {
        "local": LocalTree(write(tmp_path, BATCH)),
        "object": ObjectTree(
            object_store({f"bucket/site1/{path}": body for path, body in BATCH.items()}), "bucket/site1"
        ),
        "zip": ZipTree(zipped(BATCH)),
    }


@pytest.mark.parametrize("kind", ["local", "object", "zip"])
def test_every_tree_shows_the_same_batch(tmp_path, kind):
    tree = all_trees(tmp_path)[kind]
    assert list(tree.entries()) == [Entry("WO_1", Kind.FOLDER), Entry("WO_2", Kind.FOLDER)]
    assert list(tree.entries("WO_1")) == [
        Entry("door-0.jpg", Kind.FILE, len(JPEG)),
        Entry("metadata.json", Kind.FILE, 2),
    ]
    for offset in (0, 1, len(JPEG) - 1, len(JPEG), len(JPEG) + 5):
        with tree.open("WO_1/door-0.jpg", offset) as stream:
            assert stream.read() == JPEG[offset:]
    assert accepted(check(tree)) == ["WO_1", "WO_2"]
    with pytest.raises(OSError):  # noqa: PT011  # whichever
        list(tree.entries("WO_3"))
    with pytest.raises(OSError):  # noqa: PT011  # whichever
        tree.open("WO_1/gone.jpg").read()


def test_only_a_zip_tree_is_an_archive(tmp_path):
    assert [name for name, tree in all_trees(tmp_path).items() if isinstance(tree, Archive)] == ["zip"]
