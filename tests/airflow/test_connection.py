"""The connection and its hook."""

from __future__ import annotations

import logging
import socket
from contextlib import closing, contextmanager

import pytest

from visionbatch import TransferSettings
from visionbatch.errors import ConfigError

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]


@pytest.fixture
def hook():
    from airflow_visionbatch.hooks.deepomatic import DeepomaticHook  # noqa: PLC0415

    return DeepomaticHook()


@pytest.fixture
def opened(hook):
    """The site that the hook opens, closed at the end."""
    sites = []

    def open_site():
        site = hook.get_conn()
        sites.append(site)
        return site

    yield open_site
    for site in sites:
        site.close()


def base_url(site):
    return site.api._settings.base_url


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"host": "https://api.acme.customers.deepomatic.com"}, "https://api.acme.customers.deepomatic.com"),
        ({"host": "api.acme.customers.deepomatic.com"}, "https://api.acme.customers.deepomatic.com"),
        ({"host": "127.0.0.1", "schema": "http", "port": 8080}, "http://127.0.0.1:8080"),
        ({"host": None, "extra": {"site": "acme"}}, "https://api.acme.customers.deepomatic.com"),
        ({"host": None, "extra": {"site": "acme", "region": "eu"}}, "https://api.acme.customers.deepomatic.com"),
        ({"host": None, "extra": {"site": "acme", "region": "us1"}}, "https://api.acme.customers.us1.deepomatic.com"),
        ({"host": None, "extra": {"site": "acme", "region": ""}}, "https://api.acme.customers.deepomatic.com"),
    ],
)
def test_the_site_is_named_by_host_or_by_label_and_region(connection, opened, parts, expected):
    connection(**parts)
    assert base_url(opened()) == expected


def test_the_host_wins_over_the_label(connection, opened, mock):
    connection(extra={"site": "acme"})
    assert base_url(opened()) == mock.url


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"host": None}, "neither a base URL nor a site"),
        ({"host": None, "extra": {"site": "acme", "region": "mars"}}, "mars"),
        ({"extra": {"upload_host": "x"}}, "upload_host"),
        ({"extra": {"batch_path": "/v0.2/batches"}}, "batch_path"),
        ({"extra": {"transfer": {"chunk_byte": 1}}}, "chunk_byte"),
        ({"extra": {"transfer": {"chunk_bytes": 1}}}, "chunk_bytes"),
        ({"extra": {"status_aliases": {"in_review": "walking"}}}, "walking"),
        ({"extra": {"upload_hosts": "https://a/b/c"}}, "https://a/b/c"),
        ({"host": "http://deepomatic.example.com"}, "http"),
    ],
)
def test_a_connection_that_cannot_be_is_refused_and_the_fault_named(connection, hook, changes, named):
    connection(**changes)
    with pytest.raises(ConfigError) as caught:
        hook.get_conn()
    assert named in str(caught.value)
    assert caught.value.next_step


def hook_of(service, conn_id):
    from airflow_visionbatch.hooks.deepomatic import DeepomaticHook  # noqa: PLC0415
    from airflow_visionbatch.hooks.roboflow import RoboflowHook  # noqa: PLC0415
    from airflow_visionbatch.hooks.vias import ViasHook  # noqa: PLC0415

    return {"deepomatic": DeepomaticHook, "roboflow": RoboflowHook, "huawei_vias": ViasHook}[service](conn_id)


@contextmanager
def heard(name):
    """What a logger says, whoever has set logging up: Airflow does, when the first of these tests imports it."""
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logging.getLogger(name).addHandler(handler)
    try:
        yield records
    finally:
        logging.getLogger(name).removeHandler(handler)


@pytest.mark.fault("SC6")
@pytest.mark.parametrize("service", ["deepomatic", "roboflow", "huawei_vias"])
def test_an_unknown_extra_is_refused_with_the_connection_and_the_known_ones(connection, service):
    """No extra looks away from a certificate; the one that lets a key go over plain http is told of each time."""
    whole = {"conn_type": service, "host": "http://service.example.com", "login": "AK", "password": "key"}
    connection.raw("one", {**whole, "extra": {"bachpath": "/x", "verify": False, "allow_plain_http": True}})
    with pytest.raises(ConfigError, match=r"one.*bachpath.*verify.*allow_plain_http"):
        hook_of(service, "one").get_conn()
    connection.raw("one", {**whole, "extra": {}})
    with pytest.raises(ConfigError, match="in clear"):
        hook_of(service, "one").get_conn()
    connection.raw("one", {**whole, "extra": {"allow_plain_http": True}})
    with heard("visionbatch.io.control") as records:
        hook_of(service, "one").get_conn().close()
    assert [record.levelname for record in records if "read the key" in record.getMessage()] == ["WARNING"]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (["a.example.com", "b.example.com"], ("a.example.com", "b.example.com")),
        ("a.example.com, b.example.com ,", ("a.example.com", "b.example.com")),
        ("http://127.0.0.1:8080", ("http://127.0.0.1:8080",)),
        (None, ("storage.googleapis.com", "*.storage.googleapis.com")),
        ("", ("storage.googleapis.com", "*.storage.googleapis.com")),
    ],
)
def test_upload_hosts_are_a_text_or_a_list(connection, opened, told, expected):
    connection(extra={"upload_hosts": told})
    assert opened().api._settings.upload_hosts == expected


def test_every_further_extra_reaches_the_settings(connection, opened):
    extras = {
        "allow_plain_http": True,
        "batch_path": "/v1/batches/{batch_id}",
        "errors_path": "/v1/batches/{batch_id}/report",
        "console_url": "https://studio.example.com/{batch_id}",
        "status_aliases": {"in_review": "running"},
    }
    connection(extra=extras)
    settings = opened().api._settings
    assert {name: getattr(settings, name) for name in extras} == extras


def test_empty_fields_of_the_form_mean_the_defaults(connection, opened):
    names = ("batch_path", "errors_path", "console_url", "status_aliases", "transfer", "site", "region")
    connection(extra=dict.fromkeys(names))
    connection(extra=dict.fromkeys(names, ""))
    site = opened()
    assert site.tuning.transfer == TransferSettings()
    assert site.api._settings.batch_path == "/v0.2/batches/{batch_id}"


def test_transfer_settings_reach_the_upload(connection, opened):
    connection(extra={"transfer": {"chunk_bytes": 262_144, "attempts": 3}})
    assert opened().tuning.transfer == TransferSettings(chunk_bytes=262_144, attempts=3)


def test_a_pace_given_by_hand_leaves_the_transfer_settings_alone(connection):
    from airflow_visionbatch.hooks.deepomatic import DeepomaticHook  # noqa: PLC0415
    from visionbatch import Pace  # noqa: PLC0415

    connection(extra={"transfer": {"attempts": 3}})
    with DeepomaticHook(pace=Pace(first_s=1)).get_conn() as site:
        assert (site.tuning.pace.first_s, site.tuning.transfer.attempts) == (1, 3)


def test_without_a_key_nothing_is_asked_of_the_service(connection, hook, books):
    connection(password=None)
    with hook.get_conn() as site, pytest.raises(ConfigError, match="deepomatic_default has no API key"):
        site.status("some-batch")
    assert not books.tenant.journal.entries()


def test_the_constructor_looks_nothing_up():
    from airflow_visionbatch.hooks.deepomatic import DeepomaticHook  # noqa: PLC0415

    assert DeepomaticHook("no_such_connection").deepomatic_conn_id == "no_such_connection"


def test_test_connection_says_yes_to_a_site_that_takes_the_key(connection, hook, books):
    assert hook.test_connection() == (True, "The site answers and accepts the key.")
    assert not books.tenant.batches.all()


def nobody(connection, tenant):
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        connection(host=f"http://127.0.0.1:{probe.getsockname()[1]}")
    return "Check the network"


def wrong_key(connection, tenant):
    tenant.revoke()
    return "Check the API key"


def another_site(connection, tenant):
    tenant.faults.plan({"instructions": {"deepomatic.batches.get": ["html-200"]}})
    return "check the base URL"


def incomplete(connection, tenant):
    connection(host=None)
    return "neither a base URL nor a site"


def no_key(connection, tenant):
    connection(password=None)
    return "has no API key"


@pytest.mark.parametrize("fault", [nobody, wrong_key, another_site, incomplete, no_key])
def test_test_connection_says_no_and_what_to_do(connection, hook, tenant, fault, monkeypatch):
    told = fault(connection, tenant)
    answer, message = hook.test_connection()
    assert not answer
    assert told in message
    assert tenant.token not in message


async def test_a_site_for_the_event_loop_takes_the_same_connection(connection, hook, tenant):
    connection(extra={"console_url": "https://studio.example.com/{batch_id}"})
    site = await hook.site()
    assert site.api.console_url("b") == "https://studio.example.com/b"
    headers = await site.credentials()
    assert headers["Authorization"].reveal() == f"Token {tenant.token}"
    assert tenant.token not in repr((site, headers))


async def test_a_site_for_the_event_loop_refuses_what_cannot_be(connection, hook):
    connection(extra={"bachpath": "/x"})
    with pytest.raises(ConfigError, match="bachpath"):
        await hook.site()
