"""The page of VIAS has a row for every documented field, every rule and every setting."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import visionbatch
from visionbatch import Secret
from visionbatch.errors import ServiceError
from visionbatch.vias.decode import Answer
from visionbatch.vias.rulebook import RULES
from visionbatch.vias.settings import ViasSettings
from visionbatch_mock import MockConfig, MockServer

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "vias.md").read_text()
ROW = re.compile(r"^\| (?P<table>\d+) [^|]*\| `(?P<field>[^`]+)` \| (?P<where>.+) \|$", re.MULTILINE)
PLACE = re.compile(r"`([A-Z]\w+)\.(\w+)`")


def section(heading: str) -> str:
    return PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]


def documented() -> list[tuple[str, str]]:
    """Every field of the tables of the vendor's page, in its order."""
    lines = (line.split() for line in (HERE / "vias_fields.txt").read_text().splitlines())
    return [(table, field) for table, *fields in lines for field in fields]


def test_every_field_of_the_vendors_page_has_a_row() -> None:
    rows = [(row["table"], row["field"]) for row in ROW.finditer(section("The documented fields"))]
    assert rows == documented()
    assert len(rows) == 52


def test_every_place_that_a_row_names_exists() -> None:
    others = {"Answer": Answer, "ServiceError": ServiceError}
    for row in ROW.finditer(section("The documented fields")):
        for name, attribute in PLACE.findall(row["where"]):
            kind = others.get(name) or getattr(visionbatch, name)
            fields = {field.name for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else set()
            assert attribute in fields or hasattr(ServiceError("x"), attribute), (name, attribute)


def test_every_rule_is_on_the_page_as_it_is_in_the_code() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (error|warning) \| (.+) \|$", section("The rules"), re.MULTILINE)
    told = [(name, severity, says.replace("\\|", "|")) for name, severity, says in rows]
    assert told == [(rule.id, rule.severity.value, rule.says) for rule in RULES.values()]


def test_every_setting_is_on_the_page() -> None:
    first_cells = re.findall(r"^\| (`[^|]+) \|", section("Settings and accounts"), re.MULTILINE)
    told = {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)}
    assert told == {field.name for field in dataclasses.fields(ViasSettings)}


def test_the_commands_on_the_page_run(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```console\n(.*?)^```", section("Command line"), re.MULTILINE | re.DOTALL)
    commands = [line.removeprefix("$ ") for line in block.splitlines()]
    (tmp_path / "secret").write_text(Secret("secret").reveal())
    (tmp_path / "body.json").write_text(
        '{"name": "night-1", "service_name": "fire", "service_version": "1.0", "output": {"event_center": true},'
        ' "batch_input": {"video_source_group": [{"video_source_group_id": "group-0001",'
        ' "video_source_list": [{"video_source_id": "source-0001"}]}]}}'
    )
    with MockServer(MockConfig()) as mock:
        tenant = mock.world.tenant("my-access-key")
        tenant.configure(vias_open_sources=True, vias_durations={"PENDING": 0, "STARTING": 0, "RUNNING": 0})
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "VISIONBATCH_VIAS_URL": mock.url,
            "VISIONBATCH_VIAS_IAM_URL": mock.url,
        }
        script = "\n".join(["set -e", *commands]).replace("/run/secrets/vias", str(tmp_path / "secret"))
        ran = subprocess.run(
            ["sh", "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        made = tenant.ledger.entries("vias.batch_created")
    assert ran.returncode == 0, ran.stderr
    assert [effect["name"] for effect in made] == ["night-1"]
    assert list((tmp_path / "reports").iterdir())
    assert "secret" not in ran.stdout + ran.stderr
