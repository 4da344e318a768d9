"""What Airflow learns about the provider, and from where."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from importlib import import_module
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

from airflow_visionbatch.get_provider_info import get_provider_info
from support.features import Feature, lacks, needs
from support.moved import runtime_providers
from visionbatch import DeepomaticSettings

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

INFO = get_provider_info()
(CONNECTION,) = INFO["connection-types"]
FIELDS = CONNECTION["conn-fields"]
STANDARD = {"description", "host", "port", "login", "password", "schema", "extra"}


def schema(name: str) -> dict[str, Any]:
    return json.loads(files("airflow").joinpath(name).read_text())


def modules() -> list[str]:
    kinds = ("operators", "sensors", "hooks", "triggers")
    return [module for kind in kinds for entry in INFO[kind] for module in entry["python-modules"]]


def test_it_is_what_airflow_reads_at_run_time():
    jsonschema.validate(INFO, schema("provider_info.schema.json"))


def test_every_part_is_what_a_provider_of_the_foundation_would_write():
    authoring = schema("provider.yaml.schema.json")
    assert set(INFO) <= set(authoring["properties"])
    for part, value in INFO.items():
        jsonschema.validate(value, {**authoring["properties"][part], "definitions": authoring.get("definitions", {})})


def test_airflow_finds_the_provider_its_connection_and_its_link():
    from airflow.providers_manager import ProvidersManager  # noqa: PLC0415

    manager = ProvidersManager()
    assert manager.providers["visionbatch"].data["name"] == "visionbatch"
    assert set(INFO["extra-links"]) <= set(manager.extra_links_class_names)
    found = runtime_providers().hooks["deepomatic"]
    assert f"{found.hook_class_name}" == CONNECTION["hook-class-name"]


def form() -> tuple[dict[str, Any], bool]:
    """The form that Airflow draws for a connection, and whether it had to import the hook for it."""
    program = """
import json, sys
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
(form,) = [form for form in HookMetaService.hook_meta_data() if form.connection_type == "deepomatic"]
imported = "airflow_visionbatch.hooks.deepomatic" in sys.modules
print(json.dumps([form.model_dump(mode="json"), imported]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    drawn, imported = json.loads(done.stdout.splitlines()[-1])
    return drawn, imported


@needs(Feature.FORM_FROM_METADATA)
def test_airflow_draws_the_connection_form_without_the_hook():
    drawn, imported = form()
    assert set(drawn["extra_fields"]) == set(FIELDS)
    assert drawn["standard_fields"]["password"]["title"] == "API key"
    assert drawn["standard_fields"]["login"]["hidden"]
    # Airflow 3.2 reads the form from the metadata and imports every hook all the same.
    assert not imported or not Feature.TASK_STATE.is_there


@lacks(Feature.FORM_FROM_METADATA)
def test_where_airflow_draws_no_form_from_metadata_the_extra_field_is_left_for_people():
    drawn, _ = form()
    assert drawn["connection_type"] == "deepomatic"
    assert not drawn["extra_fields"]
    assert not drawn["standard_fields"]


@pytest.mark.parametrize("module", modules())
def test_every_module_named_imports(module):
    import_module(module)


@pytest.mark.parametrize("name", [CONNECTION["hook-class-name"], *INFO["extra-links"]])
def test_every_class_named_is_there(name):
    module, _, kind = name.rpartition(".")
    assert getattr(import_module(module), kind).__module__ == module


def test_the_hook_agrees_with_its_entry():
    from airflow_visionbatch.hooks.deepomatic import DeepomaticHook  # noqa: PLC0415

    assert (DeepomaticHook.conn_type, DeepomaticHook.hook_name) == (
        CONNECTION["connection-type"],
        CONNECTION["hook-name"],
    )


def understood() -> set[str]:
    """What the hook takes from the extra: its own keys, and the settings that are not the connection's host."""
    from airflow_visionbatch.hooks.deepomatic import DeepomaticHook  # noqa: PLC0415

    return set(DeepomaticHook.own_keys) | {field.name for field in dataclasses.fields(DeepomaticSettings)} - {
        "base_url"
    }


def test_the_form_has_no_field_that_the_hook_would_refuse():
    assert set(FIELDS) <= understood()


def test_the_hook_takes_nothing_that_the_form_lacks():
    assert understood() <= set(FIELDS), "a setting without a field in the form"


def test_the_form_hides_and_relabels_standard_fields_only():
    behaviour = CONNECTION["ui-field-behaviour"]
    assert set(behaviour["hidden-fields"]) <= STANDARD
    assert not set(behaviour["hidden-fields"]) & set(behaviour["relabeling"])
    assert set(behaviour["relabeling"]) | set(behaviour["placeholders"]) <= STANDARD | set(FIELDS)


def test_no_field_of_the_form_asks_for_a_secret_outside_the_password():
    for name, field in FIELDS.items():
        assert not any(word in name for word in ("key", "token", "secret", "password")), name
        assert field["description"].endswith((".", "}")) or "http://" in field["description"]
