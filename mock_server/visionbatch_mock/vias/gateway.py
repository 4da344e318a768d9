"""The gateway before VIAS: who may come in, by a token or by a signature, and the id of every request."""

import hashlib
from datetime import UTC, datetime

from flask import Flask, Response, g, request

from visionbatch_mock.answers import speak
from visionbatch_mock.exchange import current
from visionbatch_mock.tenant import Tenant
from visionbatch_mock.vias.arrival import AUTH_TOKEN, is_huaweis, signed
from visionbatch_mock.vias.errors import (
    Refused,
    error_for_status,
    gateway_error,
    keystone_error,
    no_such_api,
    not_permitted,
    too_large,
    unauthenticated,
)
from visionbatch_mock.vias.signature import Credential, Received, canonical_requests, verified

BODY_BYTES = 12 * 1024 * 1024
"""Longest body that the gateway takes with a signature, by Huawei's guide on signing."""

OPEN = frozenset({"/v3", "/v3/", "/v3/auth/tokens"})
"""What IAM answers without a credential."""


def install(app: Flask) -> None:
    """Judge every request to VIAS and IAM before its route, and number it."""
    app.before_request(refuse_stranger)
    app.after_request(_numbered)
    app.register_error_handler(Refused, lambda refused: gateway_error(refused, request_id()))
    speak("/v2/", _error)
    speak("/v3", keystone_error)


def request_id() -> str:
    """32 hexadecimal digits for the current request, by its place in the journal."""
    exchange = current()
    return hashlib.sha256(f"{exchange.tenant.token}/{exchange.seq}".encode()).hexdigest()[:32]


def refuse_stranger() -> None:
    """Raise `Refused` for a request to VIAS or IAM without a good credential."""
    if not is_huaweis(request.path) or request.path in OPEN:
        return
    body = current().body.read_all(BODY_BYTES)
    if body is None:
        raise too_large()
    g.huawei_body = body
    tenant = current().tenant
    if signed(request.headers.get("Authorization", "")):
        _check_signature(tenant, body)
    else:
        _check_token(tenant)
    _check_project(tenant)


def body_received() -> bytes:
    """The body of the current request, read when its credential was judged."""
    if "huawei_body" not in g:
        g.huawei_body = current().body.read_all(BODY_BYTES) or b""
    return bytes(g.huawei_body)


def _check_token(tenant: Tenant) -> None:
    text = request.headers.get(AUTH_TOKEN)
    if not text:
        raise unauthenticated("x-auth-token not found")
    if not tenant.behaviour.vias_check_tokens:
        return
    token = tenant.iam.token(text)
    if token is None or tenant.shut_out:
        raise unauthenticated("decrypt token fail")
    if tenant.clock.now() >= token.expires:
        raise unauthenticated(f"token expires, expires_at: {_shown(token.expires)}")
    if token.project_id is None and request.path.startswith("/v2/"):
        raise not_permitted()


def _check_signature(tenant: Tenant, body: bytes) -> None:
    credential = Credential.of(request.headers["Authorization"])
    if credential is None or "x-sdk-date" not in credential.signed:
        raise unauthenticated("verify aksk signature fail, the Authorization header is malformed")
    if tenant.shut_out:
        raise unauthenticated(f"Get secretKey failed,ak:{credential.access_key},err:ak not exist")
    if not tenant.behaviour.vias_check_signatures:
        return
    if tenant.iam.locked:
        raise unauthenticated("AK access failed to reach the limit,forbidden")
    _check_date(tenant, received := _received(body))
    _check_security_token(tenant, credential)
    if not verified(received, credential, tenant.behaviour.vias_secret_key):
        tenant.iam.note_failure()
        shown = (canonical_requests(received, credential.signed) or ["the body is not the one that was signed"])[0]
        raise unauthenticated(f"verify aksk signature fail, canonicalRequest:{shown.replace(chr(10), '|')}")
    tenant.iam.note_success()


def _check_date(tenant: Tenant, received: Received) -> None:
    now, told = tenant.clock.now(), received.signed_at
    if told is None or abs(now - told) > tenant.behaviour.vias_skew_s:
        server = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        times = f"signature time:{received.date},server time:{server}"
        raise unauthenticated(f"calc aksk signature fail:signature expired, {times}")


def _check_security_token(tenant: Tenant, credential: Credential) -> None:
    wanted, given = tenant.behaviour.vias_security_token, request.headers.get("X-Security-Token")
    if wanted is None:
        return
    if given != wanted:
        raise unauthenticated("decrypt token fail")
    if "x-security-token" not in credential.signed:
        raise unauthenticated("verify aksk signature fail, x-security-token is not signed")


def _check_project(tenant: Tenant) -> None:
    """A path names the project of the caller, or the call is not permitted; whoever is not checked may name any."""
    if not request.path.startswith("/v2/"):
        return
    behaviour = tenant.behaviour
    checked = behaviour.vias_check_tokens if AUTH_TOKEN in request.headers else behaviour.vias_check_signatures
    if checked and request.path.split("/")[2] != tenant.iam.project_id:
        raise not_permitted()


def _received(body: bytes) -> Received:
    target = str(request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or request.full_path)
    headers = {name.lower(): _as_sent(value) for name, value in request.headers.items()}
    return Received(request.method, target, headers, body)


def _as_sent(value: str) -> str:
    """A header as text: WSGI hands its bytes over as Latin-1, and clients sign UTF-8."""
    return value.encode("latin-1", "replace").decode("utf-8", "replace")


def _shown(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _error(status: int, message: str) -> Response:
    """An error below `/v2/`; of a path or a method that is not published the gateway says the same."""
    if request.routing_exception is not None:
        return gateway_error(no_such_api(), request_id())
    return error_for_status(status, message, request_id())


def _numbered(response: Response) -> Response:
    if is_huaweis(request.path) and "exchange" in g:
        response.headers["X-Request-Id"] = request_id()
    return response
