"""The connection of Roboflow and its hooks."""

from __future__ import annotations

import pytest

from visionbatch.errors import ConfigError

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]


@pytest.fixture
def hook(workspace):
    from airflow_visionbatch.hooks.roboflow import RoboflowHook  # noqa: PLC0415

    return RoboflowHook()


def settings(hook):
    with hook.get_conn() as client:
        return client.api.calls.settings


def test_a_connection_that_works_says_whose_key_it_is(hook):
    assert hook.test_connection() == (True, "The key belongs to the workspace mock-workspace.")


def test_one_that_does_not_says_why_and_keeps_the_key(hook, tenant):
    tenant.revoke()
    works, why = hook.test_connection()
    assert not works
    assert "Check the API key in the connection" in why
    assert tenant.token not in why


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"host": None}, "https://api.roboflow.com"),
        ({"host": None, "extra": {"region": "eu"}}, "https://api.roboflow.eu"),
        ({"host": "api.example.com", "extra": {"region": "eu"}}, "https://api.example.com"),
        ({"host": "127.0.0.1", "schema": "http", "port": 8080}, "http://127.0.0.1:8080"),
    ],
)
def test_the_host_or_the_region_names_the_service(hook, workspace, parts, expected):
    workspace(**parts)
    assert settings(hook).base_url == expected


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"extra": {"region": "mars"}, "host": None}, "mars"),
        ({"extra": {"work_space": "x"}}, "work_space"),
        ({"extra": {"key_in": "cookie"}}, "cookie"),
        ({"extra": {"transfer": {"chunk": 1}}}, "chunk"),
        ({"password": ""}, "has no API key"),
    ],
)
def test_a_connection_that_cannot_be_is_refused_and_the_fault_named(hook, workspace, changes, named):
    workspace(**changes)
    with pytest.raises(ConfigError, match=named):
        hook.get_conn().workspace()


def test_every_further_extra_reaches_the_settings(hook, workspace, mock):
    extras = {
        "workspace": "acme",
        "key_in": "query",
        "page_size": 25,
        "status_aliases": {"done": "ready"},
        "console_url": "https://example.com/{workspace}/{job_id}",
        "staging_path": "/s/{workspace}",
        "processing_path": "/p/{workspace}",
    }
    workspace(extra={**extras, "credit_words": "credit, quota", "webhook_inside": True, "webhook_folder": "/data"})
    found = settings(hook)
    assert {name: getattr(found, name) for name in extras} == extras
    assert (found.credit_words, found.upload_hosts) == (("credit", "quota"), (mock.url,))
    assert found.allow_inside


async def test_jobs_and_batches_are_watched_over_the_same_connection(hook):
    from airflow_visionbatch.services import hook_for  # noqa: PLC0415

    sites = [await hook_for(service, "roboflow_default").site() for service in ("roboflow", "roboflow_batches")]
    assert [site.api.noun for site in sites] == ["job", "batch"]
    assert sites[0].origin == sites[1].origin
