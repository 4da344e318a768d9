"""From options to settings and credentials: the command line's own, or the same ones read from the environment.

An option ``url`` of the service ``deepomatic`` is the variable ``VISIONBATCH_DEEPOMATIC_URL``, for the command line and
for ``from_env`` alike. Lists are written with blanks between.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from visionbatch.errors import ConfigError
from visionbatch.io.secret_places import secret_of
from visionbatch.model.secret import Secret
from visionbatch.roboflow.settings import STORES, KeyIn, RoboflowSettings, roboflow_url

if TYPE_CHECKING:
    from visionbatch.deepomatic.settings import DeepomaticSettings
    from visionbatch.vias.account import Account
    from visionbatch.vias.settings import ViasSettings

Options: TypeAlias = Mapping[str, Any]
Find: TypeAlias = Callable[[str, Path | None], Secret]
"""Finds a secret by its variable, or in a file."""

DEEPOMATIC = {"url": "", "site": "", "region": "eu", "upload_hosts": (), "api_key_file": None}
ROBOFLOW = {
    "url": "",
    "region": "us",
    "workspace": "",
    "key_in": KeyIn.HEADER.value,
    "hosts": (),
    "allow_inside": False,
    "api_key_file": None,
}
VIAS = {
    "region": "cn-north-4",
    "project_id": "",
    "url": "",
    "iam_url": "",
    "access_key": "",
    "user": "",
    "domain": "",
    "secret_file": None,
    "states_from": "batches",
}
"""Options of a service with their defaults; each is the option of that name of the command line."""

YES = frozenset({"1", "true", "t", "yes", "y", "on"})
"""What a flag is set by; the command line, which has click read it, knows the same words."""

DEEPOMATIC_KEY = "VISIONBATCH_DEEPOMATIC_API_KEY"
ROBOFLOW_KEY = "VISIONBATCH_ROBOFLOW_API_KEY"
VIAS_SECRET_KEY = "VISIONBATCH_VIAS_SECRET_KEY"  # noqa: S105  # a variable's name
VIAS_SECURITY_TOKEN = "VISIONBATCH_VIAS_SECURITY_TOKEN"  # noqa: S105  # a variable's name
VIAS_PASSWORD = "VISIONBATCH_VIAS_PASSWORD"  # noqa: S105  # a variable's name


def from_environment(service: str, defaults: Options) -> dict[str, Any]:
    """The options of a service as the environment has them.

    :param service: such as ``deepomatic``.
    :param defaults: one of the tables above.
    """
    return {name: _read(f"VISIONBATCH_{service}_{name}".upper(), default) for name, default in defaults.items()}


def _read(variable: str, default: Any) -> Any:
    text = os.environ.get(variable, "")
    if not text:
        return default
    if isinstance(default, bool):
        return text.strip().lower() in YES
    if isinstance(default, tuple):
        return tuple(text.split())
    return Path(text) if default is None else text


def deepomatic_settings(options: Options) -> DeepomaticSettings:
    """The site that the options name.

    :raises ConfigError: when they name none.
    """
    # The other services' commands start without it.
    from visionbatch.deepomatic.settings import UPLOAD_HOSTS, DeepomaticSettings, site_url  # noqa: PLC0415

    url = options["url"] or (site_url(options["site"], options["region"]) if options["site"] else None)
    if not url:
        raise ConfigError(
            "no site is named",
            next_step="Set VISIONBATCH_DEEPOMATIC_URL or VISIONBATCH_DEEPOMATIC_SITE, or give --url or --site.",
        )
    return DeepomaticSettings(url, upload_hosts=options["upload_hosts"] or UPLOAD_HOSTS)


def deepomatic_key(options: Options, find: Find = secret_of) -> Secret:
    """The API key of a site."""
    return find(DEEPOMATIC_KEY, options["api_key_file"])


def roboflow_settings(options: Options) -> RoboflowSettings:
    """The workspace that the options name."""
    return RoboflowSettings(
        options["url"] or roboflow_url(options["region"]),
        workspace=options["workspace"],
        key_in=options["key_in"],
        upload_hosts=options["hosts"] or STORES,
        download_hosts=options["hosts"] or STORES,
        allow_inside=options["allow_inside"],
    )


def roboflow_secret(options: Options, find: Find = secret_of) -> Secret:
    """The API key of a workspace."""
    return find(ROBOFLOW_KEY, options["api_key_file"])


def vias_settings(options: Options) -> ViasSettings:
    """The project that the options name."""
    from visionbatch.vias.settings import ViasSettings  # noqa: PLC0415  # as above

    return ViasSettings(
        options["region"],
        options["project_id"],
        base_url=options["url"],
        iam_url=options["iam_url"],
        obs_url=options.get("obs_url", ""),
        obs_addressing=options.get("obs_addressing", "virtual"),
        dis_url=options.get("dis_url", ""),
        states_from=options["states_from"],
    )


def vias_account(options: Options, find: Find = secret_of) -> Account:
    """Who asks: an access key, or an IAM user.

    :raises ConfigError: when the options name both or none.
    """
    from visionbatch.vias.account import IamUser  # noqa: PLC0415  # as above
    from visionbatch.vias.signing import AccessKey  # noqa: PLC0415

    if bool(options["access_key"]) == bool(options["user"]):
        raise ConfigError(
            "an account is either an access key or a user, and one of them has to be named",
            next_step="Set VISIONBATCH_VIAS_ACCESS_KEY or VISIONBATCH_VIAS_USER, or give --access-key or --user.",
        )
    if options["user"]:
        return IamUser(
            options["user"], find(VIAS_PASSWORD, options["secret_file"]), options["domain"] or options["user"]
        )
    temporary = any(os.environ.get(name) for name in (VIAS_SECURITY_TOKEN, f"{VIAS_SECURITY_TOKEN}_FILE"))
    token = find(VIAS_SECURITY_TOKEN, None) if temporary else None
    return AccessKey(options["access_key"], find(VIAS_SECRET_KEY, options["secret_file"]), token)
