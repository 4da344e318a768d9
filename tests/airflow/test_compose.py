"""The compose file: what it tells Airflow is what Airflow, the provider and the mock understand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

from visionbatch_mock.connections import airflow_connections

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

FILE = Path(__file__).parents[2] / "docker" / "compose.yaml"
MOCK = "http://mock:8080"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services, with the values that variables have when nobody sets them."""
    return yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", FILE.read_text()))["services"]


@pytest.fixture
def ours(services: dict[str, Any]) -> dict[str, Any]:
    return {name: told for name, told in services.items() if told["image"] == "visionbatch-airflow"}


@pytest.fixture
def settings(ours: dict[str, Any]) -> dict[str, str]:
    return ours["worker"]["environment"]


def test_every_command_and_every_check_is_one_that_the_image_has(ours: dict[str, Any]) -> None:
    from airflow.cli.cli_parser import get_parser  # noqa: PLC0415

    checks = [told["healthcheck"]["test"][1:] for told in ours.values() if "healthcheck" in told]
    commands = [told["command"] for told in ours.values()] + [words[1:] for words in checks if words[0] == "airflow"]

    parsed = [get_parser().parse_args(words) for words in commands]

    assert all(callable(told.func) for told in parsed)
    assert len(checks) == 4
    assert {"api-server", "scheduler", "dag-processor", "triggerer", "celery"} <= {words[0] for words in commands}


def test_every_setting_is_one_of_airflows(settings: dict[str, str]) -> None:
    from airflow.configuration import conf  # noqa: PLC0415

    known = conf.configuration_description
    names = [name.lower().split("__")[1:] for name in settings if name.startswith("AIRFLOW__")]

    assert [name for section, name in names if name not in known[section]["options"]] == []
    Fernet(settings["AIRFLOW__CORE__FERNET_KEY"])


def test_every_connection_leads_to_the_mock_in_its_container(settings: dict[str, str]) -> None:
    from airflow_visionbatch.hooks.deepomatic import DeepomaticHook  # noqa: PLC0415
    from airflow_visionbatch.hooks.roboflow import RoboflowHook  # noqa: PLC0415
    from airflow_visionbatch.hooks.vias import ViasHook  # noqa: PLC0415

    wanted = airflow_connections(MOCK, "trial")
    told = {name: json.loads(settings[f"AIRFLOW_CONN_{name.upper()}"]) for name in wanted}

    for name in ("deepomatic_default", "roboflow_default", "huawei_vias_default"):
        wanted[name]["extra"]["allow_plain_http"] = True
    assert told == wanted
    assert settings["STORAGE_EMULATOR_HOST"] == MOCK
    assert {hook.default_conn_name for hook in (DeepomaticHook, RoboflowHook, ViasHook)} < set(told)


def test_everything_that_is_waited_for_is_there_and_is_healthy_by_a_check(services: dict[str, Any]) -> None:
    for told in services.values():
        for name, condition in told.get("depends_on", {}).items():
            assert name in services
            if condition["condition"] == "service_healthy":
                assert "healthcheck" in services[name] or services[name]["image"] == "visionbatch-mock"
