"""What the tables of the API reference allow in a request about tasks.

The patterns are those of Huawei's machine-readable definition; the pages lost characters of some.
"""

import re
from collections.abc import Mapping
from typing import Any

from visionbatch_mock.vias.codes import Code
from visionbatch_mock.vias.errors import ViasError

NAME = re.compile(r"[\u4E00-\u9FA5a-zA-Z0-9_-]{1,100}")
VERSION = re.compile(r"[a-z0-9.]{3,32}")
ID = re.compile(r"[a-z0-9\-_]{4,36}")
TIMEZONE = re.compile(r"[+-][0-9]{2}:[0-9]{2}")
MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T)?[0-9]{2}:[0-9]{2}:[0-9]{2}")
BUCKET = re.compile(r"[a-z0-9](?!.*[-.][-.].*)([a-z0-9-.]{1,61})[a-z0-9]")
PATH = re.compile(r"""(?![/.\s])(?!.*//.*)([^:*?"<>|\\]{0,1023})(?<![.\s])""")
STREAM = re.compile(r"[-A-Za-z0-9_]{1,64}")
URL = re.compile(r"(https?|rtsp|rtmp|ftp|file)://[-A-Za-z0-9+&@*#/%?=~_|!:,.;]+[-A-Za-z0-9+&@*#/%=~_|]")
SAYS_YES = (True, 1, "true")
SAYS_NO = (False, 0, "false")

COMMON = frozenset(
    {
        "name", "description", "schedule", "output", "config", "service_name", "service_version",
        "is_saved_as_template", "resource_order_id",
    }
)  # fmt: skip
"""Fields that the tables of batch tasks and of tasks share."""


def invalid(where: str, why: str) -> ViasError:
    """A parameter that breaks a rule."""
    return ViasError(Code.INVALID, why, where)


def text(told: Mapping[str, Any], key: str, pattern: re.Pattern[str] | None = None, longest: int = 0) -> str:
    """A text that is required, held to a pattern or a length."""
    value = told.get(key)
    if not isinstance(value, str):
        raise invalid(key, "a text is required")
    if (pattern and not pattern.fullmatch(value)) or (longest and len(value) > longest):
        raise invalid(key, f"{value[:100]!r} does not match the rule of {key}")
    return value


def optional_text(told: Mapping[str, Any], key: str, pattern: re.Pattern[str] | None = None, longest: int = 0) -> None:
    """The same for one that may be absent or null."""
    if told.get(key) is not None:
        text(told, key, pattern, longest)


def word(told: Mapping[str, Any], key: str, known: tuple[str, ...]) -> str:
    """One of the known words."""
    value = told.get(key)
    if not isinstance(value, str) or value not in known:
        raise invalid(key, f"one of {', '.join(known)} is required")
    return value


def ids(told: Mapping[str, Any], key: str, least: int, most: int) -> list[str]:
    """A list of ids, empty when it is absent."""
    found = [] if told.get(key) is None else items(told, key, least, most)
    if not all(isinstance(item, str) and ID.fullmatch(item) for item in found):
        raise invalid(key, "a list of ids is required")
    return found


def object_of(told: Mapping[str, Any], key: str) -> dict[str, Any]:
    """An object that is required."""
    value = told.get(key)
    if not isinstance(value, dict):
        raise invalid(key, "an object is required")
    return value


def items(told: Mapping[str, Any], key: str, least: int, most: int) -> list[Any]:
    """A list that is required, with so many items."""
    value = told.get(key)
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise invalid(key, f"a list of {least} to {most} items is required")
    return value


def objects(told: Mapping[str, Any], key: str, least: int, most: int) -> list[dict[str, Any]]:
    """A list of objects."""
    found = items(told, key, least, most)
    if not all(isinstance(item, dict) for item in found):
        raise invalid(key, "a list of objects is required")
    return found


def check_common(told: Mapping[str, Any], *, creating: bool, known: frozenset[str] | None) -> None:
    """The fields that batch tasks and tasks share; `known` refuses all others."""
    if known is not None and (unknown := sorted(set(told) - known)):
        raise invalid(unknown[0], "the field is unknown")
    if creating or "name" in told:
        text(told, "name", NAME)
    if creating:
        text(told, "service_version", VERSION)
    optional_text(told, "description", longest=500)
    optional_text(told, "resource_order_id", ID)
    if told.get("is_saved_as_template") not in (None, *SAYS_YES, *SAYS_NO):
        raise invalid("is_saved_as_template", "true or false is required")
    if told.get("config") is not None:
        object_of(told, "config")
    if told.get("schedule") is not None:
        check_schedule(object_of(told, "schedule"))
    if creating or told.get("output") is not None:
        check_output(object_of(told, "output"))


def check_schedule(told: Mapping[str, Any]) -> None:
    """A weekly plan; monthly ones match the pattern but are not supported."""
    if told.get("type") != "weekly":
        raise invalid("schedule.type", "weekly is required")
    text(told, "timezone", TIMEZONE)
    days = items(told, "days_of_week", 1, 7)
    if len(set(map(str, days))) != len(days) or not all(is_whole(day, 1, 7) for day in days):
        raise invalid("schedule.days_of_week", "distinct days from 1 to 7 are required")
    periods = told.get("periods")
    if periods is not None:
        _check_periods(periods, len(days))


def _check_periods(periods: Any, days: int) -> None:
    # One list for each day of the plan, or for each of the week: the only example fits both readings.
    if not isinstance(periods, list) or len(periods) not in {days, 7}:
        raise invalid("schedule.periods", f"{days} or 7 lists are required")
    for day in periods:
        if not isinstance(day, list) or len(day) > 10 or not all(isinstance(part, dict) for part in day):
            raise invalid("schedule.periods", "lists of at most 10 periods are required")
        for part in day:
            text(part, "begin_at", MOMENT)
            text(part, "end_at", MOMENT)


def check_output(told: Mapping[str, Any]) -> None:
    """At least one of four ways out."""
    ways = {"obs": _check_obs, "dis": _check_dis, "webhook": _check_webhook}
    given = [way for way in ways if told.get(way) is not None]
    for way in given:
        inner = object_of(told, way)
        ways[way](inner)
        _check_categories(inner)
    center = told.get("event_center", False)
    if center not in (*SAYS_YES, *SAYS_NO):
        raise invalid("output.event_center", "true or false is required")
    if not given and center not in SAYS_YES:
        raise invalid("output", "at least one output is required")


def output_types(told: Mapping[str, Any]) -> set[str]:
    """The ways of an output as services declare them."""
    return {shown for way, shown in (("obs", "OBS"), ("dis", "DIS"), ("webhook", "Webhook")) if told.get(way)}


def _check_obs(told: Mapping[str, Any]) -> None:
    text(told, "bucket", BUCKET)
    text(told, "path", PATH, 1023)


def _check_dis(told: Mapping[str, Any]) -> None:
    text(told, "stream_name", STREAM)


def _check_webhook(told: Mapping[str, Any]) -> None:
    text(told, "url", URL, 1000)
    headers = object_of(told, "headers")
    if not 1 <= len(headers) <= 10 or not all(isinstance(value, str) for value in headers.values()):
        raise invalid("output.webhook.headers", "1 to 10 texts are required")


def _check_categories(told: Mapping[str, Any]) -> None:
    if told.get("data_category") is None:
        return
    found = items(told, "data_category", 0, 10)
    if not all(isinstance(item, str) for item in found) or len(set(found)) != len(found):
        raise invalid("data_category", "distinct texts are required")


def check_id(where: str, value: str) -> str:
    """An id in a path or a query."""
    if not ID.fullmatch(value):
        raise ViasError(Code.BAD_FORMAT, f"{value[:100]!r} is not an id", where)
    return value


def says_yes(value: object) -> bool:
    """Whether `true`, `1` or `"true"` was sent."""
    return value in SAYS_YES


def is_whole(value: object, least: int, most: int) -> bool:
    """Whether a value is a whole number within bounds; true is none."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
