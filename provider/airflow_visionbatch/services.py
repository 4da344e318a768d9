"""Which hook serves which service."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visionbatch import Hub

_HOOKS = {
    "huawei_vias": ("airflow_visionbatch.hooks.vias", "ViasHook"),
    "deepomatic": ("airflow_visionbatch.hooks.deepomatic", "DeepomaticHook"),
    "roboflow": ("airflow_visionbatch.hooks.roboflow", "RoboflowHook"),
    "roboflow_batches": ("airflow_visionbatch.hooks.roboflow", "RoboflowBatchesHook"),
}


def hook_for(service: str, conn_id: str) -> Any:
    """A hook of the service, over the connection.

    :raises KeyError: for a service that this version does not know.
    """
    module, name = _HOOKS[service]
    return getattr(import_module(module), name)(conn_id)


def hub_of(service: str, conn_id: str) -> AbstractAsyncContextManager[Hub]:
    """What all triggers of a connection in this triggerer share; the connection is looked up once for all."""
    from visionbatch import hub

    return hub(f"{service} {conn_id}", lambda: hook_for(service, conn_id).site())
