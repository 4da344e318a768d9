"""Names that are the same for everybody: buckets that belong to a tenant, and links that were mailed.

A bucket's name is global at Google, and a mailed link carries no credential: both say by themselves
whose they are. Buckets that no tenant has claimed are apart for each token, so that tests which use
the same name do not meet.
"""

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from visionbatch_mock.tenant import Tenant


class NameTaken(RuntimeError):
    """A bucket that belongs to another tenant."""


class Names:
    """Who owns a bucket or a link."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: dict[str, Tenant] = {}
        self._links: dict[str, Tenant] = {}

    def claim_bucket(self, tenant: "Tenant", name: str) -> None:
        """Make the bucket the tenant's for every caller; raises `NameTaken`."""
        with self._lock:
            if self._buckets.setdefault(name, tenant) is not tenant:
                raise NameTaken(f"the bucket {name} belongs to another customer; names of buckets are global")

    def claim_link(self, tenant: "Tenant", token: str) -> None:
        """Note whose mail a link was in, or whose an issued token is."""
        with self._lock:
            self._links[token] = tenant

    def owner(self, *, bucket: str | None = None, link: str | None = None) -> "Tenant | None":
        """Whose the bucket or the link is, if anybody's."""
        with self._lock:
            return self._links.get(link or "") or self._buckets.get(bucket or "")

    def is_link(self, text: str) -> bool:
        """Whether that is somebody's link or token."""
        return text in self._links

    def of(self, tenant: "Tenant") -> tuple[list[str], list[str]]:
        """The buckets and the links of a tenant."""
        with self._lock:
            buckets = [name for name, whose in self._buckets.items() if whose is tenant]
            return buckets, [name for name, whose in self._links.items() if whose is tenant]

    def put(self, tenant: "Tenant", names: tuple[list[str], list[str]]) -> None:
        """Claim again what `of` gave; raises `NameTaken`."""
        for bucket in names[0]:
            self.claim_bucket(tenant, bucket)
        for link in names[1]:
            self.claim_link(tenant, link)

    def release(self, tenants: "list[Tenant]") -> None:
        """Forget what belongs to these tenants."""
        with self._lock:
            self._buckets = {name: whose for name, whose in self._buckets.items() if whose not in tenants}
            self._links = {name: whose for name, whose in self._links.items() if whose not in tenants}
