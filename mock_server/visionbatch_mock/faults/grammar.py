"""The words of a fault plan: one table of forms, from text to a typed `Instruction`.

The names that Google's storage test bench has mean here what they mean there; the rest covers what
real networks add. A form that no request of the operation could ever meet is refused when the plan
is made, because a fault that silently never happens is the worst kind of green test.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from visionbatch_mock.operations import Operation, Surface

KIB = 1024


class UnknownInstruction(ValueError):
    """A plan that names an operation, an instruction or a parameter that does not exist."""


class Fault(StrEnum):
    """What goes wrong."""

    PASS = "pass"  # noqa: S105 - lets a request pass, no password
    STATUS = "return-X"
    STATUS_AFTER = "return-X-after-YK"
    RESET = "return-reset-connection"
    RESET_MID_BODY = "reset-mid-body-after-YK"
    HTML = "html-X"
    EARLY = "early-X"
    REDIRECT = "redirect-X"
    DELAY = "delay-for-Ts"
    DROP = "drop-response"
    DROP_FINAL = "drop-response-final"
    PARTIAL = "partial-persist-YK"
    PERSIST_NOTHING = "persist-nothing"
    OMIT_RANGE = "omit-range"
    ACK_TOO_MUCH = "ack-too-much"
    RANGE_SHRINKS = "range-shrinks"
    TRUNCATE_FINAL = "truncate-final-YB"
    EMPTY_FINAL = "empty-final"
    FINAL_201 = "final-201"
    WRONG_HASH = "wrong-hash"
    NO_HASH = "no-hash"
    WRONG_SIZE = "wrong-size"
    EXPIRE = "expire-session"
    TERMINATE = "terminate-session"
    CANCEL = "cancel-session"
    EXPIRE_AFTER = "expire-session-after-commit"
    TERMINATE_AFTER = "terminate-session-after-commit"
    STALL = "stall-for-Ts-after-YK"
    THROTTLE = "throttle-YKps"
    ANSWER = "answer"
    TRUNCATE = "truncate-YB"
    OMIT_KEY = "omit-KEY"
    SET_KEY = "set-KEY"
    REPLACE_HEADER = "replace-header-NAME"
    OMIT_HEADER = "omit-header-NAME"
    RESET_ANSWER = "reset-mid-answer-after-YK"
    TRUNCATE_CHUNKED = "truncate-chunked-YB"
    TRUNCATE_CLOSE = "truncate-close-YB"
    FLIP_BIT = "flip-bit-at-YB"
    IGNORE_RANGE = "ignore-range"
    WRONG_CONTENT_RANGE = "wrong-content-range"
    REPLACE_OBJECT = "replace-object"
    DELETE_OBJECT = "delete-object"
    EXPIRE_PAGE_TOKEN = "expire-page-token"  # noqa: S105 - of a listing, no password
    EXPIRE_LINK = "expire-link"


class Need(StrEnum):
    """Which request an instruction waits for; until then it stays at the head of its list."""

    ANY = "any request"
    OFFSET = "a request whose bytes reach the offset"
    BODY = "a request with a body longer than that"
    FINAL = "the request that completes the object"
    UNFINISHED = "a request that leaves the object incomplete"
    RANGED = "one of those that is answered with a Range"
    ACKNOWLEDGED = "one of those that comes after bytes were acknowledged"
    DESCRIPTION = "a request that is answered with a description"
    LONGER = "the same, or one for more content than that"
    CONTENT = "a request for more content than that"
    COVERS = "a request for content that has the byte at the offset"
    RANGED_CONTENT = "a request for content that asks for a range"
    CONTINUES = "a request that goes on with a listing"


@dataclass(frozen=True, slots=True)
class Form:
    """One row of the grammar: how it is written, what it needs, and which extra keys it takes."""

    fault: Fault
    pattern: re.Pattern[str]
    surfaces: frozenset[Surface]
    need: Need = Need.ANY
    extras: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Instruction:
    """One thing that shall go wrong. Sizes are bytes, `seconds` are of real time."""

    text: str
    fault: Fault
    need: Need
    status: int = 0
    size: int = 0
    seconds: float = 0.0
    key: str = ""
    probability: float = 1.0
    """Chance that a request which fits meets it."""
    ttl: float | None = None
    """Seconds of the tenant's clock in which every request that fits may meet it; None for one only."""
    extras: Mapping[str, Any] = field(default_factory=dict)

    @property
    def content(self) -> bool:
        """Whether it is about the content of an object on its way out."""
        return self.need in {Need.CONTENT, Need.COVERS, Need.RANGED_CONTENT}

    def as_json(self) -> str | dict[str, Any]:
        """The instruction as it may be written into a plan."""
        return {"fault": self.text, **self.extras} if self.extras else self.text


_EVERY = frozenset(Surface)
_BYTES_IN = frozenset({Surface.SESSION, Surface.UPLOAD, Surface.PUT})
_SESSION = frozenset({Surface.SESSION})
_CONTENT = frozenset({Surface.DOWNLOAD, Surface.READ, Surface.LINK})
_JSON = frozenset({Surface.CALL, Surface.LIST})
_JSON_OUT = _JSON | {Surface.UPLOAD}
_READ = frozenset({Surface.READ})
_HEADERS_OUT = _JSON_OUT | _CONTENT
_RETRY_AFTER = frozenset({"retry_after"})
_OF_ALL = frozenset({"probability", "ttl"})
_X, _KIB, _B, _T = r"(?P<status>\d{3})", r"(?P<kib>\d+)K", r"(?P<b>\d+)B", r"(?P<s>\d+(?:\.\d+)?)s"

_RATE = r"throttle-(?P<kib>[1-9]\d*)Kps"
_RESET_ANSWER = f"reset-mid-answer-after-(?:{_KIB}|{_B})"


def _form(
    fault: Fault,
    pattern: str,
    surfaces: frozenset[Surface],
    need: Need = Need.ANY,
    extras: frozenset[str] = frozenset(),
) -> Form:
    return Form(fault, re.compile(pattern), surfaces, need, extras)


# Order matters only for omit-range on a session against omit-KEY on a call, and their surfaces differ.
FORMS: tuple[Form, ...] = (
    _form(Fault.PASS, "pass", _EVERY),
    _form(Fault.STATUS, f"return-{_X}", _EVERY, Need.ANY, _RETRY_AFTER),
    _form(Fault.STATUS_AFTER, f"return-{_X}-after-{_KIB}", _BYTES_IN, Need.OFFSET, _RETRY_AFTER),
    _form(Fault.RESET, "return-reset-connection", _EVERY),
    _form(Fault.RESET_MID_BODY, f"reset-mid-body-after-{_KIB}", _BYTES_IN, Need.BODY),
    _form(Fault.HTML, f"html-{_X}", _EVERY, Need.ANY, _RETRY_AFTER),
    _form(Fault.EARLY, f"early-{_X}", _EVERY),
    _form(Fault.REDIRECT, "redirect-(?P<status>30[12378])", _EVERY, Need.ANY, frozenset({"location"})),
    _form(Fault.DELAY, f"delay-for-{_T}", _EVERY),
    _form(Fault.DROP, "drop-response", _EVERY),
    _form(Fault.DROP_FINAL, "drop-response-final", _BYTES_IN, Need.FINAL),
    _form(Fault.PARTIAL, f"partial-persist-{_KIB}", _SESSION, Need.BODY),
    _form(Fault.PERSIST_NOTHING, "persist-nothing", _SESSION, Need.BODY),
    _form(Fault.OMIT_RANGE, "omit-range", _SESSION, Need.RANGED),
    _form(Fault.ACK_TOO_MUCH, "ack-too-much", _SESSION, Need.UNFINISHED),
    _form(Fault.RANGE_SHRINKS, "range-shrinks", _SESSION, Need.ACKNOWLEDGED),
    _form(
        Fault.TRUNCATE_FINAL,
        f"(?:truncate-final-|return-broken-stream-final-chunk-after-){_B}",
        _BYTES_IN,
        Need.FINAL,
    ),
    _form(Fault.EMPTY_FINAL, "empty-final", _BYTES_IN, Need.FINAL),
    _form(Fault.FINAL_201, "final-201", _BYTES_IN, Need.FINAL),
    _form(Fault.WRONG_HASH, "wrong-hash", _BYTES_IN, Need.FINAL),
    _form(Fault.NO_HASH, "no-hash", _BYTES_IN, Need.FINAL),
    _form(Fault.WRONG_SIZE, "wrong-size", _BYTES_IN, Need.FINAL),
    _form(Fault.EXPIRE, "expire-session", _SESSION),
    _form(Fault.TERMINATE, "terminate-session", _SESSION),
    _form(Fault.CANCEL, "cancel-session", _SESSION),
    _form(Fault.EXPIRE_AFTER, "expire-session-after-commit", _SESSION, Need.FINAL),
    _form(Fault.TERMINATE_AFTER, "terminate-session-after-commit", _SESSION, Need.FINAL),
    _form(Fault.STALL, f"stall-for-{_T}-after-{_KIB}", _BYTES_IN, Need.OFFSET),
    _form(Fault.THROTTLE, _RATE, _BYTES_IN, Need.BODY),
    *(
        _form(Fault.ANSWER, "answer", surfaces, need, frozenset({"status", "content_type", "body", "effect"}))
        for surfaces, need in ((_JSON, Need.ANY), (_READ, Need.DESCRIPTION))
    ),
    _form(Fault.TRUNCATE, f"truncate-{_B}", _JSON_OUT),
    _form(Fault.TRUNCATE, f"truncate-{_B}", _CONTENT, Need.LONGER),
    _form(Fault.TRUNCATE, "return-broken-stream", _CONTENT, Need.LONGER),
    _form(Fault.TRUNCATE, f"return-broken-stream-after-{_KIB}", _CONTENT, Need.LONGER),
    *(
        form
        for surfaces, need in ((_JSON, Need.ANY), (_READ, Need.DESCRIPTION))
        for form in (
            _form(Fault.OMIT_KEY, r"omit-(?P<key>\w+)", surfaces, need),
            _form(Fault.SET_KEY, r"set(?:-(?P<key>\w+))?", surfaces, need, frozenset({"key", "value"})),
        )
    ),
    _form(Fault.REPLACE_HEADER, r"replace-header-(?P<key>[\w-]+)", _HEADERS_OUT, Need.ANY, frozenset({"value"})),
    _form(Fault.OMIT_HEADER, r"omit-header-(?P<key>[\w-]+)", _HEADERS_OUT),
    _form(Fault.RESET_ANSWER, _RESET_ANSWER, _JSON_OUT),
    _form(Fault.RESET_ANSWER, _RESET_ANSWER, _CONTENT, Need.CONTENT),
    _form(Fault.TRUNCATE_CHUNKED, f"truncate-chunked-{_B}", _CONTENT, Need.CONTENT),
    _form(Fault.TRUNCATE_CLOSE, f"truncate-close-{_B}", _CONTENT, Need.CONTENT),
    _form(Fault.FLIP_BIT, f"flip-bit-at-{_B}", _CONTENT, Need.COVERS),
    _form(Fault.WRONG_HASH, "wrong-hash", _CONTENT, Need.CONTENT),
    _form(Fault.NO_HASH, "no-hash", _CONTENT, Need.CONTENT),
    _form(Fault.STALL, f"stall-for-{_T}-after-{_KIB}", _CONTENT, Need.CONTENT),
    _form(Fault.THROTTLE, _RATE, _CONTENT, Need.CONTENT),
    _form(Fault.IGNORE_RANGE, "ignore-range", _CONTENT, Need.RANGED_CONTENT),
    _form(Fault.WRONG_CONTENT_RANGE, "wrong-content-range", _CONTENT, Need.RANGED_CONTENT),
    _form(Fault.REPLACE_OBJECT, "replace-object", _CONTENT, Need.CONTENT, frozenset({"body"})),
    _form(Fault.DELETE_OBJECT, "delete-object", _CONTENT, Need.CONTENT),
    _form(Fault.EXPIRE_PAGE_TOKEN, "expire-page-token", frozenset({Surface.LIST}), Need.CONTINUES),
    _form(Fault.EXPIRE_LINK, "expire-link", frozenset({Surface.LINK, Surface.PUT})),
)

BROKEN_STREAM_BYTES = 4
"""Where Google's test bench cuts `return-broken-stream`."""


def known(surface: Surface) -> list[str]:
    """The instructions that requests of this kind can meet, as a reader would write them."""
    return sorted({form.fault.value for form in FORMS if surface in form.surfaces})


def parse(operation: Operation, told: object) -> Instruction:
    """The instruction that a plan's text or object means for `operation`.

    Raises `UnknownInstruction`, naming the known forms, when there is none.
    """
    text, extras = _split(told)
    for form in FORMS:
        match = form.pattern.fullmatch(text)
        if match and operation.surface in form.surfaces:
            return _build(form, text, match.groupdict(), extras)
    raise UnknownInstruction(f"{text!r} is not an instruction for {operation}; known are {known(operation.surface)}")


def _split(told: object) -> tuple[str, dict[str, Any]]:
    if isinstance(told, str):
        return told, {}
    if isinstance(told, Mapping) and isinstance(told.get("fault"), str):
        return told["fault"], {str(k): v for k, v in told.items() if k != "fault"}
    raise UnknownInstruction(f"an instruction is a text or an object with 'fault', not {told!r}")


def _build(form: Form, text: str, found: Mapping[str, str | None], extras: dict[str, Any]) -> Instruction:
    if unknown := sorted(set(extras) - form.extras - _OF_ALL):
        raise UnknownInstruction(f"{text!r} takes {sorted(form.extras | _OF_ALL)}, not {unknown}")
    key = found.get("key") or str(extras.get("key", ""))
    if form.fault is Fault.SET_KEY and not (key and "value" in extras):
        raise UnknownInstruction(f"{text!r} needs a 'key' and a 'value'")
    status = int(found.get("status") or extras.get("status", 200))
    if not 200 <= status <= 599:
        raise UnknownInstruction(f"{text!r}: {status} is not the status of an answer")
    size = int(found.get("kib") or 0) * KIB or int(found.get("b") or 0)
    if form.fault is Fault.REPLACE_HEADER and "value" not in extras:
        raise UnknownInstruction(f"{text!r} needs a 'value'")
    if text == "return-broken-stream":
        size = BROKEN_STREAM_BYTES
    seconds = float(found.get("s") or 0)
    probability, ttl = _above_zero("probability", extras, 1.0, most=1.0), None
    if "ttl" in extras:
        ttl = _above_zero("ttl", extras, 0.0)
    return Instruction(text, form.fault, form.need, status, size, seconds, key, probability, ttl, extras)


def _above_zero(name: str, extras: Mapping[str, Any], default: float, most: float = math.inf) -> float:
    value = extras.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most or math.isinf(value):
        bounds = "above 0" if math.isinf(most) else f"above 0 and up to {most:g}"
        raise UnknownInstruction(f"{name} is a number {bounds}, not {value!r}")
    return float(value)
