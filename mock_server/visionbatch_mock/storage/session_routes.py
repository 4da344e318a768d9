"""Requests on upload session URLs, the strict way.

The rules are in `chunks`; here they meet the wire and the faults. The session's lock is held to
decide and to conclude, not while bytes arrive, so a stalled chunk does not keep a probe waiting.
"""

from flask import Response, request

from visionbatch_mock.answers import error_for, text_answer
from visionbatch_mock.exchange import answer_instead, current, delay, operation
from visionbatch_mock.faults import Fault, Instruction, Outlook
from visionbatch_mock.faults.effects import afterwards, failure
from visionbatch_mock.hangup import reset_connection
from visionbatch_mock.operations import Operation
from visionbatch_mock.storage.chunks import Decision, Finish, Receive, Refuse, decide
from visionbatch_mock.storage.hashes import promise_of_request
from visionbatch_mock.storage.preconditions import PreconditionFailed
from visionbatch_mock.storage.ranges import MalformedRange, parse_content_range
from visionbatch_mock.storage.receiving import Taken, receive
from visionbatch_mock.storage.session_answers import (
    allow_origin,
    cancelled,
    final,
    incomplete_with_lies,
    over,
    unknown,
)
from visionbatch_mock.storage.sessions import ChecksumMismatch, SessionState, UploadSession

_AT_ONCE = {
    Fault.EXPIRE: SessionState.EXPIRED,
    Fault.TERMINATE: SessionState.TERMINATED,
    Fault.CANCEL: SessionState.CANCELLED,
}
_AFTER_COMMIT = {
    Fault.EXPIRE_AFTER: SessionState.EXPIRED,
    Fault.TERMINATE_AFTER: SessionState.TERMINATED,
}
_ENDLESS = 1 << 62
"""Stands for the length of a body that does not announce any: it may reach everywhere."""


def is_session_request() -> bool:
    """Whether the request is on a session URL rather than on a bucket's."""
    return "upload_id" in request.args


def serve_session() -> Response:
    """Answer a chunk, a probe or a cancellation."""
    found = current().world.session(request.args["upload_id"])
    return _serve() if found is None else allow_origin(found[1], _serve())


def _serve() -> Response:
    if request.method == "DELETE":
        return _serve_cancel()
    if request.method == "POST" and "uploadType" not in request.args:
        return error_for(request.path, 405, "A session of the XML API takes PUT only.")
    asked = request.headers.get("Content-Range", "").replace(" ", "")
    return _serve_probe() if asked.startswith("bytes*/") else _serve_chunk()


@operation(Operation.SESSIONS_PROBE)
def _serve_probe() -> Response:
    return _put()


@operation(Operation.SESSIONS_CHUNK)
def _serve_chunk() -> Response:
    return _put()


@operation(Operation.SESSIONS_CANCEL)
def _serve_cancel() -> Response:
    instruction = current().meet(Outlook())
    session = _session()
    _end_by_fault(session, instruction)
    delay(instruction)
    early = answer_instead(instruction)
    if early is not None:
        return early
    current().body.drain()
    if session is None:
        return unknown()
    answer = cancelled() if session.cancel() else over(session)
    return afterwards(instruction, answer)


def _put() -> Response:
    session = _session()
    if session is None:
        instruction, decision = current().meet(Outlook(live=False)), None
    else:
        with session.lock:
            decision = _decide(session)
            instruction = current().meet(_outlook(session, decision))
            _end_by_fault(session, instruction)
    if instruction is None or instruction.fault is not Fault.STALL:
        delay(instruction)
    early = _instead(instruction)
    if early is not None:
        return early
    if session is None or decision is None:
        current().body.drain()
        return afterwards(instruction, unknown())
    return _take(session, decision, instruction)


def _session() -> UploadSession | None:
    found = current().world.session(request.args["upload_id"])
    if found is None:
        return None
    found[1].requests.append(current().seq)
    return found[1]


def _decide(session: UploadSession) -> Decision:
    header = request.headers.get("Content-Range")
    try:
        asked = None if header is None else parse_content_range(header)
    except MalformedRange as cause:
        return Refuse(400, str(cause))
    strict = current().tenant.behaviour.strict_chunks
    decision = decide(session.standing(strict=strict), asked, current().body.announced)
    if isinstance(decision, Receive) and session.total is None:
        # The first request that gets through fixes the total for all that follow.
        session.total = decision.total
    return decision


def _outlook(session: UploadSession, decision: Decision) -> Outlook:
    """What the request is about to do, which decides whether it meets a waiting fault."""
    live = session.status is SessionState.OPEN and not isinstance(decision, Refuse)
    persisted = session.persisted
    if not isinstance(decision, Receive):
        return Outlook(persisted, 0, isinstance(decision, Finish), persisted, live)
    announced = current().body.announced
    length = _ENDLESS if announced is None else announced
    return Outlook(decision.start + length, length, decision.ends, persisted, live)


def _end_by_fault(session: UploadSession | None, instruction: Instruction | None) -> None:
    if session and instruction and instruction.fault in _AT_ONCE:
        session.end(_AT_ONCE[instruction.fault], even_complete=True)


def _instead(instruction: Instruction | None) -> Response | None:
    """The answer of a fault that lets no byte through; those that let some through come later."""
    if instruction and instruction.fault in {Fault.STATUS_AFTER, Fault.RESET_MID_BODY}:
        return None
    return answer_instead(instruction)


def _take(session: UploadSession, decision: Decision, instruction: Instruction | None) -> Response:
    before = session.persisted
    if isinstance(decision, Receive) and session.status is SessionState.OPEN:
        taken = receive(session, decision, instruction)
    else:
        current().body.drain()
        taken = Taken(before, whole=not current().body.broken)
    if not taken.whole:
        return reset_connection()
    with session.lock:
        answer = _conclude(session, decision, instruction, taken, before)
    return afterwards(instruction, answer)


def _conclude(
    session: UploadSession,
    decision: Decision,
    instruction: Instruction | None,
    taken: Taken,
    before: int,
) -> Response:
    if instruction and instruction.fault is Fault.STATUS_AFTER:
        return failure(instruction)
    if session.status is not SessionState.OPEN:
        return over(session)
    if isinstance(decision, Refuse):
        return text_answer(decision.message, decision.status)
    if not _all_there(session, decision, taken):
        return incomplete_with_lies(instruction, session.persisted, before, taken.stop)
    return _complete(session, instruction)


def _all_there(session: UploadSession, decision: Decision, taken: Taken) -> bool:
    if isinstance(decision, Finish):
        return True
    if not isinstance(decision, Receive):
        return False
    total = session.total if session.total is not None else decision.total
    if total is None and decision.ends:
        total = taken.stop
    return session.persisted == total


def _complete(session: UploadSession, instruction: Instruction | None) -> Response:
    try:
        session.complete(current().tenant.objects.put, promise_of_request())
    except ChecksumMismatch as cause:
        return text_answer(str(cause), 400)
    except PreconditionFailed as cause:
        return error_for(request.path, 412, str(cause))
    if instruction and instruction.fault in _AFTER_COMMIT:
        session.end(_AFTER_COMMIT[instruction.fault], even_complete=True)
    stored = session.stored
    if stored is None or session.status is not SessionState.COMPLETE:
        return over(session)
    return final(session, stored)
