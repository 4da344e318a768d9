"""Pages from templates: everything that they print is escaped, and a name that nobody gave is an error."""

import time
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Response, request
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from visionbatch_mock.answers import status_line
from visionbatch_mock.dashboard.picking import choices, name_of
from visionbatch_mock.dashboard.wording import FILTERS
from visionbatch_mock.exchange import world
from visionbatch_mock.tenant import Tenant

PREFIX = "/_dashboard"
_HERE = Path(__file__).parent


def page(name: str, tenant: Tenant | None, status: int = 200, **values: Any) -> Response:
    """A page about a customer, as an answer."""
    own = name_of(tenant) if tenant else None

    def at(path: str, **query: object) -> str:
        told = {"tenant": own, **query} if own else query
        return f"{PREFIX}{path}" + (f"?{urlencode(told)}" if told else "")

    text = (
        _environment()
        .get_template(f"{name}.html.j2")
        .render(
            at=at,
            tenant=own,
            choices=choices(tenant),
            clock=tenant.clock.as_json() if tenant else None,
            now=tenant.clock.now() if tenant else time.time(),
            unmet=sum(1 for plan in tenant.faults.all() if not plan.completed) if tenant else 0,
            here=request.full_path.rstrip("?"),
            guarded=world().config.control_token is not None,
            section=name,
            **values,
        )
    )
    return Response(text, status_line(status), content_type="text/html; charset=utf-8")


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(FILTERS)
    return made
