"""Whose history a page shows: customers go by a short name, because a key is a secret."""

from dataclasses import dataclass

from flask import abort, g, request

from visionbatch_mock.exchange import world
from visionbatch_mock.tenant import Tenant
from visionbatch_mock.text import short
from visionbatch_mock.world import ANONYMOUS


def name_of(tenant: Tenant) -> str:
    """What a page calls a customer."""
    return ANONYMOUS if tenant.token == ANONYMOUS else f"key-{short(tenant.token)}"


@dataclass(frozen=True, slots=True)
class Choice:
    """One customer of the list: its name, how many requests it sent, and whether it is shown now."""

    name: str
    requests: int
    chosen: bool


def picked() -> Tenant | None:
    """The customer of `?tenant=` or of the form; without either the one who sent a request last.

    None when the mock has none yet: a page does not make any. A name that nobody has is a 404.
    """
    wanted = request.values.get("tenant")
    tenants = world().tenants()
    if wanted is None:
        return _inside(max(tenants, key=_last_request)) if tenants else None
    found = next((tenant for tenant in tenants if name_of(tenant) == wanted), None)
    return _inside(found or abort(404, f"No customer is called {wanted}. It may have been another run of the mock."))


def required() -> Tenant:
    """The same where there has to be one; else a 404."""
    return picked() or abort(404, "The mock has no customer yet.")


def choices(chosen: Tenant | None) -> list[Choice]:
    """Everybody, oldest first."""
    return [Choice(name_of(each), len(each.journal.entries()), each is chosen) for each in world().tenants()]


def _inside(tenant: Tenant) -> Tenant:
    """The customer, whose moments wait until this request is over, as for all others; `exchange` leaves its gate."""
    if "gate" not in g:
        tenant.gate.enter()
        g.gate = tenant.gate
    return tenant


def _last_request(tenant: Tenant) -> tuple[bool, float]:
    entries = tenant.journal.entries()
    return bool(entries), entries[-1].at if entries else tenant.clock.now()
