"""Which files a job has left, and fresh links to them."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import sha256

from visionbatch.errors import InputMissing, LinkExpired
from visionbatch.model.secret import SecretUrl
from visionbatch.pipelines.roboflow import Roboflow
from visionbatch.pipelines.roboflow_manifest import ResultKey
from visionbatch.roboflow.settings import ShardWord
from visionbatch.roboflow.staged import StagedFile, StagingBatch
from visionbatch.roboflow.values import JobStage
from visionbatch.roboflow.words import meaning

EXPORT, PROCESSING = "export", "processing"
MULTIPART = "multipart-batch"

PARTS_HELD = 2
"""Parts whose links are held, the one that is handed out and the one that is still being fetched; a link is more than
half a KiB, and a part that is needed once more is listed again."""


class ResultListing:
    """The files of some output batches; may be shared by threads.

    :param source: id of a job, or ids of batches.
    :param stage: of the job, whose output is wanted.
    """

    def __init__(self, client: Roboflow, source: str | Sequence[str], stage: str = EXPORT) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._urls: dict[tuple[str, str], dict[ResultKey, SecretUrl]] = {}
        self._known: dict[str, StagingBatch] = {}
        if isinstance(source, str):
            self.job_id, found = source, self._stage(source, stage)
            self.batches, marks = found.outputs, [found.stage_id, found.started]
        else:
            self.job_id, self.batches = "", tuple(source)
            marks = [self._looked(batch).created for batch in self.batches]
        if not self.batches:
            raise InputMissing("there is no output batch to fetch", service="roboflow", ref=self.job_id)
        self.fingerprint = sha256(json.dumps([self.batches, marks]).encode()).hexdigest()

    def files(self) -> Iterator[tuple[ResultKey, SecretUrl]]:
        """All of them, part by part; a part is listed when the one before has been handed out."""
        for batch in self.batches:
            for part in self._parts(batch):
                yield from self._listed(batch, part).items()

    def fresh(self, key: ResultKey, used: SecretUrl) -> SecretUrl:
        """A link to a file, other than the one that has expired; one listing serves all files of a part.

        :raises LinkExpired: when the file is not listed any more.
        """
        with self._lock:
            known = self._urls.get((key.batch, key.part), {}).get(key)
        if known is None or known.reveal() == used.reveal():
            known = self._listed(key.batch, key.part, after=known).get(key)
        if known is None:
            raise LinkExpired(f"{key.name!r} of batch {key.batch} is not listed any more", service="roboflow")
        return known

    def _listed(self, batch: str, part: str, *, after: SecretUrl | None = None) -> dict[ResultKey, SecretUrl]:
        with self._lock:
            held = self._urls.get((batch, part), {})
            if after is not None and not any(url.reveal() == after.reveal() for url in held.values()):
                # Somebody else has listed it while this one waited.
                return held
            counted: Counter[ResultKey] = Counter()
            found: dict[ResultKey, SecretUrl] = {}

            def take(file: StagedFile) -> None:
                first = ResultKey(batch, part, file.name, file.shard)
                found[ResultKey(batch, part, file.name, file.shard, counted[first])] = file.url
                counted[first] += 1

            self._client.perform(self._client.api.staging.each_file(batch, take, part))
            self._urls.pop((batch, part), None)
            self._urls[batch, part] = found
            while len(self._urls) > PARTS_HELD:
                del self._urls[next(iter(self._urls))]
            return found

    def _parts(self, batch: str) -> Sequence[str]:
        with self._lock:
            if self._looked(batch).kind != MULTIPART:
                return [""]
            return [part.name for part in self._client.perform(self._client.api.staging.parts(batch))]

    def _looked(self, batch: str) -> StagingBatch:
        """What the service says of a batch, asked once: neither its kind nor its creation changes."""
        if batch not in self._known:
            self._known[batch] = self._client.perform(self._client.api.staging.batch(batch))
        return self._known[batch]

    def _stage(self, job_id: str, name: str) -> JobStage:
        """The stage whose results are wanted, which must have ended.

        :raises InputMissing: when it has not, or never began.
        """
        stages = self._client.perform(self._client.api.jobs.stages(job_id))
        found = next((stage for stage in reversed(stages) if stage.name == name), None)
        if found is None:
            have = ", ".join(stage.name for stage in stages) or "none"
            raise InputMissing(
                f"the job has no stage {name!r} yet, its stages are: {have}",
                service="roboflow",
                ref=job_id,
                retry_safe=True,
                next_step=f"Wait for the job's end. Of one that failed, {PROCESSING!r} may hold what was done.",
            )
        if meaning(found.status, self._client.api.calls.settings.status_aliases) is ShardWord.PENDING:
            raise InputMissing(
                f"the job's stage {name!r} is still running", service="roboflow", ref=job_id, retry_safe=True
            )
        return found
