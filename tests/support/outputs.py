"""Output batches of a Roboflow job, as a test wants them."""

from __future__ import annotations

from support.orders import photo
from visionbatch_mock.roboflow.batches import Part, StagedBatch
from visionbatch_mock.roboflow.jobs import Job
from visionbatch_mock.roboflow.lifecycle import JobState
from visionbatch_mock.roboflow.words import BatchType, ContentType
from visionbatch_mock.tenant import Tenant


class Outputs:
    """Writes batches into the mock of one customer."""

    def __init__(self, tenant: Tenant) -> None:
        self._room = tenant.roboflow
        self._staging = tenant.roboflow.staging
        self._lock = tenant.roboflow.lock

    def batch(self, batch_id: str = "j-1-export", parts: dict[str, list[tuple[str, bytes]]] | None = None) -> str:
        """A multipart batch of such files; gives its id."""
        with self._lock:
            batch = self._staging.make(batch_id, BatchType.MULTIPART, ContentType.ARCHIVES)
            for part, files in (parts or {}).items():
                self._write(batch, part, files)
        return batch_id

    def job(self, job_id: str, images: tuple[str, ...] = ("a.jpg",), until: JobState = JobState.SUCCEEDED) -> str:
        """A job over such images that has come so far by its own ways; gives its id."""
        specification = {"type": "workflows-processing-specification-v1", "workflowId": "inspect"}
        definition = {
            "type": "simple-image-processing-v1",
            "jobInput": {"type": "staging-batch-input-v1", "batchId": f"{job_id}-input"},
            "processingSpecification": specification,
        }
        with self._lock:
            staged = self._staging.make(f"{job_id}-input", BatchType.SIMPLE, ContentType.IMAGES)
            for name in images:
                staged.single[name] = self._staging.warehouse.file(name, ContentType.IMAGES, [name.encode()])
            job = Job(self._room, job_id, None, definition)
            self._room.jobs.add(job)
            job.force(until)
        return job_id

    def _write(self, batch: StagedBatch, part: str, files: list[tuple[str, bytes]]) -> None:
        made = [self._staging.warehouse.file(name, ContentType.ARCHIVES, [content]) for name, content in files]
        self._staging.write(batch, Part(part, ContentType.ARCHIVES, None, "results"), made)


def filled(tenant: Tenant, count: int = 4, batch_id: str = "photos", content: ContentType = ContentType.IMAGES) -> str:
    """A batch with so many files in it that something else has put there; gives its id."""
    staging = tenant.roboflow.staging
    with tenant.roboflow.lock:
        batch = staging.make(batch_id, BatchType.SIMPLE, content)
        for number in range(count):
            name = f"{number:03}.jpg"
            batch.single[name] = staging.warehouse.file(name, content, [photo(number)])
    return batch_id
