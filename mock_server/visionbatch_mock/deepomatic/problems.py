"""Errors of a batch: the codes, and the record that the error report lists."""

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """One code for each rule of the archive format. The vendor publishes no list; these are ours."""

    INVALID_ARCHIVE = "invalid_archive"
    EMPTY_ARCHIVE = "empty_archive"
    UNEXPECTED_ENTRY = "unexpected_entry"
    INVALID_WORK_ORDER_NAME = "invalid_work_order_name"
    DUPLICATE_WORK_ORDER = "duplicate_work_order"
    NO_IMAGE = "no_image"
    UNSUPPORTED_EXTENSION = "unsupported_extension"
    UNREADABLE_IMAGE = "unreadable_image"
    IMAGE_TOO_LARGE = "image_too_large"
    UNKNOWN_TASK_GROUP = "unknown_task_group"
    INVALID_JSON = "invalid_json"
    MISSING_METADATA = "missing_metadata"
    INVALID_METADATA_TYPE = "invalid_metadata_type"
    MISSING_PARAMETERS = "missing_parameters"
    ANALYSIS_FAILED = "analysis_failed"

    @property
    def stops_work_order(self) -> bool:
        """Whether the work order cannot be analysed at all; else only one file is left out."""
        return self in _STOPPING


_STOPPING = frozenset(
    {
        Code.INVALID_WORK_ORDER_NAME,
        Code.DUPLICATE_WORK_ORDER,
        Code.NO_IMAGE,
        Code.INVALID_JSON,
        Code.MISSING_METADATA,
        Code.INVALID_METADATA_TYPE,
        Code.MISSING_PARAMETERS,
        Code.ANALYSIS_FAILED,
    }
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One line of the error report; without `work_order` it concerns the archive itself."""

    code: Code
    message: str
    work_order: str | None = None
    file: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """The record as the report writes it."""
        return {
            "work_order": self.work_order,
            "file": self.file,
            "code": self.code.value,
            "message": self.message,
            "level": "error",
        }
