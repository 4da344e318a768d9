"""One run of a batch task: made once whatever earlier tries did, and judged by its creation and by its end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from visionbatch.errors import ConfigError, NotFound, UnreadableAnswer
from visionbatch.flow.effects import Pause
from visionbatch.io.sinks import Sink
from visionbatch.model.policy import OnPartial, PartialAction, Policies
from visionbatch.model.run import RunRecord, RunStore, Stage
from visionbatch.model.snapshot import Phase, Snapshot
from visionbatch.pipelines.decide import Action, Decision, decide
from visionbatch.pipelines.ending import conclude, summed_up
from visionbatch.pipelines.journal import Journal
from visionbatch.pipelines.manifest import Manifest
from visionbatch.pipelines.submitted import Submitted
from visionbatch.pipelines.vias import Vias
from visionbatch.pipelines.vias_answers import require_tasks
from visionbatch.vias.api import LABEL_CHARS
from visionbatch.vias.batch_task import BatchTask
from visionbatch.vias.calls import SERVICE
from visionbatch.vias.decode import Answer
from visionbatch.vias.goals import FINISHED, BatchRef, Goal, require_cancel

log = logging.getLogger(__name__)

CONFIRM_S = 1.0
"""Seconds before a state that would have a batch replaced is looked at again."""

NOTE = "vias_answer"
ERRORS_NOTED = 5
"""Entries of ``error_list`` that the run record keeps: it stays small."""


def default_policies() -> Policies:
    """A batch in which some tasks failed is refused, unless the user says otherwise."""
    return Policies(on_partial=OnPartial(PartialAction.FAIL))


class ViasRun:
    """One run over one record.

    :param vias: whose batch it is.
    :param store: where the record is kept.
    :param wait_for: what the run waits for, see `visionbatch.vias.goals.Goal`; ``None`` when it does not wait.
    :param on_cancel: what cancelling does to the batch: ``stop`` or ``delete``; what the settings say when empty.
    :param adopt: take a batch that has the name already, though no record of ours says so, for ours.
    :param created: called with the batch's id as soon as it is known.
    :param decided: called with what a try is going to do, before it does anything.
    """

    def __init__(
        self,
        vias: Vias,
        store: RunStore,
        policies: Policies | None = None,
        *,
        wait_for: str | Goal | None = FINISHED,
        adopt: bool = True,
        on_cancel: str = "",
        created: Callable[[str], None] | None = None,
        decided: Callable[[Decision], None] | None = None,
    ) -> None:
        self._vias = vias
        self._journal = Journal(store, RunRecord(SERVICE, ""))
        self._policies = policies or default_policies()
        self._goal = None if wait_for is None else Goal.parse(wait_for)
        self._adopt = adopt
        require_cancel(on_cancel)
        self._on_cancel = on_cancel
        self._created = created
        self._decided = decided

    @property
    def batch_id(self) -> str:
        """The batch this run works on now; empty before there is one."""
        return self._journal.record.ref

    @property
    def ref(self) -> str:
        """The batch with what is waited for, as those who wait want it."""
        return self.ref_of(self._journal.record)

    def ref_of(self, record: RunRecord) -> str:
        """The same for a record that crossed a deferral."""
        return str(BatchRef(record.ref, self._goal or FINISHED, record.token, self._on_cancel))

    def submit(self, task: BatchTask, *, deadline: float | None = None, cleared: bool = False) -> Submitted:
        """See that the batch is there exactly once, whatever earlier tries did.

        :param deadline: Unix seconds by which it has to be where the run wants it, for the record.
        :param cleared: whether a person asked for this try.
        :raises InvalidInput: when a documented rule is broken; nothing was sent.
        :raises ConfigError: when what is waited for never comes.
        :raises JobPartial: when some tasks could not be made, by ``on_partial``; the batch's id is in the error.
        :raises JobFailed: when none could.
        """
        warnings = task.check()
        for warning in warnings:
            log.warning("%s: %s", SERVICE, warning)
        require_an_end(task, self._goal)
        decision = self._decide(task, cleared=cleared)
        log.info("%s: generation %s: %s (%s)", SERVICE, decision.generation, decision.action, decision.reason)
        if self._decided is not None:
            self._decided(decision)
        goes_on = decision.action not in (Action.BEGIN, Action.REPLACE, Action.SEEK)
        earlier = self._journal.record.deadline
        self._journal.update(
            fingerprint=task.fingerprint(),
            generation=decision.generation,
            place=task.name,
            # A retry does not get more time; a person who clears the task means it to have.
            deadline=earlier if goes_on and earlier is not None and not cleared else deadline,
        )
        if not goes_on:
            self._make(task, seek=decision.action is Action.SEEK)
        self._announce()
        self._require_tasks()
        return Submitted(self._journal.record, _facts(task), len(warnings))

    def conclude(
        self,
        submitted: Submitted,
        end: Callable[[], Snapshot],
        *,
        sink: Sink | None = None,
        deliver: Callable[[Manifest], None] | None = None,
    ) -> Manifest:
        """Take the batch's last state, judge, and give the manifest; see `visionbatch.pipelines.ending.conclude`."""
        return conclude(
            self._journal,
            self._policies,
            submitted,
            end,
            sum_up=lambda snapshot: summed_up(
                submitted,
                snapshot,
                self._policies.on_partial,
                self._vias.api.console_url(submitted.batch_id),
                errors=_errors(submitted.record.notes),
            ),
            cancel=self.cancel,
            sink=sink,
            deliver=deliver,
        )

    def cancel(self) -> None:
        """Stop or delete this run's batch, by ``on_cancel``, if there is one."""
        if self.batch_id:
            self._vias.cancel(self.ref)
            log.info("%s batch %s: cancelled", SERVICE, self.batch_id)

    def _decide(self, task: BatchTask, *, cleared: bool) -> Decision:
        stored = self._journal.load()
        remote = self._remote(self.ref) if stored is not None and stored.ref else None
        decision = decide(stored, task.fingerprint(), self._policies, remote, place=task.name, cleared=cleared)
        if decision.action is Action.REPLACE and remote is not None:
            # Not only a batch that has not ended: where RUNNING is an end, its tasks still run.
            self.cancel()
        if decision.action in (Action.BEGIN, Action.REPLACE):
            self._journal.record = RunRecord(SERVICE, task.fingerprint(), decision.generation)
        return decision

    def _remote(self, ref: str) -> Snapshot | None:
        snapshot = self._look(ref)
        if snapshot is None or (snapshot.phase.is_terminal and snapshot.phase is not Phase.SUCCEEDED):
            self._vias.clock.pause(Pause(CONFIRM_S, CONFIRM_S))
            snapshot = self._look(ref)
        return snapshot

    def _look(self, ref: str) -> Snapshot | None:
        try:
            return self._vias.status(ref)
        except NotFound:
            return None

    def _make(self, task: BatchTask, *, seek: bool) -> None:
        """Make the batch; the intent, with the name that finds it again, is on record before."""
        generation = self._journal.record.generation
        name = generation_name(task.name, generation)
        self._journal.update(stage=Stage.INTENT, token=name)
        try:
            made = self._vias.create(task.named(name), adopt=self._adopt or seek or generation > 1)
        except UnreadableAnswer as error:
            if error.ref:
                self._journal.update(stage=Stage.CREATED, ref=error.ref)
                self._announce()
            raise
        notes = {NOTE: _noted(made.answer)} if made.answer is not None else {}
        self._journal.update(stage=Stage.CREATED, ref=made.batch_id, notes=notes)

    def _announce(self) -> None:
        log.info("%s batch %s", SERVICE, self.batch_id)
        if self._created is not None:
            self._created(self.batch_id)

    def _require_tasks(self) -> None:
        """Judge what the creation came to, also one that an earlier try has seen: no retry makes it a success."""
        noted = self._journal.record.notes.get(NOTE)
        if isinstance(noted, dict):
            require_tasks(
                Answer(self.batch_id, **{**noted, "errors": tuple(noted["errors"])}), self._policies.on_partial, "made"
            )


def require_an_end(task: BatchTask, goal: Goal | None) -> None:
    """Refuse to wait for the end of what goes on every week.

    :raises ConfigError: for a weekly schedule of which somebody waits for more than that it runs.
    """
    if task.schedule is not None and goal is not None and "RUNNING" not in goal.wanted:
        raise ConfigError(
            f"a batch task with a weekly schedule never ends, so nobody can wait for it to be {goal}",
            next_step="Use wait=False (--no-wait), or wait_for=running within its hours.",
        )


def generation_name(name: str, generation: int) -> str:
    """The name of a batch that replaces an earlier one of the same run; the first has the plain name."""
    suffix = f"-g{generation}" if generation > 1 else ""
    return f"{name[: LABEL_CHARS - len(suffix)]}{suffix}"


def _facts(task: BatchTask) -> dict[str, int | str]:
    return {
        "name": task.name,
        "service": f"{task.service_name} {task.service_version}",
        "groups": len(task.groups),
        "sources": task.sources,
        "fingerprint": task.fingerprint(),
    }


def _noted(answer: Answer) -> dict[str, Any]:
    return {
        "total": answer.total,
        "failed": answer.failed,
        "succeeded": answer.succeeded,
        "errors": list(answer.errors[:ERRORS_NOTED]),
        "unlisted": answer.unlisted + len(answer.errors[ERRORS_NOTED:]),
    }


def _errors(notes: dict[str, Any]) -> dict[str, Any]:
    """What the manifest says of the tasks that could not be made."""
    noted = notes.get(NOTE)
    return {"creation": noted} if isinstance(noted, dict) and noted.get("failed") else {}
