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


class Finder:
    """Finds the secrets of one client, see `visionbatch.io.secret_places.secret_of`; ``-`` is stdin.

    A file is read again when its secret was refused or has run out, for it may have been rotated; stdin is there once.
    """

    def __init__(self) -> None:
        self._stdin = ""

    def __call__(self, variable: str, file: Path | None) -> Secret:
        """A secret.

        :raises ConfigError: when there is none, or the file cannot be read.
        """
        return secret_places.secret_of(variable, file, read=self._read)

    def _read(self, place: Path) -> str:
        if place != STDIN:
            return secret_places.text_of(place)
        self._stdin = self._stdin or first_line(STDIN)
        return self._stdin


def first_line(place: Path) -> str:
    """What a file with one secret in it holds; ``-`` is stdin.

    :raises ConfigError: when it cannot be read, is empty, or has another line.
    """
    if place == STDIN:
        return secret_places.one_line(_stdin(), "stdin")
    return secret_places.one_line(secret_places.text_of(place), str(place))


def _stdin() -> str:
    # Python has none when whoever started it has closed it.
    if sys.stdin is None:
        raise ConfigError("stdin is closed, where a secret was expected")
    try:
        return sys.stdin.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"stdin cannot be read ({type(error).__name__})") from None
