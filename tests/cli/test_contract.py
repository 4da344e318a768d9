"""What schedulers rely on: exit codes, one JSON document, signals, reruns, locks."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from support.books import CHUNKS, CREATE
from support.command_line import COMMAND
from support.patience import wait_until
from visionbatch.errors import ExitCode

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "answer.schema.json").read_text())


def test_a_folder_goes_from_check_to_report_with_one_command(vb, orders, books, tmp_path):
    ended = vb("--json", "deepomatic", "run", orders, "--report-dir", tmp_path / "reports")
    assert ended.code == 0, ended.err
    (committed,) = books.effects("archive.committed")
    assert ended.json["batch_id"] == committed["batch_id"]
    assert ended.json["outcome"] == "done"
    assert (tmp_path / "reports" / f"{committed['batch_id']}.manifest.json").is_file()


@pytest.mark.fault("CL7")
def test_the_same_command_again_does_nothing_and_says_so(vb, orders, books):
    first = vb("--json", "deepomatic", "run", orders)
    again = vb("deepomatic", "run", orders)
    assert (first.code, again.code) == (0, 0)
    assert again.out.startswith("already done: batch ")
    assert first.json["batch_id"] in again.out
    assert len(books.requests(CREATE)) == 1
    assert len(books.effects("archive.committed")) == 1


def test_another_run_id_is_another_run(vb, orders, books):
    for run_id in ("order-1", "order-2", "order-1"):
        assert vb("deepomatic", "run", orders, "--run-id", run_id).code == 0
    assert len(books.effects("archive.committed")) == 2


def test_what_was_submitted_is_waited_for_by_its_id_or_by_the_same_run(vb, orders, books, tenant):
    tenant.configure(lifecycle="manual")
    submitted = vb("--json", "deepomatic", "submit", orders, "--label", "nightly")
    assert (submitted.code, submitted.json["outcome"]) == (0, "submitted")
    late = vb("deepomatic", "wait", submitted.json["batch_id"], "--timeout", "0.1")
    assert late.code == ExitCode.DEADLINE
    tenant.configure(lifecycle="time")
    ended = vb("--json", "deepomatic", "run", orders)
    assert (ended.code, ended.json["batch_id"]) == (0, submitted.json["batch_id"])
    assert len(books.effects("archive.committed")) == 1


@pytest.mark.fault("CL1")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGHUP, 129), (signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_an_upload_with_its_own_code_and_the_next_one_goes_on(vb, orders, books, tenant, number, code):
    plan = tenant.faults.plan({"instructions": {CHUNKS: ["stall-for-30s-after-512K"]}})
    process = vb.start("--json", "--progress", "json", "deepomatic", "run", orders)
    wait_until(lambda: books.requests(CREATE) and plan.completed)
    asked = time.monotonic()
    process.send_signal(number)
    ended = vb.ended(process)
    # What is under way would have taken thirty; a machine that is busy takes more than the five that are promised.
    assert time.monotonic() - asked < 20
    assert ended.code == code, ended.err
    assert f"stopped by {number.name}; run the same command again to go on" in ended.err
    jsonschema.validate(ended.json, SCHEMA)
    assert ended.json["exit"] == {"code": code, "name": "stopped", "retry_safe": True}
    again = vb("--json", "deepomatic", "run", orders)
    assert again.code == 0, again.err
    assert len(books.requests(CREATE)) == 1
    assert len(books.effects("archive.committed")) == 1


@pytest.mark.fault("CL2")
def test_a_reader_that_has_gone_away_is_no_error(vb, orders):
    readable, writable = os.pipe()
    process = vb.start("deepomatic", "check", orders, stdout=writable)
    os.close(readable)
    os.close(writable)
    ended = vb.ended(process)
    assert (ended.code, "Traceback" in ended.err, "BrokenPipe" in ended.err) == (0, False, False)


LABEL = "caf\N{LATIN SMALL LETTER E WITH ACUTE}\N{CAMERA}"


@pytest.mark.fault("CL3")
@pytest.mark.parametrize(
    ("way", "escapes"),
    [
        ({"TERM": "xterm", "COLUMNS": "20"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({"TERM": "xterm", "LC_ALL": "C", "PYTHONUTF8": "0"}, True),
        (None, False),
    ],
    ids=["narrow", "no-color", "dumb", "ascii", "no-terminal"],
)
def test_escape_sequences_go_to_terminals_that_know_them_alone(vb, orders, way, escapes):
    command = ("deepomatic", "run", orders, "--label", LABEL)
    if way is None:
        ended = vb(*command, LC_ALL="C", PYTHONUTF8="0")
        code, shown = ended.code, (ended.out + ended.err).encode()
        assert re.search(rb"upload: \d+ of \d+ bytes \(100 %\)", shown)
    else:
        code, shown = on_a_terminal([str(COMMAND), *map(str, command)], {**vb.environment, **way})
    assert code == 0, shown
    assert b"upload" in shown
    assert b"Traceback" not in shown
    assert (b"\x1b" in shown) is escapes


def on_a_terminal(command: list[str], environment: dict[str, str]) -> tuple[int, bytes]:
    """A command's exit code, and all that it showed."""
    parent, child = pty.openpty()
    process = subprocess.Popen(command, env=environment, stdout=child, stderr=child, stdin=child)
    os.close(child)
    shown = b""
    while block := _read(parent):
        shown += block
    os.close(parent)
    return process.wait(30), shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


@pytest.mark.fault("CL4")
def test_stdout_is_exactly_one_json_document_of_the_published_form(vb, orders, tmp_path, tenant):
    bad = tmp_path / "bad"
    (bad / "WO_1").mkdir(parents=True)
    commands = (
        (0, "deepomatic", "run", orders),
        (0, "deepomatic", "plan", orders),
        (0, "runs", "list"),
        (0, "deepomatic", "doctor"),
        (0, "--config-check"),
        (ExitCode.INVALID_INPUT, "deepomatic", "check", bad),
        (ExitCode.INVALID_INPUT, "deepomatic", "run", bad),
        (ExitCode.USAGE, "deepomatic", "run", orders, "--on-partial", "sometimes"),
        (ExitCode.USAGE, "deepomatic", "run"),
        (ExitCode.REMOTE_FAILED, "deepomatic", "status", "no-such-batch"),
    )
    for code, *arguments in commands:
        ended = vb(*arguments, "--json")
        assert ended.code == code, (arguments, ended.err)
        jsonschema.validate(ended.json, SCHEMA)
        assert ended.json["exit"]["code"] == code
        assert ended.json["exit"]["name"] == ExitCode(code).name.lower()
    refused = vb("--json", "deepomatic", "status", "any", VISIONBATCH_DEEPOMATIC_API_KEY="wrong\nkey")
    jsonschema.validate(refused.json, SCHEMA)


@pytest.mark.fault("CL5")
def test_a_run_that_is_held_by_another_process_names_it(vb, orders, books, tenant):
    tenant.configure(lifecycle="manual")
    first = vb.start("deepomatic", "run", orders)
    wait_until(lambda: books.effects("archive.committed"))
    second = vb("--json", "deepomatic", "run", orders)
    assert second.code == ExitCode.BUSY
    assert f"process {first.pid} on " in second.json["what"]
    first.send_signal(signal.SIGTERM)
    assert vb.ended(first).code == 143
    tenant.configure(lifecycle="time")
    assert vb("deepomatic", "run", orders).code == 0
    assert len(books.effects("archive.committed")) == 1


@pytest.mark.fault("CL6")
def test_records_that_cannot_be_kept_name_the_option(vb, orders, books, tmp_path):
    not_a_folder = tmp_path / "file"
    not_a_folder.write_text("")
    for home in (str(not_a_folder), "/proc", ""):
        ended = vb("deepomatic", "run", orders, HOME=home)
        assert ended.code == ExitCode.USAGE
        assert "--state-dir" in ended.err
    assert not books.requests(CREATE)
    assert vb("--state-dir", tmp_path / "elsewhere", "deepomatic", "run", orders, HOME="/proc").code == 0
    kept = tmp_path / "elsewhere"
    assert kept.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept.glob("*.json"))


@pytest.mark.fault("CL8")
@pytest.mark.parametrize("text", ["{not json", '{"schema": 999, "service": "deepomatic"}'])
def test_a_record_that_cannot_be_read_is_refused_with_a_way_out(vb, orders, state, books, text):
    assert vb("deepomatic", "run", orders).code == 0
    (record,) = state.glob("*.json")
    record.write_text(text)
    refused = vb("deepomatic", "run", orders)
    assert refused.code == ExitCode.USAGE
    assert "visionbatch runs forget" in refused.err
    assert vb("runs", "forget", record.stem[:12]).code == 0
    assert vb("deepomatic", "run", orders).code == 0
    assert len(books.effects("archive.committed")) == 2


@pytest.mark.fault("AR12")
def test_a_source_that_changed_since_its_check_is_refused(vb, tmp_path, books):
    from support.orders import write_orders  # noqa: PLC0415

    own = write_orders(tmp_path / "own", work_orders=1, photos=1)
    report = tmp_path / "report.json"
    assert vb("deepomatic", "check", own, "--report", report).code == 0
    assert vb("deepomatic", "run", own, "--require-report", report, "--dry-run").code == 0
    (own / "WO_1" / "metadata.json").write_text('{"site": 2}')
    refused = vb("--json", "deepomatic", "run", own, "--require-report", report)
    assert (refused.code, refused.json["error"]) == (ExitCode.INVALID_INPUT, "InputChanged")
    assert not books.requests(CREATE)


def test_build_servers_get_a_table_of_what_failed(vb, orders, tmp_path):
    bad = tmp_path / "bad"
    (bad / "WO_1").mkdir(parents=True)
    for arguments, failures in ((("check", bad), 1), (("run", bad), 1), (("check", orders), 0), (("run", orders), 0)):
        vb("deepomatic", *arguments, "--junit", tmp_path / "junit.xml")
        suite = ET.parse(tmp_path / "junit.xml").getroot()
        assert int(suite.get("failures", "")) == len(suite.findall("testcase/failure")) == failures


def test_a_dry_run_sends_nothing(vb, orders, books, state):
    ended = vb("deepomatic", "run", orders, "--dry-run")
    assert (ended.code, "would send" in ended.out) == (0, True)
    assert not books.requests(CREATE)
    assert not list(state.glob("*")) if state.exists() else True


def test_a_key_comes_from_a_file_or_stdin_as_well(vb, tenant, tmp_path):
    del vb.environment["VISIONBATCH_DEEPOMATIC_API_KEY"]
    (tmp_path / "key").write_text(f"{tenant.token}\n")
    assert vb("deepomatic", "create", "x").code == ExitCode.USAGE
    assert vb("deepomatic", "--api-key-file", tmp_path / "key", "create", "x").code == 0
    assert vb("deepomatic", "--api-key-file", "-", "create", "x", stdin=tenant.token).code == 0
    assert vb("deepomatic", "create", "x", VISIONBATCH_DEEPOMATIC_API_KEY_FILE=str(tmp_path / "key")).code == 0


def test_the_vendors_documented_command_uploads_to_a_batch_and_to_an_address(vb, orders, books, tmp_path):
    batch = vb("--json", "deepomatic", "create", "x").json["batch_id"]
    documented = ("deepomatic", "work-order", "batch", "upload")
    assert vb(*documented, "-i", batch, "-f", orders).code == 0
    assert books.effects("archive.committed")[0]["batch_id"] == batch
    assert vb(*documented, "-f", orders).code == ExitCode.USAGE


def test_a_profile_gives_options_and_a_misspelt_one_is_refused(vb, orders, mock, tmp_path):
    del vb.environment["VISIONBATCH_DEEPOMATIC_URL"]
    config = tmp_path / "config.toml"
    config.write_text(f'[prod.deepomatic]\nurl = "{mock.url}"\n[prod.deepomatic.run]\ntimeout = 60.0\n')
    chosen = ("--config", config, "--profile", "prod")
    assert vb("deepomatic", "run", orders).code == ExitCode.USAGE
    assert vb(*chosen, "deepomatic", "run", orders).code == 0
    assert vb(*chosen, "--config-check").code == 0
    config.write_text("[prod.deepomatic]\nulr = 1\n")
    refused = vb(*chosen, "--config-check")
    assert (refused.code, "deepomatic.ulr" in refused.err) == (ExitCode.USAGE, True)
    assert vb("--config", config, "--profile", "none", "--config-check").code == ExitCode.USAGE
