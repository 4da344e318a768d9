"""Paths and methods below `/v2/` that VIAS does not publish, such as the batch task that nobody can get."""

from flask import Blueprint, Response

from visionbatch_mock.vias.errors import no_such_api

bp = Blueprint("vias_unpublished", __name__)


@bp.route("/v2/<path:_rest>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
def nothing(_rest: str) -> Response:
    """The gateway's refusal; it says the same of a wrong path and of a wrong method."""
    raise no_such_api()
