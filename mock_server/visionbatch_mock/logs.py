"""What the command writes to standard error: one line per event, whatever a client put into it."""

import logging
import sys
import traceback
from types import TracebackType

from visionbatch_mock.text import printable

LOGGER = "visionbatch_mock"
ACCESS = "visionbatch_mock.access"
CONTINUED = "  | "
"""What every further line of an event begins with, so that it cannot pass for an event of its own."""


class OneLine(logging.Formatter):
    """Time, level and message in one line; a traceback follows it, marked line by line."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line, with everything in it that does not print escaped."""
        record.message = printable(record.message)
        return super().formatMessage(record)

    def formatException(  # noqa: N802 - logging's name
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        """The traceback, whose messages may quote a client too."""
        lines = "".join(traceback.format_exception(ei[1])).splitlines()
        return "\n".join(f"{CONTINUED}{printable(line)}" for line in lines)


def to_standard_error(*, access: bool) -> None:
    """Write the mock's log there from now on; with `access`, a line for each request too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    logger = logging.getLogger(LOGGER)
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logging.getLogger(ACCESS).setLevel(logging.INFO if access else logging.WARNING)
