"""The work itself: a batch or job that did not end as wished, and a run that another process has."""

from __future__ import annotations

from visionbatch.errors.base import ExitCode, VisionBatchError


class JobError(VisionBatchError):
    """The batch or job ended, or did not end, as wished."""

    exit_code = ExitCode.REMOTE_FAILED


class JobFailed(JobError):
    """The service says that it failed."""

    default_next_step = "Read the error report; another try starts a new generation."


class JobCancelled(JobError):
    """Somebody cancelled it."""

    default_next_step = "If that was not meant, another try starts a new generation."


class JobPartial(JobError):
    """More items failed than ``on_partial`` accepts; the others' results are there."""

    exit_code = ExitCode.PARTIAL
    default_next_step = "Read the error report; the manifest lists what succeeded."


class DeadlinePassed(JobError):
    """Still running at the deadline."""

    exit_code = ExitCode.DEADLINE
    default_retry_safe = True
    default_next_step = "Wait again with a later deadline, or look into the service's console."


class NotReady(JobError):
    """What a job is to run over is not all there yet; no job was made."""

    exit_code = ExitCode.TEMPORARY
    default_retry_safe = True
    default_next_step = (
        "Wait for it first, with RoboflowBatchReadySensor, wait_ready() or visionbatch roboflow ready; then run again."
    )


class RunError(VisionBatchError):
    """Another process has the run."""

    exit_code = ExitCode.BUSY


class AlreadyRunning(RunError):
    """Another process holds the run's lock."""

    default_retry_safe = True
    default_next_step = "Wait for it to end, or end it."


class Superseded(RunError):
    """Another process has replaced this one; the remote batch is its now and was left alone."""

    default_next_step = "Nothing to do: follow the newer try."


class UnreadableRecord(RunError):
    """The run record is damaged or was written by a newer version."""

    exit_code = ExitCode.USAGE
    default_next_step = "Upgrade visionbatch, or remove the record to begin anew."
