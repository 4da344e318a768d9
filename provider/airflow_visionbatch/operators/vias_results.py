"""Fetching the results of Huawei Cloud VIAS out of a bucket from a Dag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_visionbatch.exports import moment
from airflow_visionbatch.failures import failing_for_good, with_retry_policy
from airflow_visionbatch.operators.stoppable import StoppableOperator
from airflow_visionbatch.operators.telling import Telling

if TYPE_CHECKING:
    from visionbatch import DownloadSettings, StreamResults, ViasResults, WantedResults


class ViasFetchResultsOperator(Telling, StoppableOperator):
    """Fetch events and pictures that VIAS has written into a bucket of OBS, verified, or into a stream of DIS.

    A later try, and every later run into the same folder, brings only what is new. Returns a manifest of less than
    4 KB; of a bucket the whole of it, with hashes, task and message ids, is ``manifest.json`` in the destination. A
    bucket needs the extra ``obs``, a stream no extra: its events become JSON Lines, each message once, and how far it
    was read is kept in the destination.

    :param source: ``obs://bucket/path``, or ``dis://stream``, as the batch task's output names them. Templated.
    :param destination: folder: a path on the worker, or an object-store path, such as ``/data/results/{{ ds }}``.
        Templated.
    :param batch_id: only the events of this batch's tasks; an id, or the manifest of `ViasCreateBatchTaskOperator`. Not
        needed where each batch has a path of its own. Templated.
    :param since: moment from which objects are fetched, ISO 8601 or Unix seconds. Templated.
    :param until: moment up to which; not for a stream, which is read to its end. Templated.
    :param pictures: what is no event as well; a stream's events hold theirs.
    :param destination_conn_id: connection of the destination's object store.
    :param download: fields of `visionbatch.DownloadSettings`.
    :param vias_conn_id: connection of type ``huawei_vias``. Templated.
    :param obs_conn_id: connection of the same type whose access key may read the bucket, where that is another one.
        Templated.
    """

    service = "huawei_vias"
    template_fields: Sequence[str] = (
        "source",
        "destination",
        "batch_id",
        "since",
        "until",
        "vias_conn_id",
        "obs_conn_id",
    )
    ui_color = "#fbe9e7"

    def __init__(
        self,
        *,
        source: str,
        destination: str,
        batch_id: Any = None,
        since: Any = None,
        until: Any = None,
        pictures: bool = True,
        destination_conn_id: str | None = None,
        download: Mapping[str, Any] | None = None,
        vias_conn_id: str = "huawei_vias_default",
        obs_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retry_policy(kwargs))
        self.source = source
        self.destination = destination
        self.batch_id = batch_id
        self.since = since
        self.until = until
        self.pictures = pictures
        self.destination_conn_id = destination_conn_id
        self.download = download or {}
        self.vias_conn_id = vias_conn_id
        self.obs_conn_id = obs_conn_id

    def execute(self, context: Any) -> dict[str, Any]:
        """Fetch, and tell what came."""
        from visionbatch import stream_in

        with failing_for_good(), self._stoppable(context):
            stream = stream_in(self.source)
            manifest = self._read(stream) if stream else self._fetched()
            self._tell(context, manifest)
            return manifest.to_json()

    def _fetched(self) -> ViasResults:
        from airflow_visionbatch.hooks.vias import ViasHook
        from airflow_visionbatch.places import folder
        from visionbatch import fetch_vias_results, obs_uri

        settings = self._settings()
        name, path = obs_uri(self.source)
        wanted = self._wanted()
        with ViasHook(self.obs_conn_id or self.vias_conn_id).bucket(name, settings) as bucket:
            return fetch_vias_results(
                bucket,
                path,
                folder(self.destination, self.destination_conn_id),
                wanted,
                settings=settings,
                progress=self._fetching(),
            )

    def _read(self, stream: str) -> StreamResults:
        from airflow_visionbatch.hooks.vias import ViasHook
        from airflow_visionbatch.places import landing, run_record_beside
        from visionbatch import read_vias_stream, require_readable, stream_record

        require_readable(self._since())
        wanted = self._wanted()
        store = run_record_beside(self.destination, self.destination_conn_id, stream_record(stream, wanted.batch_id))
        with ViasHook(self.vias_conn_id).stream(stream) as client:
            return read_vias_stream(client, landing(self.destination, self.destination_conn_id), store, wanted)

    def _wanted(self) -> WantedResults:
        from airflow_visionbatch.batch_tasks import batch_id_in
        from airflow_visionbatch.hooks.vias import ViasHook
        from visionbatch import tasks_of_batch

        wanted = self._since()
        if not self.batch_id:
            return wanted
        with ViasHook(self.vias_conn_id).get_conn() as client:
            return tasks_of_batch(client, batch_id_in(self.batch_id), wanted)

    def _since(self) -> WantedResults:
        from visionbatch import WantedResults

        return WantedResults(since=moment(self.since), until=moment(self.until), pictures=self.pictures)

    def _settings(self) -> DownloadSettings | None:
        from visionbatch import DownloadSettings, settings_from

        return settings_from(DownloadSettings, self.download, where="download") if self.download else None

    def _tell(self, context: Any, manifest: ViasResults | StreamResults) -> None:
        from airflow_visionbatch.assets import remote_uri
        from airflow_visionbatch.lineage import place_uri

        value = manifest.to_json()
        self.log.info("%s: %s, %s", manifest.source, value["outcome"], value["counts"])
        batch = [remote_uri(self.service, self.vias_conn_id, manifest.batch_id)] if manifest.batch_id else []
        self._hand_over(
            context,
            value,
            [name for name in ("batch_id", "outcome", "counts", "manifest") if name in value],
            inputs=[manifest.source, *batch],
            outputs=[place_uri(self.destination)],
        )
