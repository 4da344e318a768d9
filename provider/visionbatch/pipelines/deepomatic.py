"""Deepomatic from plain Python: every operation on a batch, one call each."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from visionbatch.deepomatic.api import SERVICE, Batch, DeepomaticApi
from visionbatch.deepomatic.check_settings import CheckSettings
from visionbatch.deepomatic.settings import DeepomaticSettings
from visionbatch.errors import UploadCancelled, VisionBatchError
from visionbatch.flow.effects import Response
from visionbatch.io.clock import Clock
from visionbatch.io.control import AsyncCredentials, Credentials, Origin
from visionbatch.io.wire_pool import WirePool
from visionbatch.model.policy import Policies
from visionbatch.model.secret import Secret, SecretUrl, usable_key
from visionbatch.model.snapshot import Phase
from visionbatch.pipelines.client import DAY_S, Tuning, WaitingClient
from visionbatch.pipelines.environment import DEEPOMATIC, deepomatic_key, deepomatic_settings, from_environment
from visionbatch.pipelines.inputs import Checked, opened
from visionbatch.pipelines.site import Site, told_at_once
from visionbatch.transfer.source import Source
from visionbatch.transfer.upload import Checkpoint, Progress, Upload, Uploaded

if TYPE_CHECKING:
    from visionbatch.pipelines.manifest import Manifest

log = logging.getLogger(__name__)


def token_header(key: Secret) -> dict[str, Secret]:
    """The header that authenticates at a site (Deepomatic's API pages).

    :raises ConfigError: for a key that no header can carry, such as one pasted with a line break.
    """
    return {"Authorization": Secret(f"Token {usable_key(key)}")}


def deepomatic_site(settings: DeepomaticSettings, credentials: AsyncCredentials) -> Site:
    """A site as an event loop sees it, for `visionbatch.await_end`."""
    return Site(DeepomaticApi(settings), Origin(settings.base_url, settings.allow_plain_http), credentials)


class Deepomatic(WaitingClient):
    """One site of Deepomatic; use as a context manager.

    :param settings: the site.
    :param credentials: gives the authenticating headers, see `token_header`.
    """

    def __init__(
        self,
        settings: DeepomaticSettings,
        credentials: Credentials,
        *,
        tuning: Tuning | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(Origin(settings.base_url, settings.allow_plain_http), credentials, tuning=tuning, clock=clock)
        self.settings = settings
        self._api = DeepomaticApi(settings, self.tuning.retry)
        self._wires = WirePool.of(self.tuning.transfer, self.clock)

    @classmethod
    def from_env(cls, *, tuning: Tuning | None = None) -> Self:
        """The site that ``VISIONBATCH_DEEPOMATIC_URL`` or ``_SITE``, and ``_API_KEY`` or ``_API_KEY_FILE``, name.

        The variables are those of the command line, see `visionbatch.pipelines.environment`.

        :raises ConfigError: when they name no site; a key is looked for when it is first needed.
        """
        options = from_environment(SERVICE, DEEPOMATIC)
        return cls(deepomatic_settings(options), lambda: token_header(deepomatic_key(options)), tuning=tuning)

    @classmethod
    def site_from_env(cls) -> Site:
        """The same site as an event loop sees it, for `visionbatch.await_end`."""
        options = from_environment(SERVICE, DEEPOMATIC)
        credentials = told_at_once(lambda: token_header(deepomatic_key(options)))
        return deepomatic_site(deepomatic_settings(options), credentials)

    def run(
        self,
        source: str | Path,
        *,
        report_dir: str | Path | None = None,
        run_id: str = "",
        timeout_s: float = DAY_S,
        policies: Policies | None = None,
        check: CheckSettings | None = None,
        progress: Progress | None = None,
        kept_in: str | Path | None = None,
    ) -> Manifest:
        """Check, send, wait, and fetch the error report: one whole run. Called again it goes on where it stopped.

        It is the run of ``visionbatch deepomatic run`` with the same source or name, and each goes on with the other's.

        :param source: folder of work orders or ready-made zip.
        :param report_dir: folder for error report and manifest.
        :param run_id: identity of this run; site and source without.
        :param timeout_s: seconds from now until the batch must have ended.
        :param kept_in: folder of the run's record, or its address in an object store; the command line's without.
        :raises AlreadyRunning: when another process of this machine is at it.
        :raises VisionBatchError: as `visionbatch.DeepomaticRun.submit_place` and ``conclude`` do.
        """
        # The run is written over this class.
        from visionbatch.pipelines.at_once import run_batch  # noqa: PLC0415

        return run_batch(
            self,
            source,
            report_dir=report_dir,
            run_id=run_id,
            timeout_s=timeout_s,
            policies=policies,
            check=check,
            progress=progress,
            kept_in=kept_in,
        )

    @property
    def api(self) -> DeepomaticApi:
        """The operations as flows, for `perform`."""
        return self._api

    def close(self) -> None:
        """Close the connections."""
        super().close()
        self._wires.close()

    def check(
        self, place: str | Path, settings: CheckSettings | None = None, filesystem: Any = None
    ) -> AbstractContextManager[Checked]:
        """Check a folder or a ready-made zip without sending anything; see `visionbatch.pipelines.inputs.opened`."""
        return opened(place, settings or CheckSettings(), filesystem)

    def create(self, label: str) -> Batch:
        """Make a batch; see `DeepomaticApi.create`."""
        return self.perform(self.api.create(label))

    def get(self, batch_id: str) -> Batch:
        """A batch with its session; see `DeepomaticApi.get`."""
        return self.perform(self.api.get(batch_id))

    def upload(
        self,
        source: Source,
        url: SecretUrl,
        *,
        batch_id: str = "",
        resume: Checkpoint | None = None,
        deadline: float | None = None,
        progress: Progress | None = None,
        checkpoint: Callable[[Checkpoint], None] | None = None,
    ) -> Uploaded:
        """Send an archive over a session; see `visionbatch.transfer.upload.Upload`. May be called from many threads.

        :param deadline: Unix seconds, should that come before the transfer settings' own.
        """
        try:
            with self._wires.wire() as wire:
                return Upload(
                    source,
                    url,
                    wire=wire,
                    clock=self.clock,
                    settings=self.tuning.transfer,
                    resume=resume,
                    deadline=deadline,
                    progress=progress,
                    checkpoint=checkpoint,
                ).run()
        except VisionBatchError as error:
            error.about(SERVICE, batch_id)
            raise

    def upload_to(self, batch_id: str, source: Source, *, progress: Progress | None = None) -> Uploaded | None:
        """Send an archive to a batch that exists, such as one made in the web interface, going on where it stopped.

        A batch that has an archive already gets nothing, and ``None`` is given.

        :raises UploadCancelled: when the batch has ended badly and takes none any more.
        """
        batch = self.get(batch_id)
        if batch.upload_url is not None:
            resume = Checkpoint()
            return self.upload(source, batch.upload_url, batch_id=batch_id, resume=resume, progress=progress)
        if batch.snapshot.phase in (Phase.FAILED, Phase.CANCELLED, Phase.AWAITING_DATA):
            what = f"the batch takes no archive, it is {batch.snapshot}"
            raise UploadCancelled(what, service=SERVICE, ref=batch_id)
        log.info("%s batch %s has an archive already: %s", SERVICE, batch_id, batch.snapshot)
        return None

    def errors(self, batch_id: str) -> Response | None:
        """The error report, untouched; see `DeepomaticApi.error_report`."""
        return self.perform(self.api.error_report(batch_id))

    def delete(self, batch_id: str) -> None:
        """Delete a batch, whatever its state."""
        self.perform(self.api.cancel(batch_id))
