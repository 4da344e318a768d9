"""What a request to VIAS asks: its JSON, its pages, its filters, each refused with VIAS's own code."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import request

from visionbatch_mock.exchange import current
from visionbatch_mock.text import whole_number
from visionbatch_mock.vias import rules
from visionbatch_mock.vias.codes import Code
from visionbatch_mock.vias.errors import ViasError
from visionbatch_mock.vias.gateway import body_received
from visionbatch_mock.vias.rules import invalid

_T = TypeVar("_T")


def json_body() -> dict[str, Any]:
    """The body as an object. The type that the client gives it does not matter."""
    try:
        told = json.loads(body_received())
    except ValueError as cause:
        raise ViasError(Code.BAD_FORMAT, f"the body is no JSON: {cause}") from cause
    if not isinstance(told, dict):
        raise ViasError(Code.BAD_FORMAT, "the body is no JSON object")
    return told


def check(told: dict[str, Any], known: frozenset[str], *, creating: bool) -> None:
    """Hold what batches and tasks share to its rules, as strictly as the caller's account has it."""
    behaviour = current().tenant.behaviour
    rules.check_common(told, creating=creating, known=known if behaviour.vias_reject_unknown else None)
    if creating:
        rules.text(told, "service_name", rules.NAME if behaviour.vias_strict_service_names else None, 100)


@dataclass(frozen=True, slots=True)
class Pages:
    """Which page is asked for; `size` None is all at once."""

    size: int | None
    number: int

    def of(self, found: Sequence[_T]) -> list[_T]:
        """The items on it; none beyond the end."""
        if self.size is None:
            return list(found)
        start = (self.number - 1) * self.size
        return list(found[start : start + self.size])


def pages(number_key: str, largest: int, *, paged: bool | None = None) -> Pages:
    """Page size from 5 to `largest`, 10 by default; `paged` is the default of `is_paged` where that exists."""
    size = whole("page_size", 10, 5, largest)
    number = whole(number_key, 1, 1, 100_000)
    return Pages(size if paged is None or yes("is_paged", default=paged) else None, number)


def whole(key: str, default: int, least: int, most: int) -> int:
    """A whole number of the query."""
    number = whole_number(request.args.get(key, str(default)))
    if number is None or not least <= number <= most:
        raise invalid(key, f"a whole number from {least} to {most} is required")
    return number


def yes(key: str, *, default: bool) -> bool:
    """A truth value of the query."""
    text = request.args.get(key, str(default)).lower()
    if text not in {"true", "false", "1", "0"}:
        raise invalid(key, "true or false is required")
    return text in {"true", "1"}


def one_of(key: str, default: str, known: tuple[str, ...]) -> str:
    """A word of the query."""
    text = request.args.get(key, default)
    if text not in known:
        raise invalid(key, f"one of {', '.join(known)} is required")
    return text


def many(key: str) -> set[str]:
    """The words of a filter that may be repeated, or joined by commas."""
    return {word for text in request.args.getlist(key) for word in text.split(",") if word}
