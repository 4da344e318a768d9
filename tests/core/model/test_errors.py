"""The tree of errors is what its drawing says, and every error survives the way between processes."""

from __future__ import annotations

import inspect
import json
import pickle
import re
from typing import Any

import pytest

from visionbatch import errors
from visionbatch.errors import (
    FINDINGS_SHOWN,
    ExitCode,
    InvalidInput,
    NotAuthorized,
    SessionLost,
    Throttled,
    TimedOut,
    VisionBatchError,
    error_from_json,
    every_error,
)
from visionbatch.model.finding import Finding, Severity

EVERY = every_error()
FINDINGS = tuple(Finding("rule", Severity.ERROR, f"WO_{number}", "bad") for number in range(FINDINGS_SHOWN + 5))

EXTRAS: dict[str, Any] = {
    "findings": FINDINGS,
    "maybe_received": False,
    "status": 418,
    "retry_after_s": 12.5,
    "persisted": 3,
    "total": 9,
    "all_sent": True,
}


def drawn() -> dict[str, tuple[str, ExitCode]]:
    """Every class in the drawing, with its parent and its exit code; who has none inherits it."""
    found: dict[str, tuple[str, ExitCode]] = {"VisionBatchError": ("Exception", ExitCode.BUG)}
    path = ["VisionBatchError"]
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^((?:│   |    )*)[├└]── (\w+)(.*)$", line)
        if match is None:
            continue
        depth = len(match[1]) // 4 + 1
        del path[depth:]
        parent = path[-1]
        code = re.search(r"exit (\d+)$", match[3])
        found[match[2]] = (parent, ExitCode(int(code[1])) if code else found[parent][1])
        path.append(match[2])
    return found


def made(kind: type[VisionBatchError]) -> VisionBatchError:
    """One of a kind with every particular that it takes."""
    names: set[str] = set()
    for ancestor in kind.__mro__:
        if "__init__" in vars(ancestor) and ancestor is not Exception:
            names |= set(inspect.signature(ancestor.__init__).parameters)
    extras = {name: value for name, value in EXTRAS.items() if name in names}
    return kind("it broke", service="deepomatic", ref="b-1", next_step="Mend it.", retry_safe=True, **extras)


def test_the_tree_is_the_one_that_is_drawn() -> None:
    real = {kind.__name__: (kind.__bases__[0].__name__, kind.exit_code) for kind in EVERY}
    assert real == drawn()
    assert len(EVERY) == len(real)


@pytest.mark.fault("SE24")
@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_error_survives_a_pickle(kind: type[VisionBatchError]) -> None:
    error = made(kind)
    again = pickle.loads(pickle.dumps(error))

    assert type(again) is kind
    assert vars(again) == vars(error)
    assert (str(again), again.args) == (str(error), error.args)


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_error_survives_json(kind: type[VisionBatchError]) -> None:
    error = made(kind)
    told = json.loads(json.dumps(error.to_json()))
    again = error_from_json(told)

    assert type(again) is kind
    assert again.to_json() == error.to_json()
    assert told["exit"] == {"code": int(kind.exit_code), "name": kind.exit_code.name.lower()}


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_error_says_what_to_whom_and_what_next(kind: type[VisionBatchError]) -> None:
    line = str(made(kind)).splitlines()[0]
    assert line == "deepomatic b-1: it broke. Safe to retry. Mend it."


@pytest.mark.parametrize("kind", EVERY[1:], ids=lambda kind: kind.__name__)
def test_what_is_permanent_is_not_called_safe_to_retry(kind: type[VisionBatchError]) -> None:
    error = kind("it broke")
    assert not (error.permanent and error.retry_safe)


@pytest.mark.parametrize("value", [{}, {"error": "NoSuchThing"}, {"error": 7, "what": None, "retry_safe": "yes"}])
def test_an_error_of_a_newer_version_becomes_the_base(value: dict[str, Any]) -> None:
    assert type(error_from_json(value)) is VisionBatchError


def test_findings_are_listed_up_to_a_limit_and_counted_beyond() -> None:
    lines = str(InvalidInput("refused", findings=FINDINGS)).splitlines()
    assert len(lines) == 1 + FINDINGS_SHOWN + 1
    assert lines[-1].strip() == "... and 5 more"


def test_a_lower_room_fills_in_only_what_is_missing() -> None:
    error = SessionLost("gone", ref="b-1")
    assert error.about("deepomatic", "b-2") is error
    assert (error.service, error.ref) == ("deepomatic", "b-1")


def test_particulars_have_harmless_defaults() -> None:
    assert NotAuthorized("no").status == 0
    assert Throttled("slow").retry_after_s is None
    assert TimedOut("silence").maybe_received
    assert not SessionLost("gone").all_sent
