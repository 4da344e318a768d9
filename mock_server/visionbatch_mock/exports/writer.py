"""One run of an export, put down object by object."""

import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from visionbatch_mock.clock import iso
from visionbatch_mock.exports.configuration import Connector, ExportConfiguration
from visionbatch_mock.exports.content import Seeds, SiteContent
from visionbatch_mock.exports.layout import Span, file_name, image_name
from visionbatch_mock.exports.lines import file_of, packed
from visionbatch_mock.exports.records import DEFAULT_EXTENSION, Image
from visionbatch_mock.pictures import picture
from visionbatch_mock.storage.description import Description

if TYPE_CHECKING:
    from visionbatch_mock.tenant import Tenant

VENDOR_BUCKET = "data-export-files"
"""Where files lie that are mailed as a link; any name does, no client sees it."""


class RunState(StrEnum):
    """How a run stands."""

    WRITING = "writing"
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True)
class Deposit:
    """One object to come. `input_id` is that of an image, None for a file of records."""

    bucket: str
    name: str
    blocks: Callable[[], Iterable[bytes]]
    description: Description
    input_id: str | None = None
    lines: int = 0

    def counted(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The lines, counted as they go by."""
        for line in lines:
            self.lines += 1
            yield line


@dataclass(slots=True)
class Run:
    """One run: its interval, what it has put down, and what is still to come."""

    number: int
    span: Span
    state: RunState = RunState.WRITING
    error: str | None = None
    files: list[dict[str, Any]] = field(default_factory=list)
    images: int = 0
    waiting: deque[tuple[float, Deposit]] = field(default_factory=deque)
    seeds: Seeds = field(default_factory=Seeds)

    def as_json(self) -> dict[str, Any]:
        """The run as the control endpoint shows it."""
        return {
            "run": self.number,
            "interval": [iso(self.span.start), iso(self.span.stop)],
            "state": self.state.value,
            "error": self.error,
            "files": self.files,
            "images": self.images,
            "waiting": len(self.waiting),
        }


def deposits(tenant: "Tenant", told: ExportConfiguration, run: Run, found: list[SiteContent]) -> list[Deposit]:
    """Everything that the run puts down, in its order."""
    plan = _Plan(tenant, told, run)
    if told.connector_type is Connector.EMAIL:
        return [plan.mailed(found)]
    files = [each for content in found for each in plan.files(content)]
    images = [each for content in found for each in plan.images(content)] if told.export_images else []
    return images + files if tenant.behaviour.export_images_first else files + images


class _Plan:
    """Makes deposits; a class only because every step shares the same three things."""

    def __init__(self, tenant: "Tenant", told: ExportConfiguration, run: Run) -> None:
        self._behaviour = tenant.behaviour
        self._told = told
        self._run = run

    def mailed(self, found: list[SiteContent]) -> Deposit:
        """One file for all sites."""
        site = found[0].site_id if len(found) == 1 else "sites"
        return self._file(VENDOR_BUCKET, self._name(site, 1, parts=False), _Lines(found), None, found[0])

    def files(self, content: SiteContent) -> Iterator[Deposit]:
        """The site's file, or its files when their length is limited. They have to be written in this order."""
        most, lines = self._behaviour.export_records_per_file, _Lines([content])
        empty = next(content.lines(), None) is None
        if empty and not self._behaviour.export_empty_file:
            return
        count = 1 if most is None or empty else -(-sum(1 for _ in content.lines()) // most)
        for part in range(1, count + 1):
            name = self._told.prefix + self._name(content.site_id, part, parts=most is not None)
            yield self._file(self._told.bucket, name, lines, most, content)

    def images(self, site: SiteContent) -> Iterator[Deposit]:
        """The site's images, some left out and some that no record names, by the settings."""
        yield from map(self._image, islice(site.images(), self._behaviour.export_withheld_images, None))
        for number in range(self._behaviour.export_stray_images):
            stray = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{site.site_id} {self._run.number} {number}"))
            content = partial(picture, stray, DEFAULT_EXTENSION)
            yield self._image(Image(site.site_id, stray, DEFAULT_EXTENSION, content))

    def _name(self, site: str, part: int, *, parts: bool) -> str:
        return file_name(
            self._behaviour.export_layout,
            self._run.span,
            site_id=site,
            export_type=self._told.export_type,
            run=self._run.number,
            part=part,
            parts=parts,
        )

    def _file(self, bucket: str, name: str, lines: "_Lines", most: int | None, content: SiteContent) -> Deposit:
        gzip = self._behaviour.export_gzip
        description = Description(self._behaviour.export_content_type, "gzip" if gzip else None)
        deposit = Deposit(bucket, name, tuple, description)
        deposit.blocks = partial(_written, deposit, lines, most, content, gzip=gzip)
        return deposit

    def _image(self, image: Image) -> Deposit:
        template = self._behaviour.export_image_layout
        name = image_name(template, image.site_id, image.input_id, image.extension)
        kind = Description("image/png" if image.extension == ".png" else "image/jpeg")
        return Deposit(self._told.bucket, self._told.prefix + name, partial(_whole, image), kind, image.input_id)


class _Lines:
    """The lines of sites over all of their files. After a restart it goes on where it stood, by counting."""

    def __init__(self, found: list[SiteContent]) -> None:
        self._found = found
        self._taken = 0
        self._running: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._running is None:
            every = (line for content in self._found for line in content.lines())
            self._running = islice(every, self._taken, None)
        line = next(self._running)
        self._taken += 1
        return line

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_running": None}


def _written(deposit: Deposit, lines: _Lines, most: int | None, content: SiteContent, *, gzip: bool) -> Iterable[bytes]:
    plain = file_of(deposit.counted(islice(lines, most)), content.seeds.oddities)
    return packed(plain) if gzip else plain


def _whole(image: Image) -> list[bytes]:
    return [image.content()]
