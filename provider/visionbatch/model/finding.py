"""What a check says about one place of the input."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from visionbatch.model.text import printable


class Severity(StrEnum):
    """How bad a finding is: only an error keeps the input from being sent."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One rule that one path breaks.

    :param rule: stable id of the rule, such as ``work-order-name``; listed in the documentation.
    :param severity: whether sending is refused.
    :param path: place in the source, with ``/`` between parts; empty for the source as a whole.
    :param message: what is wrong there.
    :param hint: what to do about it.
    """

    rule: str
    severity: Severity
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """One printable line, whatever characters the path holds."""
        line = f"{self.severity}: {self.path or '.'}: {self.message} [{self.rule}]"
        return printable(f"{line} {self.hint}".rstrip())
