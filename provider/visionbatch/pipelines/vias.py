"""Huawei Cloud VIAS from plain Python: every operation of a project, one call each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from visionbatch.io.clock import Clock, SystemClock
from visionbatch.model.policy import OnPartial
from visionbatch.model.snapshot import Snapshot
from visionbatch.model.tally import Tally
from visionbatch.pipelines.client import Client, Tuning
from visionbatch.pipelines.vias_access import Access, Accounts, vias_origin
from visionbatch.vias.api import ViasApi, with_project
from visionbatch.vias.batch_task import BatchTask
from visionbatch.vias.calls import Query
from visionbatch.vias.creation import Created, InDoubt
from visionbatch.vias.decode import Answer, BatchEntry
from visionbatch.vias.goals import FINISHED, BatchRef, Goal
from visionbatch.vias.settings import ViasSettings
from visionbatch.vias.words import Histogram


class Vias(Client):
    """One project of VIAS; use as a context manager.

    :param settings: the project; its id is looked up when it is not given.
    :param accounts: gives the `visionbatch.vias.signing.AccessKey` or the `visionbatch.vias.account.IamUser`.
    """

    def __init__(
        self, settings: ViasSettings, accounts: Accounts, *, tuning: Tuning | None = None, clock: Clock | None = None
    ) -> None:
        tuning, clock = tuning or Tuning(), clock or SystemClock()
        self._access = Access(settings, accounts, tuning.retry, clock)
        super().__init__(vias_origin(settings), self._access.credential, tuning=tuning, clock=clock)
        self._settings = settings

    def close(self) -> None:
        """Close the connections."""
        self._access.close()
        super().close()

    @cached_property
    def api(self) -> ViasApi:
        """The operations as flows, for `perform`."""
        return ViasApi(with_project(self._settings, self._access.project_id()), self.tuning.retry)

    def ask(
        self, operation: str, values: Mapping[str, str] | None = None, *, query: Query = (), body: Any = None
    ) -> Any:
        """Any of the twenty-nine operations by the vendor's name; see `ViasApi.ask`."""
        return self.perform(self.api.ask(operation, values, query=query, body=body))

    def create(
        self, task: BatchTask, *, adopt: bool = False, own: bool = False, in_doubt: InDoubt = lambda _: None
    ) -> Created:
        """Make one batch of this name; see `ViasApi.create`.

        :raises InvalidInput: when a documented rule is broken; nothing was sent.
        """
        task.check()
        return self.perform(self.api.create(task, adopt=adopt, own=own, in_doubt=in_doubt))

    def find(self, name: str) -> BatchEntry | None:
        """The one batch of exactly that name."""
        return self.perform(self.api.find(name))

    def batches(self, name_like: str = "") -> list[BatchEntry]:
        """All batches of the project, the newest first."""
        return self.perform(self.api.entries(name_like))

    def tasks(self, batch_id: str) -> list[Mapping[str, Any]]:
        """The tasks of a batch."""
        return self.perform(self.api.tasks(batch_id))

    def histogram(self, ref: str) -> Histogram:
        """How many tasks of a batch are in which state."""
        return self.perform(self.api.histogram(ref))

    def status(self, ref: str) -> Snapshot:
        """The state of a batch, now."""
        return self.look(self.api, ref)

    def update(self, batch_id: str, task: BatchTask) -> Answer:
        """Give a batch another configuration; see `ViasApi.update`.

        :raises InvalidInput: when a documented rule is broken; nothing was sent.
        """
        task.check()
        return self.perform(self.api.update(batch_id, task))

    def start(self, batch_id: str) -> Answer:
        """Start the tasks of a batch."""
        return self.perform(self.api.start(batch_id))

    def stop(self, batch_id: str) -> Answer:
        """Stop the tasks of a batch."""
        return self.perform(self.api.stop(batch_id))

    def delete(self, batch_id: str) -> Answer | None:
        """Delete a batch and its tasks; ``None`` when it was not there any more."""
        return self.perform(self.api.delete(batch_id))

    def cancel(self, ref: str) -> None:
        """Stop or delete a batch, by the setting ``on_cancel``."""
        self.perform(self.api.cancel(ref))

    def wait(
        self,
        ref: str,
        *,
        deadline: float | None = None,
        observe: Callable[[Snapshot], None] | None = None,
    ) -> Snapshot:
        """Wait until a batch is where its goal says; see `visionbatch.flow.watch.watch`.

        :param ref: an id, or what `batch_ref` gives.
        :param deadline: Unix seconds.
        """
        return self.await_end(self.api, ref, deadline=deadline, observe=observe)

    def wait_all(
        self, refs: Sequence[str], *, deadline: float | None = None, on_partial: OnPartial | None = None
    ) -> Tally:
        """Wait until all of them are; see `visionbatch.pipelines.client.Client.await_all`."""
        return self.await_all(self.api, refs, deadline=deadline, on_partial=on_partial)


def batch_ref(batch_id: str, wait_for: str | Iterable[str] = FINISHED.name, name: str = "") -> str:
    """What is waited for, as one text.

    :param wait_for: ``running``, ``finished``, or states.
    :param name: exact name of the batch, with which it is found in a long list.
    """
    return str(BatchRef(BatchRef.parse(batch_id).batch_id, Goal.parse(wait_for), name))
