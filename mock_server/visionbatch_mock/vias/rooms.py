"""Blueprints below `/v2/{project_id}`."""

from typing import Any

from flask import Blueprint

from visionbatch_mock.exchange import current
from visionbatch_mock.vias.book import ViasBook


def room(name: str, below: str = "") -> Blueprint:
    """A blueprint whose routes do not hear of the project: the gateway has compared it with the caller's."""
    bp = Blueprint(name, __name__, url_prefix=f"/v2/<project_id>{below}")

    @bp.url_value_preprocessor
    def forget(_: str | None, values: dict[str, Any] | None) -> None:
        if values is not None:
            values.pop("project_id", None)

    return bp


def settled() -> ViasBook:
    """The caller's book, with everything in it that has become due."""
    book = current().tenant.vias
    book.settle()
    return book
