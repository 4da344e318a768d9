"""The list of requests that a tenant sent, and how each was answered."""

import threading
from typing import Any, NamedTuple


class JournalEntry(NamedTuple):
    """One request, without secrets.

    Of credentials there is only a flag, and of the query the keys, with values in `arguments` where these
    cannot be secrets.
    `status` is None while the request is being served and stays None when the mock hung up instead
    of answering; `received` counts the body bytes that arrived; `matched` is false for one without a route.
    It is a tuple because each request makes three of them, and a frozen dataclass takes four times as long to copy.
    """

    seq: int
    at: float
    method: str
    path: str
    operation: str | None = None
    query: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    content_range: str | None = None
    content_length: int | None = None
    content_type: str | None = None
    received: int = 0
    authorization: bool = False
    user_agent: str | None = None
    fault: str | None = None
    status: int | None = None
    range: str | None = None
    matched: bool = True

    def as_json(self) -> dict[str, Any]:
        """The entry as one flat object."""
        return self._asdict()


class Journal:
    """Requests in order of arrival. An entry appears at once and is completed by its answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[JournalEntry] = []

    def open(self, at: float, method: str, path: str, **facts: Any) -> int:
        """Note a request on arrival; returns its sequence number, from 1."""
        with self._lock:
            seq = len(self._entries) + 1
            self._entries.append(JournalEntry(seq, at, method, path, **facts))
            return seq

    def complete(self, seq: int, **facts: Any) -> None:
        """Add what became known later about the request `seq`."""
        with self._lock:
            # A reset may have emptied the list while this request was being served.
            if seq <= len(self._entries):
                self._entries[seq - 1] = self._entries[seq - 1]._replace(**facts)

    def entries(self, operation: str | None = None) -> list[JournalEntry]:
        """All requests so far, or those of one operation."""
        with self._lock:
            found = list(self._entries)
        return [entry for entry in found if operation in {None, entry.operation}]
