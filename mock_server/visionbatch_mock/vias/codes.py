"""Codes of VIAS's errors, by Huawei's table; the ones that the mock has a use for."""

from enum import StrEnum


class Code(StrEnum):
    """Codes of VIAS, as printed; the number of digits differs and means nothing."""

    INVALID = "VIAS.00010001"
    NO_OBJECT = "VIAS.00010002"
    EXISTS = "VIAS.00010003"
    BAD_FORMAT = "VIAS.00010004"
    INTERNAL = "VIAS.00010006"
    NO_TASK = "VIAS.00010007"
    NO_ID = "VIAS.00010008"
    SOURCE_EXISTS = "VIAS.00010010"
    TASK_EXISTS = "VIAS.00010011"
    NOT_ALLOWED = "VIAS.00010012"
    SOURCE_QUOTA = "VIAS.0010047"
    TASK_QUOTA = "VIAS.0010048"
    POOL_QUOTA = "VIAS.00010050"

    @property
    def status(self) -> int:
        """The status that the code comes with."""
        return 500 if self in {Code.INTERNAL, Code.NOT_ALLOWED} else 400
