"""What a later try does with what the tries before it left, judged by what the service took."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.orders import photo
from support.runs import Died, MemoryStore
from visionbatch.errors import IdTaken, Unreachable, UploadStalled
from visionbatch.model.ranges import ranges_of
from visionbatch.model.run import RunRecord
from visionbatch.model.secret import SecretUrl
from visionbatch.model.snapshot import Phase
from visionbatch.pipelines.stage_notes import NOTE
from visionbatch.roboflow.ready import STILL_LOOKS
from visionbatch.roboflow.references import Reference, references_of

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


@pytest.mark.parametrize(("first", "second"), [(40, 6000), (6000, 40), (6000, 0), (0, 6000)])
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
        workspace.run(store, images_per_shard=10, kind="shards", parallel=4).images(place, "noted")
    assert store.refused
    assert workspace.effects("shard_stored")

    workspace.run(store, images_per_shard=10).images(place, "noted")

    assert workspace.indexed() == {"ok": 40, "rejected": 0}


@pytest.mark.parametrize("batch_id", ["", "daily"])
def test_a_finished_staging_of_another_input_is_followed_by_the_next(
    workspace: Any, photos: Callable[..., Path], batch_id: str
) -> None:
    place, store = photos(40), MemoryStore()
    monday = workspace.run(store).images(place, batch_id)
    (place / "9999.jpg").write_bytes(photo(9999))

    tuesday = workspace.run(store).images(place, batch_id)
    again = workspace.run(store).images(place, batch_id)

    assert (monday.generation, tuesday.generation, again.generation) == (1, 2, 2)
    assert tuesday.batch_id == again.batch_id != monday.batch_id
    workspace.tenant.clock.advance(60)
    assert [len(workspace.names(each)) for each in (monday.batch_id, tuesday.batch_id)] == [40, 41]


def test_a_record_of_another_place_is_left_alone(workspace: Any, photos: Callable[..., Path], faults: Any) -> None:
    store = MemoryStore()
    faults(PUT, "return-503")
    with pytest.raises(UploadStalled):
        workspace.run(store, parallel=1, transfer={"attempts": 1}).images(photos(40, "line-1"))

    manifest = workspace.run(store).images(photos(50, "line-2"))

    workspace.tenant.clock.advance(60)
    assert len(workspace.names(manifest.batch_id)) == 50
    assert len({entry["batch_id"] for entry in workspace.effects("batch_made")}) == 2


def test_a_lost_record_never_has_a_batch_filled_twice(workspace: Any, photos: Callable[..., Path]) -> None:
    place = photos(40)
    given, own = workspace.run().images(place, "given"), workspace.run().images(place)

    with pytest.raises(IdTaken, match="no record"):
        workspace.run().images(place, "given")
    again = workspace.run().images(place)

    assert (again.generation, again.batch_id == own.batch_id) == (2, False)
    workspace.tenant.clock.advance(60)
    assert [len(workspace.names(each.batch_id)) for each in (given, own, again)] == [40] * 3
    assert len(workspace.effects("shard_stored")) == 3


def test_a_batch_is_gone_when_the_service_says_so_twice(
    workspace: Any, photos: Callable[..., Path], faults: Any
) -> None:
    place, store = photos(40), MemoryStore()
    workspace.run(store).images(place, "blinking")
    faults("roboflow.batches.get", "return-404")

    assert workspace.run(store).images(place, "blinking").generation == 1
    faults("roboflow.batches.get", "return-404", "return-404")
    assert workspace.run(store).images(place, "blinking").generation == 1

    assert len(workspace.effects("shard_stored")) == 1


def test_an_archive_that_arrived_and_was_lost_is_sent_again(
    workspace: Any, photos: Callable[..., Path], faults: Any
) -> None:
    place, store = photos(40), MemoryStore()
    workspace.tenant.configure(roboflow_lost_shards=(2,))
    once = {"images_per_shard": 10, "parallel": 1, "transfer": {"attempts": 1}}
    faults(PUT, "pass", "drop-response", "return-503", "drop-response")
    with pytest.raises(UploadStalled):
        workspace.run(store, **once).images(place, "lossy")

    manifest = workspace.run(store, **once).images(place, "lossy")

    workspace.tenant.clock.advance(60)
    assert workspace.names("lossy") == [f"{number:04}.jpg" for number in range(40)]
    snapshot = workspace.client().wait_ready("lossy", manifest.expected, manifest.parts)
    assert (snapshot.phase, snapshot.counts.succeeded) == (Phase.SUCCEEDED, 40)


def test_a_list_of_shards_that_lags_behind_is_waited_for(
    workspace: Any, photos: Callable[..., Path], faults: Any
) -> None:
    place, store = photos(40), MemoryStore()
    once = {"images_per_shard": 10, "parallel": 1, "transfer": {"attempts": 1}}
    faults(PUT, "pass", "pass", "drop-response", "return-503")
    with pytest.raises(UploadStalled):
        workspace.run(store, **once).images(place, "lagging")
    faults("roboflow.batches.shards", *[{"fault": "answer", "body": '{"shards": []}'}] * 11)
    with pytest.raises(UploadStalled, match="lists 0 shards where 2 have arrived"):
        workspace.run(store, **once).images(place, "lagging")

    workspace.run(store, **once).images(place, "lagging")

    assert workspace.indexed() == {"ok": 40, "rejected": 0}


@pytest.mark.parametrize("ended", ["killed", "gave up"])
def test_archives_that_a_late_list_does_not_show_are_not_sent_again(
    workspace: Any, photos: Callable[..., Path], faults: Any, ended: str
) -> None:
    place, once = photos(40), {"images_per_shard": 40, "kind": "shards", "transfer": {"attempts": 1}}
    store = MortalStore(dies=lambda note: note.get("done")) if ended == "killed" else MemoryStore()
    if ended != "killed":
        faults(PUT, "drop-response")
    with pytest.raises((Died, UploadStalled)):
        workspace.run(store, **once).images(place, "late")
    # Longer than a look after the other takes in a quarter of a minute.
    faults("roboflow.batches.shards", *[{"fault": "answer", "body": '{"shards": []}'}] * 6)

    manifest = workspace.run(store, **once).images(place, "late")

    assert len(workspace.effects("shard_stored")) == 1
    assert workspace.indexed() == {"ok": manifest.expected, "rejected": 0}


def test_a_batch_that_holds_too_much_is_followed_by_the_next(
    workspace: Any, photos: Callable[..., Path], faults: Any
) -> None:
    place, store = photos(40), MemoryStore()
    workspace.run(store).images(place, "full")
    workspace.tenant.clock.advance(60)
    faults("roboflow.batches.count", {"fault": "answer", "body": '{"count": 80}'})

    manifest = workspace.run(store).images(place, "full")

    assert (manifest.batch_id, manifest.generation) == ("full-2", 2)
    assert workspace.run(store).images(place, "full").batch_id == "full-2"
    assert len(workspace.effects("shard_stored")) == 2


@pytest.mark.parametrize("sameness", ["ingest-id", "content", "either"])
def test_references_that_a_process_took_to_its_grave_are_not_counted_twice(workspace: Any, sameness: str) -> None:
    def listed(signature: str) -> list[Reference]:
        store = "https://photos.s3.eu-west-1.amazonaws.com"
        return [Reference(f"{n:02}.jpg", f"{store}/{n:02}.jpg?X-Amz-Signature={signature}") for n in range(30)]

    workspace.tenant.configure(roboflow_sameness=sameness)
    store = MortalStore(dies=lambda note: note.get("done"))
    with pytest.raises(Died):
        workspace.run(store).references(references_of(listed("one"), "list"), "buried")

    manifest = workspace.run(store).references(references_of(listed("two"), "list"), "buried")

    assert manifest.expected == 30
    assert workspace.indexed() == {"ok": 30, "rejected": 0}


def test_what_was_turned_away_is_given_up_when_the_count_stands_still(
    workspace: Any, photos: Callable[..., Path], faults: Any
) -> None:
    manifest = workspace.run(kind="shards").images(photos(5), "counted")
    workspace.tenant.clock.advance(60)
    shard = {"shardId": "s", "statusName": "ingested", "statusType": "success", "shardObjectsCount": 6}
    # A service that counts the file which it has turned away among the objects of the shard.
    faults("roboflow.batches.shards", *[{"fault": "answer", "body": json.dumps({"shards": [shard]})}] * STILL_LOOKS)

    snapshot = workspace.client().wait_ready("counted", manifest.expected + 1, manifest.parts)

    assert (snapshot.phase, snapshot.counts.failed) == (Phase.PARTIAL, 1)
