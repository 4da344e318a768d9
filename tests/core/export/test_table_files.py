"""How the files come about: together, the same each time, in bounded memory."""

from __future__ import annotations

import fcntl
import gc
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import fsspec
import pytest

from support.exports import (
    RECORD,
    contents,
    expected,
    read_tables,
    record,
    tables,
    write_lines,
)
from visionbatch import ExportSource, export_tables
from visionbatch.deepomatic.export_schema import COLUMNS
from visionbatch.errors import AlreadyRunning, ConfigError, InputMissing, SourceUnreadable

ROOT = Path(__file__).parents[3]
MIB = 1 << 20


def test_the_same_export_gives_the_same_bytes(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "export.jsonl", [record(id=str(n % 40), name=str(n)) for n in range(60)])
    for target in ("first", "second"):
        export_tables([ExportSource(path, "export.jsonl", "generation 7")], tmp_path / target)
    first, second = contents(tmp_path / "first"), contents(tmp_path / "second")
    assert first == second
    export_tables([ExportSource(path, "export.jsonl", "generation 7")], tmp_path / "first")
    assert contents(tmp_path / "first") == first


def test_the_manifest_tells_rows_files_and_inputs(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "export.jsonl", [RECORD, b"{", RECORD])
    told = export_tables([ExportSource(path, "day 1", "generation 7")], tmp_path / "tables")
    manifest = json.loads((tmp_path / "tables" / "manifest.json").read_text())
    assert manifest["rows"] == told.rows == dict.fromkeys(COLUMNS, 1)
    assert (manifest["superseded"], manifest["quarantined"]) == (1, 1)
    assert manifest["inputs"] == [{"name": "day 1", "fingerprint": "generation 7", "lines": 3, "records": 2}]
    hashes = contents(tmp_path / "tables")
    assert {name: file["sha256"] for name, file in manifest["files"].items()} == {
        name: digest for name, digest in hashes.items() if name != "manifest.json"
    }
    assert len(json.dumps(told.to_json())) < 4096
    assert told.path("inputs") == tmp_path / "tables" / "inputs.parquet"


def test_gzip_and_files_of_a_store_are_read_alike(tmp_path: Path) -> None:
    plain = write_lines(tmp_path / "plain.jsonl", [RECORD])
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    store = fsspec.filesystem("memory")
    store.pipe_file("/bucket/export.jsonl", plain.read_bytes())

    class InStore:
        def open(self, mode: str, /) -> object:
            return store.open("/bucket/export.jsonl", mode)

    for path in (plain, packed, InStore()):
        export_tables([ExportSource(path, "export.jsonl")], tmp_path / "tables")
        assert read_tables(tmp_path / "tables") == expected([("export.jsonl", 1, RECORD)])


def test_no_files_give_empty_tables(tmp_path: Path) -> None:
    assert export_tables([], tmp_path / "tables").rows == dict.fromkeys(COLUMNS, 0)


def test_two_at_once_do_not_share_a_folder(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    handle = os.open(tmp_path / "tables", os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(AlreadyRunning, match="another process writes tables"):
            tables(tmp_path, RECORD)
    finally:
        os.close(handle)
    assert tables(tmp_path, RECORD).rows["work_orders"] == 1


def test_what_a_killed_run_left_is_cleared_away(tmp_path: Path) -> None:
    left = tmp_path / "tables" / ".tables-old.partial"
    left.mkdir(parents=True)
    (left / "inputs.parquet").write_bytes(b"half")
    tables(tmp_path, RECORD)
    assert not [path for path in (tmp_path / "tables").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("prepare", "error"),
    [
        (lambda path: None, InputMissing),
        (lambda path: path.write_bytes(gzip.compress(b"x" * 99)[:-4]), SourceUnreadable),
    ],
)
def test_a_file_that_cannot_be_read_replaces_nothing(prepare: Any, error: type[Exception], tmp_path: Path) -> None:
    tables(tmp_path, RECORD)
    before = contents(tmp_path / "tables")
    prepare(tmp_path / "bad.jsonl")
    with pytest.raises(error):
        export_tables([tmp_path / "export.jsonl", tmp_path / "bad.jsonl"], tmp_path / "tables")
    assert contents(tmp_path / "tables") == before


def test_a_disk_that_takes_no_more_replaces_nothing(tmp_path: Path) -> None:
    tables(tmp_path, RECORD)
    before = contents(tmp_path / "tables")
    write_lines(tmp_path / "export.jsonl", [record(id=os.urandom(99).hex()) for _ in range(2_000)])
    program = (
        "import resource, signal, sys, pathlib, visionbatch\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))\n"
        "try: visionbatch.export_tables([pathlib.Path(sys.argv[1])], sys.argv[2])\n"
        "except OSError as error: print(error)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "export.jsonl"), str(tmp_path / "tables")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Errno" in ran.stdout, ran.stderr
    assert contents(tmp_path / "tables") == before


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(enabled: bool, tmp_path: Path) -> None:
    try:
        (gc.enable if enabled else gc.disable)()
        tables(tmp_path, RECORD)
        assert gc.isenabled() is enabled
    finally:
        gc.enable()


@pytest.mark.parametrize("options", [{"on_broken_line": "ignore"}, {"max_line_bytes": 10}, {"processes": 0}])
def test_a_setting_that_cannot_be_is_refused_before_anything_is_made(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        export_tables([tmp_path / "nowhere.jsonl"], tmp_path / "tables", **options)
    assert not (tmp_path / "tables").exists()


@pytest.mark.parametrize("package", ["msgspec", "pyarrow"])
def test_without_the_extra_the_error_names_it(package: str, tmp_path: Path) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "import visionbatch\n"
        "try: visionbatch.export_tables([], sys.argv[1])\n"
        "except visionbatch.VisionBatchError as error: print(error)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "tables")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert package in ran.stdout
    assert "visionbatch[parquet]" in ran.stdout
    assert not (tmp_path / "tables").exists()


def peak(kind: str, count: int, folder: Path) -> dict[str, int]:
    folder.mkdir()
    command = [sys.executable, str(Path(__file__).with_name("tables_of_many.py")), kind, str(count), str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, env=environment)
    assert ran.returncode == 0, ran.stderr
    return dict(json.loads(ran.stdout))


@pytest.mark.parametrize(("kind", "few", "many"), [("usual", 3_000, 10_000), ("small", 100_000, 300_000)])
def test_memory_stays_below_its_limit_and_hardly_grows(kind: str, few: int, many: int, tmp_path: Path) -> None:
    """An export three times as large, with many bytes or with many work orders that each come twice."""
    first, second = peak(kind, few, tmp_path / "few"), peak(kind, many, tmp_path / "many")
    assert second["rows"] == (many // 2 if kind == "small" else many)
    assert second["peak"] < 256 * MIB
    assert second["peak"] < first["peak"] + 64 * MIB
