"""Values of settings, checked on their way in: one reader for each shape."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar

from visionbatch_mock.clock import LATEST
from visionbatch_mock.text import is_text

MOST = 10**12
"""Ours: seconds beyond it lead to no year that can be written, and no number of things is larger."""

_E = TypeVar("_E", bound=StrEnum)


class SettingError(ValueError):
    """A setting that does not exist, or a value that it cannot take."""


def choice(kind: type[_E], name: str, value: object) -> _E:
    """The member of `kind` that `value` names, or a `SettingError` that lists them all."""
    try:
        return kind(str(value))
    except ValueError:
        known = ", ".join(kind)
        raise SettingError(f"{name}: {value!r} is not one of {known}") from None


def choices(kind: type[_E], name: str, value: Any) -> tuple[_E, ...]:
    """The members of `kind` that a list names, each once, in the order of the kind."""
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise SettingError(f"{name}: expected a list, got {value!r}")
    found = {choice(kind, name, item) for item in value}
    return tuple(member for member in kind if member in found)


def flag(name: str, value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise SettingError(f"{name}: expected true or false, got {value!r}")
    return value


def seconds(name: str, value: Any) -> float:
    """Seconds from 0."""
    return amount(name, value, "seconds")


def amount(name: str, value: Any, unit: str = "a number") -> float:
    """Any number from 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST:
        raise SettingError(f"{name}: expected {unit} from 0 to {MOST:g}, got {value!r}")
    return float(value)


def moment(name: str, value: Any) -> float:
    """Seconds since the epoch, of a moment that a tenant's clock can show."""
    if amount(name, value) > LATEST:
        raise SettingError(f"{name}: {value!r} is after the year 2999")
    return float(value)


def positive(name: str, value: Any) -> int:
    """A whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST:
        raise SettingError(f"{name}: expected a whole number from 1 to {MOST:g}, got {value!r}")
    return value


def text(name: str, value: Any) -> str:
    """A text that is not empty."""
    if not is_text(value) or not value:
        raise SettingError(f"{name}: expected a text, got {value!r}")
    return str(value)


def names(name: str, value: Any) -> tuple[str, ...] | None:
    """A list of texts, or null."""
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(is_text(item) and item for item in value):
        raise SettingError(f"{name}: expected a list of names, got {value!r}")
    return tuple(value)


def texts(name: str, value: Any) -> Mapping[str, str]:
    """An object of texts."""
    if not isinstance(value, Mapping) or not all(is_text(v) for v in value.values()):
        raise SettingError(f"{name}: expected an object of texts, got {value!r}")
    return MappingProxyType({str(k): str(v) for k, v in value.items()})
