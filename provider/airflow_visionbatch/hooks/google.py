"""Airflow's way to a bucket: its Google connection, or the credential of the environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_visionbatch._compat import BaseHook

if TYPE_CHECKING:
    from visionbatch import DownloadSettings, GcsBucket

OURS = frozenset({"key_path", "keyfile_dict", "is_anonymous", "project", "num_retries", "scope"})
"""Fields of a connection of type ``google_cloud_platform`` that are read here; the Google provider reads all."""

SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"


def bucket_of(conn_id: str | None, name: str, settings: DownloadSettings | None = None) -> GcsBucket:
    """A bucket, for use in a worker.

    :param conn_id: connection of type ``google_cloud_platform``; without, the credential of the environment: an
        emulator's, a key file's, or the machine's own.
    :raises visionbatch.errors.ConfigError: when the connection cannot be used.
    """
    return _bucket(name, None if conn_id is None else credentials_of(BaseHook.get_connection(conn_id)), settings)


async def bucket_of_async(conn_id: str | None, name: str) -> GcsBucket:
    """The same for use on an event loop; the connection is looked up without blocking it."""
    if conn_id is None:
        return _bucket(name, None, None)
    from airflow.providers.common.compat.connection import get_async_connection
    from asgiref.sync import sync_to_async

    connection = await get_async_connection(conn_id)
    # A key is a file to read, and Google's libraries take half a second to load.
    return _bucket(name, await sync_to_async(credentials_of)(connection), None)


def credentials_of(connection: Any) -> Any:
    """Google's credential of a connection; ``None`` where it leaves that to the environment.

    A key file, a key in the connection, anonymous access and the environment's default are read here, so that the
    Google provider with its eighty packages is not needed. Whatever else a connection says is that provider's to read.

    :raises visionbatch.errors.ConfigError: for another type of connection, a key that is none, or a field that needs
        the Google provider where that is not installed.
    """
    from visionbatch.errors import ConfigError

    if connection.conn_type != "google_cloud_platform":
        raise ConfigError(f"connection {connection.conn_id} has type {connection.conn_type}, not google_cloud_platform")
    extra = _fields(connection)
    if not set(extra) <= OURS:
        return _by_provider(connection.conn_id, sorted(set(extra) - OURS))
    if extra.get("is_anonymous"):
        from google.auth.credentials import AnonymousCredentials

        return AnonymousCredentials()  # type: ignore[no-untyped-call]  # Google's constructor has no annotations
    return _by_key(connection.conn_id, extra)


def _by_key(conn_id: str, extra: Mapping[str, Any]) -> Any:
    from visionbatch.errors import ConfigError

    if not (extra.get("keyfile_dict") or extra.get("key_path")):
        return None
    import google.auth

    try:
        load: Any = google.auth
        if extra.get("keyfile_dict"):
            key = extra["keyfile_dict"]
            info = json.loads(key) if isinstance(key, str) else key
            return load.load_credentials_from_dict(info, scopes=[SCOPE])[0]
        return load.load_credentials_from_file(extra["key_path"], scopes=[SCOPE])[0]
    except Exception as error:  # noqa: BLE001  # a key is wrong in many ways, and each text may hold parts of it
        raise ConfigError(f"the key of connection {conn_id} cannot be read ({type(error).__name__})") from None


def _by_provider(conn_id: str, fields: list[str]) -> Any:
    from visionbatch.errors import ConfigError

    try:
        from airflow.providers.google.common.hooks.base_google import (  # type: ignore[import-not-found]  # optional
            GoogleBaseHook,
        )
    except ImportError as error:
        raise ConfigError(
            f"connection {conn_id} has {', '.join(fields)}, which the Google provider reads, and that is not installed",
            next_step="Install apache-airflow-providers-google, or give the connection a key or none of these.",
        ) from error
    return GoogleBaseHook(gcp_conn_id=conn_id).get_credentials()


def _fields(connection: Any) -> dict[str, Any]:
    """The extras that are filled in, by their names without the prefix that older versions of Airflow stored."""
    prefix = "extra__google_cloud_platform__"
    return {
        name.removeprefix(prefix): value
        for name, value in connection.extra_dejson.items()
        if value not in (None, "", {}, False)
    }


def _bucket(name: str, credentials: Any, settings: DownloadSettings | None) -> GcsBucket:
    from visionbatch import GcsBucket

    return GcsBucket(name, credentials=credentials, settings=settings)
