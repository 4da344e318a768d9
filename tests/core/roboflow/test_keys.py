"""The key, in the header and in the query: it authenticates, and nobody prints it."""

from __future__ import annotations

import asyncio
import http.client
import logging
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from support.books import Books
from support.clocks import AsyncTenantClock
from support.listener import ForwardProxy
from support.silence import Silence
from visionbatch import InQuery, JobDefinition, Pace, Secret, hub, roboflow_key, roboflow_site
from visionbatch.errors import ConfigError, NotAuthorized, Redirected, Refused, Unavailable, Unreachable
from visionbatch_mock.tenant import Tenant

GET = "roboflow.jobs.get"


def in_query(key: str) -> dict[str, Secret]:
    return roboflow_key(Secret(key), "query")


@pytest.fixture
def debugging(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Everything that can be switched on."""
    for name in ("urllib3", "requests", "http.client", "aiohttp", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 2)


@pytest.mark.fault("SC2")
@pytest.mark.usefixtures("debugging")
@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "through-a-proxy"])
def test_a_key_that_travels_in_the_query_is_printed_by_nobody(
    *,
    workspace: Any,
    stage: Callable[..., JobDefinition],
    tenant: Tenant,
    books: Books,
    faults: Any,
    silence: Silence,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    proxied: bool,
) -> None:
    definition = stage()
    echo = {"fault": "answer", "status": 400, "content_type": "text/plain", "body": f"GET /?api_key={tenant.token}&x"}
    with ForwardProxy() as proxy:
        if proxied:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
        client = workspace(key_in="query")
        client.perform(client.api.jobs.create("a-job", definition))
        for fault, kind in (
            (echo, Refused),
            ({"fault": "redirect-302", "location": "https://elsewhere.example/"}, Redirected),
        ):
            faults(GET, fault)
            with silence.raises(kind):
                client.job("a-job")
        faults(GET, *["return-reset-connection"] * 6)
        with silence.raises((Unreachable, Unavailable)):
            client.job("a-job")
        on_a_loop(workspace, tenant, faults, silence, echo)
        assert bool(proxy.asked) is proxied

    assert all("api_key" in entry.query and not entry.authorization for entry in books.requests(GET))
    assert [record for record in caplog.records if record.name.startswith("asyncio")], "the stacks do talk"
    printed = "".join(capfd.readouterr())
    for secret in silence.secrets():
        assert secret not in printed


def on_a_loop(workspace: Any, tenant: Tenant, faults: Any, silence: Silence, echo: dict[str, Any]) -> None:
    async def credentials() -> Mapping[str, Secret]:
        return in_query(tenant.token)

    async def site() -> Any:
        return roboflow_site(workspace.settings(key_in="query"), credentials)

    async def wait() -> None:
        async with hub(f"roboflow {id(tenant)}", site, AsyncTenantClock(tenant)) as shared:
            await shared.await_end("a-job", pace=Pace(), deadline=tenant.clock.now() + 3600)

    faults(GET, "return-reset-connection", echo)
    with silence.raises(Refused):
        asyncio.run(wait(), debug=True)


def test_the_header_is_used_unless_the_query_is_asked_for(workspace: Any, books: Books) -> None:
    workspace().batches()
    workspace(key_in="query").batches()

    by_header, by_query = books.requests("roboflow.batches.list")
    assert by_header.authorization
    assert "api_key" not in by_header.query
    assert not by_query.authorization
    assert "api_key" in by_query.query


@pytest.mark.parametrize("key_in", ["header", "query"])
def test_a_refused_key_is_renewed_once_and_then_says_what_to_do(
    workspace: Any, tenant: Tenant, books: Books, silence: Silence, key_in: str
) -> None:
    keys = iter(["invalid-old", tenant.token])
    silence.guard("invalid-old")
    client = workspace(credentials=lambda: roboflow_key(Secret(next(keys)), key_in))
    assert client.workspace() == "mock-workspace"

    with silence.raises(NotAuthorized, match="API key") as caught:
        workspace(credentials=lambda: roboflow_key(Secret("invalid-one"), key_in)).workspace()
    assert caught.value.permanent


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "é"])
def test_a_key_that_is_none_is_refused_before_anything_is_sent(key: str) -> None:
    for key_in in ("header", "query"):
        with pytest.raises(ConfigError, match="API key"):
            roboflow_key(Secret(key), key_in)


def test_a_credential_for_the_query_shows_nothing() -> None:
    assert "topsecret" not in repr(InQuery(api_key=Secret("topsecret")))
