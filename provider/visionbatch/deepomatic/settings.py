"""Settings of one Deepomatic site; whatever the vendor's documents leave open is here and not in the code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from visionbatch.config import AllowedHosts
from visionbatch.errors import ConfigError

UPLOAD_HOSTS = ("storage.googleapis.com", "*.storage.googleapis.com")
"""Where Deepomatic's upload sessions live: its own client calls the URL one of Google's storage."""

REGIONS = {
    "eu": "https://api.{site}.customers.deepomatic.com",
    "us1": "https://api.{site}.customers.us1.deepomatic.com",
}
"""Host patterns of the public API pages. The batch page alone writes ``customer`` in the singular: give ``base_url``
where that is right."""


@dataclass(frozen=True)
class DeepomaticSettings:
    """How to talk to a site.

    :param base_url: such as ``https://api.<site>.customers.deepomatic.com``.
    :param upload_hosts: hosts to which an archive may be sent, see `visionbatch.config.AllowedHosts`.
    :param allow_plain_http: accept a ``base_url`` with http beyond loopback.
    :param batches_path: collection of batches.
    :param batch_path: one batch, with ``{batch_id}``; asked for its status and its upload URL.
    :param errors_path: the error report, with ``{batch_id}``; not documented, so a 404 or 405 means "none by this way".
        ``off`` does not even ask.
    :param console_url: page for people, with ``{batch_id}`` if it has one.
    :param status_aliases: further status words, to a phase: ``{"in_review": "running"}``.
    """

    base_url: str
    upload_hosts: tuple[str, ...] = UPLOAD_HOSTS
    allow_plain_http: bool = False
    batches_path: str = "/v0.2/batches"
    batch_path: str = "/v0.2/batches/{batch_id}"
    errors_path: str = "/v0.2/batches/{batch_id}/errors"
    console_url: str = "https://studio.deepomatic.com"
    status_aliases: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.upload_hosts, str):
            raise ConfigError("upload_hosts is a list of hosts, not one string")
        object.__setattr__(self, "upload_hosts", tuple(self.upload_hosts))
        AllowedHosts(self.upload_hosts)
        for name in ("batch_path", "errors_path"):
            if "{batch_id}" not in getattr(self, name) and (name, getattr(self, name)) != ("errors_path", "off"):
                raise ConfigError(f"{name} must contain {{batch_id}}")


def site_url(site: str, region: str = "eu") -> str:
    """The base URL of a site by the pattern of its region.

    :param site: the label from the platform's credentials page; opaque, not the site's UUID.
    :raises ConfigError: for a region that the vendor's pages do not name.
    """
    if region not in REGIONS:
        raise ConfigError(f"region is one of {sorted(REGIONS)}, not {region!r}")
    return REGIONS[region].format(site=site)
