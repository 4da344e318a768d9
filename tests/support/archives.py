"""Archives that are computed, of either kind, and trees to make them of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from support.trees import MemoryTree
from visionbatch.model.tree import Member, Tree
from visionbatch.transfer.folder import members
from visionbatch.transfer.plan import Plan
from visionbatch.transfer.source import Source
from visionbatch.transfer.tar_shard import TarShard
from visionbatch.transfer.zip_archive import ZipArchive

KINDS: dict[str, Callable[[Plan, Tree], Source]] = {"zip": ZipArchive, "tar": TarShard}

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=8).filter(
    lambda name: name not in {".", ".."}
)

FOLDERS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    NAMES,
    st.recursive(st.binary(max_size=700), lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=6),
    max_size=5,
)
"""Folders as mappings of names to bytes or to more folders; anything that a disk can hold."""


def files_of(folder: dict[str, Any], above: str = "") -> Iterator[tuple[str, bytes]]:
    """Paths and bytes."""
    for name, content in folder.items():
        path = f"{above}{name}"
        if isinstance(content, dict):
            yield from files_of(content, f"{path}/")
        else:
            yield path, content


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return folder


def in_memory(kind: str, files: dict[str, bytes], sizes: dict[str, int] | None = None) -> Source:
    """An archive of files in memory, with other sizes in its plan where given."""
    plan = Plan("memory")
    for path, content in files.items():
        plan.add(Member(path, (sizes or {}).get(path, len(content)), content[:4096]))
    return KINDS[kind](plan, MemoryTree(files.__getitem__))


def of_tree(kind: str, tree: Tree) -> Source:
    plan = Plan("tree")
    for member in members(tree):
        plan.add(member)
    return KINDS[kind](plan, tree)


def part(source: Source, offset: int, stop: int, block_bytes: int = 1 << 16) -> bytes:
    return b"".join(bytes(block) for block in source.blocks(offset, stop, block_bytes))
