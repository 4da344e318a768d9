"""What a disk says when it is full."""

from __future__ import annotations

import errno

from visionbatch.config import MIB

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Numbers of errors that mean that there is no room: on the disk, for its user, or for the process."""

RESERVE_BYTES = 16 * MIB
"""Room on the disk that is left to others: what would take it is refused before it is written."""
