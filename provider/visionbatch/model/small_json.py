"""How small the JSON stays that schedulers carry from task to task."""

from __future__ import annotations

import json
from typing import Any

MANIFEST_BYTES = 4096
"""What every manifest stays below as JSON: it travels through a scheduler's database."""


def is_small(value: Any) -> bool:
    """Whether a value stays below `MANIFEST_BYTES`."""
    return len(json.dumps(value)) < MANIFEST_BYTES
