"""From the options of ``visionbatch deepomatic`` to a site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from visionbatch.cli.credentials import Finder
from visionbatch.deepomatic.settings import DeepomaticSettings
from visionbatch.pipelines.deepomatic import Deepomatic, token_header
from visionbatch.pipelines.environment import deepomatic_key, deepomatic_settings


def settings_of(options: Mapping[str, Any]) -> DeepomaticSettings:
    """The site that the options name.

    :raises ConfigError: when they name none.
    """
    return deepomatic_settings(options)


def opened_site(options: Mapping[str, Any]) -> Deepomatic:
    """A client of the site; use as a context manager."""
    find = Finder()
    return Deepomatic(settings_of(options), lambda: token_header(deepomatic_key(options, find)))
