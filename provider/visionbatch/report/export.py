"""From a folder of tables to the files that are sent around."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from visionbatch.errors import ConfigError
from visionbatch.io.sinks import LocalSink

if TYPE_CHECKING:
    from visionbatch.report.figures import Figures

THUMBNAILS = 24
"""Pictures on a page that was given a folder of images: four rows of six, which people still look through."""

_NEEDED = {"jinja2": "jinja2", "pyarrow": "pyarrow"}
_NEEDED_BY_PNG = {"pymupdf_fonts": "pymupdf-fonts", "resvg_py": "resvg-py"}
_NEEDED_BY_IMAGES = {"PIL": "pillow"}


def export_report(
    tables: Path,
    out: Path,
    *,
    png: Path | None = None,
    images: Path | None = None,
    title: str = "Field quality report",
    timezone: str = "UTC",
    thumbnails: int = THUMBNAILS,
    generated_at: datetime | None = None,
) -> Figures:
    """Write the report of a data export and give its figures.

    The page is one HTML file that loads nothing and runs nothing; the picture is its first screen. Both are written
    whole or not at all. The same tables with the same ``generated_at`` give the same bytes. Memory does not grow with
    the export.

    :param tables: folder of the five Parquet tables.
    :param out: the HTML file.
    :param png: the picture, when one is wanted.
    :param images: folder of the export's images, named ``{input id}{extension}``; the page then shows the latest
        that failed or that people corrected.
    :param timezone: IANA name of the timezone whose clocks part the days.
    :param thumbnails: how many of them at most; together they take 3 MiB at most.
    :param generated_at: the time that the page says it was made at, with a timezone; now without.
    :raises ConfigError: when a package of the extra ``report`` is not installed, or for an unknown timezone.
    :raises InputMissing: when a table or the folder of images is not there.
    :raises UnreadableTables: when a table is damaged or lacks a column.
    """
    _require(_NEEDED | (_NEEDED_BY_PNG if png else {}) | (_NEEDED_BY_IMAGES if images else {}))
    if generated_at is not None and generated_at.tzinfo is None:
        raise ConfigError("generated_at has no timezone")
    # The packages of the extra are looked for above, so that a missing one is told by name.
    from visionbatch.report.counting import figures_from  # noqa: PLC0415
    from visionbatch.report.page import page  # noqa: PLC0415
    from visionbatch.report.tables import Tables  # noqa: PLC0415
    from visionbatch.report.thumbnails import thumbnails as small_copies  # noqa: PLC0415

    made_at = generated_at or datetime.now(UTC)
    figures = figures_from(Tables(tables, timezone), shots=thumbnails if images else 0)
    shown = None if images is None else small_copies(images, figures.shots)
    html = page(figures, title=title, generated_at=made_at, thumbnails=shown)
    if png is not None:
        from visionbatch.report.picture import picture  # noqa: PLC0415

        LocalSink(png.parent).write(png.name, picture(figures, title=title, generated_at=made_at))
    LocalSink(out.parent).write(out.name, html.encode())
    return figures


def _require(packages: dict[str, str]) -> None:
    missing = sorted(name for module, name in packages.items() if find_spec(module) is None)
    if missing:
        raise ConfigError(
            f"a report needs {', '.join(missing)}, which is not installed",
            next_step="Install visionbatch[report].",
        )
