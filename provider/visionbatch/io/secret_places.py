"""Where a secret is found: in the environment, or in a file; never in an argument.

A command line can be read by everybody on the machine, and a notebook is passed on with what is typed into it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from visionbatch.errors import ConfigError
from visionbatch.model.secret import Secret


def text_of(place: Path) -> str:
    """What a file with one secret in it holds.

    :raises ConfigError: when it cannot be read.
    """
    try:
        return place.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{place} cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}") from error


def one_line(text: str, place: str) -> str:
    """The one line of a text, without the space around it.

    :raises ConfigError: when there is none, or another behind it.
    """
    lines = text.strip().splitlines()
    if len(lines) != 1:
        found = f"has {len(lines)} lines" if lines else "is empty"
        raise ConfigError(f"{place} {found}, where a secret of one line was expected")
    return lines[0]


def secret_of(variable: str, file: Path | None = None, *, read: Callable[[Path], str] = text_of) -> Secret:
    """A secret from a file, else from the file that ``<variable>_FILE`` names, else from an environment variable.

    :param read: gives the text of a file.
    :raises ConfigError: when there is none, or the file cannot be read.
    """
    named = os.environ.get(f"{variable}_FILE")
    place = file or (Path(named) if named else None)
    if place:
        return Secret(one_line(read(place), str(place)))
    found = os.environ.get(variable, "")
    if not found.strip():
        raise ConfigError(f"there is no secret in {variable}, nor in a file named by {variable}_FILE")
    return Secret(one_line(found, variable))
