"""Mails of the e-mail connector, and the temporary links in them."""

from dataclasses import dataclass, field
from typing import Any

from visionbatch_mock.clock import iso


@dataclass(slots=True)
class Link:
    """A file that whoever knows the token may fetch until `expires` (epoch seconds)."""

    token: str = field(repr=False)
    bucket: str
    name: str
    expires: float

    @property
    def path(self) -> str:
        """The link without scheme and host, which are those that the reader uses."""
        return f"/exports/{self.token}"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that a run of an export sent."""

    export_id: str
    run: int
    to: tuple[str, ...]
    subject: str
    sent: float
    link: Link

    def as_json(self, base_url: str) -> dict[str, Any]:
        """The mail as its receivers see it, with the absolute link."""
        return {
            "export_id": self.export_id,
            "run": self.run,
            "to": list(self.to),
            "subject": self.subject,
            "sent": iso(self.sent),
            "link": f"{base_url}{self.link.path}",
            "expires": iso(self.link.expires),
        }
