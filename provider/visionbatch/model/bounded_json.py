"""JSON from anybody: read within bounds, or refused with a reason."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

DEPTH = 20
"""Levels of nesting; the notifications of both services have four."""

VALUES = 50_000
"""Commas and colons, and so values to be made: a list of empty lists costs thirty times its length in memory."""

_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""A text, or what may become one up to the end: an attempt that failed would be made again at each of its quotes."""


def json_object(body: bytes) -> dict[str, Any]:
    """The object that a body holds.

    :raises ValueError: for what is not UTF-8, not JSON (``NaN`` is not), not an object, nested deeper than `DEPTH`, or
        of more than `VALUES` values; both bounds are checked before anything is parsed.
    """
    _check_bounds(_TEXT.sub(b"", body))
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_constant, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise ValueError("the body is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"the body is not JSON: {error.msg} at character {error.pos}") from error
    except RecursionError as error:
        raise ValueError("the body is nested too deeply") from error
    require(isinstance(value, dict), "the body is not a JSON object")
    return dict(value)


def require(holds: bool, what: str) -> None:
    """Refuse a value that came from outside.

    :raises ValueError: unless it holds.
    """
    if not holds:
        raise ValueError(what)


def _check_bounds(skeleton: bytes) -> None:
    """Judge a body without its texts; of a broken one only the bounds matter here."""
    if skeleton.count(b",") + skeleton.count(b":") > VALUES:
        raise ValueError(f"the body has more than {VALUES} values")
    depth = 0
    for mark in re.finditer(rb"[\[\]{}]", skeleton):
        depth += 1 if mark[0] in (b"[", b"{") else -1
        if depth > DEPTH:
            raise ValueError(f"the body is nested deeper than {DEPTH} levels")


def _finite(digits: str) -> float:
    value = float(digits)
    require(math.isfinite(value), "the body holds a number beyond all bounds")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"the body is not JSON: {name} is no number there")
