"""The token check of Deepomatic's site hosts, by the vendor's pages on errors and authentication."""

from flask import Response, request

from visionbatch_mock.answers import json_answer
from visionbatch_mock.exchange import current, token_of_request

NO_TOKEN = "Authentication credentials were not provided."  # noqa: S105 - a message, no password
WRONG_TOKEN = "No user found for such apiKey"  # noqa: S105 - a message, no password


def refuse_stranger() -> Response | None:
    """The refusal that a request without a valid token gets; None for all others."""
    if not request.path.startswith("/v0.2"):
        return None
    token = token_of_request()
    if token is None:
        return _refusal(NO_TOKEN)
    if current().tenant.shut_out:
        return _refusal(WRONG_TOKEN)
    return None


def _refusal(detail: str) -> Response:
    current().body.drain()
    status = current().tenant.behaviour.auth_status
    response = json_answer({"detail": detail}, status)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Token"
    return response
