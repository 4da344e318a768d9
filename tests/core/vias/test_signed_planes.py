"""Both planes sign the request that leaves them, renew what runs out, and never ask twice with a refused key."""

from __future__ import annotations

import asyncio
import json
import pickle
import socket
import time
import traceback
from collections.abc import Callable
from html import escape
from typing import Any
from urllib.parse import quote

import pytest

from support.clocks import AsyncHandClock, HandClock
from support.listener import Listener, read_head
from visionbatch import Secret
from visionbatch.errors import ConfigError, NotAuthorized, Refused, VisionBatchError
from visionbatch.flow.call import call
from visionbatch.flow.effects import Flow, Request, Response
from visionbatch.flow.retry import RetryPolicy
from visionbatch.io.control import Origin
from visionbatch.io.control_async import AsyncControlPlane, shared_session
from visionbatch.io.control_sync import ControlPlane
from visionbatch.io.drive import adrive, drive
from visionbatch.model.credential import Credential, Token
from visionbatch.vias.account import IamUser
from visionbatch.vias.iam import fetch_token
from visionbatch.vias.settings import ViasSettings
from visionbatch.vias.signing import AccessKey, signature

ONCE = RetryPolicy(attempts=1)
KEY = AccessKey("AKEXAMPLE00000000001", Secret("sk-sk-sk"))

Perform = Callable[..., Any]


def in_a_thread(url: str, flow: Flow[Any], credentials: Callable[[], Credential]) -> Any:
    with ControlPlane(Origin(url), credentials) as plane:
        return drive(flow, plane, HandClock())


def on_a_loop(url: str, flow: Flow[Any], credentials: Callable[[], Credential]) -> Any:
    async def looked_up() -> Credential:
        return credentials()

    async def perform() -> Any:
        async with shared_session() as session:
            return await adrive(flow, AsyncControlPlane(Origin(url), looked_up, session), AsyncHandClock())

    return asyncio.run(perform())


@pytest.fixture(params=[in_a_thread, on_a_loop])
def perform(request: pytest.FixtureRequest) -> Perform:
    return request.param


class Witness(Listener):
    """Keeps every request, and answers it with the next status, or for ever with the last."""

    def __init__(self, *statuses: str, answer: bytes = b"{}") -> None:
        super().__init__()
        self._statuses = list(statuses or ["200 OK"])
        self.requests: list[tuple[str, bytes]] = []
        self._answer = answer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, peer: socket.socket) -> None:
        head, body = read_head(peer)
        length = next((int(f.split(":")[1]) for f in head.split("\r\n") if f.lower().startswith("content-length:")), 0)
        while len(body) < length:
            body += peer.recv(65536)
        self.requests.append((head, bytes(body)))
        status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        head = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {len(self._answer)}\r\n\r\n"
        peer.sendall(head.encode() + self._answer)


def verified(head: str, body: bytes) -> bool:
    """Whether a request's signature is that of its own raw line, headers and body."""
    line, *fields = head.split("\r\n")
    method, target, _ = line.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields if field)}
    names = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    signed = {name: headers[name] for name in names}
    url = f"http://{headers['host']}{target}"
    return headers["authorization"] == signature(method, url, signed, body, KEY.access_key, KEY.secret_key, 0)


@pytest.mark.parametrize(
    "request_",
    [
        Request("GET", "/v2/p/batch-tasks", (("name_like", "a b/中~*+&=?#"), ("page_num", "1"), ("empty", ""))),
        Request("POST", "/v2/p/batch-tasks", body={"name": "夜间", "secret": Secret("in-the-body")}),
        Request("PUT", "/v2/p/batch-tasks/0d47/action/stop"),
        Request("DELETE", "/v2/p/services/%E4%B8%AD/tasks"),
    ],
    ids=["query", "body", "no body", "encoded path"],
)
def test_the_request_that_is_sent_is_the_one_that_is_signed(perform: Perform, request_: Request) -> None:
    with Witness() as server:
        perform(server.url, call(request_, ONCE), lambda: KEY)
    [(head, body)] = server.requests
    assert verified(head, body)
    assert (b"in-the-body" in body) == (request_.method == "POST")
    assert "in-the-body" not in repr(request_)


def test_a_refused_access_key_is_not_tried_again(perform: Perform) -> None:
    with Witness("401 Unauthorized", "200 OK") as server, pytest.raises(NotAuthorized):
        perform(server.url, call(Request("GET", "/x"), ONCE), lambda: KEY)
    assert len(server.requests) == 1


def test_a_temporary_keys_token_that_a_page_repeats_is_not_shown(perform: Perform) -> None:
    temporary = AccessKey("AK", Secret("sk"), Secret("token-for-an-hour"))
    page = b"<html>you sent token-for-an-hour</html>"
    with Witness("400 Bad", answer=page) as server, pytest.raises(Refused) as refused:
        perform(server.url, call(Request("GET", "/x"), ONCE), lambda: temporary)
    assert "you sent ***" in str(refused.value)


def two_calls() -> Flow[list[Response]]:
    first = yield from call(Request("GET", "/1"), ONCE)
    second = yield from call(Request("GET", "/2"), ONCE)
    return [first, second]


def test_a_token_that_runs_out_is_renewed_before_the_next_request(perform: Perform) -> None:
    given = iter([Token({"X-Auth-Token": Secret("old")}, time.time() - 1), Token({"X-Auth-Token": Secret("new")})])
    with Witness() as server:
        perform(server.url, two_calls(), lambda: next(given))
    assert [("old" in head, "new" in head) for head, _ in server.requests] == [(True, False), (False, True)]


def test_a_credential_that_no_header_can_carry_is_refused_without_being_shown(perform: Perform) -> None:
    token = Secret("one-half\nother-half")
    with Witness() as server, pytest.raises(ConfigError, match="header") as caught:
        perform(server.url, call(Request("GET", "/x"), ONCE), lambda: {"X-Auth-Token": token})
    assert not any(head for head, _ in server.requests)
    assert "one-half" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("broken", ["half\nrest", "", "K\u043b\u044e\u0447", "half rest"])
def test_a_key_with_what_no_key_has_is_refused_when_it_is_built(broken: str) -> None:
    for parts in ((broken, "sk", "st"), ("ak", broken, "st"), ("ak", "sk", broken)):
        with pytest.raises(ConfigError) as caught:
            AccessKey(parts[0], Secret(parts[1]), Secret(parts[2]))
        assert not broken or broken not in repr(caught.value) + str(caught.value)


@pytest.mark.parametrize("password", ['pa"ss\\word-\u00dcn/<&>', "plain-password"])
@pytest.mark.parametrize("status", ["400 Bad", "200 OK\r\nX-Subject-Token: MII", "401 No"])
def test_a_password_that_a_gateway_sends_back_is_nowhere_in_the_error(status: str, password: str) -> None:
    ways = (password, json.dumps(password), json.dumps(password, ensure_ascii=False), quote(password), escape(password))
    page = ("<html>" + " ".join(ways)).encode()
    with Witness(status, answer=page) as server:
        settings = ViasSettings(project_id="p" * 32, base_url=server.url, iam_url=server.url)
        with pytest.raises(VisionBatchError) as caught:
            in_a_thread(server.url, fetch_token(IamUser("me", Secret(password), "acct"), settings, ONCE), dict)
    said = repr(caught.value) + str(caught.value) + str(vars(caught.value)) + repr(caught.value.__cause__)
    assert "***" in said
    for way in (password, *ways, json.dumps(password)[1:-1]):
        assert way not in said
        assert way.encode() not in pickle.dumps(caught.value)
