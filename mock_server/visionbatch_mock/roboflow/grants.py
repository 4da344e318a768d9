"""Signed URLs: who holds one may do one thing to one file until it expires."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from visionbatch_mock.answers import SIGNED_PATH
from visionbatch_mock.ids import IdSource
from visionbatch_mock.roboflow.files import StagedFile
from visionbatch_mock.storage.objects import StoredObject

if TYPE_CHECKING:
    from visionbatch_mock.tenant import Tenant

SIGNATURE = "X-Mock-Signature"


@dataclass(slots=True)
class Grant:
    """What a signed URL permits: to read `file`, or to write one that `receive` is handed.

    `headers` have to come with a write, with these values. Expires at an epoch second.
    """

    token: str = field(repr=False)
    signature: str = field(repr=False)
    expires: float
    file: StagedFile | None = None
    receive: Callable[[StoredObject], None] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """The one that was signed."""
        return "GET" if self.receive is None else "PUT"

    def url(self, base_url: str) -> str:
        """The absolute URL; nothing in it tells the file's name, as on the real service."""
        return f"{base_url}{SIGNED_PATH}{self.token}?{SIGNATURE}={self.signature}"


class Grants:
    """All signed URLs of one tenant."""

    def __init__(self, tenant: "Tenant", ids: IdSource) -> None:
        self._tenant = tenant
        self._ids = ids
        self._grants: dict[str, Grant] = {}

    def read(self, file: StagedFile, until: float) -> Grant:
        """A URL that reads a file, at most until its batch expires."""
        life = self._tenant.behaviour.roboflow_download_life_s
        return self._add(Grant(*self._secrets(), min(until, self._tenant.clock.now() + life), file))

    def write(self, receive: Callable[[StoredObject], None]) -> Grant:
        """A URL that takes one file."""
        told = self._tenant.behaviour
        expires = self._tenant.clock.now() + told.roboflow_upload_life_s
        return self._add(Grant(*self._secrets(), expires, None, receive, told.roboflow_extension_headers))

    def get(self, token: str) -> Grant | None:
        """The grant of that token, expired or not."""
        return self._grants.get(token)

    def expire(self, method: str | None = None) -> int:
        """End the life of all URLs, or of those of one method; returns how many lived."""
        now = self._tenant.clock.now()
        alive = [each for each in self._grants.values() if each.expires > now and method in {None, each.method}]
        for each in alive:
            each.expires = now
        return len(alive)

    def _secrets(self) -> tuple[str, str]:
        return self._ids.token(), self._ids.token()

    def _add(self, grant: Grant) -> Grant:
        self._grants[grant.token] = grant
        self._tenant.names.claim_link(self._tenant, grant.token)
        return grant
