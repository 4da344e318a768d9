"""A run record that says whose it is: a run's name is no secret, and two accounts may give one run the same."""

from __future__ import annotations

from dataclasses import dataclass, replace

from visionbatch.errors import ConfigError
from visionbatch.model.run import RunRecord, RunStore


@dataclass(frozen=True)
class Owner:
    """Whose a run is.

    :param note: name of the note in `visionbatch.model.run.RunRecord.notes` that says so.
    :param noun: what the service calls an owner.
    :param name: as the service knows it.
    """

    service: str
    note: str
    noun: str
    name: str

    def require(self, record: RunRecord) -> None:
        """Refuse another's record; one that names nobody is taken.

        :raises ConfigError: naming both.
        """
        found = record.notes.get(self.note, self.name)
        if found != self.name:
            raise ConfigError(
                f"this run belongs to {self.noun} {found}, not to {self.name}",
                service=self.service,
                ref=record.ref,
                next_step="Give the run another name, or use the account that began it.",
            )


class OwnedRecord:
    """The record of a run of one owner's, kept by another store."""

    def __init__(self, store: RunStore, owner: Owner) -> None:
        self._store = store
        self._owner = owner

    def load(self) -> RunRecord | None:
        """See `visionbatch.model.run.RunStore.load`.

        :raises ConfigError: for the record of a run of somebody else's.
        """
        record = self._store.load()
        if record is not None:
            self._owner.require(record)
        return record

    def save(self, record: RunRecord) -> None:
        """See `visionbatch.model.run.RunStore.save`."""
        self._store.save(replace(record, notes={**record.notes, self._owner.note: self._owner.name}))

    def clear(self) -> None:
        """See `visionbatch.model.run.RunStore.clear`."""
        self._store.clear()


def project_of_vias(project_id: str) -> Owner:
    """A project of VIAS.

    :param project_id: looked up, see `visionbatch.pipelines.vias.Vias.api`.
    """
    return Owner("huawei_vias", "vias_project", "project", project_id)


def workspace_of_roboflow(slug: str) -> Owner:
    """A workspace of Roboflow, by its slug."""
    return Owner("roboflow", "roboflow_workspace", "workspace", slug)
