"""What the instructions do to a request and its answer, wherever it is served.

Upload sessions add their own effects on bytes in `storage.session_routes`; everything here works on
finished answers or instead of them.
"""

import json
from collections.abc import Callable
from typing import Any

from flask import Response, request

from visionbatch_mock.answers import (
    JSON,
    empty_answer,
    error_for,
    html_answer,
    invalid_page_token,
    status_line,
)
from visionbatch_mock.faults.grammar import Fault, Instruction
from visionbatch_mock.hangup import Ending, hang_up, reset_connection

WRONG_CRC32C, WRONG_MD5 = "AAAAAA==", "AAAAAAAAAAAAAAAAAAAAAA=="
"""Well-formed checksums that belong to no content that a test is likely to send."""


def instead(instruction: Instruction | None) -> Response | None:
    """The answer that an instruction gives before anything happens, or None to go on."""
    if instruction is None:
        return None
    make = _INSTEAD.get(instruction.fault)
    return make(instruction) if make else None


def afterwards(instruction: Instruction | None, response: Response) -> Response:
    """The answer that leaves the mock after the effect has happened."""
    if instruction is None:
        return response
    change = _AFTERWARDS.get(instruction.fault)
    return change(instruction, response) if change else response


def failure(instruction: Instruction) -> Response:
    """The error status of an instruction, in the dialect of the request's path."""
    message = f"Injected by the fault plan: {instruction.text}"
    return _with_retry_after(instruction, error_for(request.path, instruction.status, message))


def _with_retry_after(instruction: Instruction, response: Response) -> Response:
    if "retry_after" in instruction.extras:
        response.headers["Retry-After"] = str(instruction.extras["retry_after"])
    return response


def _html(instruction: Instruction) -> Response:
    return _with_retry_after(instruction, html_answer(instruction.status))


def _early(instruction: Instruction) -> Response:
    return hang_up(failure(instruction), Ending.STOP_READING)


def _redirect(instruction: Instruction) -> Response:
    response = empty_answer(instruction.status)
    response.headers["Location"] = str(instruction.extras.get("location", request.url))
    # Werkzeug would complete a relative target; what the plan says goes out as it is.
    response.autocorrect_location_header = False
    return response


def _answer_without_effect(instruction: Instruction) -> Response | None:
    return None if instruction.extras.get("effect") else _made_up(instruction)


def _made_up(instruction: Instruction) -> Response:
    told = instruction.extras
    return Response(
        str(told.get("body", "")),
        status_line(instruction.status),
        content_type=str(told.get("content_type", JSON)),
    )


def _drop(_: Instruction, __: Response) -> Response:
    return reset_connection()


def _cut(instruction: Instruction, response: Response) -> Response:
    return hang_up(response, Ending.CUT, instruction.size)


def _cut_and_reset(instruction: Instruction, response: Response) -> Response:
    return hang_up(response, Ending.CUT_AND_RESET, instruction.size)


def _replace_header(instruction: Instruction, response: Response) -> Response:
    response.headers[instruction.key] = str(instruction.extras["value"])
    return response


def _omit_header(instruction: Instruction, response: Response) -> Response:
    response.headers.pop(instruction.key, None)
    return response


def _edit(change: Callable[[Instruction, dict[str, Any]], None]) -> "_Change":
    """A change of a JSON object; answers of any other kind pass unchanged."""

    def apply(instruction: Instruction, response: Response) -> Response:
        body = response.get_json(silent=True)
        if isinstance(body, dict):
            change(instruction, body)
            response.set_data(json.dumps(body))
        return response

    return apply


def _omit_key(instruction: Instruction, body: dict[str, Any]) -> None:
    body.pop(instruction.key, None)


def _set_key(instruction: Instruction, body: dict[str, Any]) -> None:
    body[instruction.key] = instruction.extras["value"]


def _answer_with_effect(instruction: Instruction, _: Response) -> Response:
    return _made_up(instruction)


def _empty_final(_: Instruction, response: Response) -> Response:
    body = response.get_json(silent=True)
    short = empty_answer(200)
    size = body["size"] if isinstance(body, dict) else response.headers.get(STORED_LENGTH, "")
    short.headers[STORED_LENGTH] = str(size)
    return short


def _final_201(_: Instruction, response: Response) -> Response:
    response.status = status_line(201)
    return response


def _wrong_hash(_: Instruction, response: Response) -> Response:
    body = response.get_json(silent=True)
    if isinstance(body, dict):
        body.update(crc32c=WRONG_CRC32C, md5Hash=WRONG_MD5)
        response.set_data(json.dumps(body))
    response.headers["x-goog-hash"] = f"crc32c={WRONG_CRC32C},md5={WRONG_MD5}"
    return response


def _no_hash(_: Instruction, response: Response) -> Response:
    body = response.get_json(silent=True)
    if isinstance(body, dict):
        body.pop("crc32c", None)
        body.pop("md5Hash", None)
        response.set_data(json.dumps(body))
    response.headers.pop("x-goog-hash", None)
    return response


def _wrong_size(_: Instruction, response: Response) -> Response:
    body = response.get_json(silent=True)
    if isinstance(body, dict):
        body["size"] = str(int(body["size"]) + 1)
        response.set_data(json.dumps(body))
    if STORED_LENGTH in response.headers:
        response.headers[STORED_LENGTH] = str(int(response.headers[STORED_LENGTH]) + 1)
    return response


STORED_LENGTH = "x-goog-stored-content-length"

_Change = Callable[[Instruction, Response], Response]

_INSTEAD: dict[Fault, Callable[[Instruction], Response | None]] = {
    Fault.STATUS: failure,
    Fault.STATUS_AFTER: failure,
    Fault.RESET: lambda _: reset_connection(),
    Fault.HTML: _html,
    Fault.EARLY: _early,
    Fault.REDIRECT: _redirect,
    Fault.ANSWER: _answer_without_effect,
    Fault.EXPIRE_PAGE_TOKEN: lambda _: invalid_page_token(request.path),
}

_AFTERWARDS: dict[Fault, _Change] = {
    Fault.DROP: _drop,
    Fault.DROP_FINAL: _drop,
    Fault.TRUNCATE: _cut,
    Fault.TRUNCATE_FINAL: _cut,
    Fault.OMIT_KEY: _edit(_omit_key),
    Fault.SET_KEY: _edit(_set_key),
    Fault.ANSWER: _answer_with_effect,
    Fault.EMPTY_FINAL: _empty_final,
    Fault.FINAL_201: _final_201,
    Fault.WRONG_HASH: _wrong_hash,
    Fault.NO_HASH: _no_hash,
    Fault.WRONG_SIZE: _wrong_size,
    Fault.REPLACE_HEADER: _replace_header,
    Fault.OMIT_HEADER: _omit_header,
    Fault.RESET_ANSWER: _cut_and_reset,
}
