"""Parts of Airflow that tests look into and that have moved between its versions, each looked for where it may be."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def part(name: str, *modules: str) -> Any:
    """The first of these modules' attributes of that name.

    :raises ImportError: when none has it.
    """
    for module in modules:
        try:
            return getattr(import_module(module), name)
        except (ImportError, AttributeError):
            continue
    raise ImportError(f"no {name} in {modules}")


def dag_bag() -> Any:
    """The class that reads Dag files."""
    return part("DagBag", "airflow.dag_processing.dagbag", "airflow.models.dagbag")


def serialized_dag() -> Any:
    """The class of Dags as the scheduler sees them."""
    return part("SerializedDAG", "airflow.serialization.definitions.dag", "airflow.serialization.serialized_objects")


def runtime_providers() -> Any:
    """What a task's process knows of the providers that are installed."""
    try:
        return part("ProvidersManagerTaskRuntime", "airflow.sdk.providers_manager_runtime")()
    except ImportError:
        return part("ProvidersManager", "airflow.providers_manager")()


def watcher_trigger_codec() -> tuple[Any, Any]:
    """How a watcher's trigger is written into a Dag, and how one argument is read back."""
    older = "airflow.serialization.serialized_objects"
    try:
        write = part("encode_trigger", "airflow.serialization.encoders")
    except ImportError:
        write = part("_encode_trigger", older)
    return write, part("smart_decode_trigger_kwargs", "airflow.serialization.decoders", older)
