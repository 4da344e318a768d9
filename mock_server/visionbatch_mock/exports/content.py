"""What one run of an export says of one site: the lines of its file, and the images beside it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

from visionbatch_mock.exports.configuration import ExportConfiguration, ExportType
from visionbatch_mock.exports.layout import Span
from visionbatch_mock.exports.lines import line_of
from visionbatch_mock.exports.oddities import Oddity
from visionbatch_mock.exports.records import DEFAULT_EXTENSION, Image, Record, images_of, of_type, record_of
from visionbatch_mock.exports.seeds import Generator
from visionbatch_mock.pictures import picture
from visionbatch_mock.readers import SettingError

if TYPE_CHECKING:
    from visionbatch_mock.tenant import Tenant


@dataclass(frozen=True)
class Seeds:
    """What a test adds to a run: records and lines as they are given, and generated records."""

    records: Sequence[Record] = ()
    lines: Sequence[str] = ()
    generators: Sequence[Generator] = ()

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """`{"records": [..], "lines": [..], "generate": {..}}`, each optional; raises `SettingError`."""
        if unknown := sorted(set(told) - {"records", "lines", "generate"}):
            raise SettingError(f"unknown seeds {unknown}; known are ['generate', 'lines', 'records']")
        records, lines, generate = told.get("records", []), told.get("lines", []), told.get("generate")
        if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
            raise SettingError("records: expected a list of objects; anything else goes into lines")
        if not isinstance(lines, list) or not all(isinstance(each, str) for each in lines):
            raise SettingError("lines: expected a list of texts")
        if generate is not None and not isinstance(generate, Mapping):
            raise SettingError("generate: expected an object")
        return cls(tuple(records), tuple(lines), () if generate is None else (Generator.of(generate),))

    def __add__(self, more: "Seeds") -> "Seeds":
        return Seeds((*self.records, *more.records), (*self.lines, *more.lines), (*self.generators, *more.generators))

    @property
    def oddities(self) -> frozenset[Oddity]:
        """Those of the generators."""
        return frozenset(chain.from_iterable(each.oddities for each in self.generators))


@dataclass(frozen=True)
class SiteContent:
    """Lines and images of a site; both can be gone through again and again."""

    site_id: str
    export_type: ExportType
    of_orders: Sequence[bytes] = ()
    images_of_orders: Sequence[Image] = ()
    seeds: Seeds = field(default_factory=Seeds)

    def lines(self) -> Iterator[bytes]:
        """Processed work orders, given records, generated ones, given lines."""
        yield from self.of_orders
        # A given record goes out as it is given, odd parts and all.
        yield from (line_of(record) for record in self.seeds.records)
        yield from (line_of(of_type(record, self.export_type)) for record in self._generated())
        yield from (line.encode("utf-8", "surrogatepass") for line in self.seeds.lines)

    def images(self) -> Iterator[Image]:
        """One image for each input, of those that were photos for real the photo itself."""
        yield from self.images_of_orders
        seen = {image.input_id for image in self.images_of_orders}
        generated = (of_type(record, self.export_type) for record in self._generated())
        for image in chain.from_iterable(map(self._images, chain(self.seeds.records, generated))):
            if image.input_id not in seen:
                seen.add(image.input_id)
                yield image

    def _generated(self) -> Iterator[Record]:
        return chain.from_iterable(each.records(self.site_id) for each in self.seeds.generators)

    def _images(self, record: Record) -> Iterator[Image]:
        for item in _objects(record.get("work_items")):
            for each in _objects(item.get("input")):
                if isinstance(each.get("id"), str):
                    extension = _extension(each.get("file_extension"))
                    yield Image(self.site_id, each["id"], extension, partial(picture, each["id"], extension))


def contents(tenant: "Tenant", told: ExportConfiguration, span: Span, seeds: Seeds) -> list[SiteContent]:
    """What a run says of each site: seeds go to all of them, work orders to the tenant's own."""
    own = tenant.work_orders.site_id
    return [
        SiteContent(site, told.export_type, *_processed(tenant, told, span, site == own), seeds)
        for site in told.site_id or (own,)
    ]


def _processed(
    tenant: "Tenant", told: ExportConfiguration, span: Span, own: bool
) -> tuple[tuple[bytes, ...], tuple[Image, ...]]:
    """Lines of the work orders that changed in the interval, and images that were analysed in it."""
    store = tenant.work_orders
    with store.lock:
        orders = store.named(None) if own else []
        changed = [order for order in orders if order.updated in span]
        records = [record_of(order, store.site_id, tenant.behaviour) for order in changed]
        images = [image for order in orders for at, image in images_of(order, store.site_id) if at in span]
        return tuple(line_of(of_type(record, told.export_type)) for record in records), tuple(images)


def _objects(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _extension(value: object) -> str:
    return f".{value.removeprefix('.').lower()}" if isinstance(value, str) and value else DEFAULT_EXTENSION
