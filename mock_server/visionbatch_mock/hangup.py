"""Ways to end a connection that are no HTTP answer, told by a route to the server's handler.

A route cannot reset a connection itself without upsetting the server around it. It leaves a wish in
the WSGI environment instead, and the handler, which owns the socket, fulfils it.
"""

from dataclasses import dataclass
from enum import StrEnum

from flask import Response, request

from visionbatch_mock.answers import empty_answer

_KEY = "visionbatch_mock.hangup"


class Ending(StrEnum):
    """How a connection ends."""

    RESET = "reset"
    """A TCP reset instead of an answer."""
    CUT = "cut"
    """The answer's head in full, `after` bytes of its body, then the end."""
    CUT_SILENTLY = "cut silently"
    """The same, but the answer has no length and the end of the connection is all there is to its end."""
    CUT_AND_RESET = "cut and reset"
    """The same as a cut, but the end is a TCP reset once those bytes have arrived."""
    STOP_READING = "stop reading"
    """The whole answer, but the rest of the request's body is never read."""


@dataclass(frozen=True, slots=True)
class Hangup:
    """A wish: how to end, and for a cut after how many bytes of the body."""

    ending: Ending
    after: int = 0


def hang_up(response: Response, ending: Ending, after: int = 0) -> Response:
    """Let the connection end this way instead of, or after, `response`.

    Without a socket below (Flask's test client) a reset is raised as the client would see it.
    """
    if ending is Ending.RESET and "werkzeug.socket" not in request.environ:
        raise ConnectionResetError("the mock reset this connection")
    request.environ[_KEY] = Hangup(ending, after)
    return response


def reset_connection() -> Response:
    """Answer with a TCP reset."""
    return hang_up(empty_answer(500), Ending.RESET)


def wished(environ: dict[str, object]) -> Hangup | None:
    """The wish that the application left, if any."""
    wish = environ.get(_KEY)
    return wish if isinstance(wish, Hangup) else None
