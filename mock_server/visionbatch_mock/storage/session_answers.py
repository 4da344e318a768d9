"""What a session answers, by Google's resumable upload documentation.

A 308 here is not the redirect of the same number: no `Location`, no body, and `Range` only when at
least one byte is persisted.
"""

from flask import Response, request

from visionbatch_mock.answers import empty_answer, json_answer, text_answer
from visionbatch_mock.config import SessionKind
from visionbatch_mock.faults import Fault, Instruction
from visionbatch_mock.faults.effects import STORED_LENGTH
from visionbatch_mock.storage.chunks import QUANTUM
from visionbatch_mock.storage.hashes import HEADER, write_hashes
from visionbatch_mock.storage.objects import StoredObject
from visionbatch_mock.storage.sessions import DEAD, SessionState, UploadSession

OVERRIDE = "X-HTTP-Status-Code-Override"

_OVER_TEXTS = {
    SessionState.CANCELLED: "The upload was cancelled.",
    SessionState.TERMINATED: "The upload session was terminated.",
    SessionState.EXPIRED: "No such upload session.",
}


EXPOSED = "Location, Range, X-GUploader-UploadID, X-HTTP-Status-Code-Override"


def allow_origin(session: UploadSession, response: Response) -> Response:
    """Let a page of the origin that began the session read the answer, by Google's page on CORS of such sessions."""
    if session.origin is not None and session.origin == request.headers.get("Origin"):
        response.headers["Access-Control-Allow-Origin"] = session.origin
        response.headers["Access-Control-Expose-Headers"] = EXPOSED
        response.headers["Vary"] = "Origin"
    return response


def over(session: UploadSession) -> Response:
    """The answer to anything on a session that is not open any more."""
    state = session.status
    if state in DEAD:
        return text_answer(_OVER_TEXTS[state], DEAD[state])
    if session.stored is None:
        raise RuntimeError(f"session {session.id[:8]} is complete but has no object")
    return final(session, session.stored)


def unknown() -> Response:
    """The answer for an id that no session has."""
    return text_answer(_OVER_TEXTS[SessionState.EXPIRED], 404)


def cancelled() -> Response:
    """Success of a cancellation, which Google reports as 499."""
    return empty_answer(499)


def final(session: UploadSession, stored: StoredObject) -> Response:
    """The end of an upload: the object as JSON, or an empty body, by the session's kind."""
    if session.kind is SessionKind.JSON:
        return json_answer(stored.resource(request.host_url.rstrip("/")))
    response = empty_answer(200)
    response.headers[STORED_LENGTH] = str(stored.size)
    response.headers[HEADER] = write_hashes(stored.digests)
    response.headers["x-goog-generation"] = str(stored.generation)
    return response


def incomplete(persisted: int) -> Response:
    """The 308 that says how far the upload got.

    A client whose HTTP stack cannot live with a 308 asks for a 200 with the code in a header.
    """
    plain = request.headers.get("X-GUploader-No-308", "").lower() == "yes"
    response = empty_answer(200 if plain else 308)
    if plain:
        response.headers[OVERRIDE] = "308"
    if persisted:
        response.headers["Range"] = f"bytes=0-{persisted - 1}"
    return response


def incomplete_with_lies(instruction: Instruction | None, persisted: int, before: int, sent: int) -> Response:
    """The 308 that a fault makes of it: `before` bytes were acknowledged, `sent` is the last stop."""
    match instruction.fault if instruction else None:
        case Fault.OMIT_RANGE:
            return incomplete(0)
        case Fault.ACK_TOO_MUCH:
            return incomplete(max(persisted, sent) + QUANTUM)
        case Fault.RANGE_SHRINKS:
            return incomplete(max(1, before // 2))
    return incomplete(persisted)
