"""From the options of ``visionbatch deepomatic`` to a site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from visionbatch.cli.credentials import secret_of
from visionbatch.deepomatic.settings import UPLOAD_HOSTS, DeepomaticSettings, site_url
from visionbatch.errors import ConfigError
from visionbatch.pipelines.deepomatic import Deepomatic, token_header

KEY_VARIABLE = "VISIONBATCH_DEEPOMATIC_API_KEY"


def settings_of(options: Mapping[str, Any]) -> DeepomaticSettings:
    """The site that the options name.

    :raises ConfigError: when they name none.
    """
    url = options["url"] or (site_url(options["site"], options["region"]) if options["site"] else None)
    if not url:
        raise ConfigError("neither --url nor --site is given", next_step="Or set VISIONBATCH_DEEPOMATIC_URL.")
    return DeepomaticSettings(url, upload_hosts=options["upload_hosts"] or UPLOAD_HOSTS)


def opened_site(options: Mapping[str, Any]) -> Deepomatic:
    """A client of the site; use as a context manager."""
    return Deepomatic(settings_of(options), lambda: token_header(secret_of(KEY_VARIABLE, options["api_key_file"])))
