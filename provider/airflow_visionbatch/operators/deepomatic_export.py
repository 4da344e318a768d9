"""Fetching a Deepomatic data export from a Dag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_visionbatch._compat import BaseOperator
from airflow_visionbatch.exports import SERVICE, layout_of, moment, window_of
from airflow_visionbatch.failures import failing_for_good, with_retry_policy
from airflow_visionbatch.operators.telling import Telling

if TYPE_CHECKING:
    from visionbatch import FetchManifest, Folder, Wanted


class DeepomaticFetchExportOperator(Telling, BaseOperator):
    """Fetch the files of an export, verified, with the images that their records name.

    A later try goes on where the last one stopped; when all has been done before, it says so. Returns a manifest of
    less than 4 KB; the whole of it is ``manifest.json`` in the destination.

    :param destination: folder: a path on the worker, or an object-store path. Give each run its own, such as
        ``/data/exports/{{ ds }}``. Templated.
    :param storage_uri: ``gs://bucket[/prefix]``, as the export is configured; an arrival knows it. Templated.
    :param arrival: what `DeepomaticExportSensor` returned, or payloads of events of `DeepomaticExportEventTrigger`:
        which files to fetch. Templated.
    :param since: without an arrival, moment from which files are fetched, ISO 8601 or Unix seconds. Templated.
    :param until: moment up to which. Templated.
    :param gcp_conn_id: connection of type ``google_cloud_platform``; ``None`` for the machine's own credential.
        Templated.
    :param destination_conn_id: connection of the destination's object store.
    :param images: the images as well.
    :param on_missing: what images that are not in the bucket mean: ``warn``, ``fail``, ``accept``,
        ``accept:<number>`` or ``accept:<share>%``. Templated.
    :param patterns: shell patterns of the data files behind the prefix.
    :param image_template: of the images' names behind the prefix, see `visionbatch.ExportLayout`.
    :param link_conn_id: connection whose password is the temporary link of an export by e-mail, and whose host, if
        any, is one that the link may lead to; in place of a bucket.
    :param link_file: name of its file. Templated.
    :param download: arguments of `visionbatch.DownloadSettings`.
    :param state_path: object-store folder for the run record, where Airflow's task state is not there or not wanted.
        Templated.
    """

    template_fields: Sequence[str] = (
        "destination",
        "storage_uri",
        "arrival",
        "since",
        "until",
        "gcp_conn_id",
        "on_missing",
        "link_file",
        "state_path",
    )
    ui_color = "#e0f2f1"
    service = SERVICE

    def __init__(
        self,
        *,
        destination: str,
        storage_uri: str | None = None,
        arrival: Any = None,
        since: Any = None,
        until: Any = None,
        gcp_conn_id: str | None = "google_cloud_default",
        destination_conn_id: str | None = None,
        images: bool = True,
        on_missing: str = "warn",
        patterns: Sequence[str] | None = None,
        image_template: str | None = None,
        link_conn_id: str | None = None,
        link_file: str = "export.jsonl",
        download: Mapping[str, Any] | None = None,
        state_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retry_policy(kwargs))
        self.destination = destination
        self.storage_uri = storage_uri
        self.arrival = arrival
        self.since = since
        self.until = until
        self.gcp_conn_id = gcp_conn_id
        self.destination_conn_id = destination_conn_id
        self.images = images
        self.on_missing = on_missing
        self.patterns = patterns
        self.image_template = image_template
        self.link_conn_id = link_conn_id
        self.link_file = link_file
        self.download = download or {}
        self.state_path = state_path

    def execute(self, context: Any) -> dict[str, Any]:
        """Fetch, and tell what came."""
        from airflow_visionbatch.places import folder

        with failing_for_good():
            place = folder(self.destination, self.destination_conn_id)
            manifest = self._by_link(place) if self.link_conn_id else self._from_bucket(context, place)
            value = manifest.to_json()
            self.log.info("%s: %s, %s", manifest.source, manifest.outcome, value["counts"])
            self._tell(context, value)
            return value

    def _from_bucket(self, context: Any, place: Folder) -> FetchManifest:
        from airflow_visionbatch.hooks.google import bucket_of
        from airflow_visionbatch.state import run_store
        from visionbatch import DownloadSettings, fetch_export, settings_from

        uri, wanted = self._wanted()
        name, layout = layout_of(uri, self.patterns, self.image_template)
        settings = settings_from(DownloadSettings, self.download, where="download")
        with bucket_of(self.gcp_conn_id, name, settings) as bucket:
            return fetch_export(
                bucket,
                layout,
                place,
                wanted,
                store=run_store(context, self.state_path),
                on_missing=self.on_missing,
                settings=settings,
                progress=self._fetching(),
            )

    def _by_link(self, place: Folder) -> FetchManifest:
        from airflow_visionbatch._compat import BaseHook
        from visionbatch import DownloadSettings, SecretUrl, fetch_link, settings_from
        from visionbatch.errors import ConfigError

        connection = BaseHook.get_connection(self.link_conn_id or "")
        if not connection.password:
            raise ConfigError(f"connection {self.link_conn_id} has no link in its password")
        settings = settings_from(DownloadSettings, self.download, where="download")
        return fetch_link(
            SecretUrl(connection.password),
            place,
            name=self.link_file,
            hosts=(connection.host,) if connection.host else None,
            settings=settings,
            progress=self._fetching(),
        )

    def _wanted(self) -> tuple[str, Wanted]:
        """Where the files are, and which of them."""
        from visionbatch import Wanted
        from visionbatch.errors import ConfigError

        if self.arrival:
            window = window_of(self.arrival)
            return self.storage_uri or window["storage_uri"], Wanted(
                window["since"], window["until"], images=self.images
            )
        if not self.storage_uri:
            raise ConfigError("neither storage_uri nor arrival is given")
        return self.storage_uri, Wanted(moment(self.since), moment(self.until), images=self.images)

    def _tell(self, context: Any, value: Mapping[str, Any]) -> None:
        from airflow_visionbatch.lineage import place_uri

        inputs = [value["source"]] if value["source"].startswith("gs://") else []
        outputs = [place_uri(self.destination)]
        self._hand_over(context, value, ("outcome", "counts", "manifest"), inputs=inputs, outputs=outputs)
