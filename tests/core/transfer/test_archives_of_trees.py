"""An archive is a function of its folder: the same bytes from every source, in every process, at any offset."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.archives import FOLDERS, KINDS, files_of, of_tree, part, write_files
from support.orders import read_whole, sha256
from visionbatch.deepomatic.rulebook import RULES
from visionbatch.errors import InvalidInput
from visionbatch.io.local_tree import LocalTree
from visionbatch.io.object_tree import ObjectTree
from visionbatch.model.tree import Tree
from visionbatch.transfer.folder import members

FILES = FOLDERS.map(lambda folder: dict(files_of(folder)))
ANSWER_S = 60.0


@contextmanager
def places(files: dict[str, bytes]) -> Iterator[dict[str, Tree]]:
    """The same files on disk, on disk again but older and written the other way round, and behind two filesystems."""
    memory, local = fsspec.filesystem("memory"), fsspec.filesystem("file")
    with tempfile.TemporaryDirectory() as name:
        one = write_files(Path(name) / "one", files)
        other = write_files(Path(name) / "other", dict(reversed(files.items())))
        for path in other.rglob("*"):
            os.utime(path, (1, 1))
            path.chmod(0o700)
        for path, content in files.items():
            memory.pipe_file(f"{name}/{path}", content)
        memory.makedirs(name, exist_ok=True)
        with LocalTree(one) as disk, LocalTree(other) as copy:
            yield {
                "disk": disk,
                "copy": copy,
                "file": ObjectTree(local, str(one)),
                "memory": ObjectTree(memory, f"memory://{name}"),
            }
        memory.rm(name, recursive=True)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=100)
@given(files=FILES)
def test_every_source_gives_the_same_bytes_under_the_same_identity(kind: str, files: dict[str, bytes]) -> None:
    with places(files) as trees:
        found = {name: of_tree(kind, tree) for name, tree in trees.items()}
        assert len({source.fingerprint for source in found.values()}) == 1
        assert len({read_whole(source) for source in found.values()}) == 1


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=100)
@given(files=FILES, data=st.data())
def test_any_part_from_any_source_is_the_slice_of_the_whole(
    kind: str, files: dict[str, bytes], data: st.DataObject
) -> None:
    with places(files) as trees:
        whole = read_whole(of_tree(kind, trees["disk"]))
        for tree in trees.values():
            offset = data.draw(st.integers(0, len(whole)))
            stop = data.draw(st.integers(offset, len(whole)))
            assert part(of_tree(kind, tree), offset, stop) == whole[offset:stop]


class Elsewhere:
    """A process with a hash seed of its own, which computes parts of archives."""

    def __init__(self, hash_seed: int) -> None:
        self._child = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("tree_parts.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PYTHONHASHSEED": str(hash_seed),
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            },
        )

    def asked(self, **question: Any) -> list[Any]:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(f"{json.dumps(question)}\n")
        self._child.stdin.flush()
        assert select.select([self._child.stdout], [], [], ANSWER_S)[0], "no answer in time"
        answer: list[Any] = json.loads(self._child.stdout.readline())
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.communicate(timeout=ANSWER_S)


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[list[Elsewhere]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Elsewhere(seed)) for seed in (0, 4_294_967_295)]


@settings(max_examples=100)
@given(kind=st.sampled_from(sorted(KINDS)), files=FILES, data=st.data())
def test_any_process_goes_on_at_any_offset(
    elsewhere: list[Elsewhere], kind: str, files: dict[str, bytes], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as name, LocalTree(write_files(Path(name), files)) as tree:
        source = of_tree(kind, tree)
        whole = read_whole(source)
        for process in elsewhere:
            offset = data.draw(st.integers(0, len(whole)))
            stop = data.draw(st.integers(offset, len(whole)))
            told = process.asked(kind=kind, folder=name, offset=offset, stop=stop)
            assert told == [source.fingerprint, source.size, sha256(whole[offset:stop])]


def test_names_come_in_the_order_of_code_points_and_folders_where_their_name_stands(tmp_path: Path) -> None:
    write_files(tmp_path, {"b/x": b"1", "B": b"2", "a": b"3", "\N{LATIN SMALL LETTER E WITH ACUTE}": b"4", "b-": b"5"})

    with LocalTree(tmp_path) as tree:
        found = [member.path for member in members(tree)]

    assert found == [
        "B", "a", "b/x", "b-", "\N{LATIN SMALL LETTER E WITH ACUTE}",
    ]  # fmt: skip


ODD_ENTRIES: dict[str, Callable[[Path], object]] = {
    "link": lambda folder: (folder / "odd").symlink_to(folder.parent),
    "special-file": lambda folder: os.mkfifo(folder / "odd"),
    "name-not-utf8": lambda folder: Path(os.fsdecode(os.fsencode(folder) + b"/odd\xff")).touch(),
}


@pytest.mark.parametrize("rule", ODD_ENTRIES)
def test_what_no_archive_can_hold_is_refused_by_the_name_of_its_rule(rule: str, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "tree", {"inner/a": b"1"}) / "inner"
    ODD_ENTRIES[rule](folder)

    with (
        LocalTree(folder.parent) as tree,
        pytest.raises(InvalidInput, match=r"inner/odd.* cannot be sent") as refused,
    ):
        list(members(tree))
    assert [(finding.rule, finding.path[:9]) for finding in refused.value.findings] == [(rule, "inner/odd")]
    assert rule in RULES
