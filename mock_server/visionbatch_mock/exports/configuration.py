"""One export as the vendor configures it with the customer, by the vendor's data export page."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from visionbatch_mock.readers import SettingError, choice, flag, names
from visionbatch_mock.text import is_text

_URI = re.compile(r"gs://(?P<bucket>[^/]+)(?:/(?P<prefix>.*?)/?)?")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class ExportType(StrEnum):
    """What a record says of its inputs: all of them, or the last of each work item."""

    TIMELINE = "work-orders-timeline"
    STATES = "work-orders-states"


class Interval(StrEnum):
    """How often an export runs."""

    ONCE = "once"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"

    def after(self, epoch: float) -> float | None:
        """The run that follows one at `epoch`; None after a single one."""
        days = {Interval.DAILY: 1, Interval.WEEKLY: 7}.get(self)
        if days is not None:
            return epoch + days * 86_400
        return _month_later(epoch) if self is Interval.MONTHLY else None


class Connector(StrEnum):
    """Where the files go."""

    EMAIL = "email"
    CLOUD_STORAGE = "cloud_storage"


@dataclass(frozen=True, kw_only=True)
class ExportConfiguration:
    """The parameters by their own names; construction checks them and raises `SettingError`."""

    site_id: tuple[str, ...] = ()
    """Empty stands for the tenant's one site."""
    export_type: ExportType = ExportType.TIMELINE
    file_format: str = "json"
    interval: Interval = Interval.ONCE
    connector_type: Connector = Connector.CLOUD_STORAGE
    storage_uri: str | None = None
    export_images: bool = False
    emails: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        checked = {
            "site_id": names("site_id", self.site_id) or (),
            "export_type": choice(ExportType, "export_type", self.export_type),
            "interval": choice(Interval, "interval", self.interval),
            "connector_type": choice(Connector, "connector_type", self.connector_type),
            "export_images": flag("export_images", self.export_images),
            "emails": names("emails", self.emails) or (),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if self.file_format != "json":
            raise SettingError(f"file_format: {self.file_format!r} is not json, the only one that there is")
        self._check_connector()

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """The configuration that an object writes; `external_storage_uri` is the page's other name."""
        given = dict(told)
        if "external_storage_uri" in given:
            given["storage_uri"] = given.pop("external_storage_uri")
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(given) - known):
            raise SettingError(f"unknown parameters {unknown}; known are {sorted(known)}")
        return cls(**given)

    @property
    def bucket(self) -> str:
        """The customer's bucket."""
        return self._place()["bucket"]

    @property
    def prefix(self) -> str:
        """What every object's name begins with; empty, or with a slash at its end."""
        prefix = self._place()["prefix"]
        return f"{prefix}/" if prefix else ""

    def as_json(self) -> dict[str, Any]:
        """The parameters as they may be told again."""
        shown = {field.name: getattr(self, field.name) for field in fields(self)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in shown.items()}

    def _place(self) -> re.Match[str]:
        found = _URI.fullmatch(self.storage_uri) if is_text(self.storage_uri) else None
        if found is None:
            raise SettingError(f"storage_uri: {self.storage_uri!r} is not gs://bucket or gs://bucket/prefix")
        return found

    def _check_connector(self) -> None:
        if self.connector_type is Connector.CLOUD_STORAGE:
            self._place()
            if self.emails:
                raise SettingError("emails: belong to the email connector")
            return
        if self.storage_uri is not None or self.export_images:
            raise SettingError("storage_uri and export_images belong to the cloud_storage connector")
        if not self.emails or not all(_ADDRESS.fullmatch(each) for each in self.emails):
            raise SettingError(f"emails: expected a list of e-mail addresses, got {self.emails!r}")


def _month_later(epoch: float) -> float:
    """The same day of the next month, or its last when it is shorter."""
    at = datetime.fromtimestamp(epoch, UTC)
    year, month = (at.year + 1, 1) if at.month == 12 else (at.year, at.month + 1)
    for day in range(at.day, 0, -1):
        try:
            return at.replace(year=year, month=month, day=day).timestamp()
        except ValueError:
            continue
    raise AssertionError("every month has a first day")
