"""What thousands of triggers have in common is kept once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from visionbatch import Pace

NOTHING: dict[str, Any] = {}
"""The empty mapping of all who have nothing to say there: each of their own would be 64 bytes. Nobody changes it."""


@lru_cache(maxsize=64)
def kept_once(fields: tuple[tuple[str, float], ...]) -> dict[str, float]:
    """One mapping for all that have the same fields; nobody changes it."""
    return dict(fields)


@lru_cache(maxsize=64)
def pace_of(**fields: float) -> Pace:
    """One value for all who keep the same pace: thousands of triggers hold it."""
    return Pace(**fields)
