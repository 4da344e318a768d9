"""What every run over a record has: how it is set up, how it ends, and how what it works on is cancelled."""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable

from visionbatch.errors import DeadlinePassed, VisionBatchError
from visionbatch.flow.judge import Outcome, Verdict
from visionbatch.io.clock import Clock
from visionbatch.io.sinks import Sink
from visionbatch.model.policy import OnTimeout, Policies
from visionbatch.model.run import RunRecord, RunStore, Stage
from visionbatch.model.snapshot import Snapshot
from visionbatch.pipelines.attempt import Amend, Attempt, Remote
from visionbatch.pipelines.decide import Decision
from visionbatch.pipelines.journal import Journal
from visionbatch.pipelines.manifest import Manifest
from visionbatch.pipelines.submitted import Submitted

log = logging.getLogger(__name__)


class RemoteRun(ABC):
    """One run over one record; a service's run adds how it begins, and what it makes of the end.

    :param service: name of it, for the record and for people.
    :param remote: what it does with the batch or job that a record names.
    :param grace_s: seconds for which what was just made may not be shown yet.
    :param created: called with the id as soon as it is known.
    :param decided: called with what a try is going to do, before it does anything.
    :param noun: what the service calls what it works on.
    :param amend: what the service can do better than the decision that all share.
    """

    def __init__(
        self,
        service: str,
        store: RunStore,
        remote: Remote,
        policies: Policies,
        clock: Clock,
        *,
        grace_s: float,
        created: Callable[[str], None] | None,
        decided: Callable[[Decision], None] | None,
        noun: str = "batch",
        amend: Amend = lambda decision, _record, _found: decision,
    ) -> None:
        self._journal = Journal(store, RunRecord(service, ""))
        self._policies = policies
        self._subject = f"{service} {noun}"
        self._cancel_remote = remote.cancel
        self._created = created
        self._attempt = Attempt(
            self._journal, remote, policies, clock, grace_s=grace_s, noun=noun, decided=decided, amend=amend
        )

    def conclude(
        self,
        submitted: Submitted,
        end: Callable[[], Snapshot],
        *,
        sink: Sink | None = None,
        deliver: Callable[[Manifest], None] | None = None,
    ) -> Manifest:
        """Take the end of the batch or job, judge, and give the manifest of an accepted outcome.

        :param end: gives the last state: by waiting here, or by reading what a triggerer saw.
        :param sink: where the manifest goes, and the service's report where it has one.
        :param deliver: called with the manifest before a refused outcome is raised.
        :raises DeadlinePassed: when ``end`` does; it is cancelled first if ``on_timeout`` says so.
        :raises JobError: for an outcome that the policies do not accept.
        """
        self._journal.record = submitted.record
        service, ref = submitted.record.service, submitted.batch_id
        try:
            snapshot = end()
        except DeadlinePassed as passed:
            if self._policies.on_timeout is OnTimeout.CANCEL:
                self._cancel_after(passed)
            raise
        manifest, verdict = self._summed_up(submitted, snapshot, sink)
        self._journal.update(stage=Stage.ENDED, outcome=verdict.outcome.value)
        level = logging.INFO if verdict.outcome is Outcome.DONE else logging.WARNING
        log.log(level, "%s %s: %s", service, ref, verdict.reason)
        if sink is not None:
            sink.write(f"{ref}.manifest.json", json.dumps(manifest.to_json(), indent=1).encode())
        if deliver is not None:
            deliver(manifest)
        verdict.require(service, ref)
        return manifest

    def cancel(self) -> None:
        """End what this run made, if it did: delete the batch, abort the job, or stop it, as the service has it."""
        self._cancel_remote(self._journal.record)

    @abstractmethod
    def _summed_up(self, submitted: Submitted, snapshot: Snapshot, sink: Sink | None) -> tuple[Manifest, Verdict]:
        """What the service says of something that has ended, as manifest and verdict."""

    def _announce(self) -> None:
        """Tell whoever wants to know which batch or job it is."""
        log.info("%s %s", self._subject, self._journal.record.ref)
        if self._created is not None:
            self._created(self._journal.record.ref)

    def _cancel_after(self, passed: DeadlinePassed) -> None:
        """Cancel at the deadline; what goes wrong with that must not hide the deadline."""
        try:
            self.cancel()
        except VisionBatchError as error:
            passed.add_note(f"cancelling it failed too: {error}")
            log.warning("what passed its deadline is not cancelled: %s", error)
