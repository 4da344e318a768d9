"""What a command prints on stdout: one line for people, or one JSON document for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from visionbatch.errors import ExitCode, VisionBatchError


def answer(options: Mapping[str, Any], value: Mapping[str, Any], line: str, code: ExitCode = ExitCode.DONE) -> None:
    """Print the answer of a command that has done its work, and end with a code if that is not 0.

    :param value: of the JSON document, which gets the key ``exit`` as well.
    :param line: the same for people.
    """
    if options["json"]:
        _print(json.dumps({**value, "exit": exit_told(code)}, indent=1))
    elif line:
        _print(line)
    if code is not ExitCode.DONE:
        raise click.exceptions.Exit(int(code))


def refusal(error: VisionBatchError) -> None:
    """Print an error as the JSON document."""
    told = error.to_json()
    _print(json.dumps({**told, "exit": {**told["exit"], "retry_safe": error.retry_safe}}, indent=1))


def exit_told(code: ExitCode, *, retry_safe: bool = True) -> dict[str, Any]:
    """What the JSON document says of the exit code."""
    return {"code": int(code), "name": code.name.lower(), "retry_safe": retry_safe}


def _print(text: str) -> None:
    """Print, whatever the terminal can show and whether or not anybody still reads."""
    try:
        click.echo(text)
        sys.stdout.flush()
    except UnicodeEncodeError:
        click.echo(text.encode("ascii", "backslashreplace").decode())
    except BrokenPipeError:
        # Whoever reads has seen enough; the work is done all the same, and the interpreter must not try again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
