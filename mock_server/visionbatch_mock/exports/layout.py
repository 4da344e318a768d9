"""Names of the objects that an export writes, from the templates of the settings."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Span:
    """The interval that a run covers, epoch seconds. Both ends belong to it: twice is better than never."""

    start: float
    stop: float

    def __contains__(self, moment: float) -> bool:
        return self.start <= moment <= self.stop


def file_name(template: str, span: Span, *, site_id: str, export_type: str, run: int, part: int, parts: bool) -> str:
    """The name of a file of records; `parts` says that a run may have several for one site."""
    start, stop = (datetime.fromtimestamp(moment, UTC) for moment in (span.start, span.stop))
    name = template.format(
        site_id=site_id,
        export_type=export_type,
        date=stop.strftime("%Y-%m-%d"),
        yyyy=stop.strftime("%Y"),
        mm=stop.strftime("%m"),
        dd=stop.strftime("%d"),
        interval_start=start.strftime(STAMP),
        interval_end=stop.strftime(STAMP),
        run=f"{run:04}",
        part=part,
    )
    if not parts or "{part}" in template:
        return name
    path = PurePosixPath(name)
    return str(path.with_name(f"{path.stem}-{part}{path.suffix}"))


def image_name(template: str, site_id: str, input_id: str, extension: str) -> str:
    """The name of an image; `extension` has its dot."""
    return template.format(site_id=site_id, input_id=input_id, file_extension=extension)
