"""The command line of VIAS, at the mock and on its clock as it runs."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from core.vias.bodies import DOCUMENTED
from core.vias.conftest import Project
from support.books import Books
from visionbatch.cli import main
from visionbatch_mock import MockServer
from visionbatch_mock.tenant import Tenant

BODY = {
    "name": "nightly",
    "service_name": "fire",
    "service_version": "1.0",
    "batch_input": {
        "video_source_group": [
            {
                "video_source_group_id": "group-0001",
                "video_source_list": [{"video_source_id": "source-0001"}, {"video_source_id": "source-0002"}],
            }
        ]
    },
    "output": {"event_center": True},
}


ALL_AT_ONCE = dict.fromkeys(["PENDING", "STARTING", "RUNNING", "STOPPING"], 0)


class Shell:
    """Runs the command with this customer's key in the environment; the mock's time goes on as fast as it can."""

    def __init__(self, project: Project, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self._project = project
        self._capsys = capsys
        self.url = project.url
        self.folder = folder
        project.tenant.configure(vias_durations=ALL_AT_ONCE)

    def __call__(self, *arguments: str, of: Tenant | None = None) -> tuple[int, Any]:
        url, tenant = self._project.url, of or self._project.tenant
        options = ["--url", url, "--iam-url", url, "--access-key", tenant.token]
        code = main(["--json", "vias", *options, *arguments])
        out = self._capsys.readouterr().out
        return code, json.loads(out) if out else None

    def file(self, body: Any) -> str:
        path = self.folder / "body.json"
        path.write_text(json.dumps(body))
        return str(path)


@pytest.fixture
def shell(
    project: Project,
    tenant: Tenant,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Shell:
    # The command has the machine's clock, by which its signatures are dated.
    tenant.clock.run()
    monkeypatch.setenv("VISIONBATCH_VIAS_SECRET_KEY", "secret")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Shell(project, capsys, tmp_path)


def test_a_body_is_checked_without_a_request(shell: Shell, books: Books) -> None:
    code, told = shell("check", shell.file(DOCUMENTED))
    assert (code, len(told["warnings"])) == (0, 3)
    code, told = shell("check", shell.file({**BODY, "name": "night shift"}))
    assert code == 3
    assert not books.tenant.journal.entries()


def test_a_batch_is_made_waited_for_and_not_made_again(shell: Shell, books: Books) -> None:
    for _ in range(2):
        code, told = shell("create", shell.file(BODY))
        assert (code, told["outcome"], told["counts"]["succeeded"]) == (0, "done", 2)
    assert told["already_done"]
    assert len(books.effects("vias.batch_created")) == 1


def test_two_projects_have_a_run_each_and_neither_takes_the_other_s(
    shell: Shell, mock: MockServer, tenant: Tenant, books: Books
) -> None:
    other = mock.world.tenant(f"{tenant.token}-other")
    other.configure(vias_open_sources=True, vias_lives={"*": ["RUNNING"]}, vias_durations=ALL_AT_ONCE)
    other.clock.run()
    tenant.configure(vias_lives={"*": ["RUNNING"]})
    running = ("create", shell.file(BODY), "--wait-for", "running")
    mine, theirs = (shell(*running, of=who)[1] for who in (tenant, other))
    for who, made in ((tenant, mine), (other, theirs)):
        code, told = shell(*running, of=who)
        assert (code, told["batch_id"], told["generation"]) == (0, made["batch_id"], 1)
    assert mine["batch_id"] != theirs["batch_id"]
    named = (*running, "--run-id", "order-1", "--name", "another")
    assert shell(*named, of=tenant)[0] == 0
    code, told = shell(*named, of=other)
    assert (code, "belongs to project" in told["what"]) == (2, True)
    assert [len(Books(who).effects("vias.batch_created")) for who in (tenant, other)] == [2, 1]


def test_a_batch_is_listed_asked_stopped_started_waited_for_and_deleted(shell: Shell, tenant: Tenant) -> None:
    tenant.configure(vias_lives={"*": ["RUNNING"]})
    code, made = shell("create", shell.file(BODY), "--no-wait")
    assert (code, made["outcome"]) == (0, "submitted")
    batch_id = made["batch_id"]
    assert shell("list")[1]["batches"][0]["batch_id"] == batch_id
    assert shell("status", batch_id, "--wait-for", "running")[1]["phase"] == "succeeded"
    assert shell("stop", batch_id)[1]["succeeded"] == 2
    assert shell("start", batch_id)[1]["succeeded"] == 2
    assert shell("wait", batch_id, "--wait-for", "running", "--timeout", "20")[0] == 0
    assert shell("delete", batch_id)[0] == 0
    assert shell("delete", "0" * 32)[1]["gone"]


def test_single_tasks_and_what_there_is_to_choose_from(shell: Shell, tenant: Tenant, books: Books) -> None:
    tenant.configure(vias_lives={"*": ["RUNNING"]})
    given = {"type": "video_source", "data": [{"video_source_id": "source-0001"}, {"video_source_id": "source-0002"}]}
    body = {name: value for name, value in BODY.items() if name != "batch_input"}
    code, made = shell("task", "create", shell.file({**body, "input": given}))
    assert (code, made["wanted"]) == (0, 2)
    (first, second) = made["task_ids"]
    assert shell("task", "stop", first)[0] == 0
    assert shell("task", "show", first)[1]["state"] == "STOPPED"
    assert [task["task_id"] for task in shell("task", "list", "--state", "running")[1]["tasks"]] == [second]
    assert shell("task", "start", first)[0] == 0
    assert shell("task", "delete", first)[1]["status"] == 200
    assert shell("task", "delete", "0" * 32)[1]["gone"]
    tenant.vias.places.add_group("yard")
    assert [entry["name"] for entry in shell("sources", "0002")[1]["sources"]] == ["source-0002"]
    assert [entry["name"] for entry in shell("groups")[1]["groups"]] == ["yard"]
    assert [entry["api"] for entry in shell("algorithms", "FIRE")[1]["algorithms"]] == ["fire"]
    assert shell("pools")[1]["pools"] == []
    assert shell("task", "create", shell.file({**body, "name": "night shift", "input": given}))[0] == 3
    assert len(books.requests("vias.tasks.create")) == 1


def test_a_partial_answer_has_an_exit_code_of_its_own(shell: Shell, tenant: Tenant) -> None:
    tenant.configure(vias_refusals={"create": ["source-0002"], "stop": ["source-0001"]}, vias_lives={"*": ["RUNNING"]})
    code, told = shell("create", shell.file(BODY))
    assert (code, told["error"]) == (7, "JobPartial")
    batch_id = told["ref"]
    junit = shell.folder / "junit.xml"
    assert shell("create", shell.file(BODY), "--dry-run")[1]["dry_run"]
    assert shell("create", shell.file(BODY), "--junit", str(junit))[0] == 7
    assert ET.parse(junit).getroot().get("failures") == "1"
    assert shell("stop", batch_id)[0] == 7
    code, told = shell("stop", batch_id, "--on-partial", "warn")
    assert (code, told["failed"]) == (0, 1)


def test_a_secret_of_stdin_is_read_once_and_a_wrong_one_is_told_as_wrong(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, books: Books
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("wrong\n"))
    code, told = shell("--secret-file", "-", "list")
    assert (code, told["error"]) == (4, "NotAuthorized")
    monkeypatch.setattr("sys.stdin", io.StringIO("secret\n"))
    assert shell("--secret-file", "-", "list")[0] == 0
    monkeypatch.setattr("sys.stdin", None)
    code, told = shell("--secret-file", "-", "list")
    assert (code, told["what"]) == (2, "stdin is closed, where a secret was expected")


def test_a_security_token_with_a_line_break_is_refused_and_not_shown(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "token").write_text("AAAAsecret\nBBBBsecret\n")
    monkeypatch.setenv("VISIONBATCH_VIAS_SECURITY_TOKEN_FILE", str(tmp_path / "token"))
    code, told = shell("list")
    assert (code, "2 lines" in told["what"], "secret\n" in str(told)) == (2, True, False)
    monkeypatch.delenv("VISIONBATCH_VIAS_SECURITY_TOKEN_FILE")
    assert main(["vias", "--access-key", "half\nrest", "--project-id", "p" * 32, "list"]) == 2
    printed = capsys.readouterr()
    assert "rest" not in printed.out + printed.err


def test_a_time_and_a_home_that_are_none_are_refused(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for time in ("nan", "inf", "0", "-1"):
        assert shell("wait", "0" * 32, "--timeout", time)[0] == 2
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "")
    code, told = shell("create", shell.file(BODY))
    assert (code, "no home directory" in told["what"]) == (2, True)


def test_a_live_stream_is_refused_before_a_batch_is_made_for_which_somebody_waits(
    shell: Shell, project: Project, books: Books
) -> None:
    source = {"video_source_name": "yard", "access_type": "cloud", "type": "vcn", "type_config": "<type>VCN</type>"}
    camera = project().ask("CreateVideoSource", body=source)["video_source_id"]
    group = {"video_source_group_id": "group-0001", "video_source_list": [{"video_source_id": camera}]}
    body = shell.file({**BODY, "batch_input": {"video_source_group": [group]}})
    code, told = shell("create", body)
    assert (code, "live stream" in told["what"]) == (2, True)
    assert not books.effects("vias.batch_created")
    code, made = shell("create", body, "--no-wait")
    assert (code, made["outcome"]) == (0, "submitted")


def test_a_batch_that_turns_out_to_be_endless_when_it_is_made_is_not_told_as_not_sent(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, project: Project, books: Books
) -> None:
    source = {"video_source_name": "yard", "access_type": "cloud", "type": "vcn", "type_config": "<type>VCN</type>"}
    camera = project().ask("CreateVideoSource", body=source)["video_source_id"]
    sources = [{"video_source_id": "source-0001"}, {"video_source_id": camera}]
    group = {"video_source_group_id": "group-0001", "video_source_list": sources}
    # As for a group without a list, whose sources nobody can name before.
    monkeypatch.setattr("visionbatch.pipelines.vias_wait.require_finite_sources", lambda *_: None)
    code, told = shell("create", shell.file({**BODY, "batch_input": {"video_source_group": [group]}}))
    assert (code, told["error"]) == (8, "DeadlinePassed")
    assert [effect["batch_id"] for effect in books.effects("vias.batch_created")] == [told["ref"]]


def test_a_run_is_cancelled_by_its_name_and_a_doctor_looks(
    shell: Shell, tenant: Tenant, books: Books, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant.configure(vias_lives={"*": ["RUNNING"]})
    batch_id = shell("create", shell.file(BODY), "--no-wait")[1]["batch_id"]
    for name in ("URL", "IAM_URL"):
        monkeypatch.setenv(f"VISIONBATCH_VIAS_{name}", shell.url)
    monkeypatch.setenv("VISIONBATCH_VIAS_ACCESS_KEY", tenant.token)
    assert main(["--json", "runs", "cancel", batch_id]) == 0
    assert json.loads(capsys.readouterr().out)["cancelled"] == batch_id
    assert len(books.requests("vias.batch_tasks.stop")) == 1
    code, told = shell("doctor")
    assert (code, {step["name"]: step["passed"] for step in told["steps"]}["credential"]) == (0, True)


def test_somebody_else_s_batch_is_not_cancelled_by_the_run_that_went_on_with_it(
    shell: Shell, tenant: Tenant, project: Project, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.configure(vias_lives={"*": ["RUNNING"]})
    project().ask("CreateBatchTask", body=BODY)
    [theirs] = [effect["batch_id"] for effect in books.effects("vias.batch_created")]
    code, told = shell("create", shell.file(BODY), "--no-wait", "--adopt")
    assert (code, told["batch_id"]) == (0, theirs)
    for name in ("URL", "IAM_URL"):
        monkeypatch.setenv(f"VISIONBATCH_VIAS_{name}", shell.url)
    monkeypatch.setenv("VISIONBATCH_VIAS_ACCESS_KEY", tenant.token)
    assert main(["runs", "cancel", theirs]) == 2
    assert books.requests("vias.batch_tasks.stop") == []


def test_what_is_missing_is_a_usage_error(shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("VISIONBATCH_VIAS_SECRET_KEY")
    assert shell("list")[0] == 2
    assert main(["vias", "list"]) == 2
    assert shell("check", str(tmp_path / "none.json"))[0] == 2
