"""Whose a request to VIAS or IAM is, told before anything else is known of it.

The access key, the name of the IAM user and the tenant's token are one word; an IAM token leads back to
the tenant that got it.
"""

import io
import json
from typing import TYPE_CHECKING, Any

from flask import request

from visionbatch_mock.vias.signature import ALGORITHM, Credential

if TYPE_CHECKING:
    from visionbatch_mock.tenant import Tenant
    from visionbatch_mock.world import World

AUTH_TOKEN = "X-Auth-Token"  # noqa: S105 - a header, no password
NAME_LENGTH = 128
"""Ours: no token that IAM issues is as short."""

SMALL_BYTES = 64 * 1024
"""Ours: a request for a token is smaller."""

PREFIXES = ("/v2/", "/v3/")


def is_huaweis(path: str) -> bool:
    """Whether VIAS or IAM answers at that path."""
    return path.startswith(PREFIXES) or path == "/v3"


def tenant_of(world: "World") -> "Tenant | None":
    """The tenant whose key, token or name the request carries; None when it carries none."""
    if not is_huaweis(request.path):
        return None
    header = request.headers.get("Authorization", "")
    if signed(header):
        credential = Credential.of(header)
        return world.tenant(credential.access_key) if credential else None
    text = request.headers.get(AUTH_TOKEN)
    if text is not None:
        # A short text is a name, for accounts whose tokens are not checked.
        return world.names.owner(link=text) or (world.tenant(text) if len(text) <= NAME_LENGTH else None)
    name = _user_named() if request.path == "/v3/auth/tokens" else None
    return world.tenant(name) if name else None


def signed(header: str) -> bool:
    """Whether an `Authorization` header is of the SDK's kind, well formed or not."""
    return header.startswith(ALGORITHM)


def _user_named() -> str | None:
    """The user in the body of a request for a token, which is then put back for the route to read."""
    if not 0 < (request.content_length or 0) <= SMALL_BYTES:
        return None
    raw = request.environ["wsgi.input"].read(request.content_length)
    request.environ["wsgi.input"] = io.BytesIO(raw)
    try:
        return user_name(json.loads(raw))
    except ValueError:
        return None


def user_name(told: Any) -> str | None:
    """The name or id of the user whose password a token is asked with."""
    found = told
    for key in ("auth", "identity", "password", "user"):
        found = found.get(key) if isinstance(found, dict) else None
    name = (found.get("name") or found.get("id")) if isinstance(found, dict) else None
    return name if isinstance(name, str) and name else None
