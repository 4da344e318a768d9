"""What the vendor's pages leave open about the data export, as settings of a tenant."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from string import Formatter
from types import MappingProxyType
from typing import Any

from visionbatch_mock.readers import SettingError, amount, choice, choices, flag, positive, seconds, text
from visionbatch_mock.storage.permissions import EXPORT_WRITER, Permission

FILE_FIELDS = frozenset(
    {"site_id", "export_type", "date", "yyyy", "mm", "dd", "interval_start", "interval_end", "run", "part"}
)
IMAGE_FIELDS = frozenset({"site_id", "input_id", "file_extension"})


class Extension(StrEnum):
    """How a record writes `file_extension`, which the vendor names but does not describe."""

    DOT = "dot"
    BARE = "bare"
    ABSENT = "absent"


@dataclass(frozen=True, kw_only=True)
class ExportBehaviour:
    """How the vendor exports for one tenant. Every default is an assumption but the permissions."""

    export_account: str = "customer-mock-data-export@deepomatic-160015.iam.gserviceaccount.com"
    """The vendor's service account; a caller with this bearer token has its permissions."""
    writer_permissions: tuple[Permission, ...] = EXPORT_WRITER
    """What that account holds; a run needs all four that the vendor's page asks for."""
    export_layout: str = "{site_id}/{export_type}/{date}/{export_type}_{interval_start}_{interval_end}_{run}.jsonl"
    """Name of a file of records below the prefix. The vendor cannot overwrite, hence `{run}`."""
    export_image_layout: str = "{site_id}/images/{input_id}{file_extension}"
    export_content_type: str = "application/x-ndjson"
    export_records_per_file: int | None = None
    """None puts a site's records of a run into one file; else `{part}`, or `-1` and so on before the dot."""
    export_spread_s: float = 0.0
    """Time between two objects of one run; so long a listing shows a part of the set."""
    export_images_first: bool = True
    export_empty_file: bool = True
    """Write a file for an interval without changes."""
    export_gzip: bool = False
    """Store files of records packed, with `contentEncoding: gzip`."""
    export_progress_max: float = 1.0
    """The score of a finished work order: 1 here, while the REST API says 100."""
    export_file_extension: Extension = Extension.DOT
    export_withheld_images: int = 0
    """So many images of a run that its records name are not written."""
    export_stray_images: int = 0
    """So many images of a run are written that no record names."""
    export_link_life_s: float = 7 * 24 * 3600.0
    export_expired_link_status: int = 403
    """Answer to a temporary link after its life."""


def _template(known: frozenset[str]) -> Any:
    def read(name: str, value: Any) -> str:
        try:
            used = {key for _, key, _, _ in Formatter().parse(text(name, value)) if key is not None}
        except ValueError as cause:
            raise SettingError(f"{name}: {value!r} is no template: {cause}") from cause
        if not used <= known:
            raise SettingError(f"{name}: unknown fields {sorted(used - known)}; known are {sorted(known)}")
        return str(value)

    return read


def _count(name: str, value: Any) -> int:
    return 0 if value == 0 and not isinstance(value, bool) else positive(name, value)


def _refusal(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 400 <= value <= 499:
        raise SettingError(f"{name}: expected a status from 400 to 499, got {value!r}")
    return value


READERS: Mapping[str, Any] = MappingProxyType(
    {
        "export_account": text,
        "writer_permissions": lambda n, v: choices(Permission, n, v),
        "export_layout": _template(FILE_FIELDS),
        "export_image_layout": _template(IMAGE_FIELDS),
        "export_content_type": text,
        "export_records_per_file": lambda n, v: None if v is None else positive(n, v),
        "export_spread_s": seconds,
        "export_images_first": flag,
        "export_empty_file": flag,
        "export_gzip": flag,
        "export_progress_max": amount,
        "export_file_extension": lambda n, v: choice(Extension, n, v),
        "export_withheld_images": _count,
        "export_stray_images": _count,
        "export_link_life_s": seconds,
        "export_expired_link_status": _refusal,
    }
)
