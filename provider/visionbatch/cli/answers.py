"""What a command prints on stdout: one line for people, or one JSON document for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from visionbatch.errors import ExitCode, VisionBatchError


@dataclass
class Out:
    """What a process says on stdout.

    :param as_json: exactly one JSON document, and no more.
    :param told: whether the answer is out, so that nothing may follow it.
    """

    as_json: bool = False
    told: bool = False


def answer(options: Mapping[str, Any], value: Mapping[str, Any], line: str, code: ExitCode = ExitCode.DONE) -> None:
    """Print the answer of a command that has done its work, and end with a code if that is not 0.

    :param value: of the JSON document, which gets the key ``exit`` as well.
    :param line: the same for people.
    """
    out: Out = options["out"]
    text = json.dumps({**value, "exit": exit_told(code)}, indent=1) if out.as_json else line
    _end(_print(text) if text else True, out, code)


def raw_answer(options: Mapping[str, Any], value: Mapping[str, Any], body: bytes) -> None:
    """Print a foreign document as it is for people; for programs it is part of the one document.

    :param value: of the JSON document, as `answer` takes it.
    """
    out: Out = options["out"]
    if out.as_json:
        answer(options, value, "")
    else:
        _end(_write(body), out, ExitCode.DONE)


def refusal(out: Out, error: VisionBatchError) -> None:
    """Print an error as the JSON document, if programs listen."""
    told = error.to_json()
    _ended(out, {**told, "exit": {**told["exit"], "retry_safe": error.retry_safe}})


def stopped(out: Out, what: str, code: int) -> None:
    """Print that a signal has ended the process as the JSON document, if programs listen and nothing is out yet."""
    again = "Run the same command again to go on."
    told = {"error": "Stopped", "what": what, "service": "", "ref": "", "next_step": again, "retry_safe": True}
    _ended(out, {**told, "exit": {"code": code, "name": "stopped", "retry_safe": True}})


def bug(out: Out, error: Exception) -> None:
    """Print that there is a bug of ours as the JSON document, if programs listen; the traceback has what it says."""
    what = f"{type(error).__name__}, which is a bug; stderr says where"
    told = {"error": "Bug", "what": what, "service": "", "ref": "", "next_step": "Report it.", "retry_safe": False}
    _ended(out, {**told, "exit": exit_told(ExitCode.BUG, retry_safe=False)})


def exit_told(code: ExitCode, *, retry_safe: bool = True) -> dict[str, Any]:
    """What the JSON document says of the exit code."""
    return {"code": int(code), "name": code.name.lower(), "retry_safe": retry_safe}


def _ended(out: Out, told: Mapping[str, Any]) -> None:
    if out.as_json and not out.told:
        out.told = True
        _print(json.dumps(told, indent=1))


def _end(printed: bool, out: Out, code: ExitCode) -> None:
    out.told = True
    if not printed and code is ExitCode.DONE:
        # The work is done, and the same command again will say so.
        code = ExitCode.TEMPORARY
    if code is not ExitCode.DONE:
        raise click.exceptions.Exit(int(code))


def _print(text: str) -> bool:
    """Print, whatever the terminal can show; gives what `_write` does."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        line = text.encode(encoding)
    except UnicodeEncodeError:
        line = text.encode("ascii", "backslashreplace")
    return _write(line + os.linesep.encode())


def _write(body: bytes) -> bool:
    """Write and flush; false when it could not be written though somebody reads."""
    # Python has no stdout when whoever started it has closed it: nobody wants to know.
    if sys.stdout is None:
        return True
    try:
        sys.stdout.flush()
        buffer = getattr(sys.stdout, "buffer", None)
        # What a program has put in the place of stdout may know text alone.
        sys.stdout.write(body.decode("utf-8", "replace")) if buffer is None else buffer.write(body)
        sys.stdout.flush()
    except OSError as error:
        # The interpreter must not try again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            # Whoever reads has seen enough.
            return True
        click.echo(f"visionbatch: the answer could not be printed: {error.strerror}", err=True)
        return False
    return True
