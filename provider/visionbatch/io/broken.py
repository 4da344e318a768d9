"""What a broken exchange means, in the words of our own errors."""

from __future__ import annotations

import ssl

from visionbatch.errors import TimedOut, TlsRefused, TransportError, Unreachable


def translated(error: Exception, host: str, *, maybe_received: bool) -> TransportError:
    """An error of the socket or of ``http.client``, as one of ours; it names the host and nothing else of the URL."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return TlsRefused(f"{host}: the certificate was refused ({error.verify_message})", maybe_received=False)
    if isinstance(error, TimeoutError):
        return TimedOut(f"{host}: no progress in time", maybe_received=maybe_received)
    kind = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return Unreachable(f"{host}: no connection, or it broke ({kind})", maybe_received=maybe_received)
