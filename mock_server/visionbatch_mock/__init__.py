"""A stand-in for the vendors' services, for offline integration tests.

`MockServer` serves it in-process, `visionbatch-mock serve` from the command line, and `create_app`
gives the bare Flask application. Nothing here imports the client: this is a second, independent
reading of the vendors' documents, so that a mistake shared by both sides cannot hide.

Names load on first use, because a command that only prints its help should not pay for Flask.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from visionbatch_mock.app import create_app
    from visionbatch_mock.config import MockConfig
    from visionbatch_mock.server import MockServer
    from visionbatch_mock.world import World

__all__ = ["MockConfig", "MockServer", "World", "create_app"]

_HOMES = {
    "MockConfig": "visionbatch_mock.config",
    "MockServer": "visionbatch_mock.server",
    "World": "visionbatch_mock.world",
    "create_app": "visionbatch_mock.app",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
