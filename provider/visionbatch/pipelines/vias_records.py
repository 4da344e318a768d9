"""A run record that says whose it is: a run's name is no secret, and two projects may give one run the same."""

from __future__ import annotations

from dataclasses import replace

from visionbatch.errors import ConfigError
from visionbatch.model.run import RunRecord, RunStore
from visionbatch.vias.calls import SERVICE

PROJECT = "vias_project"
"""Note of a run record: the id of the project that its batch is in."""


class ProjectRecord:
    """The record of a run in one project, kept by another store.

    :param project_id: looked up, see `visionbatch.pipelines.vias.Vias.api`.
    """

    def __init__(self, store: RunStore, project_id: str) -> None:
        self._store = store
        self._project_id = project_id

    def load(self) -> RunRecord | None:
        """See `visionbatch.model.run.RunStore.load`.

        :raises ConfigError: for the record of a run in another project; a record that names none is taken.
        """
        record = self._store.load()
        if record is not None:
            require_project(record, self._project_id)
        return record

    def save(self, record: RunRecord) -> None:
        """See `visionbatch.model.run.RunStore.save`."""
        self._store.save(replace(record, notes={**record.notes, PROJECT: self._project_id}))

    def clear(self) -> None:
        """See `visionbatch.model.run.RunStore.clear`."""
        self._store.clear()


def require_project(record: RunRecord, project_id: str) -> None:
    """Refuse the record of a run in another project; one that names none is taken.

    :raises ConfigError: naming both.
    """
    found = record.notes.get(PROJECT, project_id)
    if found != project_id:
        raise ConfigError(
            f"this run belongs to project {found}, not to {project_id}",
            service=SERVICE,
            ref=record.ref,
            next_step="Give the run another name, or use the account that began it.",
        )
