"""Who may look and who may act, and what browsers are told about every page.

A page has the power of the control interface, so it asks for the same token where the mock was started with one; a
browser keeps a proof of it in a cookie. An action has to come from a page of this very server: any page of the web
could send a form to a mock on the reader's machine. A name with a dot that is no address could be anybody's who lets
it point here, so it opens the pages only where a token is asked for as well.
"""

import hashlib
import hmac
import ipaddress
import secrets
from urllib.parse import urlsplit

from flask import Response, current_app, request

from visionbatch_mock.exchange import world

COOKIE = "visionbatch_mock_control"
EXTENSION = "visionbatch_mock_dashboard_salt"

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # With "no-referrer" browsers send forms of this page with the origin "null".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def guarded(response: Response) -> Response:
    """The answer with what keeps other pages out."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def is_strange_host() -> bool:
    """Whether the name in `Host` could be somebody else's."""
    if world().config.control_token is not None:
        return False
    host = urlsplit(f"//{request.host}").hostname or ""
    if "." not in host or host.endswith(".localhost"):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


def is_from_elsewhere() -> bool:
    """Whether an action was begun by a page of another origin, or by something that does not say.

    Browsers name the origin of every form that they post; scripts have the control interface.
    """
    told = request.headers.get("Origin") or request.headers.get("Referer", "")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = urlsplit(told)
    return site != "same-origin" or (origin.scheme, origin.netloc) != (request.scheme, request.host)


def is_known() -> bool:
    """Whether this reader has shown the control token, in its header or in the cookie of an earlier visit."""
    wanted = world().config.control_token
    if wanted is None:
        return True
    shown = request.headers.get("X-Control-Token", "")
    kept = request.cookies.get(COOKIE, "")
    return _same(shown, wanted) or _same(kept, proof(wanted))


def is_right(token: str) -> bool:
    """Whether this is the control token."""
    wanted = world().config.control_token
    return wanted is not None and _same(token, wanted)


def proof(token: str) -> str:
    """What a cookie holds instead of the token; worth nothing to another run of the mock."""
    salt = current_app.extensions.setdefault(EXTENSION, secrets.token_bytes(16))
    return hmac.new(salt, token.encode(), hashlib.sha256).hexdigest()


def remember(response: Response, token: str) -> Response:
    """The answer with the cookie."""
    response.set_cookie(COOKIE, proof(token), httponly=True, samesite="Strict", secure=request.is_secure)
    return response


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
