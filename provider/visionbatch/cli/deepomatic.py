"""``visionbatch deepomatic``: work-order batches, and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from visionbatch.cli.deepomatic_batches import BATCH_COMMANDS
from visionbatch.cli.deepomatic_runs import RUN_COMMANDS
from visionbatch.cli.lazy import LazyGroup


@click.group(cls=LazyGroup, elsewhere={"export": "visionbatch.cli.export:export"})
@click.option("--url", help="Base URL of the site.")
@click.option("--site", help="Label of the site, instead of a base URL.")
@click.option("--region", default="eu", show_default=True, help="Region of the site.")
@click.option(
    "--upload-host", "upload_hosts", multiple=True, help="Host that archives may be sent to; Google's storage."
)
@click.option("--api-key-file", type=Path, help="File with the API key; - is stdin.")
@click.pass_context
def deepomatic(context: click.Context, /, **given: Any) -> None:
    """Work-order batches. The API key comes from VISIONBATCH_DEEPOMATIC_API_KEY, or from the file named by
    VISIONBATCH_DEEPOMATIC_API_KEY_FILE.
    """  # noqa: D205  # click prints the whole text as one paragraph
    context.obj = {**context.obj, **given}


for command in (*RUN_COMMANDS, *BATCH_COMMANDS):
    deepomatic.add_command(command)
