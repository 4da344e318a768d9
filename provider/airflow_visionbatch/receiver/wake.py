"""Asset events from the API server: the one way from there to whoever waits that Airflow keeps.

A trigger that waits in another process cannot be told directly. It asks its service at its own pace and gets there
alone; an asset event starts the Dags that would rather not wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_visionbatch.receiver.assets import hook_uri

if TYPE_CHECKING:
    from visionbatch import Notice


def wake(conn_id: str, notice: Notice) -> int:
    """Write an event for each asset that some Dag names and that the notice is about; blocks.

    The assets are those of `airflow_visionbatch.receiver.assets.hook_uri`: of the connection, and of the batch, job or
    task. The event carries the notice and no state.

    :returns: how many events were written; none when no Dag names the assets.
    """
    from airflow.assets.manager import asset_manager
    from airflow.models.asset import AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    uris = [hook_uri(notice.service, conn_id), hook_uri(notice.service, conn_id, notice.ref)]
    extra = {"schema": 1, "conn_id": conn_id, **notice.to_json()}
    with create_session(scoped=False) as session:
        named = session.scalars(select(AssetModel).where(AssetModel.uri.in_(uris), AssetModel.active.has())).all()
        for asset in named:
            asset_manager.register_asset_change(asset=asset, extra=extra, session=session, source_is_api=True)
        return len(named)
