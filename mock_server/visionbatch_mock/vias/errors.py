"""Refusals in the three dialects that a client of VIAS meets: VIAS itself, the gateway before it, and IAM.

VIAS says "not found" with 400 and "not allowed" with 500.
"""

from typing import Any

from flask import Response

from visionbatch_mock.answers import json_answer, status_line
from visionbatch_mock.refusals import Refusal
from visionbatch_mock.vias.codes import Code

_ADVICE = {
    Code.INVALID: "Check the parameter against the API reference.",
    Code.BAD_FORMAT: "Check the parameter against the API reference.",
    Code.TASK_QUOTA: "Delete tasks that are no longer needed, or ask for a larger quota.",
    Code.SOURCE_QUOTA: "Delete video sources that are no longer needed, or ask for a larger quota.",
}


class ViasError(Refusal):
    """A request that VIAS refuses; `about` names the parameter or the id."""

    def __init__(self, code: Code, message: str, about: str | None = None) -> None:
        super().__init__(code.status, message)
        self.code = code
        self.message = message
        self.about = about

    def answer(self) -> Response:
        """The six fields of the definition, all of them required there."""
        return vias_error(self.code.status, self.code, self.message, self.about)


def vias_error(status: int, code: str, message: str, about: str | None = None) -> Response:
    """An error in the words of VIAS."""
    body = {
        "error_code": code,
        "error_msg": message,
        "detail": message if about is None else f"{about}: {message}",
        "params": [] if about is None else [about],
        "reason": message,
        "advice": next((text for each, text in _ADVICE.items() if each == code), "Check the request."),
    }
    return json_answer(body, status)


class Refused(Exception):
    """A request that the gateway does not let through."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


UNSIGNED = "Incorrect IAM authentication information: "
"""How every refusal of a credential begins."""


def unauthenticated(reason: str) -> Refused:
    """A credential that is missing, wrong or too old."""
    return Refused(401, "APIGW.0301", UNSIGNED + reason)


def no_such_api() -> Refused:
    """A path, or a method on it, that is not published."""
    return Refused(404, "APIGW.0101", "The API does not exist or has not been published in the environment")


def not_permitted() -> Refused:
    """A user who may not do this here, as with the project of another account."""
    return Refused(403, "APIGW.0302", "The IAM user is not authorized to access the API")


def too_large() -> Refused:
    """A body beyond what the gateway takes."""
    return Refused(413, "APIGW.0201", "Request entity too large")


_GATEWAY_CODES = {401: "APIGW.0301", 403: "APIGW.0302", 404: "APIGW.0101", 413: "APIGW.0201", 429: "APIGW.0308"}


def gateway_error(refused: Refused, request_id: str) -> Response:
    """The three fields of the gateway."""
    body = {"error_msg": refused.message, "error_code": refused.code, "request_id": request_id}
    return json_answer(body, refused.status)


def error_for_status(status: int, message: str, request_id: str) -> Response:
    """An injected status in the words of whoever would give it: 400 and 500 are VIAS's own."""
    if status == 400:
        return vias_error(status, Code.INVALID, message)
    if status == 500:
        return vias_error(status, Code.INTERNAL, message)
    code = _GATEWAY_CODES.get(status, "APIGW.0201")
    return gateway_error(Refused(status, code, message), request_id)


def keystone_error(status: int, message: str) -> Response:
    """An error of IAM."""
    return json_answer(keystone_body(status, message), status)


def keystone_body(status: int, message: str) -> dict[str, Any]:
    """The nested object that Keystone and its clients speak."""
    title = status_line(status).partition(" ")[2]
    return {"error": {"code": status, "message": message, "title": title}}
