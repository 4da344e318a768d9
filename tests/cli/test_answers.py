"""What stands on stdout: one document however it was asked for, and no trouble where nobody can read it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from support.command_line import COMMAND
from visionbatch import cli
from visionbatch.errors import ExitCode

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "answer.schema.json").read_text())


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def run(*arguments: str) -> tuple[int, Any]:
        code = cli.main(list(arguments))
        value = json.loads(capsys.readouterr().out)
        jsonschema.validate(value, SCHEMA)
        return code, value

    return run


@pytest.mark.parametrize("way", ["option", "variable", "profile"])
def test_json_is_asked_for_by_option_variable_or_profile_alike(told, way, monkeypatch, tmp_path):
    option = ["--json"] if way == "option" else []
    if way == "variable":
        monkeypatch.setenv("VISIONBATCH_AS_JSON", "1")
    if way == "profile":
        (tmp_path / "visionbatch").mkdir()
        (tmp_path / "visionbatch" / "config.toml").write_text("[default]\nas_json = true\n")
    assert told(*option, "--config-check")[0] == 0
    assert told(*option, "deepomatic", "status", "b-1")[1]["error"] == "ConfigError"
    assert told(*option, "vias", "list", "one", "two")[0] == ExitCode.USAGE
    assert "visionbatch" in told(*option)[1]["help"]
    if way != "profile":
        assert told(*option, "--version")[1]["version"]


def test_what_stands_behind_two_dashes_asks_for_nothing(capsys):
    assert cli.main(["vias", "list", "--", "--json"]) == ExitCode.USAGE
    assert capsys.readouterr().out == ""


def test_a_bug_is_a_document_too_and_shows_nothing_of_itself(told, monkeypatch):
    def broken(_: object) -> None:
        raise TypeError("with a secret in it")

    monkeypatch.setattr(cli, "config_file", broken)
    code, value = told("--json", "--config-check")
    assert (code, value["error"], value["exit"]["name"]) == (ExitCode.BUG, "Bug", "bug")
    assert "secret" not in str(value)


def test_the_check_of_the_configuration_names_the_variables_that_are_set(told, monkeypatch):
    monkeypatch.setenv("VISIONBATCH_VIAS_SECRET_KEY", "not-to-be-shown")
    value = told("--json", "--config-check")[1]
    assert "VISIONBATCH_VIAS_SECRET_KEY" in value["variables"]
    assert "not-to-be-shown" not in str(value)


def test_a_stdout_that_nobody_has_or_that_is_full_loses_the_answer_and_not_the_work(vb, orders):
    def ended(command: str) -> tuple[int, str]:
        script = f"set -o pipefail; {COMMAND} {command}"
        done = subprocess.run(
            ["bash", "-c", script], check=False, env=vb.environment, capture_output=True, text=True, timeout=60
        )
        return done.returncode, done.stderr

    assert ended("--json --config-check >&-") == (0, "")
    code, said = ended("--json --config-check >/dev/full")
    assert (code, said) == (
        ExitCode.TEMPORARY,
        "visionbatch: the answer could not be printed: No space left on device\n",
    )
    code, said = ended("--json runs show nothing >/dev/full")
    assert (code, "Traceback" in said) == (ExitCode.USAGE, False)
    batch = vb("--json", "deepomatic", "run", orders).json["batch_id"]
    assert ended(f"deepomatic errors {batch} | true")[0] == 0
    report = vb("--json", "deepomatic", "errors", batch).json
    assert json.loads(report["report"]) is not None
    assert vb("deepomatic", "errors", batch).out == report["report"]
