"""Assets for "look now": ``visionbatch-hook://<service>/<connection>[/<batch, job or task>]``.

They have a scheme of their own, because their events say less than those of ``deepomatic://`` and its like: not that
something has ended, only that somebody who knows the receiver's address says that something has happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from urllib.parse import SplitResult

SCHEME = "visionbatch-hook"
SERVICES = ("huawei_vias", "roboflow")
FORM = f"{SCHEME}://<service>/<connection>[/<batch, job or task>]"


def hook_uri(service: str, conn_id: str, ref: str = "") -> str:
    """The address of all notices of a connection, or of those about one thing.

    :param service: one of `SERVICES`.
    :param ref: id of a batch, job or task.
    """
    parts = [quote(part, safe="") for part in (conn_id, ref) if part]
    return f"{SCHEME}://{service}/{'/'.join(parts)}"


def hook_asset(service: str, conn_id: str, ref: str = "") -> Any:
    """The asset to schedule a Dag on; see `hook_uri`.

    :raises ValueError: for a service that sends no webhooks.
    """
    from airflow.sdk import Asset

    return Asset(uri=hook_uri(service, conn_id, ref))


def create_asset(*, service: str, conn_id: str, ref: str = "", extra: Any = None) -> Any:
    """The same for Airflow's lineage of hooks."""
    from airflow.sdk import Asset

    return Asset(uri=hook_uri(service, conn_id, ref), extra=extra)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Check an address and bring it into its one form.

    :raises ValueError: when it is of another form than `FORM`.
    """
    parts = [quote(unquote(part), safe="") for part in uri.path.removeprefix("/").rstrip("/").split("/")]
    if uri.netloc not in SERVICES or not all(parts) or len(parts) > 2:
        raise ValueError(f"the form of the address is {FORM}, with one of {', '.join(SERVICES)}")
    return uri._replace(path=f"/{'/'.join(parts)}", query="", fragment="")


def convert_asset_to_openlineage(asset: Any, lineage_context: Any) -> Any:  # noqa: ARG001  # Airflow's signature
    """The same as an OpenLineage dataset: the connection is its namespace, what it is about its name."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    from airflow_visionbatch.assets import named

    namespace, name = named(asset.uri)
    return Dataset(namespace=namespace, name=name)
