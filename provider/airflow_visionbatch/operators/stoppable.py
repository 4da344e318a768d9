"""Operators that stop at once when Airflow wants their process to end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from airflow_visionbatch._compat import BaseOperator


class Stopped(BaseException):
    """Airflow wants this process to end; nothing on the way may take it for an error that it knows how to handle."""


class StoppableOperator(BaseOperator):
    """An operator whose work is broken off by `on_kill`, and can be gone on with by a later try."""

    service: ClassVar[str]
    """As triggers and assets call it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._at_work = False

    def on_kill(self) -> None:
        """Stop at once; what becomes of the remote work is decided when nothing else is under way in this process.

        Airflow calls this from a signal's handler, for a task that a person ended, but just as well for one that was
        cleared or given to another worker, and when the worker is shut down. After a timeout it calls it as well, but
        then there is nothing left to stop.
        """
        if self._at_work:
            raise Stopped

    @contextmanager
    def _stoppable(self, context: Any) -> Iterator[None]:
        """Let `on_kill` break off what is done here."""
        from visionbatch import VisionBatchError

        self._at_work = True
        try:
            yield
        except Stopped:
            self._at_work = False
            self._see_to_the_rest(context)
            raise VisionBatchError(
                "Airflow has told this process to stop", service=self.service, ref=self._ref, retry_safe=True
            ) from None
        finally:
            self._at_work = False

    @property
    def _ref(self) -> str:
        """What is worked on; empty before there is anything."""
        return ""

    def _see_to_the_rest(self, context: Any) -> None:
        """Do what there is to do when the work was broken off: nothing, where a later try goes on."""
