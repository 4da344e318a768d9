"""How far a transfer is: a bar on a terminal, lines in a log, JSON events for programs. All of it goes to stderr."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

import click

from visionbatch.pipelines.progress import LoggedProgress
from visionbatch.transfer.upload import Progress

log = logging.getLogger(__name__)

EVENT_S = 1.0
"""Seconds between two JSON events."""


class ProgressForm(StrEnum):
    """What ``--progress`` takes."""

    AUTO = "auto"
    """A bar on a terminal that can show one, else lines."""
    BAR = "bar"
    LINES = "lines"
    JSON = "json"
    NONE = "none"


@contextmanager
def advance(options: Mapping[str, Any], what: str) -> Iterator[Progress | None]:
    """Show the progress of a transfer in the form that was asked for.

    :param what: what moves, such as ``upload``.
    """
    form = _form(options)
    if form is ProgressForm.NONE:
        yield None
    elif form is ProgressForm.JSON:
        yield _Events(what)
    elif form is ProgressForm.LINES:
        yield LoggedProgress(log, what=what)
    else:
        with click.progressbar(length=0, label=what, file=sys.stderr, width=0) as bar:
            yield _moving(bar)


def _form(options: Mapping[str, Any]) -> ProgressForm:
    asked = ProgressForm(options.get("progress", ProgressForm.AUTO))
    if asked is not ProgressForm.AUTO:
        return asked
    if options.get("quiet"):
        return ProgressForm.NONE
    plain = os.environ.get("TERM") == "dumb" or bool(os.environ.get("NO_COLOR"))
    return ProgressForm.BAR if sys.stderr.isatty() and not plain else ProgressForm.LINES


def _moving(bar: Any) -> Progress:
    def move(position: int, total: int) -> None:
        bar.length = total
        # A position may go back, when a server has kept less than was sent.
        bar.update(position - bar.pos)

    return move


class _Events:
    """One JSON object a line."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._told = -EVENT_S

    def __call__(self, position: int, total: int) -> None:
        now = time.monotonic()
        if position < total and now - self._told < EVENT_S:
            return
        self._told = now
        event = {"event": "progress", "what": self._what, "position": position, "total": total}
        click.echo(json.dumps(event), err=True)
