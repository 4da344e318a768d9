"""Events on the disk and in an object store: each once, whole, and never replaced."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from visionbatch.errors import Unreachable
from visionbatch.io.landing import Landing, LocalLanding, ObjectLanding


@pytest.fixture(params=["disk", "store"])
def landing(request: pytest.FixtureRequest, tmp_path: Path) -> Landing:
    if request.param == "disk":
        return LocalLanding(tmp_path / "landed")
    return ObjectLanding(MemoryFileSystem(skip_instance_cache=True), f"{tmp_path}/landed")


def read(landing: Landing, folder: str) -> dict[str, bytes]:
    if isinstance(landing, LocalLanding):
        return {path.name: path.read_bytes() for path in (landing._path / folder).iterdir()}
    assert isinstance(landing, ObjectLanding)
    store = landing._filesystem
    return {name.rpartition("/")[2]: store.cat_file(name) for name in store.find(f"{landing._path}/{folder}")}


def test_the_first_one_stays(landing):
    assert landing.land("task", "a.jsonl", b"1\n")
    assert not landing.land("task", "a.jsonl", b"forged\n")
    assert landing.land("task", "b.jsonl", b"2\n")
    assert read(landing, "task") == {"a.jsonl": b"1\n", "b.jsonl": b"2\n"}


def test_a_place_that_cannot_be_written_is_told_as_one_of_our_errors(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unreachable, match=r"cannot be written.*Safe to retry"):
        LocalLanding(tmp_path / "file").land("task", "a.jsonl", b"1\n")


def _land(path: Path, number: int, gate: object) -> int:
    gate.wait()  # type: ignore[attr-defined]
    landing = LocalLanding(path)
    return sum(landing.land("task", f"{name}.jsonl", f"{number}\n".encode() * 1000) for name in range(50))


def test_of_several_processes_one_writes_each_event(tmp_path):
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(3) as pool:
        gate = manager.Barrier(3)
        written = pool.starmap(_land, [(tmp_path, number, gate) for number in range(3)])
    assert sum(written) == 50
    files = list((tmp_path / "task").iterdir())
    assert len(files) == 50, "no partial file is left"
    assert all(len(set(path.read_bytes().splitlines())) == 1 for path in files)
