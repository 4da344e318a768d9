"""What services work on as assets of Airflow, and what their events carry.

The address is ``<service>://<connection>/<batch, job or label>``, such as ``deepomatic://deepomatic_default/nightly``;
a service's name has hyphens there, for an address takes no underscore in its scheme.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    from urllib.parse import SplitResult

SCHEMES = ("deepomatic", "roboflow", "huawei-vias")


def remote_uri(service: str, conn_id: str, name: str) -> str:
    """The address of a batch, job or batch task.

    :param name: its id, or a label for all that carry it.
    """
    return f"{service.replace('_', '-')}://{quote(conn_id, safe='')}/{quote(name, safe='')}"


def create_asset(*, conn_id: str, batch: str, service: str = "deepomatic", extra: Any = None) -> Any:
    """An asset for a batch, job or label of a connection."""
    from airflow.sdk import Asset

    return Asset(uri=remote_uri(service, conn_id, batch), extra=extra)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Check an address and bring it into its one form.

    :raises ValueError: when it is not ``<service>://<connection>/<batch or label>``, or carries a credential, which
        belongs into the connection.
    """
    name = unquote(uri.path.strip("/"))
    if "@" in uri.netloc or ":" in uri.netloc:
        raise ValueError(f"a {uri.scheme}:// address names a connection, without user, password or port")
    if not uri.netloc or not name:
        raise ValueError(f"the form of the address is {uri.scheme}://<connection>/<batch or label>")
    return uri._replace(path=f"/{quote(name, safe='')}", query="", fragment="")


def convert_asset_to_openlineage(asset: Any, lineage_context: Any) -> Any:  # noqa: ARG001  # Airflow's signature
    """The same as an OpenLineage dataset: the connection is its namespace, the batch its name."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    namespace, name = named(asset.uri)
    return Dataset(namespace=namespace, name=name)


def named(uri: str) -> tuple[str, str]:
    """Namespace and name, as OpenLineage divides an address: what holds the thing, and the thing."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return f"file://{parts.netloc}" if parts.netloc else "file", unquote(parts.path) or "/"
    return f"{parts.scheme}://{parts.netloc}", unquote(parts.path).strip("/") or "/"


def tell_outlets(operator: Any, context: Any, facts: Mapping[str, Any]) -> None:
    """Put facts on the events of every asset among the operator's outlets.

    Airflow makes the events when the task succeeds, and none when it fails.
    """
    if not operator.outlets:
        return
    from airflow.sdk import Asset

    for outlet in operator.outlets:
        if isinstance(outlet, Asset):
            context["outlet_events"][outlet].extra.update(facts)
