"""The mock's page names every word that a test may use: settings, operations, instructions, oddities, calls."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from visionbatch_mock import MockConfig, create_app
from visionbatch_mock.config import Behaviour
from visionbatch_mock.exports.oddities import Oddity
from visionbatch_mock.exports.seeds import Generator
from visionbatch_mock.faults import Fault
from visionbatch_mock.operations import Operation

PAGE = (Path(__file__).parents[2] / "docs" / "mock.md").read_text()
CONTROL = "/_control/"


def calls() -> list[str]:
    rules = create_app(MockConfig()).url_map.iter_rules()
    return sorted({rule.rule.removeprefix(CONTROL).split("/")[0] for rule in rules if rule.rule.startswith(CONTROL)})


@pytest.mark.parametrize("name", [field.name for field in fields(Behaviour)])
def test_every_setting_is_named(name):
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("operation", Operation)
def test_every_operation_is_named(operation):
    room, _, verb = operation.rpartition(".")
    assert f"`{operation}`" in PAGE or re.search(rf"`{re.escape(room)}\.`[^;]*?`{re.escape(verb)}`", PAGE, re.DOTALL)


@pytest.mark.parametrize("word", [*Fault, *Oddity, *(field.name for field in fields(Generator))])
def test_every_instruction_and_every_kind_of_seed_is_named(word):
    assert f"`{word}`" in PAGE


@pytest.mark.parametrize("name", calls())
def test_every_control_call_is_named(name):
    assert re.search(rf"[` ]{re.escape(name)}[`/;, ]", PAGE[PAGE.index("## The control interface") :])
