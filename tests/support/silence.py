"""Looking for secrets where they must not be: in log lines and in the text of exceptions."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest

from support.leaks import places_of
from visionbatch_mock.tenant import Tenant

NOT_OURS = ("visionbatch_mock", "werkzeug", "asyncio")
"""Loggers of the server's side, which runs in this process too."""

PHASES: tuple[Literal["setup", "call", "teardown"], ...] = ("setup", "call", "teardown")


class Silence:
    """Collects what a test lets out, and knows what must not be in it."""

    def __init__(self, tenant: Tenant, caplog: pytest.LogCaptureFixture) -> None:
        self._tenant = tenant
        self._caplog = caplog
        self._texts: list[str] = []
        self._more: list[str] = []

    def guard(self, secret: str) -> None:
        """Look for this one too."""
        self._more.append(secret)

    @contextmanager
    def raises(
        self, kind: type[BaseException] | tuple[type[BaseException], ...], match: str | None = None
    ) -> Iterator[pytest.ExceptionInfo[BaseException]]:
        """As `pytest.raises`, and every printed form of the exception is searched at the end."""
        with pytest.raises(kind, match=match) as caught:
            yield caught
        error = caught.value
        self._texts += ["".join(traceback.format_exception(error)), repr(error), str(error)]
        if hasattr(error, "to_json"):
            self._texts.append(json.dumps(error.to_json()))

    def secrets(self) -> list[str]:
        sessions = [session.id for batch in self._tenant.batches.all() for session in batch.sessions]
        return [self._tenant.token, *sessions, *self._more]

    def check(self) -> None:
        # At the end of a fixture, ``caplog.records`` are those of the teardown alone.
        every = [record for phase in PHASES for record in self._caplog.get_records(phase)]
        ours = [record for record in every if not record.name.startswith(NOT_OURS)]
        lines = [self._caplog.handler.format(record) for record in ours]
        text = "\n".join([*lines, *self._texts])
        assert places_of(self.secrets(), [("printed", text.encode("utf-8", "replace"))]) == []
