"""Two flags, a stage, and the status of each task: what Roboflow says, in shared words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from visionbatch.model.snapshot import Counts, Phase, Snapshot
from visionbatch.roboflow.settings import ShardWord

if TYPE_CHECKING:
    from visionbatch.roboflow.staged import Shard
    from visionbatch.roboflow.values import Job, JobStage, JobTask


def meaning(status_type: str, aliases: Mapping[str, str]) -> ShardWord:
    """What a ``statusType`` means: it is ``info`` while something goes on, and holds ``success`` or ``error`` at the
    end. The vocabulary is not published, so any other word is unknown.

    :param aliases: further words, see `visionbatch.roboflow.settings.RoboflowSettings`.
    """  # noqa: D205  # one sentence
    word = status_type.strip().lower()
    if status_type in aliases:
        return ShardWord(aliases[status_type])
    if "error" in word:
        return ShardWord.FAILED
    if "success" in word:
        return ShardWord.READY
    return ShardWord.PENDING if word == "info" else ShardWord.UNKNOWN


@dataclass(frozen=True)
class StageProgress:
    """How far a stage is.

    :param share: of its work, 0 to 1.
    """

    name: str
    counts: Counts
    share: float
    outputs: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Such as ``processing 3 of 10 tasks, 1 failed, 37 %``."""
        ended = self.counts.succeeded + self.counts.failed
        return f"{self.name} {ended} of {self.counts.total} tasks, {self.counts.failed} failed, {self.share:.0%}"


def progress_of(stage: JobStage, tasks: Sequence[JobTask], aliases: Mapping[str, str]) -> StageProgress:
    """How far a stage is, by its tasks; a task that has not been listed yet has not begun."""
    words = [meaning(task.status, aliases) for task in tasks]
    # The listing is made while tasks are added, so it may show more of them than the stage's own number.
    total = max(stage.tasks, len(tasks), 1)
    counts = Counts(total, words.count(ShardWord.READY), words.count(ShardWord.FAILED))
    done = sum(
        (task.progress or 0.0) if word is ShardWord.PENDING else 1.0 for task, word in zip(tasks, words, strict=True)
    )
    return StageProgress(stage.name, counts, min(done / total, 1.0), stage.outputs)


def job_snapshot(job: Job, stages: Sequence[StageProgress] = ()) -> Snapshot:
    """A job in shared words.

    A job that has ended without an error, and lost tasks, is a partial success: how such a job reports itself is not
    published.

    :param stages: how far its stages are, as far as they were asked for; earliest first.
    """
    counts = _telling(stages)
    if not job.terminal:
        phase = Phase.RUNNING if job.stage else Phase.QUEUED
        native = f"{job.stage or 'created'}{', reports an error' if job.error else ''}"
        return Snapshot(phase, native, counts, job.said if job.error else "")
    if job.error:
        return Snapshot(Phase.FAILED, "ended with an error", counts, job.said)
    if counts is not None and counts.failed:
        return Snapshot(Phase.PARTIAL, "ended with failed tasks", counts, job.said)
    return Snapshot(Phase.SUCCEEDED, "ended", counts, job.said)


def _telling(stages: Sequence[StageProgress]) -> Counts | None:
    """The tasks of the stage that lost most; without losses, of the one that began last.

    Adding stages up would dilute the losses of one with the tasks of another, and policies ask for the share.
    """
    best = None
    for stage in stages:
        if best is None or stage.counts.failed >= best.failed:
            best = stage.counts
    return best


INDEXING = "indexing"
"""What a batch does whose shards have been ingested, and whose count does not say so yet."""

SHARDS_SHOWN = 5
"""Failed shards that are named: the text travels through a scheduler's database."""


@dataclass(frozen=True)
class Sent:
    """What was sent into a batch, as far as it is known.

    :param items: images or videos.
    :param shards: archives or lists of references.
    """

    items: int | None = None
    shards: int | None = None


def readiness(
    count: int, shards: Sequence[Shard], sent: Sent, aliases: Mapping[str, str], *, still: bool = False
) -> Snapshot:
    """Whether a batch can be processed: nothing is being ingested any more, and everything has arrived.

    :param count: items that are there.
    :param shards: empty for a simple batch.
    :param still: whether the count has stood still for a while since all shards were ingested. Whether the service
        counts files that it turned away as objects of their shard is not published, so their sum alone does not tell.
    """
    words = [meaning(shard.status, aliases) for shard in shards]
    failed = [shard for shard, word in zip(shards, words, strict=True) if word is ShardWord.FAILED]
    strange = [shard.status for shard, word in zip(shards, words, strict=True) if word is ShardWord.UNKNOWN]
    pending = words.count(ShardWord.PENDING)
    counts, detail = Counts(max(sent.items or 0, count), count), _told(failed)
    if strange:
        return Snapshot(Phase.UNKNOWN, min(strange), counts, detail)
    if pending or len(shards) < (sent.shards or 0):
        return Snapshot(Phase.RUNNING, f"{len(shards) - pending} of {len(shards)} shards ingested", counts, detail)
    return _settled(counts, shards, failed, sent, still=still)


def _settled(counts: Counts, shards: Sequence[Shard], failed: Sequence[Shard], sent: Sent, *, still: bool) -> Snapshot:
    """The same once no shard that is known is being ingested."""
    count, expected = counts.succeeded, sent.items
    if expected is not None and count > expected:
        more = f"it holds {count} items where {expected} were sent: something else was put into it"
        return Snapshot(Phase.FAILED, "more items than were sent", Counts(expected, expected), more)
    if failed and not (count and count == expected):
        lost = max((expected or count) - count, 1)
        native = f"{len(failed)} of {len(shards)} shards failed"
        return Snapshot(_lossy(count), native, Counts(count + lost, count, lost), _told(failed))
    if count == (expected or count) and count:
        return Snapshot(Phase.SUCCEEDED, "ready", counts, _told(failed))
    counted = still or count == sum(shard.objects for shard in shards)
    if expected is not None and sent.shards is not None and counted:
        # All that was sent has been looked at, so what is missing was turned away and will not come.
        return Snapshot(_lossy(count), "files turned away", Counts(expected, count, expected - count), _told(shards))
    return Snapshot(Phase.RUNNING, INDEXING, counts)


def _lossy(count: int) -> Phase:
    return Phase.PARTIAL if count else Phase.FAILED


def _told(shards: Sequence[Shard]) -> str:
    """What the service says of some shards, those that have something to say."""
    told = [f"shard {shard.shard_id} {shard.name}: {shard.detail or 'no reason given'}" for shard in shards]
    more = f"; and {len(told) - SHARDS_SHOWN} more" if len(told) > SHARDS_SHOWN else ""
    return "; ".join(told[:SHARDS_SHOWN]) + more
