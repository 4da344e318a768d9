"""Reading documented fields out of a JSON body, with the rule's name for whatever is not what it should be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from visionbatch.errors import InvalidInput
from visionbatch.model.finding import Finding
from visionbatch.model.text import printable
from visionbatch.vias.rulebook import RULES, SHOWN

T = TypeVar("T")

_KINDS: dict[type, str] = {str: "a string", bool: "true or false", dict: "an object", list: "an array", int: "a number"}


def refuse(findings: Iterable[Finding], what: str = "the request breaks documented rules; nothing was sent") -> None:
    """Raise what is wrong, if anything is.

    :raises InvalidInput: with all findings, warnings too, when one of them is an error.
    """
    found = tuple(findings)
    if any(finding.severity == "error" for finding in found):
        raise InvalidInput(what, findings=found, service="huawei_vias", next_step="Correct what is named below.")


def only(value: Any, known: Iterable[str], path: str) -> Mapping[str, Any]:
    """A JSON object that has no other fields than these.

    :raises InvalidInput: rule ``type`` or ``unknown-field``.
    """
    found = typed(value, dict, path)
    strange = sorted(set(found) - set(known))
    refuse(RULES["unknown-field"].broken(f"{path}.{printable(str(name), SHOWN)}") for name in strange)
    return found


def typed(value: Any, kind: type[T], path: str) -> T:
    """A value of a kind.

    :raises InvalidInput: rule ``type``.
    """
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        shown = printable(repr(value), SHOWN)
        refuse([RULES["type"].broken(path, f"this is {shown}, not {_KINDS.get(kind, kind.__name__)}")])
    return value  # type: ignore[no-any-return]  # refused above when it is anything else


def listed(value: Any, path: str) -> list[Any]:
    """A JSON array, or a list or tuple in Python.

    :raises InvalidInput: rule ``type``.
    """
    return list(value) if isinstance(value, tuple) else typed(value, list, path)


def without_none(value: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object without what was not given."""
    return {name: item for name, item in value.items() if item is not None}
