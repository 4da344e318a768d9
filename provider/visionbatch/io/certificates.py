"""How the stores' own libraries are held to our trust: a refused certificate ends it at once.

By themselves they take it for a broken line and try again, Google's for two minutes, and Google's know nothing of
``SSL_CERT_FILE``.
"""

from __future__ import annotations

from typing import Any

from visionbatch.io.control import certificate_refused


def google_session(credentials: Any) -> Any:
    """What Google's libraries send with, for objects and for tokens."""
    from google.auth.transport.requests import AuthorizedSession  # noqa: PLC0415  # extra gcs

    session = AuthorizedSession(credentials, auth_request=google_transport())  # type: ignore[no-untyped-call]  # Google's has no annotations
    return _trusting(session)


def google_transport() -> Any:
    """What google-auth renews a token with."""
    import requests  # noqa: PLC0415  # of a bucket that may never be asked
    from google.auth.transport.requests import Request as Transport  # noqa: PLC0415  # extra gcs

    return Transport(_trusting(requests.Session()))


def fail_closed(client: Any) -> Any:
    """A client of boto3 that does not try again when a certificate was refused."""

    def look(request_dict: Any, caught_exception: BaseException | None = None, **_: Any) -> None:
        refused = caught_exception and certificate_refused(
            caught_exception, request_dict["method"], request_dict["url"]
        )
        if refused:
            raise refused

    # Before the library's own handler, which would pause.
    client.meta.events.register_first("needs-retry.*", look)
    return client


def _trusting(session: Any) -> Any:
    from visionbatch.io.adapters import OnOurTerms  # noqa: PLC0415  # it loads requests

    session.mount("https://", OnOurTerms())
    return session
