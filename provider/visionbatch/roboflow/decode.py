"""Reading answers: every field by its name and kind, lists by their pages, refusals in both shapes on record."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

from visionbatch.errors import (
    EndlessList,
    OutOfCredits,
    PlanRefused,
    UnreadableAnswer,
    VisionBatchError,
)
from visionbatch.flow.call import unhappy
from visionbatch.flow.effects import Request, Response
from visionbatch.model.text import excerpt

T = TypeVar("T")


NAME_CHARS = 200
"""Characters of a foreign name that are kept: it goes into events, and so into the scheduler's database."""


@dataclass(frozen=True)
class Fields:
    """An object of an answer.

    :param of: what it describes, for messages.
    """

    values: Mapping[str, Any]
    of: str

    def text(self, name: str) -> str:
        """A string that has to be there."""
        value = self.values.get(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a string")
        return value

    def maybe_text(self, name: str) -> str:
        """A string; empty when it is missing or null."""
        return "" if self.values.get(name) is None else self.text(name)

    def number(self, name: str, *, least: int = 0) -> int:
        """A whole number that has to be there."""
        value = self.values.get(name)
        if type(value) is not int or value < least:
            raise self._wrong(name, f"a whole number of at least {least}")
        return value

    def share(self, name: str) -> float | None:
        """A number from 0 to 1; ``None`` when it is missing or null."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise self._wrong(name, "a number from 0 to 1")
        return float(value)

    def flag(self, name: str) -> bool:
        """True or false; false when it is missing or null."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return bool(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """Strings; none when they are missing or null."""
        value = self.values.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(name, "an array of strings")
        return tuple(value)

    def inner(self, name: str, of: str) -> Fields:
        """An object that has to be there."""
        value = self.values.get(name)
        if not isinstance(value, dict):
            raise self._wrong(name, "an object")
        return Fields(value, of)

    def each(self, name: str, of: str) -> list[Fields]:
        """The objects of an array that has to be there."""
        value = self.values.get(name)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._wrong(name, "an array of objects")
        return [Fields(item, of) for item in value]

    def said(self, name: str) -> str:
        """What a notification says, safe to print: a string, an object with a ``message``, or any other object."""
        value = self.values.get(name)
        if isinstance(value, dict):
            value = value.get("message", json.dumps(value))
        return "" if value is None else excerpt(str(value).encode("utf-8", "replace"))

    def _wrong(self, name: str, kind: str) -> UnreadableAnswer:
        return UnreadableAnswer(f"{name} of {self.of} is not {kind}")


class Pages:
    """The pages of one list, until one comes round again.

    A token that was there before is one that would be there for ever, and so is a page with the same entries as an
    earlier one behind a fresh token.

    :param what: the list, for messages.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._seen: set[bytes] = set()

    def token_after(self, page: Mapping[str, Any], key: str) -> str:
        """The token of the next page; empty on the last one, which has none, a null or an empty one.

        :raises EndlessList: when the list goes round.
        """
        token = page.get("nextPageToken")
        if token is None or token == "":
            return ""
        if not isinstance(token, str):
            raise UnreadableAnswer(f"nextPageToken of {self._what} is not a string")
        marks = {sha256(f"t{token}".encode()).digest()}
        # Pages without entries are all alike, and may well follow each other.
        if entries := page.get(key):
            marks.add(sha256(f"e{json.dumps(entries, sort_keys=True)}".encode()).digest())
        if marks & self._seen:
            raise EndlessList(f"{self._what} goes round: a page or its nextPageToken came a second time")
        self._seen |= marks
        return token


def every(items: Sequence[Fields], read: Callable[[Fields], T]) -> tuple[T, ...]:
    """Each item of a list, read."""
    return tuple(read(item) for item in items)


def reason_given(body: bytes) -> str:
    """The text of a refusal: ``{"error": "text"}`` or ``{"error": {"message": "text"}}``; empty for anything else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    error = value.get("error") if isinstance(value, dict) else None
    text = error.get("message") if isinstance(error, dict) else error
    return excerpt(text.encode("utf-8", "replace")) if isinstance(text, str) else ""


def refusal(request: Request, response: Response, now: float, credit_words: Sequence[str]) -> VisionBatchError:
    """The error that an answer outside 2xx stands for, in Roboflow's way of using statuses.

    :param credit_words: what a 429 says that is about credits; with a ``Retry-After`` it is about speed all the same.
    """
    error = unhappy(request, response, now)
    status, reason = response.status, reason_given(response.body)
    if reason:
        error.what = f"{request.method} {request.path} was answered {status}: {reason}"
    about_credits = any(word.lower() in reason.lower() for word in credit_words)
    if status == 429 and about_credits and "retry-after" not in response.headers:
        return OutOfCredits(f"the workspace has no credits left: {reason}", status=status)
    if status == 402:
        what = f"the workspace's plan has no batch processing: {reason or 'no reason given'}"
        return PlanRefused(what, status=status)
    return error
