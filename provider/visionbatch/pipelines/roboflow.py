"""Roboflow from plain Python: every operation on batches and jobs, one call each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Self

from visionbatch.io.clock import Clock
from visionbatch.io.control import AsyncCredentials, Credentials, Origin
from visionbatch.model.credential import InQuery
from visionbatch.model.policy import Policies
from visionbatch.model.secret import Secret, usable_key
from visionbatch.model.snapshot import Snapshot
from visionbatch.pipelines.client import DAY_S, Tuning, WaitingClient
from visionbatch.pipelines.environment import ROBOFLOW, from_environment, roboflow_secret, roboflow_settings
from visionbatch.pipelines.site import Site, told_at_once
from visionbatch.roboflow.api import RoboflowApi
from visionbatch.roboflow.calls import SERVICE
from visionbatch.roboflow.media import Media
from visionbatch.roboflow.ready import BatchReadiness, ready_ref
from visionbatch.roboflow.settings import KeyIn, RoboflowSettings

if TYPE_CHECKING:
    from visionbatch.pipelines.manifest import Manifest
    from visionbatch.pipelines.stage_manifest import StageManifest
    from visionbatch.roboflow.job import Compute, JobDefinition
    from visionbatch.roboflow.staged import StagingBatch
    from visionbatch.roboflow.values import Job, LogLine
    from visionbatch.roboflow.words import StageProgress


def roboflow_key(key: Secret, key_in: str = KeyIn.HEADER) -> dict[str, Secret]:
    """What authenticates at Roboflow: a header, or ``api_key`` in the query.

    :param key_in: see `visionbatch.roboflow.settings.KeyIn`.
    :raises ConfigError: for a key that no header can carry, such as one pasted with a line break.
    """
    text = usable_key(key)
    if key_in == KeyIn.QUERY:
        return InQuery(api_key=Secret(text))
    return {"Authorization": Secret(f"Bearer {text}")}


def roboflow_site(settings: RoboflowSettings, credentials: AsyncCredentials) -> Site:
    """A workspace as an event loop sees it, for those who wait for jobs."""
    return Site(RoboflowApi(settings), _origin(settings), credentials)


def roboflow_batches_site(settings: RoboflowSettings, credentials: AsyncCredentials) -> Site:
    """The same for those who wait for batches to be ready; what they wait for is a `ready_ref`."""
    return Site(BatchReadiness(RoboflowApi(settings)), _origin(settings), credentials)


def _origin(settings: RoboflowSettings) -> Origin:
    return Origin(settings.base_url, settings.allow_plain_http)


class Roboflow(WaitingClient):
    """One workspace of Roboflow; use as a context manager.

    Operations that are not here are flows of ``api.jobs`` and ``api.staging``, for `perform`.

    :param settings: the workspace; one that is not named there is asked for by the key, once.
    :param credentials: gives what authenticates, see `roboflow_key`.
    """

    def __init__(
        self,
        settings: RoboflowSettings,
        credentials: Credentials,
        *,
        tuning: Tuning | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(_origin(settings), credentials, tuning=tuning, clock=clock)
        self.settings = settings
        self._api = RoboflowApi(settings, self.tuning.retry)
        self.readiness = BatchReadiness(self._api)

    @classmethod
    def from_env(cls, *, tuning: Tuning | None = None) -> Self:
        """The workspace that ``VISIONBATCH_ROBOFLOW_WORKSPACE`` and ``_API_KEY`` or ``_API_KEY_FILE`` name.

        The variables are those of the command line, see `visionbatch.pipelines.environment`.

        :raises ConfigError: for a value that cannot be; a key is looked for when it is first needed.
        """
        options = from_environment(SERVICE, ROBOFLOW)
        settings = roboflow_settings(options)
        return cls(settings, lambda: roboflow_key(roboflow_secret(options), settings.key_in), tuning=tuning)

    @classmethod
    def site_from_env(cls) -> Site:
        """The same workspace as an event loop sees it, for `visionbatch.await_end`."""
        options = from_environment(SERVICE, ROBOFLOW)
        settings = roboflow_settings(options)
        return roboflow_site(settings, told_at_once(lambda: roboflow_key(roboflow_secret(options), settings.key_in)))

    def stage(
        self,
        folder: str | Path,
        batch_id: str = "",
        *,
        media: Media = Media.IMAGES,
        run_id: str = "",
        report_dir: str | Path | None = None,
        kept_in: str | Path | None = None,
    ) -> StageManifest:
        """Fill a batch with the images or videos of a folder, once. Called again it goes on where it stopped.

        :param batch_id: of the batch; one that follows from the run without.
        :param run_id: identity of this run; workspace, folder and batch without.
        :param kept_in: folder of the run's record, or its address in an object store; the command line's without.
        :raises VisionBatchError: as `visionbatch.RoboflowStageRun.images` does.
        """
        # The run is written over this class.
        from visionbatch.pipelines.at_once import stage_folder  # noqa: PLC0415

        return stage_folder(
            self, folder, batch_id=batch_id, media=media, run_id=run_id, report_dir=report_dir, kept_in=kept_in
        )

    def run(
        self,
        job: JobDefinition,
        *,
        report_dir: str | Path | None = None,
        run_id: str = "",
        timeout_s: float = DAY_S,
        policies: Policies | None = None,
        kept_in: str | Path | None = None,
        ready_ref: str = "",
    ) -> Manifest:
        """Run a Workflow over a batch and wait for its end. Called again it goes on where it stopped.

        :param run_id: identity of this run; workspace, batch and Workflow without.
        :param timeout_s: seconds from now until the job must have ended.
        :param ready_ref: of the manifest of `stage`: no job is made before all that was sent is there.
        :param kept_in: folder of the run's record, or its address in an object store; the command line's without.
        :raises VisionBatchError: as `visionbatch.RoboflowJobRun.submit` and ``conclude`` do.
        """
        from visionbatch.pipelines.at_once import run_job  # noqa: PLC0415  # as above

        return run_job(
            self,
            job,
            report_dir=report_dir,
            run_id=run_id,
            timeout_s=timeout_s,
            policies=policies,
            kept_in=kept_in,
            ready_ref=ready_ref,
        )

    @property
    def api(self) -> RoboflowApi:
        """The operations as flows, for `perform`."""
        return self._api

    def workspace(self) -> str:
        """The slug of the workspace."""
        return self.perform(self.api.workspace())

    def batches(self) -> tuple[StagingBatch, ...]:
        """All batches that there are, those that jobs wrote included."""
        return self.perform(self.api.staging.batches())

    def jobs(self, search: str = "") -> tuple[Job, ...]:
        """All jobs that there are."""
        return self.perform(self.api.jobs.listing(search))

    def job(self, job_id: str) -> Job:
        """A job as it is now."""
        return self.perform(self.api.jobs.get(job_id))

    def progress(self, job_id: str) -> tuple[StageProgress, ...]:
        """How far each stage of a job is."""
        return self.perform(self.api.progress(job_id))

    def logs(self, job_id: str, severity: str = "") -> tuple[LogLine, ...]:
        """The log of a job; see `visionbatch.roboflow.jobs.Jobs.logs`."""
        return self.perform(self.api.jobs.logs(job_id, severity))

    def abort(self, job_id: str) -> None:
        """Ask for a job to be aborted; see `visionbatch.roboflow.jobs.Jobs.abort`."""
        self.perform(self.api.jobs.abort(job_id))

    def restart(self, job_id: str, override: Compute | None = None) -> None:
        """Have a job that ended badly done again; see `visionbatch.roboflow.jobs.Jobs.restart`."""
        self.perform(self.api.jobs.restart(job_id, override))

    def wait_ready(
        self,
        batch_id: str,
        expected: int | None = None,
        shards: int | None = None,
        *,
        deadline: float | None = None,
        observe: Callable[[Snapshot], None] | None = None,
    ) -> Snapshot:
        """Wait until a batch can be processed, or will never hold what was sent.

        :param expected: items that were sent.
        :param shards: archives or lists of references that were sent; see `visionbatch.roboflow.ready.ready_ref`.
        :param deadline: Unix seconds.
        """
        return self.await_end(self.readiness, ready_ref(batch_id, expected, shards), deadline=deadline, observe=observe)
