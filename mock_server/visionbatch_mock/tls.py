"""HTTPS for the mock: a certificate of the caller's, or one made up on the spot."""

import ssl
from pathlib import Path

AUTHORITY, OWN = "ca.pem", "server.pem"


def from_files(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """A context with a certificate chain; `key` may be in the same file. Raises `OSError` (`SSLError` is one)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def made_up(host: str, folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A context for loopback and `host`, and the authority's certificate, which clients have to trust.

    Both are kept in `folder`, so that a restart there is trusted by the same clients. Raises
    `ModuleNotFoundError` without the package trustme.
    """
    import trustme  # noqa: PLC0415 - heavy, and only wanted with --tls

    folder.mkdir(parents=True, exist_ok=True)
    authority, own = folder / AUTHORITY, folder / OWN
    if not own.exists():
        issuer = trustme.CA(organization_name="visionbatch-mock, not a real service")
        issued = issuer.issue_cert(*dict.fromkeys(("localhost", "127.0.0.1", "::1", host)))
        issuer.cert_pem.write_to_path(str(authority))
        own.touch(mode=0o600)
        issued.private_key_and_cert_chain_pem.write_to_path(str(own))
    return from_files(own, None), authority
