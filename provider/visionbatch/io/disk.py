"""What a disk says when it is full."""

from __future__ import annotations

import errno

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Numbers of errors that mean that there is no room: on the disk, for its user, or for the process."""
