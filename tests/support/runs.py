"""Running a batch from folder to manifest, with a store that lives and dies with the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from visionbatch import Deepomatic, DeepomaticRun, Manifest, Policies, RunRecord, Submitted


class MemoryStore:
    """A run's record, written as JSON and read back, as a real store would."""

    def __init__(self) -> None:
        self.saves: list[dict[str, Any]] = []

    def load(self) -> RunRecord | None:
        return RunRecord.from_json(self.saves[-1]) if self.saves else None

    def save(self, record: RunRecord) -> None:
        self.saves.append(record.to_json())

    def clear(self) -> None:
        self.saves.clear()


class Died(BaseException):
    """The process is no more: nothing may catch this."""


class DyingStore(MemoryStore):
    """Ends the process at one save, before or after it took hold; the record outlives it."""

    def __init__(self, at_save: int, *, taken: bool) -> None:
        super().__init__()
        self._left: int | None = at_save
        self._taken = taken

    def save(self, record: RunRecord) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self._left = None
                if self._taken:
                    super().save(record)
                raise Died
        super().save(record)


def submit(
    client: Deepomatic,
    place: Path,
    store: MemoryStore | None = None,
    *,
    policies: Policies | None = None,
    progress: Callable[[int, int], None] | None = None,
    cleared: bool = False,
) -> Submitted:
    run = DeepomaticRun(client, store or MemoryStore(), policies, progress=progress)
    with client.check(place) as checked:
        return run.submit(checked, label="orders", cleared=cleared)


def run_through(
    client: Deepomatic,
    place: Path,
    store: MemoryStore | None = None,
    *,
    policies: Policies | None = None,
    deadline: float | None = None,
    **options: Any,
) -> Manifest:
    """Submit, wait and conclude."""
    store = store or MemoryStore()
    submitted = submit(client, place, store, policies=policies, **options)
    run = DeepomaticRun(client, store, policies)
    return run.conclude(submitted, lambda: client.wait(submitted.batch_id, deadline=deadline))
