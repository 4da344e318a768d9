"""Filling a batch of Roboflow's Data Staging from a Dag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_visionbatch.failures import failing_for_good, with_retry_policy
from airflow_visionbatch.operators.stoppable import StoppableOperator
from airflow_visionbatch.operators.telling import Telling

if TYPE_CHECKING:
    from visionbatch import Roboflow, RoboflowStageRun, StageManifest, StageSettings


class RoboflowStageOperator(Telling, StoppableOperator):
    """Fill a batch with images or videos, once, whatever becomes of the worker.

    A later try, on any worker, sends only what is missing. Returns a manifest of less than 4 KB, see
    `visionbatch.StageManifest`, for `RoboflowBatchReadySensor` and `RoboflowRunJobOperator`: the service indexes
    archives and references for a while after they have arrived.

    :param source: folder, all below it included: a path on the worker, or an object-store path. With ``by_reference``
        a file of JSON lines with ``name`` and ``url``, the address of one, or ``s3://``, ``gs://`` or ``az://`` with
        bucket and folder, whose objects are signed here. Templated.
    :param media: ``images`` or ``videos``.
    :param by_reference: have the service fetch the files itself.
    :param kind: ``single`` or ``shards`` for images; decided by their number when empty, once for each batch.
    :param batch_id: id of the batch; one that follows from Dag, task, run and map index when empty. Templated.
    :param display_name: name that people see. Templated.
    :param source_conn_id: connection of the source's object store; with ``by_reference`` one whose password is the
        address of the list, where that is a secret, in place of ``source``.
    :param settings: further fields of `visionbatch.StageSettings`: ``images_per_shard``, ``shard_bytes``,
        ``single_up_to``, ``image_bytes``, ``parallel``. Templated.
    :param url_life: seconds that addresses signed here live.
    :param report_path: folder for the list of files that are called otherwise in the batch, local or object store.
        Templated.
    :param report_conn_id: connection of its object store.
    :param notify: have the service post to the connection's webhook receiver what becomes of archives and references,
        which makes asset events of it.
    :param on_input_change: ``fail`` when the input has changed since the run began, or ``cancel_and_new``, which begins
        another batch and leaves the old one to expire.
    :param state_path: object-store folder for the run record, where Airflow's task state is not there or not wanted, or
        the record itself when it ends in ``.json``. Templated.
    :param roboflow_conn_id: connection of type ``roboflow``. Templated.
    """

    service = "roboflow"
    template_fields: Sequence[str] = (
        "source",
        "batch_id",
        "display_name",
        "settings",
        "report_path",
        "state_path",
        "roboflow_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"settings": "json"}
    ui_color = "#ede7f6"

    def __init__(
        self,
        *,
        source: str = "",
        media: str = "images",
        by_reference: bool = False,
        kind: str = "",
        batch_id: str = "",
        display_name: str = "",
        source_conn_id: str | None = None,
        settings: Mapping[str, Any] | None = None,
        url_life: int = 24 * 3600,
        report_path: str | None = None,
        report_conn_id: str | None = None,
        notify: bool = False,
        on_input_change: str = "fail",
        state_path: str | None = None,
        roboflow_conn_id: str = "roboflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**with_retry_policy(kwargs))
        self.source = source
        self.media = media
        self.by_reference = by_reference
        self.kind = kind
        self.batch_id = batch_id
        self.display_name = display_name
        self.source_conn_id = source_conn_id
        self.settings = settings or {}
        self.url_life = url_life
        self.report_path = report_path
        self.report_conn_id = report_conn_id
        self.notify = notify
        self.on_input_change = on_input_change
        self.state_path = state_path
        self.roboflow_conn_id = roboflow_conn_id

    def execute(self, context: Any) -> dict[str, Any]:
        """Send what is missing, and tell what the batch holds."""
        from airflow_visionbatch.hooks.roboflow import RoboflowHook

        with (
            failing_for_good(),
            RoboflowHook(self.roboflow_conn_id).get_conn() as client,
            self._stoppable(context),
        ):
            manifest = self._fill(client, self._run_over(client, context))
            self._tell(context, manifest)
            return manifest.to_json()

    def _run_over(self, client: Roboflow, context: Any) -> RoboflowStageRun:
        from airflow_visionbatch.places import sink
        from airflow_visionbatch.state import run_identity, run_store
        from visionbatch import OnInputChange, RoboflowStageRun
        from visionbatch.errors import ConfigError

        if self.on_input_change not in tuple(OnInputChange):
            raise ConfigError(f"on_input_change is fail or cancel_and_new, not {self.on_input_change!r}")
        return RoboflowStageRun(
            client,
            run_store(context, self.state_path),
            self._settings(),
            identity=run_identity(context["ti"]),
            on_input_change=OnInputChange(self.on_input_change),
            sink=sink(self.report_path, self.report_conn_id) if self.report_path else None,
        )

    def _settings(self) -> StageSettings:
        from airflow_visionbatch.receiver.addresses import receiver_url
        from visionbatch import StageSettings, settings_from
        from visionbatch.errors import ConfigError

        told: dict[str, Any] = {"kind": self.kind, "display_name": self.display_name}
        if twice := sorted(({"notifications_url"} | told.keys()) & self.settings.keys()):
            raise ConfigError(f"settings: {', '.join(twice)} has an argument of its own")
        if self.notify:
            told["notifications_url"] = receiver_url(self.service, self.roboflow_conn_id)
        return settings_from(StageSettings, {**self.settings, **told}, where="settings")

    def _fill(self, client: Roboflow, run: RoboflowStageRun) -> StageManifest:
        from airflow_visionbatch.places import source_place
        from visionbatch import Media, references_at
        from visionbatch.errors import ConfigError

        if self.media not in tuple(Media):
            raise ConfigError(f"media is images or videos, not {self.media!r}")
        videos = self.media == Media.VIDEOS
        if self.by_reference:
            inside = client.api.calls.settings.allow_inside
            with references_at(self._list(), Media(self.media), life_s=self.url_life, allow_inside=inside) as listed:
                return run.references(listed, self.batch_id, videos=videos)
        filesystem, place = source_place(self.source, self.source_conn_id)
        fill = run.videos if videos else run.images
        return fill(place, self.batch_id, filesystem=filesystem)

    def _list(self) -> str:
        """Where the references are.

        :raises visionbatch.errors.ConfigError: when there is nothing, or a signed address that everybody could read in
            the rendered fields.
        """
        from airflow_visionbatch._compat import BaseHook
        from visionbatch.errors import ConfigError

        if self.source_conn_id:
            address = BaseHook.get_connection(self.source_conn_id).password
            if not address:
                raise ConfigError(f"connection {self.source_conn_id} has no address in its password")
            return str(address)
        if not self.source.strip():
            raise ConfigError("the path of the source is empty")
        if self.source.startswith(("http://", "https://")) and "?" in self.source:
            raise ConfigError(
                "the address of the list has a query, which may carry authority, and a task's fields are there to read",
                next_step="Put it into the password of a connection, and name that in source_conn_id.",
            )
        return self.source

    def _tell(self, context: Any, manifest: StageManifest) -> None:
        from airflow_visionbatch.assets import remote_uri
        from airflow_visionbatch.lineage import place_uri

        self.log.info("batch %s: %d items, %s", manifest.batch_id, manifest.expected, manifest.kind)
        context["ti"].xcom_push(key="batch_id", value=manifest.batch_id)
        self._hand_over(
            context,
            manifest.to_json(),
            ("batch_id", "kind", "expected", "generation"),
            inputs=[place_uri(self.source)] if self.source else [],
            outputs=[remote_uri(self.service, self.roboflow_conn_id, manifest.batch_id)],
        )
