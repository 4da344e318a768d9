"""What every error has: what happened, to which thing, whether another try is safe, and what to do next.

It survives a trip through pickle and one through JSON, because schedulers send exceptions between processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, ClassVar

_FACTS = ("status", "code", "retry_after_s", "persisted", "total", "all_sent", "maybe_received")
"""Particulars of single classes that are JSON primitives."""


class ExitCode(IntEnum):
    """What a process exits with, and so what its scheduler may do; the names appear in JSON too."""

    DONE = 0
    BUG = 1
    USAGE = 2
    INVALID_INPUT = 3
    NOT_AUTHORIZED = 4
    TEMPORARY = 5
    REMOTE_FAILED = 6
    PARTIAL = 7
    DEADLINE = 8
    NOTHING_NEW = 9
    BUSY = 10


class VisionBatchError(Exception):
    """Base of the tree that `visionbatch.errors` draws.

    :param what: what happened, in one sentence without a final full stop.
    :param service: ``deepomatic``, ``roboflow`` or ``huawei_vias``; empty when none was involved yet.
    :param ref: the id of the batch or job concerned; empty when there is none yet.
    :param next_step: what the reader should do now.
    :param retry_safe: whether the same command may be run again without doing work twice;
        ``None`` takes the default of the class.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG
    default_retry_safe: ClassVar[bool] = False
    default_next_step: ClassVar[str] = ""

    def __init__(
        self,
        what: str,
        *,
        service: str = "",
        ref: str = "",
        next_step: str = "",
        retry_safe: bool | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.service = service
        self.ref = ref
        self.next_step = next_step or self.default_next_step
        self.retry_safe = self.default_retry_safe if retry_safe is None else retry_safe

    def __str__(self) -> str:
        """One line for a log: what, to whom, is a retry safe, what next."""
        about = " ".join(part for part in (self.service, self.ref) if part)
        sentence = f"{about}: {self.what}." if about else f"{self.what}."
        retry = "Safe to retry." if self.retry_safe else "Do not retry as it is."
        return " ".join(part for part in (sentence, retry, self.next_step) if part)

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild from state, not from arguments, so that subclasses may have any signature."""
        return _rebuild, (type(self), self.args, self.__dict__)

    @property
    def permanent(self) -> bool:
        """Whether only a change of settings, rights or input can help, so that no retry should be spent."""
        return self.exit_code in (ExitCode.USAGE, ExitCode.INVALID_INPUT, ExitCode.NOT_AUTHORIZED)

    def to_json(self) -> dict[str, Any]:
        """JSON primitives only, for the command line and for events between processes."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "service": self.service,
            "ref": self.ref,
            "next_step": self.next_step,
            "retry_safe": self.retry_safe,
            "exit": {"code": int(self.exit_code), "name": self.exit_code.name.lower()},
            **{name: vars(self)[name] for name in _FACTS if name in vars(self)},
        }

    def about(self, service: str, ref: str = "") -> VisionBatchError:
        """Fill in what a lower room could not know, and give the same error back."""
        self.service = self.service or service
        self.ref = self.ref or ref
        return self


def error_from_json(value: Mapping[str, Any]) -> VisionBatchError:
    """The error that `VisionBatchError.to_json` described; a class not known here becomes the base."""
    kinds: dict[str, type[VisionBatchError]] = {kind.__name__: kind for kind in every_error()}
    kind = kinds.get(str(value.get("error")), VisionBatchError)
    error = kind(
        str(value.get("what", "an error without a text")),
        service=str(value.get("service", "")),
        ref=str(value.get("ref", "")),
        next_step=str(value.get("next_step", "")),
        retry_safe=bool(value.get("retry_safe", False)),
    )
    for name in _FACTS:
        if name in value and name in vars(error):
            setattr(error, name, value[name])
    return error


def every_error(root: type[VisionBatchError] = VisionBatchError) -> list[type[VisionBatchError]]:
    """The whole tree as a list, the root first."""
    return [root, *(error for child in root.__subclasses__() for error in every_error(child))]


def _rebuild(cls: type[VisionBatchError], args: tuple[Any, ...], state: dict[str, Any]) -> VisionBatchError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error
