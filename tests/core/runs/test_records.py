"""Run records: small JSON that outlives versions, and the places that keep it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionbatch.errors import AlreadyRunning, NoRoom, UnreadableRecord
from visionbatch.io.run_files import FileRunStore
from visionbatch.io.run_objects import ObjectRunStore
from visionbatch.io.sinks import LocalSink, ObjectSink
from visionbatch.model.run import SCHEMA, RunRecord, RunStore, Stage

RECORDS = st.builds(
    RunRecord,
    service=st.text(max_size=10),
    fingerprint=st.text(max_size=10),
    generation=st.integers(1),
    stage=st.sampled_from(Stage),
    ref=st.text(max_size=10),
    total=st.integers(0),
    sent=st.integers(0),
    checked=st.integers(0),
    crc32c=st.integers(0, 2**32 - 1),
    deadline=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    outcome=st.text(max_size=10),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(record=RECORDS)
def test_a_record_survives_json(record: RunRecord) -> None:
    assert RunRecord.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_a_record_of_an_older_version_takes_defaults_and_one_with_more_keys_is_read() -> None:
    value = {"schema": SCHEMA, "service": "deepomatic", "fingerprint": "f", "stage": "created", "colour": "blue"}
    assert RunRecord.from_json(value) == RunRecord("deepomatic", "f", stage=Stage.CREATED)


def test_a_record_of_a_newer_version_is_refused_with_a_way_out() -> None:
    value = {**RunRecord("deepomatic", "f").to_json(), "schema": SCHEMA + 1}
    with pytest.raises(UnreadableRecord, match=f"schema {SCHEMA + 1}") as caught:
        RunRecord.from_json(value)
    assert "Upgrade" in caught.value.next_step


@settings(max_examples=300)
@given(value=JSON | st.fixed_dictionaries({"schema": st.just(1)}, optional={"stage": JSON, "service": JSON}))
def test_what_is_no_record_is_refused_and_never_crashes(value: Any) -> None:
    with pytest.raises(UnreadableRecord):
        RunRecord.from_json(value)


RECORD = RunRecord("deepomatic", "f", stage=Stage.CREATED, ref="batch-1", total=7)


def file_store(tmp_path: Path) -> FileRunStore:
    return FileRunStore(tmp_path / "state", "some run")


def local_object_store(tmp_path: Path) -> ObjectRunStore:
    return ObjectRunStore(fsspec.filesystem("file"), str(tmp_path / "runs" / "run.json"))


def memory_object_store(tmp_path: Path) -> ObjectRunStore:
    return ObjectRunStore(fsspec.filesystem("memory"), f"{tmp_path}/runs/run.json")


def top_level_object_store(tmp_path: Path) -> ObjectRunStore:
    return ObjectRunStore(fsspec.filesystem("dir", path=str(tmp_path), fs=fsspec.filesystem("file")), "run.json")


@pytest.fixture(params=[file_store, local_object_store, memory_object_store, top_level_object_store])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RunStore:
    return request.param(tmp_path)


def test_a_store_gives_back_what_was_saved_last_until_it_is_cleared(store: RunStore) -> None:
    assert store.load() is None
    store.save(RunRecord("deepomatic", "f"))
    store.save(RECORD)
    assert store.load() == RECORD
    store.clear()
    store.clear()
    assert store.load() is None


GARBAGE = [b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"schema": 1}', b'{"schema": 99}', b"[" * 100_000]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_a_damaged_file_is_refused_by_name_and_left_alone(garbage: bytes, tmp_path: Path) -> None:
    store = file_store(tmp_path)
    store.save(RECORD)
    store.path.write_bytes(garbage)
    with pytest.raises(UnreadableRecord, match=str(store.path)):
        store.load()
    assert store.path.read_bytes() == garbage


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_a_damaged_object_is_refused_by_name(garbage: bytes, tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/damaged/run.json", garbage)
    with pytest.raises(UnreadableRecord, match=r"damaged/run\.json"):
        ObjectRunStore(memory, "/damaged/run.json").load()


def test_an_interrupted_save_leaves_the_old_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = file_store(tmp_path)
    store.save(RECORD)

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(NoRoom, match="No space left"):
        store.save(RunRecord("deepomatic", "f", stage=Stage.UPLOADED))
    monkeypatch.undo()

    assert store.load() == RECORD


def test_records_are_private_and_runs_do_not_share_one(tmp_path: Path) -> None:
    one, other = FileRunStore(tmp_path / "s", "a/b"), FileRunStore(tmp_path / "s", "a.b")
    one.save(RECORD)

    assert other.load() is None
    assert one.path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o700
    assert [path.name for path in (tmp_path / "s").iterdir()] == [one.path.name]


LOCKER = """
import sys
from pathlib import Path
from visionbatch.errors import AlreadyRunning
from visionbatch.io.run_files import FileRunStore
try:
    with FileRunStore(Path(sys.argv[1]), "some run").locked():
        sys.exit(0)
except AlreadyRunning as error:
    print(error)
    sys.exit(int(error.exit_code))
"""


def lock_elsewhere(tmp_path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LOCKER, str(tmp_path / "state")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )


def test_a_second_process_is_told_who_holds_the_run_and_gets_it_afterwards(tmp_path: Path) -> None:
    with file_store(tmp_path).locked():
        refused = lock_elsewhere(tmp_path)
        assert refused.returncode == 10, refused.stderr
        assert f"process {os.getpid()} on {os.uname().nodename}" in refused.stdout
        with pytest.raises(AlreadyRunning), file_store(tmp_path).locked():
            pass
    assert lock_elsewhere(tmp_path).returncode == 0


def test_sinks_write_whole_files_and_say_where(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    assert LocalSink(tmp_path / "out").write("a.json", b"{}") == str(tmp_path / "out/a.json")
    assert ObjectSink(memory, f"{tmp_path}/out/", "memory://out/").write("a.json", b"{}") == "memory://out/a.json"

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.json"]
    assert memory.cat_file(f"{tmp_path}/out/a.json") == b"{}"
