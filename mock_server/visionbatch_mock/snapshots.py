"""Moments of a tenant that can be come back to.

A moment is the tenant as bytes, by `frozen`, and a copy of every file that may still grow. Going back gives
each unfinished upload a file of its own again, so that a later moment keeps the bytes that it needs.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visionbatch_mock import frozen

if TYPE_CHECKING:
    from visionbatch_mock.tenant import Tenant
    from visionbatch_mock.world import World

REST_S = 5.0
"""Ours: how long a moment waits for other requests of the tenant to end."""


class NotAtRest(RuntimeError):
    """Requests of the tenant are being served, so there is no moment to take or to go back to."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment: what the tenant knew, and copies of its unfinished uploads by the session's id."""

    id: str
    at: float
    data: bytes
    files: dict[str, Path]

    def as_json(self) -> dict[str, Any]:
        """What the control endpoint shows."""
        return {"id": self.id, "at": self.at}


class Snapshots:
    """The moments of one tenant, oldest first; they go with its reset."""

    def __init__(self, tenant: "Tenant") -> None:
        self._tenant = tenant
        self._kept: dict[str, Snapshot] = {}
        self._count = 0

    def all(self) -> list[Snapshot]:
        """Every moment that was taken."""
        return list(self._kept.values())

    def get(self, snapshot_id: str) -> Snapshot | None:
        """The moment of that id."""
        return self._kept.get(snapshot_id)

    def take(self, world: "World", *, inside: int = 0) -> Snapshot:
        """The present moment; `inside` counts the requests that ask for it. Raises `NotAtRest`."""
        with _at_rest(self._tenant, inside):
            self._count += 1
            name = f"snapshot-{self._count}"
            files = {
                session.id: session.copy_file(world.directory / f"{name}-{session.id}")
                for session in world.sessions(self._tenant)
                if session.unfinished
            }
            data = frozen.freeze(world, world.part_of(self._tenant), self._tenant)
            self._kept[name] = Snapshot(name, self._tenant.clock.now(), data, files)
            return self._kept[name]

    def restore(self, world: "World", snapshot: Snapshot, *, inside: int = 0) -> None:
        """Let the tenant know again what it knew then, and nothing since. Raises `NotAtRest`."""
        with _at_rest(self._tenant, inside):
            known, _ = frozen.thaw(world, snapshot.data, self._tenant)
            world.put_part(self._tenant, known)
            for session in world.sessions(self._tenant):
                if session.unfinished:
                    session.take_file(snapshot.files[session.id], self._tenant.new_path())

    def remove(self, snapshot: Snapshot) -> None:
        """Forget a moment, and its copies."""
        self._kept.pop(snapshot.id, None)
        for path in snapshot.files.values():
            path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget every moment."""
        for snapshot in self.all():
            self.remove(snapshot)


@contextmanager
def _at_rest(tenant: "Tenant", inside: int) -> Iterator[None]:
    with tenant.gate.closed(REST_S, inside) as at_rest:
        if not at_rest:
            raise NotAtRest(f"other requests of this tenant have been served for {REST_S:g} seconds; try again")
        yield


def copied(source: Path, target: Path) -> Path:
    """A copy of a file that need not exist, as that of an upload without a byte."""
    if source.exists():
        shutil.copyfile(source, target)
    else:
        target.touch()
    return target
