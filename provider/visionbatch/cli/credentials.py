"""Where a command finds its secrets: in the environment, in a file, or on stdin; never in its own arguments.

A command line can be read by everybody on the machine, and stays in the history.
"""

from __future__ import annotations

import sys
from pathlib import Path

from visionbatch.errors import ConfigError
from visionbatch.io import secret_places
from visionbatch.model.secret import Secret

STDIN = Path("-")


def secret_of(variable: str, file: Path | None) -> Secret:
    """A secret, see `visionbatch.io.secret_places.secret_of`.

    :param file: ``-`` is stdin.
    :raises ConfigError: when there is none, or the file cannot be read.
    """
    return secret_places.secret_of(variable, file, read=first_line)


def first_line(place: Path) -> str:
    """What a file with one secret in it holds; ``-`` is stdin.

    :raises ConfigError: when it cannot be read or is empty.
    """
    found = (sys.stdin.read() if place == STDIN else secret_places.text_of(place)).strip()
    if not found:
        raise ConfigError(f"{'stdin' if place == STDIN else place} is empty, where a secret was expected")
    return found
