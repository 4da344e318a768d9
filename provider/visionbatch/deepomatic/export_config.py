"""The configuration of a data export, by the parameters of the vendor's data export page.

There is no interface to set it: the vendor configures the export with the customer. So the value is checked here,
and printed as the table that is sent to the vendor.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from visionbatch.deepomatic.export_layout import bucket_uri
from visionbatch.errors import ConfigError

VENDOR_PERMISSIONS = (
    "storage.objects.create",
    "storage.objects.list",
    "storage.objects.get",
    "storage.buckets.get",
)
"""What the vendor's service account needs on the bucket (data export page, GCP set-up)."""

OWN_PERMISSIONS = ("storage.objects.list", "storage.objects.get")
"""What the account that fetches needs."""

SERVICE_ACCOUNT = "customer-{customer_name}-data-export@deepomatic-160015.iam.gserviceaccount.com"
"""Form of the vendor's service account (the same page)."""

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_EMAIL = re.compile(r"[^@\s,;<>\"]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_CUSTOMER = re.compile(r"[a-z0-9][a-z0-9-]*")


class ExportType(StrEnum):
    """What a record tells of its inputs."""

    STATES = "work-orders-states"
    """The last input of each work item."""
    TIMELINE = "work-orders-timeline"
    """All of them."""


class FileFormat(StrEnum):
    """There is one, and it means JSON Lines."""

    JSON = "json"


class Interval(StrEnum):
    """How often; the page leaves the list open, so another word can be let through."""

    ONCE = "once"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class ConnectorType(StrEnum):
    """Where it goes. A newer edition names an SFTP connector as well, whose parameters are not documented."""

    EMAIL = "email"
    CLOUD_STORAGE = "cloud_storage"


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """One data export.

    :param site_id: UUIDs of one or more sites.
    :param export_type: see `ExportType`.
    :param file_format: ``json``.
    :param interval: see `Interval`.
    :param connector_type: see `ConnectorType`.
    :param emails: addresses that get a temporary link, for ``email``.
    :param storage_uri: ``gs://bucket[/prefix]``, for ``cloud_storage``.
    :param export_images: copy the images of the interval as well, for ``cloud_storage``.
    :param customer_name: as it stands in the service account that the vendor names; empty while it is not known.
    :param other_interval: let an interval through that is not on the page.
    :raises ConfigError: with the name and the text of every rule that is broken.
    """

    site_id: tuple[str, ...]
    export_type: str = ExportType.TIMELINE
    file_format: str = FileFormat.JSON
    interval: str = Interval.DAILY
    connector_type: str = ConnectorType.CLOUD_STORAGE
    emails: tuple[str, ...] = ()
    storage_uri: str = ""
    export_images: bool = False
    customer_name: str = ""
    other_interval: bool = False

    def __post_init__(self) -> None:
        broken = [f"{rule}: {text}" for rule, text in _broken(self)]
        if broken:
            raise ConfigError("the export's configuration cannot be: " + "; ".join(broken))
        object.__setattr__(self, "site_id", tuple(self.site_id))
        object.__setattr__(self, "emails", tuple(self.emails))

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> ExportConfig:
        """Build from parameters by the names of the page; ``external_storage_uri`` is its other name of one.

        :raises ConfigError: rules ``unknown-parameter`` and ``storage-uri``, and those of the value.
        """
        given = dict(values)
        alias = given.pop("external_storage_uri", None)
        if alias is not None and given.setdefault("storage_uri", alias) != alias:
            raise ConfigError("storage-uri: storage_uri and external_storage_uri are one setting, and differ")
        unknown = sorted(set(given) - {field.name for field in fields(cls)})
        if unknown or "site_id" not in given:
            what = f"{unknown} are not known" if unknown else "site_id is missing"
            raise ConfigError(f"unknown-parameter: {what}; known are {[field.name for field in fields(cls)]}")
        return cls(**given)

    @property
    def service_account(self) -> str:
        """The vendor's account that writes into the bucket."""
        return SERVICE_ACCOUNT.format(customer_name=self.customer_name or "<customer_name>")

    def table(self) -> str:
        """The text to send to the vendor, and what has to be granted before."""
        rows = [("parameter", "value"), *self._rows()]
        width = max(len(name) for name, _ in rows)
        lines = [f"{name.ljust(width)}  {value}" for name, value in rows]
        lines.insert(1, f"{'-' * width}  {'-' * max(len(value) for _, value in rows)}")
        return "\n".join([*lines, *self._grants()]) + "\n"

    def _rows(self) -> list[tuple[str, str]]:
        rows = [
            ("site_id", ", ".join(self.site_id)),
            ("export_type", str(self.export_type)),
            ("file_format", str(self.file_format)),
            ("interval", str(self.interval)),
            ("connector_type", str(self.connector_type)),
        ]
        if self.connector_type == ConnectorType.EMAIL:
            return [*rows, ("emails", ", ".join(self.emails))]
        return [*rows, ("storage_uri", self.storage_uri), ("export_images", str(self.export_images).lower())]

    def _grants(self) -> list[str]:
        if self.connector_type == ConnectorType.EMAIL:
            return []
        bucket, _ = bucket_uri(self.storage_uri)
        vendor = [f"  {permission}" for permission in VENDOR_PERMISSIONS]
        own = [f"  {permission}" for permission in OWN_PERMISSIONS]
        return [
            "",
            f"To be granted on the bucket {bucket} to {self.service_account}:",
            *vendor,
            "",
            "The account that fetches the export needs there:",
            *own,
        ]


def _broken(config: ExportConfig) -> list[tuple[str, str]]:
    """Rule and text of whatever is wrong."""
    found = [*_broken_sites(config.site_id)]
    for rule, kind, value in (
        ("export-type", ExportType, config.export_type),
        ("file-format", FileFormat, config.file_format),
        ("interval", Interval, config.interval),
        ("connector-type", ConnectorType, config.connector_type),
    ):
        let_through = rule == "interval" and config.other_interval and value
        if value not in list(kind) and not let_through:
            found.append((rule, f"{value!r} is not one of {', '.join(kind)}"))
    if not isinstance(config.export_images, bool):
        found.append(("export-images", "is true or false"))
    if config.customer_name and not _CUSTOMER.fullmatch(config.customer_name):
        found.append(("customer-name", f"{config.customer_name!r} cannot be part of a service account"))
    return [*found, *_broken_connector(config)]


def _broken_sites(sites: Any) -> list[tuple[str, str]]:
    if isinstance(sites, str) or not sites:
        return [("site-id", "is a list of at least one UUID")]
    return [("site-id", f"{site!r} is not a UUID") for site in sites if not _UUID.fullmatch(str(site))]


def _broken_connector(config: ExportConfig) -> list[tuple[str, str]]:
    found = []
    if config.connector_type == ConnectorType.EMAIL:
        emails: object = config.emails
        if isinstance(emails, str) or not config.emails:
            found.append(("emails", "is a list of at least one address"))
        else:
            wrong = [address for address in config.emails if not _EMAIL.fullmatch(str(address))]
            found += [("emails", f"{address!r} is not an e-mail address") for address in wrong]
        if config.storage_uri or config.export_images:
            found.append(("connector-type", "storage_uri and export_images belong to cloud_storage, not to email"))
    elif config.connector_type == ConnectorType.CLOUD_STORAGE:
        if config.emails:
            found.append(("connector-type", "emails belong to email, not to cloud_storage"))
        try:
            bucket_uri(str(config.storage_uri))
        except ConfigError as error:
            found.append(("storage-uri", error.what.partition(": ")[2]))
    return found
