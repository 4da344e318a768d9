"""Both control planes, over real sockets: one origin, one key, no redirects, small answers."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
import zlib
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import trustme

from support.books import CREATE, Books
from support.clocks import AsyncHandClock, HandClock
from support.listener import ForwardProxy, Listener, Scripted, Silent, read_head
from visionbatch import DeepomaticSettings, Pace, Secret, token_header
from visionbatch.deepomatic.api import DeepomaticApi
from visionbatch.errors import (
    AnswerTooLarge,
    ConfigError,
    NotFound,
    Redirected,
    TimedOut,
    TlsRefused,
    TransportError,
    Unreachable,
    UnreadableAnswer,
    VisionBatchError,
)
from visionbatch.flow.call import call
from visionbatch.flow.effects import Body, Flow, Now, Pause, Request, Response, Send
from visionbatch.flow.retry import RetryPolicy
from visionbatch.flow.watch import watch
from visionbatch.io.control import BODY_CAP, Origin
from visionbatch.io.control_async import AsyncControlPlane, shared_session
from visionbatch.io.control_sync import ControlPlane
from visionbatch.io.drive import adrive, drive
from visionbatch.io.line import Line
from visionbatch.io.wire import Wire
from visionbatch.model.secret import SecretUrl
from visionbatch_mock import MockServer
from visionbatch_mock.lifecycle import BatchState
from visionbatch_mock.tenant import Tenant

GET = Request("GET", "/v0.2/batches/some-batch")
ONCE = RetryPolicy(attempts=1)

Perform = Callable[..., Any]


def in_a_thread(url: str, flow: Flow[Any], *, key: str = "key", timeout_s: float = 20, clock: Any = None) -> Any:
    with ControlPlane(Origin(url), lambda: token_header(Secret(key)), timeouts=(timeout_s, timeout_s)) as plane:
        return drive(flow, plane, clock or HandClock())


def on_a_loop(url: str, flow: Flow[Any], *, key: str = "key", timeout_s: float = 20, clock: Any = None) -> Any:
    async def credentials() -> Mapping[str, Secret]:
        return token_header(Secret(key))

    async def perform() -> Any:
        async with shared_session() as session:
            plane = AsyncControlPlane(Origin(url), credentials, session, timeout_s)
            return await adrive(flow, plane, clock or AsyncHandClock())

    return asyncio.run(perform())


@pytest.fixture(params=[in_a_thread, on_a_loop])
def perform(request: pytest.FixtureRequest) -> Perform:
    return request.param


def http(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def test_a_request_carries_the_key_and_asks_for_plain_json(perform: Perform) -> None:
    with Scripted(http(b"{}")) as server:
        response = perform(f"http://127.0.0.1:{server.port}/base/", call(GET, ONCE), key="k-1")

    assert response.json_object() == {}
    head = server.heads[0].lower()
    assert head.startswith("get /base/v0.2/batches/some-batch http/1.1")
    assert "authorization: token k-1" in head
    assert "accept-encoding: identity" in head
    assert "user-agent: visionbatch/" in head


def test_a_body_and_a_query_are_written_as_json_and_quoted(perform: Perform) -> None:
    request = Request("POST", "/x", (("a", "b c&d"),), {"filename": "\N{SNOWMAN}"})
    with Scripted(http(b"{}")) as server:
        perform(f"http://127.0.0.1:{server.port}", call(request, ONCE))

    assert server.heads[0].startswith("POST /x?a=b%20c%26d HTTP/1.1")


class Endless(Listener):
    """Answers with a body that has no end, and stops when nobody reads it any more."""

    def __init__(self, *, compressed: bool) -> None:
        super().__init__()
        self._compressed = compressed

    def serve(self, peer: socket.socket) -> None:
        read_head(peer)
        packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS) if self._compressed else None
        coding = b"Content-Encoding: gzip\r\n" if packer else b""
        peer.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + coding + b"\r\n")
        blanks = b" " * (1 << 20)
        while not self._stop.is_set():
            peer.sendall(packer.compress(blanks) + packer.flush(zlib.Z_SYNC_FLUSH) if packer else blanks)


@pytest.mark.fault("SC7")
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
def test_an_answer_beyond_the_cap_is_not_read_to_its_end(perform: Perform, compressed: bool) -> None:
    with Endless(compressed=compressed) as server, pytest.raises(AnswerTooLarge) as caught:
        perform(f"http://127.0.0.1:{server.port}", call(GET, RetryPolicy()))

    assert server.connections == 1
    assert not caught.value.retry_safe

    # On the data plane nobody wants more of an answer than its beginning.
    with Endless(compressed=compressed) as server, Wire() as wire:
        url = SecretUrl(f"http://127.0.0.1:{server.port}/session?upload_id=1")
        assert len(wire.put(url, {}, [b"body"], 4, lambda _: None).body) < BODY_CAP


@pytest.mark.parametrize(
    "body", [b"[" * 200_000, b'{"a":' * 100 + b"1" + b"}" * 100, b"1" * 5000, b"<html>", b"", b"\xff", b"NaN x"]
)
def test_an_answer_that_is_no_honest_json_is_one_of_our_errors(perform: Perform, body: bytes) -> None:
    with Scripted(http(body)) as server:
        response = perform(f"http://127.0.0.1:{server.port}", call(GET, ONCE))
    with pytest.raises(UnreadableAnswer):
        response.json_object()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_does_not_get_the_key(
    perform: Perform, mock: MockServer, tenant: Tenant, faults: Any, status: int
) -> None:
    with Silent() as elsewhere:
        location = f"http://localhost:{elsewhere.port}/v0.2/batches?token=secret"
        faults(CREATE, {"fault": f"redirect-{status}", "location": location})
        with pytest.raises(Redirected) as caught:
            perform(mock.url, call(Request("POST", "/v0.2/batches"), RetryPolicy()), key=tenant.token)
        assert elsewhere.connections == 0
    assert "secret" not in str(caught.value)


def test_a_netrc_does_not_replace_the_key(perform: Perform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login thief password gold\ndefault login thief password gold\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    with Scripted(http(b"{}")) as server:
        perform(f"http://127.0.0.1:{server.port}", call(GET, ONCE), key="k-1")

    assert "authorization: token k-1" in server.heads[0].lower()
    assert "basic" not in server.heads[0].lower()


def test_the_environments_proxy_is_used(
    perform: Perform, mock: MockServer, tenant: Tenant, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ForwardProxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        batch = perform(mock.url, DeepomaticApi(settings_for(mock)).create("label"), key=tenant.token)
        assert proxy.asked == ["POST 127.0.0.1"]
    assert [entry["batch_id"] for entry in books.effects("batch.created")] == [batch.batch_id]


def settings_for(mock: MockServer) -> DeepomaticSettings:
    return DeepomaticSettings(mock.url, upload_hosts=(mock.url,))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.mark.parametrize("trust", ["trusted", "unknown-authority", "wrong-name"])
def test_certificates_are_checked_with_the_environments_authorities(
    perform: Perform, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trust: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example" if trust == "wrong-name" else "localhost").configure_cert(context)
    if trust != "unknown-authority":
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with Scripted(http(b"{}"), context) as server:
        url = f"https://localhost:{server.port}"
        if trust == "trusted":
            assert perform(url, call(GET, ONCE)).status == 200
            return
        with pytest.raises(TlsRefused, match="the certificate was refused") as caught:
            perform(url, call(GET, RetryPolicy()))
        assert server.connections == 1, "never tried again"
    assert "SSL_CERT_FILE" in caught.value.next_step
    assert not server.heads


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_a_port_where_nobody_listens_is_unreachable_and_surely_not_received(perform: Perform) -> None:
    with pytest.raises(Unreachable) as caught:
        perform(f"http://127.0.0.1:{closed_port()}", call(GET, ONCE))
    assert not caught.value.maybe_received
    assert caught.value.retry_safe


def test_a_name_that_does_not_exist_is_unreachable(perform: Perform) -> None:
    request = Request("GET", "/x", (("api_key", "secret-in-the-query"),))
    with pytest.raises(TransportError) as caught:
        perform("https://no-such-host.invalid", call(request, ONCE))
    assert not caught.value.maybe_received
    assert "secret-in-the-query" not in str(caught.value)


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0\r\n\r\n", http(b"{", length=50)])
def test_an_answer_that_breaks_off_may_have_been_received(perform: Perform, answer: bytes) -> None:
    with Scripted(answer) as server, pytest.raises(TransportError) as caught:
        perform(f"http://127.0.0.1:{server.port}", call(GET, ONCE))
    assert caught.value.maybe_received


class Dripping(Scripted):
    """Answers a byte now and then, for ever."""

    def serve(self, peer: socket.socket) -> None:
        peer.recv(1 << 16)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not self._stop.wait(0.05):
            peer.sendall(b" ")


class Mute(Scripted):
    """Takes a request and says nothing."""

    def serve(self, peer: socket.socket) -> None:
        while not self._stop.is_set() and peer.recv(1 << 16):
            pass


@pytest.mark.parametrize("kind", [Mute, Dripping])
def test_silence_and_dripping_are_both_broken_off(perform: Perform, kind: type[Scripted]) -> None:
    with kind(b"") as server, pytest.raises(TimedOut) as caught:
        perform(f"http://127.0.0.1:{server.port}", call(GET, ONCE), timeout_s=0.4)
    assert caught.value.maybe_received


def test_one_flow_does_the_same_in_a_thread_and_on_a_loop(mock: MockServer, tenant: Tenant, faults: Any) -> None:
    api = DeepomaticApi(settings_for(mock))
    tenant.configure(profile="rich", lifecycle={"mode": "looks", "looks": 1})

    def whole() -> Flow[list[str]]:
        batch = yield from api.create("label")
        tenant.batches.get(batch.batch_id).force(BatchState.UPLOADED)  # type: ignore[union-attr]  # it was just made
        end = yield from watch(lambda: api.look(batch.batch_id), subject="batch", pace=Pace())
        yield from api.cancel(batch.batch_id)
        try:
            yield from api.get(batch.batch_id)
        except NotFound as error:
            return [end.native, error.what.replace(batch.batch_id, "...")]
        return [end.native]

    histories = []
    for perform, clock in ((in_a_thread, HandClock()), (on_a_loop, AsyncHandClock())):
        faults(CREATE, "return-503", "drop-response")
        faults("deepomatic.batches.get", "pass", "return-500", "html-200")
        before = len(tenant.journal.entries())
        told = perform(mock.url, whole(), key=tenant.token, clock=clock)
        requests = [(entry.operation, entry.status) for entry in tenant.journal.entries()[before:]]
        histories.append((told, requests, clock.pauses))

    assert histories[0] == histories[1]
    assert len(histories[0][2]) > 5


class EveryEffect:
    """A plane that refuses everything, for a flow that asks for everything."""

    def send(self, request: Request, refused: int | None = None) -> Response | None:
        raise Unreachable("no way")


class AsyncEveryEffect:
    async def send(self, request: Request, refused: int | None = None) -> Response | None:
        raise Unreachable("no way")


def greedy() -> Flow[list[Any]]:
    answers: list[Any] = [(yield Now()), (yield Pause(2, 3))]
    try:
        yield Send(GET)
    except VisionBatchError as error:
        answers.append(error.what)
    answers.append((yield Now()))
    return answers


async def test_drivers_answer_every_effect_and_throw_errors_in() -> None:
    expected = [1_000_000, None, "no way", 1_000_002]
    assert drive(greedy(), EveryEffect(), HandClock()) == expected
    assert await adrive(greedy(), AsyncEveryEffect(), AsyncHandClock()) == expected


async def test_one_session_serves_a_loop_until_its_last_holder_leaves() -> None:
    async with AsyncExitStack() as first:
        session = await first.enter_async_context(shared_session())
        async with shared_session() as same:
            assert same is session
        assert not session.closed
    assert session.closed

    async with shared_session() as another:
        assert another is not session
        assert not another.closed


async def test_a_session_is_closed_when_its_holder_fails() -> None:
    sessions: list[aiohttp.ClientSession] = []

    async def failing() -> None:
        async with shared_session() as session:
            sessions.append(session)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await failing()
    assert sessions[0].closed


def test_two_loops_have_two_sessions() -> None:
    async def one() -> aiohttp.ClientSession:
        async with shared_session() as session:
            return session

    assert asyncio.run(one()) is not asyncio.run(one())


class Patient(Scripted):
    """Answers request after request on one connection."""

    def serve(self, peer: socket.socket) -> None:
        while head := read_head(peer)[0]:
            self.heads.append(head)
            peer.sendall(self._answer)


def test_a_connection_is_kept_from_request_to_request_and_without_cookies() -> None:
    with Patient(http(b"{}", "Set-Cookie: session=one-tenants")) as server:
        url = f"http://127.0.0.1:{server.port}"
        with ControlPlane(Origin(url), lambda: token_header(Secret("key"))) as plane:
            for _ in range(5):
                assert drive(call(GET, ONCE), plane, HandClock()).status == 200
        assert (server.connections, len(server.heads)) == (1, 5)
    assert "cookie" not in "".join(server.heads).lower()


def test_a_service_that_went_away_is_unreachable_as_often_as_it_is_asked() -> None:
    with Patient(http(b"{}")) as server:
        url = f"http://127.0.0.1:{server.port}"
        plane = ControlPlane(Origin(url), lambda: token_header(Secret("key")))
        assert plane.send(GET) is not None
    with plane:
        for _ in range(3):
            with pytest.raises(Unreachable) as caught:
                plane.send(GET)
            assert not caught.value.maybe_received


RAW = zlib.compressobj(wbits=-zlib.MAX_WBITS)
PLAIN = b'{"a": 1}'


@pytest.mark.parametrize(
    ("coding", "packed"),
    [("gzip", gzip.compress(PLAIN)), ("deflate", zlib.compress(PLAIN)), ("deflate", RAW.compress(PLAIN) + RAW.flush())],
    ids=["gzip", "deflate", "deflate-without-a-head"],
)
def test_an_answer_that_is_compressed_though_nobody_asked_is_read_all_the_same(
    perform: Perform, coding: str, packed: bytes
) -> None:
    with Scripted(http(packed, f"Content-Encoding: {coding}")) as server:
        assert perform(f"http://127.0.0.1:{server.port}", call(GET, ONCE)).json_object() == {"a": 1}


def test_compressed_pieces_are_joined_and_half_of_one_is_no_answer() -> None:
    def looked(packed: bytes) -> Any:
        with Scripted(http(packed, "Content-Encoding: gzip")) as server:
            return in_a_thread(f"http://127.0.0.1:{server.port}", call(GET, ONCE))

    packed = gzip.compress(PLAIN[:4]) + gzip.compress(PLAIN[4:]) + bytes(8)
    assert looked(packed).json_object() == {"a": 1}
    with pytest.raises(Unreachable):
        looked(gzip.compress(PLAIN)[:-9])


@pytest.mark.parametrize("proxy", ["http://user:half#other@127.0.0.1:1", "http://[", "http://:80"])
def test_a_proxy_that_cannot_be_read_is_refused_without_being_shown(
    perform: Perform, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(ConfigError, match="a proxy that cannot be read") as caught:
        perform("http://127.0.0.1:1", call(GET, ONCE))
    assert "half" not in str(caught.value)


@pytest.mark.parametrize(("url", "port"), [("https://[fd00::1:8]", 443), ("http://[::1]", 80), ("https://[::1]:8", 8)])
def test_an_address_of_ipv6_is_not_taken_for_a_host_with_a_port(url: str, port: int) -> None:
    connection = Line(1.0, 1.0)._new_connection(url)
    assert (connection.host, connection.port) == (urlsplit(url).hostname, port)


def test_a_proxy_is_told_its_password_and_nobody_else_is(
    perform: Perform, mock: MockServer, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Scripted(http(b"{}")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://user:word@127.0.0.1:{proxy.port}")
        perform(mock.url, call(GET, ONCE), key=tenant.token)
    assert "proxy-authorization: basic dxnlcjp3b3jk" in proxy.heads[0].lower()


class Hasty(Scripted):
    """Answers at the head of a request, and hangs up on its body: politely, or with what is unread in the way."""

    def __init__(self, answer: bytes, *, polite: bool) -> None:
        super().__init__(answer)
        self._polite = polite

    def serve(self, peer: socket.socket) -> None:
        read_head(peer)
        peer.sendall(self._answer)
        if self._polite:
            peer.shutdown(socket.SHUT_WR)
        else:
            peer.close()


@pytest.mark.parametrize("polite", [True, False])
def test_the_answer_of_who_hangs_up_on_a_body_is_heard(polite: bool) -> None:
    body = Body(b"x" * (16 << 20), "text/plain")
    with Hasty(http(b"{}", "Connection: close", status="413 Too Large"), polite=polite) as server:
        url = f"http://127.0.0.1:{server.port}"
        with ControlPlane(Origin(url), lambda: token_header(Secret("key"))) as plane:
            answer = plane.send(Request("POST", "/x", body=body))
    assert answer is not None
    assert answer.status == 413


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "ftp://api.example.com",
        "https://",
        "api.example.com",
        "",
        "https://user:word@api.example.com",
        "https://api.example.com?x=1",
        "https://api.example.com#x",
        "https://[broken",
        "https://api.example.com:99999",
        "file:///etc/passwd",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
    ],
)
def test_an_origin_that_is_unsafe_or_none_is_a_setting_error(url: str) -> None:
    with pytest.raises(ConfigError, match="base URL") as caught:
        Origin(url)
    assert "word" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://api.example.com", "api.example.com"),
        ("https://api.example.com:8443/prefix/", "api.example.com"),
        ("http://127.0.0.1:8080", "127.0.0.1"),
        ("http://localhost", "localhost"),
        ("http://[::1]:80", "::1"),
    ],
)
def test_an_origin_is_https_or_on_this_machine(url: str, host: str) -> None:
    assert Origin(url).host == host


def test_plain_http_can_be_allowed_by_name() -> None:
    assert Origin("http://api.internal", allow_plain_http=True).host == "api.internal"


def test_a_key_in_an_answer_of_the_service_is_json_like_any_other(perform: Perform) -> None:
    with Scripted(http(json.dumps({"batch_id": "b", "extra": ["x"]}).encode())) as server:
        assert perform(f"http://127.0.0.1:{server.port}", call(GET, ONCE)).json_object()["extra"] == ["x"]
