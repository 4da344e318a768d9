"""How a job cuts its input into tasks, and which of them it has to give up."""

from typing import TYPE_CHECKING

from visionbatch_mock.roboflow.stages import Task

if TYPE_CHECKING:
    from visionbatch_mock.roboflow.jobs import Job
    from visionbatch_mock.roboflow.room import Roboflow

FAILURES_PER_TASK = 10
"""Images of a task that may fail before it is given up, where the job sets no rate; by the vendor's client."""


def tasks_of(job: "Job", room: "Roboflow", at: float) -> list[Task]:
    """The tasks of a job that starts at `at`: shards, or so many images, or single videos; some may be lost."""
    batch = room.staging.get(job.batch_id)
    if batch is None:
        return []
    size = 1 if job.video else room.tenant.behaviour.roboflow_images_per_task
    chunks = batch.chunks(size, job.definition["jobInput"].get("partName"), at)
    parallel = job.setting("maxParallelTasks") or len(chunks) or 1
    tasks = [Task(room.new_id(), files, number // parallel) for number, files in enumerate(chunks)]
    for task in tasks:
        _let_fail(task, job, room)
    return tasks


def _let_fail(task: Task, job: "Job", room: "Roboflow") -> None:
    causes = room.tenant.behaviour.roboflow_image_failures
    task.failed = {file.name: causes[file.name] for file in task.files if file.name in causes}
    rate = job.setting("maxImageFailureRate")
    allowed = FAILURES_PER_TASK if rate is None else rate * len(task.files)
    task.lost = len(task.failed) > allowed or (job.video and bool(task.failed))
