"""`--state`: a folder in which a mock finds at its next start what it knew at the last.

```
DIR/lock      held while a mock runs on the folder
DIR/world     everything but bytes: tenants, clocks, sessions, batches, plans, journals, ledgers
DIR/files/    bytes of uploads, half-finished ones included
DIR/tls/      what --tls made up
```

`world` is written at the stop and, while there is something new, every second in which no request is being
served. After a kill the bytes on disk say how far each open session got, as they do at the real service.
"""

import fcntl
import logging
import os
import threading
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

from visionbatch_mock import frozen
from visionbatch_mock.world import World

log = logging.getLogger(__name__)

SAVE_EVERY_S = 1.0
"""Ours: what a kill may cost of everything but bytes."""

REST_S = 0.05
"""Ours: how long new requests may be kept waiting until those that are being served have ended."""

STOP_S = 10.0


class StateUnusable(RuntimeError):
    """A folder that cannot be used for state; the message says why, and what to do."""


class State:
    """The folder of one running mock."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, making it if need be; raises `StateUnusable`."""
        self.folder = folder
        self.files = folder / "files"
        self._world: World | None = None
        self._saved = -1
        self._keeper: threading.Thread | None = None
        self._saving = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.files.mkdir(exist_ok=True)
            self._lock = self._locked()
        except OSError as cause:
            raise StateUnusable(f"the state folder {folder} cannot be used: {cause.strerror or cause}") from cause

    def _locked(self) -> IO[Any]:
        found = self.folder.stat()
        if found.st_uid != os.getuid() or found.st_mode & 0o022:
            # What is read back from here is run, in the end.
            raise StateUnusable(f"others may write to the state folder {self.folder}; make it yours alone (chmod 700)")
        lock = (self.folder / "lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise StateUnusable(f"another mock runs on the state folder {self.folder}") from None
        return lock

    def load(self, world: World) -> None:
        """Put what the folder holds into the world, and keep it there from now on."""
        path = self.folder / "world"
        if path.exists():
            self._read(world, path.read_bytes())
        self._world = world
        self._keeper = threading.Thread(target=self._keep, name="visionbatch-mock-state", daemon=True)
        self._keeper.start()

    def _read(self, world: World, data: bytes) -> None:
        written, _, body = data.partition(b"\n")
        if written != _stamp():
            told = written[:80].decode("ascii", "replace")
            raise StateUnusable(f"{self.folder} was written by {told!r} and this is {_stamp().decode()!r}; remove it")
        try:
            part, needed = frozen.thaw(world, body)
            world.put(part)
        except Exception as cause:
            raise StateUnusable(f"the state in {self.folder} is damaged ({cause}); remove it") from cause
        for path in set(self.files.iterdir()) - needed:
            path.unlink()
        for session in world.sessions():
            session.recover()

    def _keep(self) -> None:
        world = self._world
        while world and not world.stopping.wait(SAVE_EVERY_S):
            if world.gate.passed != self._saved:
                try:
                    self.save(REST_S)
                except Exception:
                    log.exception("the state is not saved")

    def save(self, wait_s: float = STOP_S) -> bool:
        """Write the world down, unless requests are still being served after `wait_s`.

        Raises `PicklingError` when something in the world cannot be written down, `OSError` when the disk fails.
        """
        world = self._world
        if world is None:
            return False
        # Whoever saves by hand may meet the keeper, and both would write the same file.
        with self._saving:
            return self._save(world, wait_s)

    def _save(self, world: World, wait_s: float) -> bool:
        with world.gate.closed(wait_s) as at_rest:
            if not at_rest:
                return False
            passed, data = world.gate.passed, frozen.freeze(world, world.part())
        fresh = self.folder / "world.new"
        with fresh.open("wb") as file:
            file.write(_stamp() + b"\n" + data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.folder / "world")
        self._saved = passed
        return True

    def close(self) -> None:
        """Save for the last time, once no request is being served any more, and let the folder go."""
        if self._lock.closed:
            # The folder may be another's by now.
            return
        if self._keeper is not None:
            self._keeper.join()
            self.save()
        self._lock.close()


def _stamp() -> bytes:
    try:
        release = version("visionbatch")
    except PackageNotFoundError:
        release = "unknown"
    return f"visionbatch-mock {release} state 1".encode()
