"""The arguments of an operator or sensor of ours: which it takes, which are documented, which are templated."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any


def _ours(kind: Any) -> Iterator[Any]:
    """The class and those of ours that it is made of."""
    return (each for each in kind.__mro__ if each.__module__.startswith("airflow_visionbatch"))


def own_arguments(kind: Any) -> set[str]:
    parameters = (it for each in _ours(kind) for it in inspect.signature(each.__init__).parameters.values())
    return {it.name for it in parameters if it.kind is it.KEYWORD_ONLY} - _GIVEN_BY_SUBCLASSES


def documented(kind: Any) -> dict[str, str]:
    texts = (each.__doc__ or "" for each in _ours(kind))
    found = (match for text in texts for match in re.finditer(r":param (\w+):((?:(?!:param).)*)", text, re.DOTALL))
    return {match[1]: match[2] for match in found if match[1] not in _GIVEN_BY_SUBCLASSES}


def said_to_be_templated(kind: Any) -> set[str]:
    return {name for name, text in documented(kind).items() if "Templated." in text}


_GIVEN_BY_SUBCLASSES = {"ref", "conn_id"}
"""What every sensor of a service says in words of its own."""
