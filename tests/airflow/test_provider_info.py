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
from visionbatch import DeepomaticSettings, RoboflowSettings, ViasSettings

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

INFO = get_provider_info()
CONNECTIONS = {connection["connection-type"]: connection for connection in INFO["connection-types"]}
SETTINGS = {"deepomatic": DeepomaticSettings, "roboflow": RoboflowSettings, "huawei_vias": ViasSettings}
STANDARD = {"description", "host", "port", "login", "password", "schema", "extra"}


@pytest.fixture(params=CONNECTIONS)
def connection_type(request: pytest.FixtureRequest) -> dict[str, Any]:
    return CONNECTIONS[request.param]


@pytest.fixture
def fields(connection_type: dict[str, Any]) -> dict[str, Any]:
    return connection_type["conn-fields"]


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


def test_airflow_finds_the_provider_its_connections_and_its_links():
    from airflow.providers_manager import ProvidersManager  # noqa: PLC0415

    manager = ProvidersManager()
    assert manager.providers["visionbatch"].data["name"] == "visionbatch"
    assert set(INFO["extra-links"]) <= set(manager.extra_links_class_names)
    found = {kind: runtime_providers().hooks[kind].hook_class_name for kind in CONNECTIONS}
    assert found == {kind: connection["hook-class-name"] for kind, connection in CONNECTIONS.items()}


def forms() -> tuple[dict[str, dict[str, Any]], bool]:
    """The forms that Airflow draws for our connections, and whether it had to import a hook for them."""
    program = """
import json, sys
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
forms = {form.connection_type: form.model_dump(mode="json") for form in HookMetaService.hook_meta_data()}
imported = any(name.startswith("airflow_visionbatch.hooks.") for name in sys.modules)
print(json.dumps([{kind: forms[kind] for kind in sys.argv[1:]}, imported]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, *CONNECTIONS], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    drawn, imported = json.loads(done.stdout.splitlines()[-1])
    return drawn, imported


@needs(Feature.FORM_FROM_METADATA)
def test_airflow_draws_the_connection_forms_without_the_hooks():
    drawn, imported = forms()
    for kind, connection in CONNECTIONS.items():
        assert set(drawn[kind]["extra_fields"]) == set(connection["conn-fields"])
        behaviour, standard = connection["ui-field-behaviour"], drawn[kind]["standard_fields"]
        assert standard["password"]["title"] == behaviour["relabeling"]["password"]
        assert bool(standard["login"]["hidden"]) == ("login" in behaviour["hidden-fields"])
    # Airflow 3.2 reads the form from the metadata and imports every hook all the same.
    assert not imported or not Feature.TASK_STATE.is_there


@lacks(Feature.FORM_FROM_METADATA)
def test_where_airflow_draws_no_form_from_metadata_the_extra_field_is_left_for_people():
    for kind, drawn in forms()[0].items():
        assert drawn["connection_type"] == kind
        assert not drawn["extra_fields"]
        assert not drawn["standard_fields"]


@pytest.mark.parametrize("module", modules())
def test_every_module_named_imports(module):
    import_module(module)


@pytest.mark.parametrize("name", [*(it["hook-class-name"] for it in CONNECTIONS.values()), *INFO["extra-links"]])
def test_every_class_named_is_there(name):
    module, _, kind = name.rpartition(".")
    assert getattr(import_module(module), kind).__module__ == module


def test_the_hook_agrees_with_its_entry(connection_type):
    module, _, name = connection_type["hook-class-name"].rpartition(".")
    hook = getattr(import_module(module), name)
    assert (hook.conn_type, hook.hook_name) == (connection_type["connection-type"], connection_type["hook-name"])


def test_the_form_has_a_field_for_each_extra_that_the_hook_takes_and_no_other(connection_type, fields):
    settings = {field.name for field in dataclasses.fields(SETTINGS[connection_type["connection-type"]])}
    module, _, name = connection_type["hook-class-name"].rpartition(".")
    assert set(fields) == getattr(import_module(module), name).own_keys | settings - {"base_url"}


def test_the_form_hides_and_relabels_standard_fields_only(connection_type, fields):
    behaviour = connection_type["ui-field-behaviour"]
    assert set(behaviour["hidden-fields"]) <= STANDARD
    assert not set(behaviour["hidden-fields"]) & set(behaviour["relabeling"])
    assert set(behaviour["relabeling"]) | set(behaviour["placeholders"]) <= STANDARD | set(fields)


def test_a_field_that_asks_for_a_secret_is_drawn_as_one(fields):
    for name, field in fields.items():
        secret = any(word in name.split("_") for word in ("key", "token", "secret", "password")) and name != "key_in"
        assert secret == (field["schema"].get("format") == "password"), name
        assert field["description"].endswith((".", "}")) or "http://" in field["description"]
