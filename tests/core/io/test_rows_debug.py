"""The debug output of the HTTP stacks, switched on by somebody who looks for a fault."""

from __future__ import annotations

import asyncio
import http.client
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.books import CHUNKS, CREATE, Books
from support.listener import ForwardProxy
from support.runs import run_through
from support.silence import Silence
from visionbatch import DeepomaticSettings, Secret, deepomatic_site, token_header
from visionbatch.pipelines.hub import await_end
from visionbatch_mock import MockServer
from visionbatch_mock.tenant import Tenant

STACKS = ("urllib3", "requests", "http.client", "aiohttp", "asyncio")


@pytest.fixture
def debugging(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Everything that can be switched on."""
    for name in STACKS:
        caplog.set_level(logging.DEBUG, logger=name)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 2)


@pytest.mark.fault("SC3")
@pytest.mark.usefixtures("debugging")
@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "through-a-proxy"])
def test_the_debug_output_of_the_http_stacks_shows_no_secret(
    *,
    site: Any,
    mock: MockServer,
    tenant: Tenant,
    orders: Path,
    archive: bytes,
    books: Books,
    faults: Any,
    silence: Silence,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    proxied: bool,
) -> None:
    async def credentials() -> Mapping[str, Secret]:
        return token_header(Secret(tenant.token))

    faults.plan({CREATE: ["return-503"], CHUNKS: ["pass", "return-503", "return-reset-connection"]})
    with ForwardProxy() as proxy:
        if proxied:
            monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("http://", "http://user:proxys-password@"))
            silence.guard("proxys-password")
        run_through(site(), orders)
        batch_id = books.processed_once(archive)
        where = DeepomaticSettings(mock.url, upload_hosts=(mock.url,))
        asyncio.run(await_end(deepomatic_site(where, credentials), batch_id), debug=True)
        assert bool(proxy.asked) is proxied

    assert [record for record in caplog.records if record.name.startswith("asyncio")], "the stacks do talk"
    printed = "".join(capfd.readouterr())
    for secret in silence.secrets():
        assert secret not in printed
