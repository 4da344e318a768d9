"""What the caller asked for cannot be, or what the caller gave is at fault: nobody else can mend it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from visionbatch.errors.base import ExitCode, VisionBatchError
from visionbatch.model.finding import Finding

FINDINGS_SHOWN = 20
"""Findings printed in the text of an `InvalidInput`; all of them are in its ``findings``."""


class UsageError(VisionBatchError):
    """The caller asked for something that cannot be."""

    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    """A setting is missing, malformed or contradicts another."""

    default_next_step = "Correct the setting and run again."


class UnsafeUrl(UsageError):
    """A URL leads where this plane may not go; nothing was sent to it."""

    default_next_step = "If the host is right, add it to the connection's allowed upload hosts."


class InputError(VisionBatchError):
    """The work orders themselves are at fault."""

    exit_code = ExitCode.INVALID_INPUT


class InvalidInput(InputError):
    """The check found blocking findings; nothing was sent.

    :param findings: all of them, in the order of the check.
    """

    default_next_step = "Mend the source, or leave the work orders named here out."

    def __init__(self, what: str, *, findings: Sequence[Finding] = (), **about: Any) -> None:
        super().__init__(what, **about)
        self.findings = tuple(findings)

    def __str__(self) -> str:
        """The usual line, then the first findings, one a line."""
        lines = [super().__str__(), *(f"  {finding}" for finding in self.findings[:FINDINGS_SHOWN])]
        if len(self.findings) > FINDINGS_SHOWN:
            lines.append(f"  ... and {len(self.findings) - FINDINGS_SHOWN} more")
        return "\n".join(lines)


class InputMissing(InputError):
    """The source is not there, on this machine at least."""

    default_next_step = "Run where the source is, or keep it in an object store that every worker reaches."


class InputChanged(InputError):
    """The source is not what it was when the run began."""

    default_next_step = "Let on_input_change decide, or start a new run with the new input."


class UnreadableTables(InputError):
    """A table of an export is damaged, or does not have the columns of its schema."""

    default_next_step = "Make the tables of the export again; docs/export.md has their schema."


class SourceUnreadable(InputError):
    """Reading the source failed: a disk or a network drive in trouble, which may pass."""

    exit_code = ExitCode.TEMPORARY
    default_retry_safe = True
    default_next_step = "Check the disk or drive, then run again: the upload goes on where it stopped."


class BrokenLine(InputError):
    """A line of an export cannot become rows, and the policy is to stop there."""

    default_next_step = "Show the line to the vendor, or let on_broken_line be quarantine and go on without it."
