"""The command line of the export."""

from __future__ import annotations

import json

import pytest

from support.buckets import Bucket, line
from visionbatch.cli import main

CONFIG = {"site_id": ["ed8cf35c-6325-4d38-86da-e8fb21c3d792"], "storage_uri": "gs://exports/prod"}


@pytest.fixture
def anyones(mock, emulated) -> Bucket:
    """A bucket of the customer without a credential."""
    mock.world.tenant("anonymous").reset()
    return Bucket(emulated, "exports").make()


def told(capsys, *arguments: str) -> tuple[int, dict]:
    code = main(["--json", "deepomatic", *arguments])
    return code, json.loads(capsys.readouterr().out)


def test_an_export_is_fetched_once_and_nothing_has_a_code_of_its_own(anyones, tmp_path, capsys):
    fetch = ("export", "fetch", "gs://exports/prod", str(tmp_path / "out"))
    code, value = told(capsys, *fetch, "--error-on-nothing")
    assert (code, value["outcome"]) == (9, "nothing_new")
    assert told(capsys, *fetch)[0] == 0
    anyones.put("prod/a.jsonl", line("wo-1"))
    assert told(capsys, *fetch)[1]["outcome"] == "done"
    assert (tmp_path / "out" / "data" / "a.jsonl").read_bytes() == line("wo-1")
    assert told(capsys, *fetch)[1]["outcome"] == "already_done"
    assert told(capsys, *fetch, "--since", "2025-05-12T00:00:00")[0] == 2


def test_the_table_is_printed_and_the_doctor_has_a_code(mock, anyones, tmp_path, capsys):
    path = tmp_path / "export.json"
    path.write_text(json.dumps(CONFIG))
    assert main(["deepomatic", "export", "config", str(path)]) == 0
    assert "gs://exports/prod" in capsys.readouterr().out
    code, value = told(capsys, "export", "doctor", str(path))
    assert (code, value["missing"]) == (0, [])
    mock.world.tenant("anonymous").configure(reader_permissions=["storage.objects.get"])
    code, value = told(capsys, "export", "doctor", str(path))
    assert (code, value["missing"]) == (4, ["storage.objects.list"])
    path.write_text("[]")
    assert main(["deepomatic", "export", "config", str(path)]) == 2


def test_what_was_fetched_becomes_tables_and_a_report(anyones, tmp_path, capsys):
    anyones.put("prod/a.jsonl", line("wo-1"))
    anyones.put("prod/b.jsonl", line("wo-2") + b"broken\n")
    out = tmp_path / "out"
    assert told(capsys, "export", "fetch", "gs://exports/prod", str(out))[0] == 0
    code, value = told(capsys, "export", "tables", str(out), "--out", str(out / "tables"))
    assert code == 0
    assert (value["rows"]["work_orders"], value["quarantined"]) == (2, 1)
    page = tmp_path / "report.html"
    code, value = told(capsys, "export", "report", str(out / "tables"), "--out", str(page))
    assert (code, value["written"]) == (0, [str(page)])
    assert main(["deepomatic", "export", "tables", str(out), "--out", str(out / "t"), "--on-broken-line", "fail"]) == 3
