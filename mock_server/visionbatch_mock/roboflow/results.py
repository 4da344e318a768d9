"""Output batches: what the stages of a job write, as real files and real archives.

Names of parts are the mock's own, because the vendor publishes none; members of archives follow the
layout that the vendor's own code writes into a directory. Each task has archives of its own, so several
of them hold a member of the same name.
"""

import gzip
import io
import json
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING

from visionbatch_mock.ledger import Effect
from visionbatch_mock.pictures import picture
from visionbatch_mock.roboflow.batches import Part, StagedBatch
from visionbatch_mock.roboflow.definition import input_kind
from visionbatch_mock.roboflow.files import BLOCK_BYTES, StagedFile
from visionbatch_mock.roboflow.jobs import Job
from visionbatch_mock.roboflow.rows import Row, as_csv, as_jsonl, image_row, video_rows
from visionbatch_mock.roboflow.stages import Task
from visionbatch_mock.roboflow.staging import Staging
from visionbatch_mock.roboflow.words import BatchType, ContentType

if TYPE_CHECKING:
    from visionbatch_mock.tenant import Tenant

OUTPUT = "output_image"
"""The image output of every Workflow of the mock."""

Member = tuple[str, bytes]


class Results:
    """Writes the output batches of one tenant's jobs."""

    def __init__(self, tenant: "Tenant", staging: Staging, seed: int | None) -> None:
        self._tenant = tenant
        self._staging = staging
        self._seed = seed

    def write_processing(self, job: Job, at: float) -> None:
        """`<job id>-processing`: one aggregate for each task, and what is persisted, file by file."""
        batch = self._staging.make(f"{job.id}-processing", BatchType.MULTIPART, ContentType.MIXED, at=at)
        for number, task in enumerate(job.tasks):
            rows = f"{_aggregate(job).rpartition('.')[0]}_{number}.{_format(job)}"
            files = [(rows, self._aggregated(job, task)), *_failures(task, at, f"_{number}")]
            self._write(batch, "results", ContentType.METADATA, None, files)
            kind = input_kind(job.definition)
            self._write(batch, kind.value, kind, None, self._persisted(job, task))
        self._note(job, batch, at)

    def write_export(self, job: Job, at: float) -> None:
        """`<job id>-export`: the same in archives, one or two for each task."""
        batch = self._staging.make(f"{job.id}-export", BatchType.MULTIPART, ContentType.ARCHIVES, at=at)
        for number, task in enumerate(job.tasks):
            members = self._results(job, task, at)
            self._pack(batch, "results-archives", ContentType.METADATA, f"results_{number}.tar.gz", members)
            if persisted := list(self._persisted(job, task)):
                kind = input_kind(job.definition)
                self._pack(batch, f"{kind}-archives", kind, f"{kind}_{number}.tar.gz", persisted)
        self._note(job, batch, at)

    def _results(self, job: Job, task: Task, at: float) -> Iterator[Member]:
        if not job.video:
            for file in task.good:
                yield f"{file.name}/results.json", json.dumps(dict(self._row(job, file)), indent=2).encode()
        yield _aggregate(job), self._aggregated(job, task)
        yield from _failures(task, at)

    def _aggregated(self, job: Job, task: Task) -> bytes:
        rows = self._video_rows(job, task) if job.video else (self._row(job, file) for file in task.good)
        return (as_csv if _format(job) == "csv" else as_jsonl)(rows)

    def _row(self, job: Job, file: StagedFile) -> Row:
        return image_row(self._seed, file, _outputs(job))

    def _video_rows(self, job: Job, task: Task) -> Iterator[Row]:
        fps = job.specification.get("maxVideoFPS")
        for file in task.good:
            yield from video_rows(self._seed, file, _outputs(job), fps)

    def _persisted(self, job: Job, task: Task) -> Iterator[Member]:
        if not job.specification.get("persistImagesOutputs"):
            return
        for output in _outputs(job):
            for file in task.good:
                if job.video:
                    yield f"source_0_output_{output}_preview.mp4", b"".join(file.content.blocks())
                else:
                    yield f"{file.name}/{output}.jpg", picture(file.name, ".jpg")

    def _write(
        self, batch: StagedBatch, part: str, kind: ContentType, nested: ContentType | None, files: Iterable[Member]
    ) -> None:
        kept = [self._staging.warehouse.file(name, kind, [content], nested) for name, content in files]
        if kept:
            self._staging.write(batch, Part(part, kind, nested, f"{kind} of a job"), kept)

    def _pack(self, batch: StagedBatch, part: str, nested: ContentType, name: str, members: Iterable[Member]) -> None:
        with tempfile.TemporaryFile(dir=self._staging.warehouse.scratch) as held:
            write_archive(held, members)
            held.seek(0)
            blocks = iter(lambda: held.read(BLOCK_BYTES), b"")
            file = self._staging.warehouse.file(name, ContentType.ARCHIVES, blocks, nested)
        made = Part(part, ContentType.ARCHIVES, nested, f"{nested} of a job, packed")
        self._staging.write(batch, made, [file])

    def _note(self, job: Job, batch: StagedBatch, at: float) -> None:
        files = {name: len(part.files) for name, part in batch.parts.items()}
        self._tenant.ledger.commit(Effect.RESULTS_WRITTEN, at=at, job_id=job.id, batch_id=batch.id, files=files)


def write_archive(held: IO[bytes], members: Iterable[Member]) -> None:
    """A `.tar.gz` whose bytes depend on nothing but its members."""
    with (
        gzip.GzipFile(fileobj=held, mode="wb", mtime=0, filename="") as packed,
        tarfile.open(fileobj=packed, mode="w|") as archive,
    ):
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def _format(job: Job) -> str:
    return str(job.specification.get("aggregationFormat", "jsonl"))


def _aggregate(job: Job) -> str:
    return f"{'workflow_results_source_0' if job.video else 'aggregated_results'}.{_format(job)}"


def _outputs(job: Job) -> list[str]:
    return list(job.specification.get("imagesOutputsToBePersisted") or [OUTPUT])


def _failures(task: Task, at: float, suffix: str = "") -> Iterator[Member]:
    if task.failed:
        rows = [{"file_path": name, "cause": cause} for name, cause in sorted(task.failed.items())]
        yield f"failed_files_processing_{int(at)}{suffix}.jsonl", as_jsonl(rows)
