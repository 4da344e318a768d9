"""`POST /batch/storage/v1`: several small calls in one `multipart/mixed` request, by Google's page on batching.

Each call is served as if it had come alone, with its own line in the journal and its own faults;
gcsfs deletes this way.
"""

from email.message import Message
from email.parser import BytesParser
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, request

from visionbatch_mock.answers import error_for, google_error
from visionbatch_mock.exchange import INSIDE, Unacceptable, current

bp = Blueprint("batch_requests", __name__)

BOUNDARY = "batch_of_the_mock"
MAX_CALLS = 100
"""The limit of Google's page."""
MAX_BYTES = 1024 * 1024


@bp.post("/batch/storage/v1")
def serve() -> Response:
    """An answer for each call, in their order."""
    body = current().body.read_all(MAX_BYTES)
    head = f"Content-Type: {request.headers.get('Content-Type', '')}\r\n\r\n".encode()
    told = BytesParser().parsebytes(head + (body or b""))
    parts = told.get_payload() if told.is_multipart() else []
    calls = [part for part in parts if isinstance(part, Message)]
    if request.mimetype != "multipart/mixed":
        return error_for(request.path, 400, "A batch is multipart/mixed.")
    if not 0 < len(calls) <= MAX_CALLS:
        return error_for(request.path, 400, f"A batch has 1 to {MAX_CALLS} calls.")
    answers = "".join(_answer(call) for call in calls)
    return Response(f"{answers}--{BOUNDARY}--", content_type=f"multipart/mixed; boundary={BOUNDARY}")


def _answer(call: Message) -> str:
    line, _, rest = str(call.get_payload()).lstrip().partition("\n")
    method, _, target = line.strip().removesuffix(" HTTP/1.1").partition(" ")
    try:
        parts = urlsplit(target)
    except ValueError as cause:
        raise Unacceptable(400, google_error(400, f"A call has no URL: {cause}")) from cause
    head, _, content = rest.replace("\r\n", "\n").partition("\n\n")
    headers = [("Authorization", request.headers["Authorization"])] if "Authorization" in request.headers else []
    kind = "application/json" if "content-type: application/json" in head.lower() else None
    client = current_app.test_client(use_cookies=False)
    found = client.open(
        parts.path,
        base_url=request.host_url,
        query_string=parts.query,
        method=method,
        headers=headers,
        data=content.strip(),
        content_type=kind,
        environ_overrides={INSIDE: current().tenant.gate},
    )
    lines = [
        f"--{BOUNDARY}",
        "Content-Type: application/http",
        f"Content-ID: <response-{str(call.get('Content-ID', '')).strip('<>')}>",
        "",
        f"HTTP/1.1 {found.status}",
        f"Content-Type: {found.content_type}" if found.content_type else "Content-Length: 0",
        "",
        found.get_data().decode(errors="replace"),
        "",
    ]
    return "\r\n".join(lines)
