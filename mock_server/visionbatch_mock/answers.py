"""Answers in the dialects of the mocked services.

Deepomatic's errors are JSON objects with `detail`; Google's JSON API nests an `error` object, its XML API
answers with documents, and upload sessions of either answer in plain text.
"""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import escape

from flask import Response

from visionbatch_mock.storage.paths import is_xml_path

JSON = "application/json"

_GOOGLE_REASONS = {
    400: "invalid",
    401: "required",
    403: "forbidden",
    404: "notFound",
    409: "conflict",
    412: "conditionNotMet",
    416: "requestedRangeNotSatisfiable",
    429: "rateLimitExceeded",
    500: "backendError",
    503: "backendError",
}
"""The `reason` of an error, by Google's page on status and error codes of the JSON API."""

ROBOFLOW_PATHS = ("/data-staging/", "/batch-processing/")
SIGNED_PATH = "/staged/"
"""Where the mock serves Roboflow's signed URLs, in the manner of an object store."""

_XML_CODES = {
    400: "InvalidArgument",
    403: "AccessDenied",
    404: "NoSuchKey",
    405: "MethodNotAllowed",
    408: "RequestTimeout",
    412: "PreconditionFailed",
    416: "InvalidRange",
    429: "SlowDown",
    503: "ServiceUnavailable",
}
"""The `Code` of an error, by Google's page on status and error codes of the XML API; `InternalError` for others."""

_REASONS = {308: "Resume Incomplete", 499: "Client Closed Request"}


def status_line(status: int) -> str:
    """Code and reason, including the codes that Google uses beyond the registered ones."""
    if status in _REASONS:
        return f"{status} {_REASONS[status]}"
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Unknown"


def json_answer(body: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(json.dumps(body), status_line(status), content_type=JSON)


def text_answer(body: str, status: int) -> Response:
    """A plain text answer, the form of Google's upload servers for refused requests."""
    return Response(body, status_line(status), content_type="text/plain; charset=utf-8")


def html_answer(status: int) -> Response:
    """The page of a proxy or load balancer that stands in front of the service."""
    line = status_line(status)
    page = f"<!doctype html><html><head><title>{line}</title></head><body><h1>{line}</h1></body></html>"
    return Response(page, line, content_type="text/html; charset=utf-8")


def empty_answer(status: int) -> Response:
    """An answer without a body and without a type for it."""
    response = Response(b"", status_line(status))
    del response.headers["Content-Type"]
    return response


_DIALECTS: dict[str, Callable[[int, str], Response]] = {}


def speak(prefix: str, make: Callable[[int, str], Response]) -> None:
    """Let errors at paths that begin with `prefix` be made by `make`, from status and message."""
    _DIALECTS[prefix] = make


def error_for(path: str, status: int, message: str) -> Response:
    """An error in the dialect that the path's service speaks."""
    for prefix, make in _DIALECTS.items():
        if path.startswith(prefix):
            return make(status, message)
    if path.startswith("/v0.2"):
        return json_answer({"detail": message}, status)
    if path.startswith("/_control") or is_roboflow(path):
        return json_answer({"error": message}, status)
    if path.startswith(SIGNED_PATH) or is_xml_path(path):
        return xml_error(_XML_CODES.get(status, "InternalError"), message, status)
    return json_answer(google_error(status, message), status)


def is_roboflow(path: str) -> bool:
    """Whether a path is one of Roboflow's API; the bare root is, because it tells a key's workspace."""
    return path == "/" or path.startswith(ROBOFLOW_PATHS)


def invalid_page_token(path: str) -> Response:
    """The refusal of a page token that is too old, in the dialect of the path's service."""
    if is_roboflow(path):
        return error_for(path, 400, "nextPageToken is not valid")
    if is_xml_path(path):
        return error_for(path, 400, "continuation-token is not valid")
    return json_answer(INVALID_PAGE_TOKEN, 400)


def google_error(status: int, message: str, **where: str) -> dict[str, Any]:
    """The body of an error of Google's JSON API; `where` may name a `location` and its type."""
    reason = _GOOGLE_REASONS.get(status) or status_line(status).partition(" ")[2]
    errors = [{"domain": "global", "reason": reason, "message": message, **where}]
    return {"error": {"code": status, "message": message, "errors": errors}}


INVALID_PAGE_TOKEN = google_error(400, "Invalid Value", locationType="parameter", location="pageToken")
"""The refusal of a page token that is garbage or too old."""


def xml_error(code: str, message: str, status: int) -> Response:
    """An error of Google's XML API, whose clients read the code."""
    body = (
        f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    )
    return Response(body, status_line(status), content_type="application/xml; charset=UTF-8")
