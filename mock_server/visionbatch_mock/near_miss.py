"""What a request that no route wanted was probably meant to be."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from werkzeug.routing import Map, Rule

from visionbatch_mock.text import printable

_PLACEHOLDER = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
_CATCH_ALL = "/<bucket:"
"""The store's routes that take any path: whatever they refused was not meant for them."""
_OWN = ("HEAD", "OPTIONS")
"""Methods that the framework adds to every route by itself."""


@dataclass(frozen=True, slots=True)
class NearMiss:
    """The nearest route: its path as documented, its methods, and what is different about the request."""

    path: str
    methods: tuple[str, ...]
    difference: str

    def __str__(self) -> str:
        """Such as `the nearest is GET, POST /v0.2/batches: 'v0.3' is not 'v0.2'`."""
        return f"the nearest is {', '.join(self.methods)} {self.path}: {self.difference}"

    def as_json(self) -> dict[str, object]:
        """The same for the control endpoint."""
        return {"path": self.path, "methods": list(self.methods), "difference": self.difference}


def nearest(routes: Map, method: str, path: str) -> NearMiss | None:
    """The route that a request came closest to; None when the application has none."""
    told = _segments(path)
    found = max(_candidates(routes), key=lambda rule: _likeness(rule, method, told), default=None)
    if found is None:
        return None
    same_path = [rule for rule in _candidates(routes) if rule.rule == found.rule]
    methods = sorted({each for rule in same_path for each in _methods(rule)})
    return NearMiss(_shown(found.rule), tuple(methods), _difference(found, methods, method, told))


def _candidates(routes: Map) -> Iterator[Rule]:
    return (rule for rule in routes.iter_rules() if not rule.rule.startswith(_CATCH_ALL))


def _methods(rule: Rule) -> set[str]:
    return (rule.methods or set()) - set(_OWN)


def _likeness(rule: Rule, method: str, told: list[str]) -> tuple[float, bool]:
    """How alike the paths are, segment by segment; between equals the method decides."""
    wanted = _segments(rule.rule)
    pairs = zip(wanted, told, strict=False)
    total = sum(_alike(segment, given) for segment, given in pairs)
    return total / max(len(wanted), len(told), 1), method in _methods(rule)


def _alike(wanted: str, given: str) -> float:
    # A placeholder takes anything, but a word that is met says more about what was meant.
    return 0.9 if _PLACEHOLDER.search(wanted) else SequenceMatcher(None, wanted, given).ratio()


def _difference(rule: Rule, methods: list[str], method: str, told: list[str]) -> str:
    wanted = _segments(rule.rule)
    pairs = zip(wanted, told, strict=False)
    wrong = [(w, g) for w, g in pairs if w != g and not _PLACEHOLDER.search(w)]
    if wrong:
        return ", ".join(f"{printable(given)!r} is not {segment!r}" for segment, given in wrong)
    if len(wanted) > len(told):
        return f"{_shown('/'.join(wanted[len(told) :]))!r} is missing"
    if len(told) > len(wanted):
        return f"{printable('/'.join(told[len(wanted) :]))!r} is too much"
    return (
        f"the path is right, the method {printable(method)} is not" if method not in methods else "no such thing here"
    )


def _segments(path: str) -> list[str]:
    return path.strip("/").split("/")


def _shown(rule: str) -> str:
    return _PLACEHOLDER.sub(r"{\1}", rule)
