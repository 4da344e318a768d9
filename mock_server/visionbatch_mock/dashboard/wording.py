"""How pages write sizes, times, states and addresses."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from visionbatch_mock.text import short

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^\s<>\"']+", re.IGNORECASE)
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_GOOD = frozenset(
    {"success", "succeeded", "SUCCEEDED", "complete", "completed", "ingested", "done", "delivered", "all met"}
)
_BAD = frozenset(
    {
        "error", "failed", "aborted", "cancelled", "terminated", "expired", "FAILED", "CREATE_FAILED", "START_FAILED",
        "LACK_OF_RESOURCES", "ABNORMAL", "given up", "never met", "reset",
    }
)  # fmt: skip
_HALF = frozenset({"partial_success", "STOPPED_NO_SERVICE", "STOPPING", "RECOVERING", "partly met", "aborting"})
_IDLE = frozenset({"created", "queued", "registered", "PENDING", "STOPPED", "FROZEN", "waiting", "open"})
_SOON = frozenset({"uploaded", "exporting", "SCHEDULING", "STARTING"})


def tone(state: object) -> str:
    """The class of a state's colour: good, bad, half, idle, soon, or busy for all that moves or that nobody knows."""
    word = str(state)
    for name, words in (("good", _GOOD), ("bad", _BAD), ("half", _HALF), ("idle", _IDLE), ("soon", _SOON)):
        if word in words:
            return name
    return "busy"


def tone_of_status(status: int | None) -> str:
    """The same for an HTTP status; none at all is a connection that the mock reset."""
    if status is None or status >= 500:
        return "bad"
    return "half" if status >= 400 else "good"


def size(count: float | None) -> str:
    """`256 KiB`, `1.5 MiB`; a dash for what is not known."""
    if count is None:
        return "-"
    value, unit = float(count), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return (
        f"{value:.0f} {_UNITS[unit]}"
        if unit == 0 or value >= 100 or value == int(value)
        else f"{value:.1f} {_UNITS[unit]}"
    )


def span(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `6 d 4 h`."""
    whole = int(abs(seconds))
    if whole < 10:
        return f"{abs(seconds):.1f} s"
    for big, small, big_name, small_name in ((86_400, 3600, "d", "h"), (3600, 60, "h", "min"), (60, 1, "min", "s")):
        if whole >= big:
            rest = whole % big // small
            return f"{whole // big} {big_name}" + (f" {rest} {small_name}" if rest else "")
    return f"{whole} s"


def clock_time(epoch: float) -> str:
    """`14:03:59.120`, UTC."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%H:%M:%S.%f")[:-3]


def moment(epoch: float) -> str:
    """`2026-11-22 14:03:59`, UTC."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M:%S")


def brief(name: object, length: int = 8) -> str:
    """The beginning of an id; what is short enough stays whole."""
    text = str(name)
    return text if len(text) <= length + 6 else f"{text[:length]}…"


def masked(url: str) -> str:
    """Where an address leads, without what may be a secret in it: scheme, host and eight digits for the rest."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "?", parts.port
    except ValueError:
        return f"#{short(url)}"
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}/… #{short(url)}"


def safe(facts: Mapping[str, Any]) -> dict[str, str]:
    """Facts of the ledger as a page shows them: addresses masked, nested values left out."""
    return {name: _shown(value) for name, value in facts.items() if value is not None}


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{…}"
    if isinstance(value, list | tuple):
        return f"{len(value)} of them" if len(value) > 3 else ", ".join(_shown(each) for each in value)
    return scrubbed(str(value))


def scrubbed(text: str) -> str:
    """Text of a receiver or an error, with every address in it masked."""
    return _ADDRESS.sub(lambda found: masked(found[0]), text)


FILTERS = MappingProxyType(
    {
        "tone": tone,
        "status_tone": tone_of_status,
        "size": size,
        "span": span,
        "time": clock_time,
        "moment": moment,
        "brief": brief,
        "masked": masked,
        "safe": safe,
        "scrubbed": scrubbed,
        "short": short,
    }
)
