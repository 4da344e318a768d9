"""``visionbatch roboflow``: Batch Processing, and the client that all its commands share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from visionbatch.cli.credentials import Finder
from visionbatch.cli.lazy import LazyGroup
from visionbatch.errors import ConfigError
from visionbatch.pipelines.environment import roboflow_secret, roboflow_settings
from visionbatch.pipelines.roboflow import Roboflow, roboflow_key
from visionbatch.roboflow.ready import ready_ref
from visionbatch.roboflow.settings import KeyIn, RoboflowSettings

JOBS = ("abort", "batches", "doctor", "jobs", "logs", "restart", "run", "status")


@click.group(
    cls=LazyGroup,
    elsewhere={
        "fetch": "visionbatch.cli.roboflow_fetch:fetch",
        "stage": "visionbatch.cli.roboflow_stage:stage",
        "ready": "visionbatch.cli.roboflow_stage:ready",
        **{name: f"visionbatch.cli.roboflow_jobs:{name}" for name in JOBS},
    },
)
@click.option("--url", help="Base URL, instead of a region's.")
@click.option("--region", default="us", show_default=True, help="us or eu.")
@click.option("--workspace", default="", help="Slug of the workspace; asked for by the key without.")
@click.option(
    "--key-in", type=click.Choice([word.value for word in KeyIn]), default="header", help="Where the key travels."
)
@click.option("--store-host", "hosts", multiple=True, help="Host of signed addresses; the large object stores without.")
@click.option("--allow-inside", is_flag=True, help="Let webhooks and lists lead inside the network, as a mock's do.")
@click.option("--api-key-file", type=Path, help="File with the API key; - is stdin.")
@click.pass_context
def roboflow(context: click.Context, /, **given: Any) -> None:
    """Roboflow Batch Processing. The API key comes from VISIONBATCH_ROBOFLOW_API_KEY, or from the file named by
    VISIONBATCH_ROBOFLOW_API_KEY_FILE.
    """  # noqa: D205  # click prints the whole text as one paragraph
    context.obj = {**context.obj, **given, "settings": roboflow_settings(given)}


def client(options: Mapping[str, Any]) -> Roboflow:
    """The client that the group's options describe."""
    settings: RoboflowSettings = options["settings"]
    find = Finder()
    return Roboflow(settings, lambda: roboflow_key(roboflow_secret(options, find), settings.key_in))


def staged_ref(batch_id: str, expected: int | None, shards: int | None) -> str:
    """What stands for a batch and what was sent into it; see `visionbatch.roboflow.ready.ready_ref`.

    :raises ConfigError: for a number of shards without one of items.
    """
    if shards is not None and expected is None:
        raise ConfigError("--shards tells nothing without --expected")
    return ready_ref(batch_id, expected, shards)
