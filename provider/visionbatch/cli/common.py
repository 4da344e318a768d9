"""What the command groups share: keys, places, and how results are printed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from visionbatch.errors import ConfigError
from visionbatch.model.secret import Secret


def key_from(variable: str) -> Secret:
    """The API key; never an option, for a command line is visible to everybody on the machine.

    :param variable: that holds it; with ``_FILE`` behind its name it names a file that does.
    """
    path = os.environ.get(f"{variable}_FILE")
    key = first_line(Path(path)) if path else os.environ.get(variable, "").strip()
    if not key:
        raise ConfigError(f"there is no API key in {variable}, nor in a file named by {variable}_FILE")
    return Secret(key)


def first_line(path: Path | None) -> str:
    """What a file with one secret in it holds."""
    try:
        return path.read_text().strip() if path else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}") from error


def state_directory() -> Path:
    """Where run records are kept unless told otherwise."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "visionbatch"


def show(options: Mapping[str, Any], value: Any, line: str) -> None:
    """Print a result, as JSON where that was asked for."""
    click.echo(json.dumps(value, indent=1) if options["json"] else line)
