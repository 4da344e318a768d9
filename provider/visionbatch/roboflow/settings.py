"""Settings of one Roboflow workspace; whatever the vendor's documents leave open is here and not in the code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from visionbatch.config import AllowedHosts
from visionbatch.errors import ConfigError
from visionbatch.roboflow.ids import require_workspace

STORES = (
    "storage.googleapis.com",
    "*.storage.googleapis.com",
    "*.amazonaws.com",
    "*.blob.core.windows.net",
)
"""Where signed addresses may lead. The vendor publishes no hosts; these are the object stores that its own client
presigns for, and its web pages show Google's."""

REGIONS = {"us": "https://api.roboflow.com", "eu": "https://api.roboflow.eu"}
"""Hosts of the two regions (the vendor's client, ``ROBOFLOW_REGION``)."""


class KeyIn(StrEnum):
    """Where the API key travels."""

    HEADER = "header"
    """``Authorization: Bearer``, which the vendor's pages prefer and which keeps the key out of addresses."""
    QUERY = "query"
    """``api_key`` in the query, which the vendor's batch client does."""


class ShardWord(StrEnum):
    """What a shard's status means."""

    PENDING = "pending"
    FAILED = "failed"
    READY = "ready"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class RoboflowSettings:
    """How to talk to Roboflow.

    :param base_url: of the region, see `roboflow_url`.
    :param workspace: its slug; asked for once, by the key, when empty.
    :param key_in: ``header`` or ``query``, see `KeyIn`. Should staging answer 401 to a good key, it is ``query`` that
        helps: only for that place is the header not documented.
    :param upload_hosts: hosts to which shards and videos may be sent, see `visionbatch.config.AllowedHosts`.
    :param download_hosts: hosts from which results may be fetched.
    :param allow_plain_http: accept a ``base_url`` with http beyond loopback.
    :param allow_inside: let a webhook lead inside a network, and by plain http, as a mock server needs it.
    :param staging_path: of Data Staging, with ``{workspace}``.
    :param processing_path: of Batch Processing, with ``{workspace}``.
    :param page_size: entries of a page of a list; 100 is the most that is documented for jobs.
    :param status_aliases: further words of ``statusType``, which is not published, for shards, stages and tasks:
        ``{"done": "ready"}``. Meanings are those of `ShardWord`.
    :param credit_words: a 429 with one of these in its text, in any case, is about credits and not about speed.
    :param console_url: page for people, with ``{workspace}`` and ``{job_id}`` if it has them.
    """

    base_url: str = REGIONS["us"]
    workspace: str = ""
    key_in: str = KeyIn.HEADER.value
    upload_hosts: tuple[str, ...] = STORES
    download_hosts: tuple[str, ...] = STORES
    allow_plain_http: bool = False
    allow_inside: bool = False
    staging_path: str = "/data-staging/v1/external/{workspace}"
    processing_path: str = "/batch-processing/v1/external/{workspace}"
    page_size: int = 100
    status_aliases: Mapping[str, str] = field(default_factory=dict)
    credit_words: tuple[str, ...] = ("credit",)
    console_url: str = "https://app.roboflow.com/{workspace}"

    def __post_init__(self) -> None:
        for name in ("upload_hosts", "download_hosts", "credit_words"):
            if isinstance(getattr(self, name), str):
                raise ConfigError(f"{name} is a list, not one string")
            object.__setattr__(self, name, tuple(getattr(self, name)))
        AllowedHosts(self.upload_hosts)
        AllowedHosts(self.download_hosts)
        if self.key_in not in tuple(KeyIn):
            raise ConfigError(f"key_in is {[word.value for word in KeyIn]}, not {self.key_in!r}")
        if self.workspace:
            require_workspace(self.workspace)
        if not 1 <= self.page_size <= 1000:
            raise ConfigError(f"page_size is {self.page_size}: it must be 1 to 1000")
        for name in ("staging_path", "processing_path"):
            if "{workspace}" not in getattr(self, name):
                raise ConfigError(f"{name} must contain {{workspace}}")
        self._require_meanings()

    def _require_meanings(self) -> None:
        for word, meaning in self.status_aliases.items():
            if meaning not in tuple(ShardWord):
                raise ConfigError(f"status_aliases: {word!r} is one of {[m.value for m in ShardWord]}, not {meaning!r}")


def roboflow_url(region: str = "us") -> str:
    """The base URL of a region.

    :raises ConfigError: for a region that the vendor does not have.
    """
    if region not in REGIONS:
        raise ConfigError(f"region is one of {sorted(REGIONS)}, not {region!r}")
    return REGIONS[region]
