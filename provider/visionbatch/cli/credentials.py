"""Where a command finds its secrets: in the environment, in a file, or on stdin; never in its own arguments.

A command line can be read by everybody on the machine, and stays in the history.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from visionbatch.errors import ConfigError
from visionbatch.model.secret import Secret

STDIN = Path("-")


def secret_of(variable: str, file: Path | None) -> Secret:
    """A secret from a file, else from an environment variable, else from the file that ``<variable>_FILE`` names.

    :param file: ``-`` is stdin.
    :raises ConfigError: when there is none, or the file cannot be read.
    """
    named = os.environ.get(f"{variable}_FILE")
    place = file or (Path(named) if named else None)
    found = first_line(place) if place else os.environ.get(variable, "").strip()
    if not found:
        raise ConfigError(f"there is no secret in {variable}, nor in a file named by {variable}_FILE")
    return Secret(found)


def first_line(place: Path) -> str:
    """What a file with one secret in it holds; ``-`` is stdin.

    :raises ConfigError: when it cannot be read or is empty.
    """
    try:
        found = (sys.stdin.read() if place == STDIN else place.read_text()).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{place} cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}") from error
    if not found:
        raise ConfigError(f"{'stdin' if place == STDIN else place} is empty, where a secret was expected")
    return found
