"""The command that makes tables of a data export."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from visionbatch.cli.answers import answer
from visionbatch.model.policy import OnBrokenLine
from visionbatch.pipelines.export_manifest import read_manifest
from visionbatch.pipelines.export_settings import MAX_LINE_BYTES
from visionbatch.pipelines.export_tables import export_tables


@click.command("tables")
@click.argument("sources", nargs=-1, required=True, type=Path)
@click.option("--out", type=Path, required=True, help="Folder for the tables.")
@click.option(
    "--on-broken-line",
    type=click.Choice([policy.value for policy in OnBrokenLine]),
    default="quarantine",
    show_default=True,
)
@click.option("--assume-utc", is_flag=True, help="Take a time without an offset for UTC.")
@click.option("--max-line-bytes", type=int, default=MAX_LINE_BYTES, show_default=True, help="A longer line is broken.")
@click.option("--processes", type=int, default=1, show_default=True, help="How many read lines.")
@click.pass_obj
def tables(
    options: Mapping[str, Any],
    *,
    sources: tuple[Path, ...],
    out: Path,
    on_broken_line: str,
    assume_utc: bool,
    max_line_bytes: int,
    processes: int,
) -> None:
    """Make tables of JSON Lines files, given from old to new, or of a folder that `fetch` has filled."""
    files = [file for source in sources for file in _data_files(source)]
    made = export_tables(
        files,
        out,
        on_broken_line=on_broken_line,
        assume_utc=assume_utc,
        max_line_bytes=max_line_bytes,
        processes=processes,
    )
    counts = ", ".join(f"{count} {name}" for name, count in made.rows.items())
    answer(options, made.to_json(), f"{counts} in {out}")


def _data_files(source: Path) -> list[Path]:
    if not source.is_dir():
        return [source]
    return [source / file.path for file in read_manifest(source).data_files]
