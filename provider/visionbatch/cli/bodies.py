"""Request bodies that stand in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from visionbatch.errors import ConfigError


def body_in(path: Path) -> Any:
    """The JSON in a file.

    :raises ConfigError: when it cannot be read as such.
    """
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read as JSON ({type(error).__name__})") from error
