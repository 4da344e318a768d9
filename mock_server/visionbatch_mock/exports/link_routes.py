"""`GET /exports/{token}`: the temporary link of an export's mail, for whoever has it and nobody else.

The vendor's page gives neither host nor life nor form of these links. Here they are plain downloads,
with ranges and an ETag, that take no credential.
"""

from flask import Blueprint, Response

from visionbatch_mock.answers import text_answer
from visionbatch_mock.exchange import current, operation
from visionbatch_mock.exports.links import Link
from visionbatch_mock.faults import Fault, Outlook
from visionbatch_mock.operations import Operation
from visionbatch_mock.storage.disturbing import disturb
from visionbatch_mock.storage.downloads import content, outlook_of
from visionbatch_mock.storage.objects import StoredObject

bp = Blueprint("export_links", __name__)


def _outlook(link: str) -> Outlook:
    found = current().tenant.exports.link(link)
    return outlook_of(_file(found))


@bp.get("/exports/<link>")
@operation(Operation.EXPORTS_LINK, _outlook)
def get(link: str) -> Response:
    """The file, or a part of it."""
    exchange = current()
    tenant = exchange.tenant
    found = tenant.exports.link(link)
    if found is None:
        return text_answer("No such link.", 404)
    if exchange.met is not None and exchange.met.fault is Fault.EXPIRE_LINK:
        tenant.exports.expire(link)
    if tenant.clock.now() >= found.expires:
        return text_answer("This link has expired.", tenant.behaviour.export_expired_link_status)
    disturb(found.bucket, found.name)
    stored = _file(found)
    return text_answer("The file is gone.", 404) if stored is None else content(stored)


def _file(link: Link | None) -> StoredObject | None:
    return None if link is None else current().tenant.objects.get(link.bucket, link.name)
