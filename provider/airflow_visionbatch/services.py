"""Which hook serves which service."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOOKS = {"deepomatic": ("airflow_visionbatch.hooks.deepomatic", "DeepomaticHook")}


def hook_for(service: str, conn_id: str) -> Any:
    """A hook of the service, over the connection.

    :raises KeyError: for a service that this version does not know.
    """
    module, name = _HOOKS[service]
    return getattr(import_module(module), name)(conn_id)
