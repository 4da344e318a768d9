"""What exports have put down: files, photos, and mails with their links masked."""

from dataclasses import dataclass
from typing import Any

from flask import Response

from visionbatch_mock.exports.book import Export
from visionbatch_mock.exports.configuration import Connector
from visionbatch_mock.exports.links import Mail
from visionbatch_mock.storage.objects import NoSuchBucket
from visionbatch_mock.tenant import Tenant

MOST_PICTURES = 48
MOST_BYTES = 20 * 1024 * 1024
"""Ours: photos on a page, and the largest that is shown."""

_MAGIC = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}
_PHOTOS = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True, slots=True)
class Shelf:
    """An export with its runs, newest first, and the names of its photos."""

    id: str
    told: dict[str, Any]
    next_run: str | None
    runs: list[dict[str, Any]]
    bucket: str | None
    photos: list[str]
    photo_count: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail; `number` is its place in the book, from 0."""

    number: int
    mail: Mail
    expired: bool


def exports(tenant: Tenant) -> list[Shelf]:
    """Every export, newest first."""
    tenant.settle()
    return [_shelf(tenant, each) for each in reversed(tenant.exports.all())]


def mails(tenant: Tenant) -> list[Letter]:
    """Every mail, newest first."""
    now = tenant.clock.now()
    return [Letter(number, mail, mail.link.expires <= now) for number, mail in enumerate(tenant.exports.mails)][::-1]


def picture(tenant: Tenant, bucket: str, name: str) -> Response | None:
    """A photo by what its bytes say that it is; None for all else, which a browser might take for a page."""
    try:
        stored = tenant.objects.get(bucket, name)
    except NoSuchBucket:
        return None
    if stored is None or stored.size > MOST_BYTES:
        return None
    data = stored.path.read_bytes()
    kind = next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), None)
    return Response(data, content_type=kind) if kind else None


def _shelf(tenant: Tenant, export: Export) -> Shelf:
    shown = export.as_json()
    stored = export.told.connector_type is Connector.CLOUD_STORAGE
    bucket = export.told.bucket if stored else None
    photos = _photos(tenant, bucket, export.told.prefix) if bucket else []
    runs = shown["runs"][::-1]
    return Shelf(export.id, shown, shown["next_run"], runs, bucket, photos[:MOST_PICTURES], len(photos))


def _photos(tenant: Tenant, bucket: str, prefix: str) -> list[str]:
    try:
        names = [each.name for each in tenant.objects.listing(bucket)]
    except NoSuchBucket:
        return []
    return [name for name in names if name.startswith(prefix) and name.lower().endswith(_PHOTOS)]
