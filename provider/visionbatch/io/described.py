"""Size and digest of a file that was written, for manifests."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any


def described(path: Path) -> dict[str, Any]:
    """Its ``size`` and ``sha256``."""
    with path.open("rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
