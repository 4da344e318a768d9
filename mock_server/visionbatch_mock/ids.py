"""Identifiers from one seeded source, so that a run can be repeated."""

import random
import threading
import uuid


class IdSource:
    """Version 4 UUIDs and tokens, reproducible from a seed."""

    def __init__(self, seed: int | None, owner: str) -> None:
        self._lock = threading.Lock()
        # Each owner counts for itself, so that its ids do not depend on who else uses the mock.
        start = None if seed is None else f"{seed}/{owner}"
        self._random = random.Random(start)  # noqa: S311 - ids of a mock must be repeatable, not secret

    def uuid(self) -> str:
        """A version 4 UUID, the form that the official client asserts for batches."""
        with self._lock:
            return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def token(self) -> str:
        """64 hexadecimal digits: the secret part of a session URL."""
        with self._lock:
            return f"{self._random.getrandbits(256):064x}"
