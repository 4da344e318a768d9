"""What the Dockerfiles promise, read from them; `make images` builds and runs both."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from visionbatch_mock import cli

DOCKER = Path(__file__).parents[2] / "docker"


def instructions(name: str) -> list[tuple[str, str]]:
    """A Dockerfile's instructions in order, continued lines put together."""
    lines = re.sub(r"^#.*\n", "", (DOCKER / f"{name}.Dockerfile").read_text(), flags=re.MULTILINE)
    joined = re.sub(r"\s*\\\n\s*", " ", lines)
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def last(name: str, instruction: str) -> str:
    return [rest for word, rest in instructions(name) if word == instruction][-1]


@pytest.mark.parametrize("name", ["mock", "airflow"])
def test_an_image_stands_on_the_base_that_is_named_and_runs_as_nobody_of_note(name: str) -> None:
    told = instructions(name)

    assert told[0][0] == "ARG"
    assert told[0][1].startswith("BASE_IMAGE=")
    assert {rest.split()[0] for word, rest in told if word == "FROM"} == {"${BASE_IMAGE}"}
    assert int(last(name, "USER")) > 0
    assert "CMD" in last(name, "HEALTHCHECK")
    assert any("python3 -m venv" in rest for word, rest in told if word == "RUN")


def test_the_mocks_image_starts_the_mock_with_options_that_it_has() -> None:
    command = json.loads(last("mock", "ENTRYPOINT")) + json.loads(last("mock", "CMD"))

    assert command[0] == "visionbatch-mock"
    told = cli._parser().parse_args(command[1:])
    assert (told.host, told.expose, str(told.port)) == ("0.0.0.0", True, last("mock", "EXPOSE"))
    assert f"127.0.0.1:{told.port}/ready" in last("mock", "HEALTHCHECK")


def test_nothing_goes_into_an_image_that_is_not_named() -> None:
    ignored = (DOCKER.parent / ".dockerignore").read_text().splitlines()
    named = {line.removeprefix("!") for line in ignored if line.startswith("!")}

    assert "*" in ignored
    assert named == {"pyproject.toml", "constraints.txt", "README.md", "LICENSE", "provider", "mock_server", "dags"}
