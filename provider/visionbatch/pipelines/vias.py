"""Huawei Cloud VIAS from plain Python: every operation of a project, one call each."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from visionbatch.io.clock import Clock, SystemClock
from visionbatch.model.policy import Policies
from visionbatch.pipelines.client import DAY_S, Tuning, WaitingClient
from visionbatch.pipelines.environment import VIAS, from_environment, vias_account, vias_settings
from visionbatch.pipelines.site import Site, told_at_once
from visionbatch.pipelines.vias_access import Access, Accounts, vias_origin, vias_site
from visionbatch.pipelines.vias_registry import ViasRegistry, ViasTasks
from visionbatch.vias.api import ViasApi, with_project
from visionbatch.vias.batch_task import BatchTask
from visionbatch.vias.calls import Query
from visionbatch.vias.creation import Created, InDoubt
from visionbatch.vias.decode import Answer, BatchEntry
from visionbatch.vias.entries import AlgorithmEntry, EdgePool, GroupEntry, SourceEntry
from visionbatch.vias.goals import FINISHED, BatchRef, Goal
from visionbatch.vias.registered import GroupForm, SourceForm
from visionbatch.vias.settings import ViasSettings
from visionbatch.vias.words import Histogram

if TYPE_CHECKING:
    from visionbatch.pipelines.manifest import Manifest


class Vias(WaitingClient):
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
        self.settings = settings

    @classmethod
    def from_env(cls, *, tuning: Tuning | None = None) -> Self:
        """The project that ``VISIONBATCH_VIAS_REGION`` and ``_PROJECT_ID`` name, with the account named there.

        That is ``VISIONBATCH_VIAS_ACCESS_KEY`` and ``_SECRET_KEY``, or ``_USER``, ``_DOMAIN`` and ``_PASSWORD``. The
        variables are those of the command line, see `visionbatch.pipelines.environment`.

        :raises ConfigError: for a value that cannot be; the account is looked for when it is first needed.
        """
        options = from_environment("vias", VIAS)
        return cls(vias_settings(options), lambda: vias_account(options), tuning=tuning)

    @classmethod
    def site_from_env(cls) -> Awaitable[Site]:
        """The same project as an event loop sees it, to be awaited, for `visionbatch.await_end`."""
        options = from_environment("vias", VIAS)
        return vias_site(vias_settings(options), told_at_once(lambda: vias_account(options)))

    def run(
        self,
        task: BatchTask,
        *,
        wait_for: str = FINISHED.name,
        report_dir: str | Path | None = None,
        run_id: str = "",
        timeout_s: float = DAY_S,
        policies: Policies | None = None,
        kept_in: str | Path | None = None,
    ) -> Manifest:
        """Make a batch task and wait for it. Called again it goes on where it stopped.

        :param wait_for: ``finished``, ``running``, or states with commas between.
        :param run_id: identity of this run; project and name of the task without.
        :param timeout_s: seconds from now until it must be there.
        :param policies: a batch in which some tasks failed is refused without.
        :param kept_in: folder of the run's record, or its address in an object store; the command line's without.
        :raises VisionBatchError: as `visionbatch.ViasRun.submit` and ``conclude`` do.
        """
        # The run is written over this class.
        from visionbatch.pipelines.at_once import run_task  # noqa: PLC0415

        return run_task(
            self,
            task,
            wait_for=wait_for,
            report_dir=report_dir,
            run_id=run_id,
            timeout_s=timeout_s,
            policies=policies,
            kept_in=kept_in,
        )

    def close(self) -> None:
        """Close the connections."""
        self._access.close()
        super().close()

    @cached_property
    def api(self) -> ViasApi:
        """The operations as flows, for `perform`."""
        return ViasApi(with_project(self.settings, self._access.project_id()), self.tuning.retry)

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

    @cached_property
    def single(self) -> ViasTasks:
        """Single tasks, which belong to no batch."""
        return ViasTasks(self, lambda: self.api.single)

    @cached_property
    def sources(self) -> ViasRegistry[SourceForm, SourceEntry]:
        """Video sources that are registered."""
        return ViasRegistry(self, lambda: self.api.sources)

    @cached_property
    def groups(self) -> ViasRegistry[GroupForm, GroupEntry]:
        """Groups of video sources that are registered."""
        return ViasRegistry(self, lambda: self.api.groups)

    def algorithms(self) -> list[AlgorithmEntry]:
        """The account's algorithm services, with the words that tasks name them by."""
        return self.perform(self.api.algorithms())

    def edge_pools(self) -> list[EdgePool]:
        """The account's pools of edge nodes."""
        return self.perform(self.api.edge_pools())

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


def batch_ref(
    batch_id: str,
    wait_for: str | Iterable[str] = FINISHED.name,
    name: str = "",
    unwell_since: float | None = None,
) -> str:
    """What is waited for, as one text.

    :param wait_for: ``running``, ``finished``, or states.
    :param name: exact name of the batch, with which it is found in a long list.
    :param unwell_since: what `visionbatch.vias.api.ViasApi.unwell_since` said after the last look, in this process or
        in another.
    """
    return str(BatchRef(BatchRef.parse(batch_id).batch_id, Goal.parse(wait_for), name, unwell_since=unwell_since))
