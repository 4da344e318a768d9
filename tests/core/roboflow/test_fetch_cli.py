"""``visionbatch roboflow fetch``, as a scheduler runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.outputs import Outputs
from support.tars import member, tar
from visionbatch.cli import main


@pytest.fixture
def command(mock, tenant, monkeypatch, capsys):
    monkeypatch.setenv("VISIONBATCH_ROBOFLOW_API_KEY", tenant.token)

    def run(*arguments: object) -> tuple[int, str, str]:
        given = ["roboflow", "--url", mock.url, "--store-host", mock.url, "fetch", *map(str, arguments)]
        code = main(["--json", *given])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_the_results_of_a_job_are_fetched_and_joined(command, tenant, tmp_path: Path):
    Outputs(tenant).job("j-1", ("a.jpg", "b.jpg"))
    code, out, _ = command("--job", "j-1", "--table", tmp_path / "out")
    told = json.loads(out)
    assert (code, told["outcome"], told["table"]["rows"]) == (0, "done", 2)
    assert told["files"] == ["j-1-export/results-archives/results_0"]
    rows = (tmp_path / "out" / told["files"][0] / "aggregated_results.jsonl").read_bytes().splitlines()
    assert [json.loads(row)["image"] for row in rows] == ["a.jpg", "b.jpg"]
    assert json.loads(Path(told["manifest"]).read_bytes())["outcome"] == "done"


def test_exit_codes_say_what_a_scheduler_may_do(command, tenant, tmp_path: Path):
    Outputs(tenant).batch("b-1", {"results": [("r.tar", tar(member("../x", b"x")))]})
    code, out, err = command("--batch", "b-1", tmp_path / "out")
    assert (code, json.loads(out)["error"]) == (6, "UnsafeArchive")
    assert "leads-up" in err
    assert command("--batch", "b-1", "--on-bad-member", "skip", tmp_path / "out")[0] == 0
    assert command("--batch", "b-1", "--on-bad-member", "ignore", tmp_path / "out")[0] == 2
    assert command(tmp_path / "out")[0] == 2
    assert command("--batch", "gone", tmp_path / "out")[0] == 6
