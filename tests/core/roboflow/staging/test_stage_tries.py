"""What a later try does with what the tries before it left, judged by what the service took."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.runs import Died, MemoryStore
from visionbatch.errors import Unreachable
from visionbatch.model.ranges import ranges_of
from visionbatch.model.run import RunRecord
from visionbatch.model.secret import SecretUrl
from visionbatch.pipelines.stage_notes import NOTE

PUT, SIGN = "roboflow.files.put", "roboflow.shards.sign"


class MortalStore(MemoryStore):
    """A store whose process is dead for good from some save on, until the next one is begun."""

    def __init__(
        self,
        *,
        dies: Callable[[dict[str, Any]], Any] = lambda _: False,
        refuses: Callable[[dict[str, Any]], Any] = lambda _: False,
    ) -> None:
        super().__init__()
        self._dies: Callable[[dict[str, Any]], Any] | None = dies
        self._refuses = refuses
        self._dead = False
        self.refused = 0

    def load(self) -> RunRecord | None:
        self._dies = None if self._dead else self._dies
        self._dead = False
        return super().load()

    def save(self, record: RunRecord) -> None:
        note = record.notes.get(NOTE, {})
        self._dead = self._dead or bool(self._dies is not None and self._dies(note))
        if self._dead:
            raise Died
        if not self.refused and self._refuses(note):
            self.refused += 1
            raise Unreachable("the store is away for a moment")
        super().save(record)


@pytest.mark.parametrize(("first", "second"), [(40, 900), (900, 40), (900, 0), (0, 900)])
def test_another_receiver_of_events_does_not_move_the_cuts(
    workspace: Any, photos: Callable[..., Path], first: int, second: int
) -> None:
    def settings(length: int) -> dict[str, Any]:
        url = SecretUrl(f"http://127.0.0.1:9/{'r' * length}") if length else None
        return {"kind": "shards", "parallel": 1, "shard_bytes": 22_000, "notifications_url": url}

    workspace.inside = True
    place = photos(60)
    store = MortalStore(dies=lambda note: len(ranges_of(note.get("done", ""))) > 3)
    with pytest.raises(Died):
        workspace.run(store, **settings(first)).images(place, "moved")

    manifest = workspace.run(store, **settings(second)).images(place, "moved")

    assert manifest.parts > 4
    assert workspace.indexed() == {"ok": 60, "rejected": 0}
    assert workspace.names("moved") == [f"{number:04}.jpg" for number in range(60)]


def test_a_note_that_could_not_be_saved_lets_no_neighbour_leave(workspace: Any, photos: Callable[..., Path]) -> None:
    place, store = photos(40), MortalStore(refuses=lambda note: note.get("doubt"), dies=lambda note: note.get("done"))
    with pytest.raises(Died):
        workspace.run(store, images_per_shard=10, kind="shards", parallel=2).images(place, "noted")
    assert store.refused
    assert workspace.effects("shard_stored")

    workspace.run(store, images_per_shard=10, parallel=2).images(place, "noted")

    assert workspace.indexed() == {"ok": 40, "rejected": 0}
