"""Several processes read: the same files, the same errors, and no process is left."""

from __future__ import annotations

import gzip
import io
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.exports import RECORD, changed, contents, record, tables, write_lines
from visionbatch import ExportSource, export_tables
from visionbatch.errors import BrokenLine, InputMissing, SourceUnreadable
from visionbatch.io import jsonl
from visionbatch.pipelines import export_chunks, export_workers

VERDICT = ("work_items", 0, "input", 0, "job_conformity", 0)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The processes that were started, of small chunks each; all of them must have ended."""
    found: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def popen(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        found.append(start(*arguments, **options))
        return found[-1]

    monkeypatch.setattr(export_workers.subprocess, "Popen", popen)
    monkeypatch.setattr(export_chunks, "CHUNK_BYTES", 5_000)
    monkeypatch.setattr(jsonl, "BLOCK_BYTES", 2_000)
    yield found
    assert found
    assert all(process.returncode is not None for process in found)


def test_any_number_of_processes_gives_the_same_bytes(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    """Repeated work orders, unknown keys, broken lines, a line over the limit, a packed and an empty file."""
    odd = [changed(VERDICT, score=number) | {"id": f"odd-{number}"} for number in range(3)]
    lines = [record(id=f"order-{number % 40}", name="ä" * number) for number in range(60)]
    first = write_lines(tmp_path / "first", [*lines, b"{", b"", b'{"id": "\xff"}', *odd, record(name="x" * 9_000)])
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(write_lines(tmp_path / "plain", [record(metadata=None), *lines]).read_bytes()))
    empty = write_lines(tmp_path / "empty", [])
    found = {}
    for processes in (1, 3):
        sources = [ExportSource(path, path.name) for path in (first, packed, empty)]
        told = export_tables(sources, tmp_path / f"{processes}", max_line_bytes=8_000, processes=processes)
        assert (told.quarantined, told.rows["work_orders"], told.superseded) == (3, 44, 80)
        found[processes] = contents(tmp_path / f"{processes}")
    assert found[1] == found[3]
    assert len(started) == 3


@pytest.mark.usefixtures("started")
def test_the_first_error_of_the_export_is_raised_whoever_meets_another_sooner(tmp_path: Path) -> None:
    tables(tmp_path, RECORD)
    before = contents(tmp_path / "tables")
    path = write_lines(tmp_path / "broken", [RECORD, b"{"])
    for policy, error in (("fail", BrokenLine), ("quarantine", InputMissing)):
        with pytest.raises(error):
            export_tables([path, tmp_path / "nowhere"], tmp_path / "tables", on_broken_line=policy, processes=2)
    assert contents(tmp_path / "tables") == before


def test_a_process_that_is_killed_replaces_nothing_and_another_try_does(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    tables(tmp_path, RECORD)
    before = contents(tmp_path / "tables")
    content = write_lines(tmp_path / "export", [record(id=f"{number}") for number in range(60)]).read_bytes()

    class Deadly(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > len(content) // 2 and not any(process.poll() for process in started):
                started[0].kill()
                started[0].wait()
            return super().read(size)

    class Source:
        def open(self, mode: str, /) -> object:
            return Deadly(content)

    with pytest.raises(SourceUnreadable, match="a process that read lines of the export ended with -9"):
        export_tables([Source()], tmp_path / "tables", processes=2)
    assert contents(tmp_path / "tables") == before
    assert export_tables([tmp_path / "export"], tmp_path / "tables", processes=2).rows["work_orders"] == 60
