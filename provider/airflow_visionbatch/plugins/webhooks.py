"""The webhook receiver, as Airflow's API server finds it: an application under a path of its own."""

from __future__ import annotations

from typing import Any

# Not by way of _compat: every task would pay for what loads plugins.
from airflow.providers.common.compat.sdk import AirflowPlugin

PREFIX = "/visionbatch/hooks"
"""Where the API server serves it; none of the prefixes that Airflow keeps for itself."""


class Receiver:
    """The application, made at its first request: every Airflow process loads its plugins, and one serves requests.

    The path of a request holds a secret, and what serves the request writes the path into its log. Log and application
    have one description of the request, so the secret is taken out of it, and the application gets a copy with it.
    """

    def __init__(self) -> None:
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request, as ASGI asks for it."""
        own = dict(scope)
        if scope["type"] == "http":
            _hide_secret(scope)
        await self._made()(own, receive, send)

    def _made(self) -> Any:
        if self._app is None:
            from airflow_visionbatch.receiver.app import create_app

            self._app = create_app()
        return self._app


def _hide_secret(scope: Any) -> None:
    """Leave service and connection of the path, and nothing of what follows."""
    before, prefix, rest = scope["path"].partition(PREFIX)
    shown = "/".join(rest.split("/")[:3])
    scope["path"] = f"{before}{prefix}{shown}{'/hidden' if shown != rest else ''}"
    scope["raw_path"] = scope["path"].encode("ascii", "backslashreplace")


class WebhooksPlugin(AirflowPlugin):
    """Serves `PREFIX` in the API server; a connection without ``webhook_secret`` has no address there."""

    name = "visionbatch_webhooks"
    fastapi_apps = [{"app": Receiver(), "url_prefix": PREFIX, "name": "visionbatch webhooks"}]  # noqa: RUF012  # as declared by Airflow
