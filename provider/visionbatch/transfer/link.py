"""What a temporary link leads to: fetched without any credential, for the link is one itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from visionbatch.config import AllowedHosts, DownloadSettings
from visionbatch.errors import DownloadError, LinkExpired, ServiceError
from visionbatch.io.closing import Closable
from visionbatch.io.ranged import Part, Ranges
from visionbatch.io.wire import WireLimits

GONE = frozenset({401, 403, 404, 410})
"""How stores answer a link whose time is over; 400 is Google's for a signature that is cut."""

LINK_HOSTS = ("storage.googleapis.com", "*.storage.googleapis.com")
"""Where a link may lead by default. The vendor's page does not name a host; its exports lie in Google's storage."""


class Link(Closable):
    """A link as a `visionbatch.transfer.remote.RemoteObject`; use as a context manager.

    :param url: such as the one in an export's mail.
    :param hosts: where it may lead, see `visionbatch.config.AllowedHosts`.
    :param renew: gives a fresh link to the same, where there is such a way.
    :param label: what to call it in messages.
    :param ranges: connections to share with others, which stay their owner's to close.
    :raises UnsafeUrl: when it leads elsewhere.
    """

    size: int | None = None
    version: str = ""
    crc32c: int | None = None
    md5: bytes | None = None

    def __init__(
        self,
        url: str,
        *,
        hosts: tuple[str, ...] = LINK_HOSTS,
        renew: Callable[[], str] | None = None,
        settings: DownloadSettings | None = None,
        label: str = "",
        ranges: Ranges | None = None,
    ) -> None:
        self._admit = AllowedHosts(hosts).admit
        self._url = self._admit(url)
        self._renew = renew
        self._label = label
        self._shared = ranges is not None
        self._ranges = ranges or Ranges(WireLimits.of(settings or DownloadSettings()))

    @property
    def name(self) -> str:
        """Its label, or host and a short hash, for the rest of the URL is its credential."""
        return self._label or f"the link {self._url}"

    def close(self) -> None:
        """Close the connections."""
        if not self._shared:
            self._ranges.close()

    @contextmanager
    def fetch(self, start: int, stop: int | None, version: str) -> Iterator[Part]:
        """See `visionbatch.transfer.remote.RemoteObject.fetch`."""
        # With If-Range a changed thing comes whole, and is not taken for a part of the old one.
        condition = {"If-Range": version} if version and (start or stop is not None) else {}
        headers = {"Accept-Encoding": "identity", **condition}
        try:
            with self._ranges.part(self._url, headers, start, stop, name=self.name) as part:
                yield part
        except ServiceError as error:
            if error.status not in GONE:
                raise
            raise LinkExpired(f"{self.name} is not valid any more (answer {error.status})") from error

    def renewed(self, after: DownloadError) -> Link:
        """See `visionbatch.transfer.remote.RemoteObject.renewed`."""
        if not isinstance(after, LinkExpired):
            return self
        if self._renew is None:
            raise after
        self._url = self._admit(self._renew())
        return self
