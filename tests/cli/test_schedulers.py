"""The examples for other schedulers: their commands are run as they stand, in a place where their paths lead."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from support.command_line import COMMAND

EXAMPLES = Path(__file__).parents[2] / "docs" / "schedulers"


def cron(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if re.match(r"\d+ \d+ ", line):
            yield line.split(None, 5)[5].replace(r"\%", "%")


def systemd(text: str) -> Iterator[str]:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # names of settings have capitals
    unit.read_string(text)
    assert unit["Service"]["RestartForceExitStatus"] == "5 8 10"
    yield unit["Service"]["ExecStart"].replace("%S", "/data/state")


def jenkins(text: str) -> Iterator[str]:
    yield from re.findall(r"sh '([^']+)'", text)


def control_m(text: str) -> Iterator[str]:
    job = json.loads(text)["VisionBatch"]["SendWorkOrders"]
    assert job["Type"] == "Job:Command"
    yield job["Command"].replace("%%ORDERID", "0001a")


def autosys(text: str) -> Iterator[str]:
    yield from re.findall(r"^command: (.+)$", text, re.MULTILINE)


READERS: dict[str, Callable[[str], Iterator[str]]] = {
    "crontab": cron,
    "visionbatch.service": systemd,
    "Jenkinsfile": jenkins,
    "control-m.json": control_m,
    "autosys.jil": autosys,
}


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} == {*READERS, "visionbatch.timer"}


@pytest.mark.parametrize("name", READERS)
def test_the_commands_of_an_example_do_the_work_once(vb, orders, books, tenant, tmp_path, name):
    (tmp_path / "work_orders").symlink_to(orders)
    (tmp_path / "config.toml").write_text('[default.deepomatic]\nregion = "eu"\n')
    environment = {
        **vb.environment,
        "PATH": f"{COMMAND.parent}:{vb.environment['PATH']}",
        "AUTO_JOB_NAME": "SEND",
        "AUTORUN": "17",
    }
    commands = list(READERS[name]((EXAMPLES / name).read_text()))
    assert commands
    for command in commands * 2:
        here = command.replace("/data/", f"{tmp_path}/").replace("/etc/visionbatch/", f"{tmp_path}/")
        ended = subprocess.run(
            ["/bin/sh", "-c", here], env=environment, cwd=tmp_path, capture_output=True, timeout=60, check=False
        )
        assert ended.returncode == 0, ended.stderr.decode()
        if "--quiet" in shlex.split(command):
            assert ended.stderr == b"", "cron mails what is said"
    assert len(books.effects("archive.committed")) == 1
    for table in tmp_path.glob("*.xml"):
        assert ET.parse(table).getroot().get("failures") == "0"
