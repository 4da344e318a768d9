"""Answers in the two dialects of the mocked services.

Deepomatic's errors are JSON objects with `detail`; Google's JSON API nests an `error` object, and
sessions begun through the XML API answer in plain text.
"""

import json
from http import HTTPStatus
from typing import Any

from flask import Response

JSON = "application/json"

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


def error_for(path: str, status: int, message: str) -> Response:
    """An error in the dialect that the path's service speaks."""
    if path.startswith("/v0.2"):
        return json_answer({"detail": message}, status)
    if path.startswith("/_control"):
        return json_answer({"error": message}, status)
    reason = status_line(status).partition(" ")[2]
    errors = [{"domain": "global", "reason": reason, "message": message}]
    return json_answer({"error": {"code": status, "message": message, "errors": errors}}, status)
