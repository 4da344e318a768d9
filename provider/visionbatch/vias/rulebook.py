"""Every documented rule for tasks, sources and groups, with a name, checked before the first request.

The patterns are those of the vendor's API definition. Its page has lost asterisks and a backslash from two of them, and
what is left of the one for paths takes names of one character only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from visionbatch.model.finding import Finding, Severity
from visionbatch.model.text import printable

SHOWN = 60
"""Characters of a wrong value that are shown."""


@dataclass(frozen=True)
class Rule:
    """One rule.

    :param id: its name in messages and in the documents.
    :param says: what it asks for.
    :param pattern: what a text has to match from its first character to its last; ``$`` would let a line break pass.
    :param severity: a warning does not keep the request from being sent.
    """

    id: str
    says: str
    pattern: re.Pattern[str] | None = None
    severity: Severity = Severity.ERROR
    hint: str = ""

    def broken(self, path: str, message: str = "") -> Finding:
        """What is to be said when a field breaks it."""
        return Finding(self.id, self.severity, path, message or self.says, self.hint)

    def on(self, path: str, value: Any) -> Iterator[Finding]:
        """Nothing, or that a text does not match the pattern."""
        if not isinstance(value, str):
            yield RULES["type"].broken(path, f"this is {type(value).__name__}, not a string")
        elif self.pattern is not None and not self.pattern.fullmatch(value):
            yield self.broken(path, f"{printable(value, SHOWN)!r}: {self.says}")


def _rule(id_: str, says: str, pattern: str = "", hint: str = "") -> Rule:
    return Rule(id_, says, re.compile(pattern) if pattern else None, hint=hint)


def _advice(id_: str, says: str, pattern: str = "", hint: str = "") -> Rule:
    return Rule(id_, says, re.compile(pattern) if pattern else None, Severity.WARNING, hint)


OLDER_INPUTS = ("obs", "url", "restful", "edgecamera", "vcn")
"""Kinds of input of single tasks that are deprecated."""

SOURCE_TYPES = ("obs", "url", "vcn", "restful", "camera", "RTSP_STREAM", "VIDEO_PLATFORM", "VIDEO_IMAGE_DB")
"""Types of video source, the last three from the vendor's examples and filters."""

_NAME = r"[\u4E00-\u9FA5a-zA-Z0-9_-]{1,100}"
_ID = r"[a-z0-9_-]{4,36}"

_TASK = (
    _rule("name", "1 to 100 letters, digits, Chinese characters, - or _", _NAME),
    _rule("description-length", "at most 500 characters", r"(?s).{0,500}"),
    # The vendor's own example breaks it, with a translated name for people; the service may know better.
    _advice(
        "service-name",
        "1 to 100 letters, digits, Chinese characters, - or _",
        _NAME,
        "Give the algorithm's API id, `api` in the detail of the service, not the name for people.",
    ),
    _rule("service-version", "3 to 32 of a-z, 0-9 and .", r"[a-z0-9.]{3,32}"),
    _rule("resource-order-id", "4 to 36 of a-z, 0-9, - and _", _ID),
    _rule("config-common", "a JSON object, as the algorithm's publisher describes it"),
    _rule("body-size", "at most 12 MB in all, which is what a signed request may have"),
    _rule("type", "a value of the documented type"),
    _rule("unknown-field", "only documented fields stand below the first level"),
    _rule("extra-field", "extra_body adds fields and replaces none", hint="Use the typed value of that field."),
)

_SCHEDULE = (
    _rule("schedule-type", "weekly: the service supports no other plan", r"weekly"),
    _rule("schedule-timezone", "such as +08:00", r"[+-](0[0-9]|1[0-4]):[0-5][0-9]", "From -14:59 to +14:59."),
    _rule("schedule-days", "1 to 7 different days, 1 for Monday to 7 for Sunday, in order"),
    _rule("schedule-months", "days of the month are documented as not supported"),
    _rule("schedule-periods", "as many lists of periods as days, each with at most 10, and at least one period in all"),
    _rule(
        "schedule-clock",
        "HH:MM:SS from 00:00:00 to 23:59:59, the beginning before the end",
        r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]",
        "To go on over midnight, end at 23:59:00 and begin at 00:00:00 on the next day.",
    ),
)

_INPUT = (
    _rule("groups-count", "1 to 100 groups of video sources"),
    _rule("group-id", "4 to 36 of a-z, 0-9, - and _", _ID),
    _rule("sources-count", "at most 100 video sources in a group"),
    _rule("source-id", "4 to 36 of a-z, 0-9, - and _", _ID),
    _rule("source-twice", "each video source once in a group"),
    _rule("roi-length", "at most 2048 characters", r"(?s).{0,2048}"),
    _advice("roi-json", "a JSON document with polygons or lines, as a text"),
    _advice(
        "sources-empty",
        "an empty list is taken for the whole group by some accounts and for nothing by others",
        hint="Name the sources.",
    ),
)

_OUTPUT = (
    _rule("output-missing", "at least one of obs, dis, webhook and the event center"),
    _rule(
        "obs-bucket",
        "3 to 63 of a-z, 0-9, - and ., a letter or digit at both ends, no two of - and . in a row",
        r"[a-z0-9](?!.*[-.][-.].*)([a-z0-9.-]{1,61})[a-z0-9]",
    ),
    _rule(
        "obs-path",
        'no /, . or blank in front, no . or blank at the end, no //, none of : * ? " < > | \\, at most 1023',
        r"(?![/.\s])(?!.*//.*)([^:*?\"<>|\\]{0,1023})(?<![.\s])",
    ),
    _rule("dis-stream", "1 to 64 letters, digits, - or _", r"[-A-Za-z0-9_]{1,64}"),
    _rule(
        "webhook-url",
        "http or https, at most 1000 characters, ASCII letters, digits and -+&@*#/%?=~_|!:,.; only",
        r"(?=.{1,1000}\Z)https?://[-A-Za-z0-9+&@*#/%?=~_|!:,.;]+[-A-Za-z0-9+&@*#/%=~_|]",
    ),
    _rule(
        "webhook-inside",
        "the receiver is on the Internet",
        hint="For a task at the edge, which posts from its own network, set allow_inside.",
    ),
    _advice(
        "webhook-bare-name",
        "the receiver's name has no domain",
        hint="Only the inside of a network knows such a name; that is right at the edge, and nowhere else.",
    ),
    _advice("webhook-plain-http", "http shows the headers to the network", hint="Use https."),
    _rule("webhook-headers", "1 to 10 headers, names and values as HTTP allows them"),
    _rule("data-category", "at most 10 different words"),
)

_SINGLE = (
    _rule("input-type", f"video_source, or one of the older {', '.join(OLDER_INPUTS)}"),
    _advice("input-deprecated", "an input of an older kind", hint="Register a video source, and name that."),
    _rule("inputs-count", "1 to 50 inputs for new tasks, exactly one to change a task"),
    _rule("input-vcn", "vcn with stream_type 1 to 3 and a vcn object, and no other kind with one"),
)

_REGISTERED = (
    _rule(
        "source-name",
        "1 to 100 letters, digits, Chinese characters, blanks or .-_(), no blank at an end",
        r"(?! )[\u4E00-\u9FA5a-zA-Z0-9 ._()-]{1,100}(?<! )",
    ),
    _rule("access-type", "cloud or edge", r"cloud|edge"),
    _rule("source-type", "one of the documented types", "|".join(SOURCE_TYPES)),
    _rule("type-config", "XML of 1 to 1024 characters"),
    _rule("coordinate", "degrees with up to five decimals, or nothing", r"|-?[0-9]{1,3}(\.[0-9]{1,5})?"),
    _rule("tags", "at most 4 tags of 1 to 10 characters"),
    _rule("group-name", "1 to 20 letters, digits, Chinese characters, - or _", r"[\u4E00-\u9FA5a-zA-Z0-9_-]{1,20}"),
    _rule("group-description", "at most 100 characters", r"(?s).{0,100}"),
    _rule("group-members", "1 to 50 sources to change a group"),
)

_ALL = (*_TASK, *_SCHEDULE, *_INPUT, *_OUTPUT, *_SINGLE, *_REGISTERED)

RULES: Mapping[str, Rule] = MappingProxyType({rule.id: rule for rule in _ALL})
"""All rules by name, in the order of the documents."""
