"""Output batches of a Roboflow job, as a test wants them."""

from __future__ import annotations

from visionbatch_mock.roboflow.batches import Part, StagedBatch
from visionbatch_mock.roboflow.words import BatchType, ContentType
from visionbatch_mock.tenant import Tenant

SPECIFICATION = {
    "type": "workflows-processing-specification-v1",
    "workspace": "mock-workspace",
    "workflowId": "inspect",
}


class Outputs:
    """Writes batches into the mock of one customer."""

    def __init__(self, tenant: Tenant) -> None:
        self._staging = tenant.roboflow.staging
        self._lock = tenant.roboflow.lock

    def batch(self, batch_id: str = "j-1-export", parts: dict[str, list[tuple[str, bytes]]] | None = None) -> str:
        """A multipart batch of such files; gives its id."""
        with self._lock:
            batch = self._staging.make(batch_id, BatchType.MULTIPART, ContentType.ARCHIVES)
            for part, files in (parts or {}).items():
                self._write(batch, part, files)
        return batch_id

    def _write(self, batch: StagedBatch, part: str, files: list[tuple[str, bytes]]) -> None:
        made = [self._staging.warehouse.file(name, ContentType.ARCHIVES, [content]) for name, content in files]
        self._staging.write(batch, Part(part, ContentType.ARCHIVES, None, "results"), made)
