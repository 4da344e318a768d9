"""Where a task keeps its run record."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_visionbatch._compat import AirflowRuntimeError, never_expire

if TYPE_CHECKING:
    from visionbatch import RunRecord, RunStore

log = logging.getLogger(__name__)

RECORD_KEY = "visionbatch_run"

_REPLACED = frozenset({404, 409, 410})


def run_identity(task_instance: Any) -> str:
    """What is the same in every try of a task, and nowhere else: ids that a service lets us choose follow from it.

    The address of the API server is a part of it, for two deployments that run the same Dags may share a workspace.
    """
    from airflow_visionbatch._compat import conf

    where = conf.get("api", "base_url", fallback="") or ""
    parts = (where, *(getattr(task_instance, name) for name in ("dag_id", "run_id", "task_id", "map_index")))
    return " ".join(str(part) for part in parts)


def run_store(context: Any, state_path: str | None) -> RunStore:
    """The store for the running task: an object-store path if one is given, else Airflow's own task state.

    Without either, on Airflow before 3.3, the record lives as long as the try does.

    :param state_path: folder, in which the record is named by the task instance's identity; one that ends in ``.json``
        is the record itself, which the command line can share (its ``--run-record``).
    """
    if state_path:
        from airflow_visionbatch.places import object_store
        from visionbatch import ObjectRunStore

        filesystem, place = object_store(state_path)
        if place.endswith(".json"):
            return ObjectRunStore(filesystem, place)
        ti = context["ti"]
        name = ".".join(str(part) for part in (ti.dag_id, ti.run_id, ti.task_id, ti.map_index))
        return ObjectRunStore(filesystem, f"{place.rstrip('/')}/{name}.json")
    accessor = context.get("task_state_store")
    return TryRunStore() if accessor is None else TaskStateRunStore(accessor)


class TaskStateRunStore:
    """The record in Airflow's task state: visible in its API, kept over retries, clears and lost workers.

    Airflow gives a task instance a new id when it is retried or cleared and forgets the old one, so the first write
    of a try that has been replaced without knowing it fails: that is the fence between two tries.
    """

    def __init__(self, accessor: Any) -> None:
        self._accessor = accessor

    def load(self) -> RunRecord | None:
        """See `visionbatch.model.run.RunStore.load`."""
        from visionbatch import RunRecord

        with _translated():
            value = self._accessor.get(RECORD_KEY)
        return None if value is None else RunRecord.from_json(value)

    def save(self, record: RunRecord) -> None:
        """See `visionbatch.model.run.RunStore.save`; kept until the Dag run goes, for ids must not expire."""
        with _translated():
            self._accessor.set(RECORD_KEY, record.to_json(), retention=never_expire())

    def clear(self) -> None:
        """See `visionbatch.model.run.RunStore.clear`."""
        with _translated():
            self._accessor.delete(RECORD_KEY)


class KeptValue:
    """A number in Airflow's task state, for tries and pokes to come; without that state nothing is kept.

    It is a convenience: what Airflow does not give or take is warned of, and fails nobody.
    """

    def __init__(self, context: Any, key: str) -> None:
        self._accessor = context.get("task_state_store")
        self._key = key

    def read(self) -> float | None:
        """The number; ``None`` when there is none."""
        value = None
        if self._accessor is not None:
            with self._forgiving():
                value = self._accessor.get(self._key)
        return float(value) if isinstance(value, (int, float)) else None

    def write(self, value: float | None) -> None:
        """Keep it, or nothing, until the Dag run goes."""
        if self._accessor is None:
            return
        with self._forgiving():
            if value is None:
                self._accessor.delete(self._key)
            else:
                self._accessor.set(self._key, value, retention=never_expire())

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        try:
            yield
        except AirflowRuntimeError as error:
            log.warning("Airflow did not take or give %s: %s", self._key, error)


@contextmanager
def _translated() -> Iterator[None]:
    """Airflow's one error for everything, told apart by the status that its server gave."""
    from visionbatch.errors import Superseded, Unreachable

    try:
        yield
    except AirflowRuntimeError as error:
        detail = error.error.detail
        status = detail.get("status_code") if isinstance(detail, dict) else None
        if status in _REPLACED:
            raise Superseded("Airflow no longer knows this try; a newer one has taken its place") from error
        raise Unreachable(f"Airflow did not take or give the run record (status {status})") from error


class TryRunStore:
    """The record in memory: nothing survives the try."""

    def __init__(self) -> None:
        self._record: RunRecord | None = None

    def load(self) -> RunRecord | None:
        """See `visionbatch.model.run.RunStore.load`."""
        return self._record

    def save(self, record: RunRecord) -> None:
        """See `visionbatch.model.run.RunStore.save`."""
        self._record = record

    def clear(self) -> None:
        """See `visionbatch.model.run.RunStore.clear`."""
        self._record = None
