"""One run of a batch task: made once whatever earlier tries did, and judged by its creation and by its end."""

from __future__ import annotations

import logging
from collections.abc import Callable

from visionbatch.errors import ConfigError, JobFailed, NoRoom, TransportError, UnreadableAnswer
from visionbatch.flow.judge import Verdict
from visionbatch.io.sinks import Sink
from visionbatch.model.policy import OnPartial, PartialAction, Policies
from visionbatch.model.run import RunRecord, RunStore, Stage
from visionbatch.model.snapshot import Snapshot
from visionbatch.pipelines.decide import Action, Decision
from visionbatch.pipelines.ending import summed_up
from visionbatch.pipelines.manifest import Manifest
from visionbatch.pipelines.remote_run import RemoteRun
from visionbatch.pipelines.submitted import Submitted
from visionbatch.pipelines.vias import Vias
from visionbatch.pipelines.vias_answers import require_tasks
from visionbatch.pipelines.vias_notes import (
    ADOPTED,
    NOTE,
    UNREAD,
    UNWELL,
    errors_noted,
    facts_of,
    facts_of_another,
    notes_of,
    with_those_not_made,
)
from visionbatch.pipelines.vias_recorded import RecordedBatches
from visionbatch.vias.api import LABEL_CHARS
from visionbatch.vias.batch_task import BatchTask
from visionbatch.vias.calls import SERVICE
from visionbatch.vias.creation import Created
from visionbatch.vias.decode import Answer
from visionbatch.vias.goals import FINISHED, Goal, require_cancel

log = logging.getLogger(__name__)


def default_policies() -> Policies:
    """A batch in which some tasks failed is refused, unless the user says otherwise."""
    return Policies(on_partial=OnPartial(PartialAction.FAIL))


class ViasRun(RemoteRun):
    """One run over one record.

    :param vias: whose batch it is.
    :param store: where the record is kept.
    :param wait_for: what the run waits for, see `visionbatch.vias.goals.Goal`; ``None`` when it does not wait.
    :param on_cancel: what cancelling does to the batch: ``stop`` or ``delete``; what the settings say when empty.
    :param adopt: go on with a batch of that name which somebody else made, when it has not ended and has as many tasks
        as would be made. It is marked in the record and the manifest, and never cancelled. What an earlier try of this
        run made is found without.
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
        adopt: bool = False,
        on_cancel: str = "",
        created: Callable[[str], None] | None = None,
        decided: Callable[[Decision], None] | None = None,
    ) -> None:
        require_cancel(on_cancel)
        self._goal = None if wait_for is None else Goal.parse(wait_for)
        self._batches = RecordedBatches(vias, self._goal or FINISHED, on_cancel)
        super().__init__(
            SERVICE,
            store,
            self._batches,
            policies or default_policies(),
            vias.clock,
            grace_s=vias.settings.settle_s,
            created=created,
            decided=decided,
        )
        self._vias = vias
        self._adopt = adopt

    @property
    def batch_id(self) -> str:
        """The batch this run works on now; empty before there is one."""
        return self._journal.record.ref

    @property
    def adopted(self) -> bool:
        """Whether that batch is one that somebody else made, which is never cancelled here."""
        return ADOPTED in self._journal.record.notes

    @property
    def ref(self) -> str:
        """The batch with what is waited for, as those who wait want it."""
        return self.ref_of(self._journal.record)

    def ref_of(self, record: RunRecord) -> str:
        """The same for a record that crossed a deferral."""
        return self._batches.ref_of(record)

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
        decision = self._attempt.begin(task.fingerprint(), task.name, deadline=deadline, cleared=cleared)
        if cleared:
            # As the deadline does, patience begins anew when a person asks.
            self._note_unwell(None)
        if not decision.goes_on:
            self._make(task, seek=decision.action is Action.SEEK)
        elif UNREAD in self._journal.record.notes:
            self._read_off_the_batch(task)
        self._announce()
        self._require_tasks()
        facts = facts_of_another(task) if self.adopted else facts_of(task)
        return Submitted(self._journal.record, facts, len(warnings))

    def saw(self, _: Snapshot | None = None) -> None:
        """Note since when the batch is ABNORMAL, if that has changed: patience with it outlives this process.

        An observer of the waits for it.
        """
        self._note_unwell(self._vias.api.unwell_since(self.ref))

    def _note_unwell(self, since: float | None) -> None:
        noted = {} if since is None else {UNWELL: int(since)}
        notes = self._journal.record.notes
        if notes.get(UNWELL) == noted.get(UNWELL):
            return
        try:
            self._journal.update(notes={**{name: note for name, note in notes.items() if name != UNWELL}, **noted})
        except (NoRoom, TransportError, OSError) as error:
            log.warning("%s batch %s: since when it is ABNORMAL is not saved: %s", SERVICE, self.batch_id, error)

    def _make(self, task: BatchTask, *, seek: bool) -> None:
        """Make the batch; the intent, with the name that finds it again, is on record before."""
        generation = self._journal.record.generation
        name = generation_name(task.name, generation)

        def in_doubt(doubt: bool) -> None:
            # Without a doubt there is no token: a batch that then has the name is somebody else's.
            self._journal.update(stage=Stage.INTENT, token=name if doubt else "")

        try:
            made = self._vias.create(
                task.named(name),
                adopt=self._adopt,
                own=seek and self._journal.record.token == name,
                in_doubt=in_doubt,
            )
        except UnreadableAnswer as error:
            if error.ref:
                self._journal.update(
                    stage=Stage.CREATED,
                    ref=error.ref,
                    created_at=self._vias.clock.now(),
                    token=name,
                    notes={UNREAD: True},
                )
                self._announce()
            raise
        self._journal.update(
            stage=Stage.CREATED,
            ref=made.batch_id,
            created_at=self._vias.clock.now(),
            token=name,
            notes=notes_of(made, task),
        )

    def _read_off_the_batch(self, task: BatchTask) -> None:
        """Note what a creation came to whose answer did not tell: its tasks do."""
        batch_id = self.batch_id
        tasks = self._vias.histogram(self.ref).total
        kept = {name: note for name, note in self._journal.record.notes.items() if name != UNREAD}
        self._journal.update(notes={**kept, **notes_of(Created(batch_id, task.name, tasks=tasks), task)})

    def _summed_up(self, submitted: Submitted, snapshot: Snapshot, sink: Sink | None) -> tuple[Manifest, Verdict]:  # noqa: ARG002  # VIAS has no report
        notes = submitted.record.notes
        return summed_up(
            submitted,
            with_those_not_made(snapshot, notes),
            self._policies.on_partial,
            self._vias.api.console_url(submitted.batch_id),
            errors=errors_noted(notes),
        )

    def _require_tasks(self) -> None:
        """Judge what the creation came to, also one that an earlier try has seen: no retry makes it a success."""
        noted = self._journal.record.notes.get(NOTE)
        if isinstance(noted, dict) and not noted["total"]:
            raise JobFailed(
                "no task was made of it, so there is nothing to wait for",
                service=SERVICE,
                ref=self.batch_id,
                next_step="Name sources: for some accounts an empty list does not stand for the whole group.",
            )
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
