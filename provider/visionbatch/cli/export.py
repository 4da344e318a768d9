"""``visionbatch deepomatic export``: a data export on its way from the bucket to tables and a report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from visionbatch.cli.answers import answer
from visionbatch.cli.export_fetch import COMMANDS
from visionbatch.cli.export_tables import tables as tables_command
from visionbatch.report.export import THUMBNAILS, export_report


@click.group()
def export() -> None:
    """Data exports: the vendor's JSON Lines and images."""


for command in (*COMMANDS, tables_command):
    export.add_command(command)


@export.command()
@click.argument("tables", type=Path)
@click.option("--out", type=Path, required=True, help="HTML file to write.")
@click.option("--png", type=Path, help="Picture to write as well.")
@click.option("--images", type=Path, help="Folder of the export's images, to show those that failed.")
@click.option(
    "--thumbnails", type=click.IntRange(min=0), default=THUMBNAILS, show_default=True, help="How many at most."
)
@click.option("--title", default="Field quality report", show_default=True, help="Heading of the report.")
@click.option("--timezone", default="UTC", show_default=True, help="Timezone whose clocks part the days.")
@click.pass_obj
def report(
    options: Mapping[str, Any],
    *,
    tables: Path,
    out: Path,
    png: Path | None,
    images: Path | None,
    thumbnails: int,
    title: str,
    timezone: str,
) -> None:
    """Make a page, and a picture, from a folder of tables."""
    figures = export_report(tables, out, png=png, images=images, thumbnails=thumbnails, title=title, timezone=timezone)
    written = [str(path) for path in (out, png) if path is not None]
    told = {"written": written, "figures": figures.summary()}
    answer(options, told, f"{figures.total.work_orders} work orders: {' and '.join(written)} written")
