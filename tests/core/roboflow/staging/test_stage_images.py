"""Filling a batch with the images of a folder, judged by what the service took."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.orders import photo
from support.runs import Died, DyingStore, MemoryStore
from visionbatch import LocalSink, Phase, ready_ref
from visionbatch.errors import (
    InputChanged,
    InputMissing,
    InvalidInput,
    NotAuthorized,
    SessionRejected,
    UnsafeUrl,
    UploadStalled,
)
from visionbatch.model.policy import OnInputChange
from visionbatch.pipelines.roboflow_stage import RoboflowStageRun

PUT, SIGN, IMAGE = "roboflow.files.put", "roboflow.shards.sign", "roboflow.images.upload"


def test_few_images_go_one_by_one_and_can_be_used_at_once(workspace: Any, photos: Callable[..., Path]) -> None:
    manifest = workspace.run().images(photos(5), "few")

    assert (manifest.kind, manifest.expected, manifest.parts) == ("single", 5, 5)
    assert len(workspace.effects("image_stored")) == 5
    assert workspace.names("few") == [f"{number:04}.jpg" for number in range(5)]
    assert not workspace.requests(SIGN)


def test_many_images_go_in_archives_that_the_service_opens(workspace: Any, photos: Callable[..., Path]) -> None:
    manifest = workspace.run(images_per_shard=20).images(photos(50), "many")

    assert (manifest.kind, manifest.expected, manifest.parts) == ("shards", 50, 3)
    assert len(workspace.effects("shard_stored")) == 3
    assert workspace.indexed() == {"ok": 50, "rejected": 0}
    assert len(json.dumps(manifest.to_json())) < 4096


def test_a_batch_takes_no_more_requests_than_two_for_each_archive(workspace: Any, photos: Callable[..., Path]) -> None:
    workspace.run(images_per_shard=10).images(photos(40), "lean")

    # Whose key it is, whether the batch is there, and two for each.
    assert len(workspace.requests()) == 2 + 2 * 4
    assert len(workspace.requests(SIGN)) == len(workspace.requests(PUT)) == 4


def test_the_limits_that_come_with_the_first_address_are_kept(workspace: Any, photos: Callable[..., Path]) -> None:
    workspace.tenant.configure(roboflow_max_images_in_archive=15, roboflow_max_file_bytes=40_000)
    manifest = workspace.run().images(photos(50), "strict")

    stored = workspace.effects("shard_stored")
    assert len(stored) == manifest.parts >= 4
    assert max(entry["size"] for entry in stored) <= 40_000
    assert workspace.indexed() == {"ok": 50, "rejected": 0}


def test_archives_of_the_same_folder_are_the_same_everywhere(workspace: Any, photos: Callable[..., Path]) -> None:
    workspace.run(images_per_shard=20).images(photos(50), "here")
    workspace.run(images_per_shard=20).images(photos(50, "copy"), "there")

    hashes = [(entry["batch_id"], entry["sha256"]) for entry in workspace.effects("shard_stored")]
    here, there = ({digest for batch, digest in hashes if batch == name} for name in ("here", "there"))
    assert len(here) == 3
    assert here == there


@pytest.mark.fault("UP26")
def test_only_archives_that_did_not_arrive_are_sent_again(
    workspace: Any, photos: Callable[..., Path], faults: Any, silence: Any
) -> None:
    place, store = photos(100), MemoryStore()
    faults(PUT, *["pass"] * 2, "return-503", *["pass"] * 3, "return-503", *["pass"] * 3)

    with silence.raises(UploadStalled, match="2 of 10 parts were not sent, number 3, 7"):
        workspace.run(store, images_per_shard=10, parallel=1, kind="shards", transfer={"attempts": 1}).images(
            place, "ten"
        )
    assert len(workspace.effects("shard_stored")) == 8

    manifest = workspace.run(store, images_per_shard=10).images(place, "ten")

    stored = workspace.effects("shard_stored")
    assert len(stored) == len({entry["sha256"] for entry in stored}) == 10
    assert (manifest.expected, manifest.parts) == (100, 10)
    assert len(workspace.requests(PUT)) == 12
    client, ref = workspace.client(), ready_ref("ten", manifest.expected, manifest.parts)
    assert client.perform(client.readiness.look(ref)).phase is Phase.RUNNING, "nothing starts before all are indexed"
    assert workspace.indexed() == {"ok": 100, "rejected": 0}
    assert client.perform(client.readiness.look(ref)).phase is Phase.SUCCEEDED


def test_a_transient_refusal_costs_a_pause_and_not_the_run(
    workspace: Any, photos: Callable[..., Path], faults: Any, clock: Any
) -> None:
    faults(PUT, "return-503", "return-429", "reset-mid-body-after-10K")

    workspace.run(images_per_shard=20, parallel=1).images(photos(40), "shaky")

    assert workspace.indexed() == {"ok": 40, "rejected": 0}
    assert len(clock.pauses) == 3


@pytest.mark.fault("UP27")
def test_an_expired_address_is_replaced_once_for_each_archive(
    workspace: Any, photos: Callable[..., Path], faults: Any
) -> None:
    faults(PUT, "expire-link", "pass", "expire-link")

    workspace.run(images_per_shard=20, parallel=1).images(photos(40), "late")

    assert len(workspace.effects("shard_stored")) == 2
    assert len(workspace.requests(SIGN)) == 4
    assert workspace.indexed() == {"ok": 40, "rejected": 0}


def test_an_address_that_is_refused_twice_is_not_asked_for_again(
    workspace: Any, photos: Callable[..., Path], faults: Any, silence: Any
) -> None:
    faults(PUT, "expire-link", "expire-link")

    with silence.raises(SessionRejected):
        workspace.run(parallel=1).images(photos(40), "closed")
    assert len(workspace.requests(SIGN)) == 2
    assert not workspace.effects("shard_stored")


@pytest.mark.fault("UP30")
def test_files_of_one_name_get_a_prefix_that_is_the_same_everywhere(
    workspace: Any, tmp_path: Path, photos: Callable[..., Path]
) -> None:
    for number, folder in enumerate(("cam1", "cam2", "cam2/late")):
        (tmp_path / "site" / folder).mkdir(parents=True)
        (tmp_path / "site" / folder / "0001.jpg").write_bytes(photo(number))
    (tmp_path / "site" / "alone.jpg").write_bytes(photo(9))

    manifest = workspace.run(kind="shards", sink=LocalSink(tmp_path / "out")).images(tmp_path / "site", "twins")

    lines = [json.loads(line) for line in Path(manifest.names).read_text().splitlines()]
    assert {line["path"] for line in lines} == {"cam1/0001.jpg", "cam2/0001.jpg", "cam2/late/0001.jpg"}
    assert workspace.indexed() == {"ok": 4, "rejected": 0}
    assert workspace.names("twins") == sorted([*(line["name"] for line in lines), "alone.jpg"])
    assert {line["name"] for line in lines if line["path"] == "cam1/0001.jpg"} == {"40bbd7ae-0001.jpg"}
    assert manifest.renamed == 3


@pytest.mark.parametrize("kind", ["single", "shards"])
def test_a_later_try_keeps_the_kind_of_the_batch(
    workspace: Any, photos: Callable[..., Path], faults: Any, silence: Any, kind: str
) -> None:
    other = {"single": "shards", "shards": "single"}[kind]
    place, store = photos(40), MemoryStore()
    faults(IMAGE if kind == "single" else PUT, "pass", "return-503")
    with silence.raises(UploadStalled):
        workspace.run(
            store, kind=kind, images_per_shard=10, parallel=1, transfer={"attempts": 1, "patience": 1}
        ).images(place, "kept")

    manifest = workspace.run(store, kind=other).images(place, "kept")

    assert manifest.kind == kind
    assert len(workspace.effects("batch_made")) == 1
    workspace.tenant.clock.advance(60)
    assert len(workspace.names("kept")) == 40


def test_what_is_no_image_is_left_out_and_counted(workspace: Any, photos: Callable[..., Path]) -> None:
    place = photos(3)
    (place / "Thumbs.db").write_bytes(b"litter")
    (place / ".DS_Store").write_bytes(b"litter")
    (place / "notes.txt").write_text("what was seen")
    (place / "link.jpg").symlink_to(place / "0000.jpg")

    manifest = workspace.run().images(place, "mixed")

    assert manifest.expected == 3
    assert manifest.skipped == {
        "Thumbs.db": 1, ".DS_Store": 1, "not images by its extension": 1, "link, which is not followed": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "rule"),
    [(b"", "file-empty"), (b"%PDF-1.4 not a photo", "image-content"), (photo(1) + bytes(3000), "file-size")],
    ids=["empty", "not-an-image", "too-large"],
)
def test_an_image_that_the_service_would_refuse_is_named_before_the_first_request(
    workspace: Any, photos: Callable[..., Path], silence: Any, content: bytes, rule: str
) -> None:
    place = photos(2)
    (place / "bad.jpg").write_bytes(content)

    with silence.raises(InvalidInput, match=rf"bad\.jpg.*\[{rule}\]"):
        workspace.run(image_bytes=len(photo(1)) + 2000).images(place, "bad")
    assert not workspace.requests()


def test_an_empty_folder_and_a_missing_one_are_refused(workspace: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds nothing to send"):
        workspace.run().images(tmp_path, "none")
    with pytest.raises(InputMissing):
        workspace.run().images(tmp_path / "gone", "none")
    assert not workspace.requests()


def test_a_filled_batch_is_not_filled_again(workspace: Any, photos: Callable[..., Path]) -> None:
    place, store = photos(40), MemoryStore()
    first = workspace.run(store).images(place, "once")
    again = workspace.run(store).images(place, "once")

    assert len(workspace.effects("shard_stored")) == first.parts == again.parts
    assert again.expected == first.expected
    assert again.sent_bytes == 0


@pytest.mark.parametrize("batch_id", ["", "given"])
def test_another_input_is_refused_or_goes_to_another_batch(
    workspace: Any, photos: Callable[..., Path], faults: Any, batch_id: str
) -> None:
    place, store = photos(40), MemoryStore()
    faults(PUT, "pass", "return-503")
    with pytest.raises(UploadStalled):
        workspace.run(store, images_per_shard=10, parallel=1, transfer={"attempts": 1}).images(place, batch_id)
    (place / "9999.jpg").write_bytes(photo(9999))

    with pytest.raises(InputChanged, match=r"photos is not what it was"):
        workspace.run(store).images(place, batch_id)
    changed = RoboflowStageRun(
        workspace.client(), store, identity="a run", on_input_change=OnInputChange.CANCEL_AND_NEW
    )
    assert (changed.images(place, batch_id).generation, changed.images(place, batch_id).expected) == (2, 41)

    first, second = (entry["batch_id"] for entry in workspace.effects("batch_made"))
    assert (first, second) == (batch_id, f"{batch_id}-2") or (not batch_id and first != second)
    workspace.tenant.clock.advance(60)
    assert len(workspace.names(second)) == 41


def test_a_batch_that_has_expired_is_filled_anew(workspace: Any, photos: Callable[..., Path]) -> None:
    place, store = photos(40), MemoryStore()
    workspace.run(store).images(place, "old")
    workspace.tenant.clock.advance(8 * 24 * 3600)

    again = workspace.run(store).images(place, "old")

    assert again.generation == 2
    assert len(workspace.effects("shard_stored")) == 2


@pytest.mark.parametrize("at_save", range(1, 13))
@pytest.mark.parametrize("taken", [False, True])
def test_a_process_that_dies_at_any_save_leaves_no_image_twice(
    workspace: Any, photos: Callable[..., Path], at_save: int, taken: bool
) -> None:
    place, store = photos(40), DyingStore(at_save, taken=taken)
    try:
        workspace.run(store, images_per_shard=10, kind="shards", parallel=2).images(place, "mortal")
    except Died:
        manifest = workspace.run(store, images_per_shard=10, parallel=2).images(place, "mortal")
        assert manifest.expected == 40

    stored = workspace.effects("shard_stored")
    assert len(stored) == len({entry["sha256"] for entry in stored}) == 4
    assert workspace.indexed() == {"ok": 40, "rejected": 0}


def test_an_answer_that_is_lost_makes_no_second_shard(workspace: Any, photos: Callable[..., Path], faults: Any) -> None:
    faults(PUT, "drop-response")

    workspace.run(images_per_shard=20, parallel=1).images(photos(40), "silent")

    assert len({entry["shard_id"] for entry in workspace.effects("shard_stored")}) == 2
    assert workspace.indexed() == {"ok": 40, "rejected": 0}


@pytest.mark.parametrize(
    "instructions",
    [["drop-response"], ["drop-response", "drop-response"], ["drop-response", "return-503"], ["return-503"]],
    ids=["one-arrived", "two-arrived", "one-of-two-arrived", "none-arrived"],
)
def test_a_later_try_asks_which_archives_in_doubt_have_arrived(
    workspace: Any, photos: Callable[..., Path], faults: Any, silence: Any, instructions: list[str]
) -> None:
    place, store = photos(40), MemoryStore()
    faults(PUT, "pass", *instructions)
    once = {"images_per_shard": 10, "parallel": 1, "transfer": {"attempts": 1}}
    with silence.raises(UploadStalled):
        workspace.run(store, **once).images(place, "doubt")

    workspace.run(store, **once).images(place, "doubt")

    stored = workspace.effects("shard_stored")
    assert len(stored) == len({entry["sha256"] for entry in stored}) == 4
    assert workspace.indexed() == {"ok": 40, "rejected": 0}


def test_an_address_that_expires_while_the_outcome_is_in_doubt_is_not_replaced(
    workspace: Any, photos: Callable[..., Path], faults: Any, silence: Any
) -> None:
    place, store = photos(40), MemoryStore()
    faults(PUT, "drop-response", "expire-link")
    with silence.raises(UploadStalled, match="nobody said what became of it"):
        workspace.run(store, images_per_shard=20, parallel=1).images(place, "gone")

    workspace.run(store, images_per_shard=20, parallel=1).images(place, "gone")

    assert len({entry["shard_id"] for entry in workspace.effects("shard_stored")}) == 2
    assert workspace.indexed() == {"ok": 40, "rejected": 0}


def test_a_wrong_key_stops_everything_at_once(workspace: Any, photos: Callable[..., Path], tenant: Any) -> None:
    tenant.revoked = True
    with pytest.raises(NotAuthorized):
        workspace.run().images(photos(3), "denied")
    assert len(workspace.requests()) <= 2


def test_the_receiver_of_events_travels_in_every_archive(workspace: Any, photos: Callable[..., Path]) -> None:
    from visionbatch.model.secret import SecretUrl  # noqa: PLC0415  # for one test

    workspace.tenant.configure(roboflow_max_images_in_archive=20)
    url = SecretUrl("http://127.0.0.1:9/receiver-0123456789")
    with pytest.raises(UnsafeUrl):
        workspace.run(notifications_url=url)
    workspace.inside = True
    workspace.run(notifications_url=url).images(photos(40), "told")

    ends = workspace.indexed()
    assert ends == {"ok": 40, "rejected": 0}
    room = workspace.tenant.roboflow
    with room.lock:
        found = [shard.subscription for shard in room.staging.get("told").shards.values()]
    assert {(each.ingest_id, each.url) for each in found} == {("told-1", url.reveal())}


def test_the_archive_is_one_that_every_reader_of_tar_opens(photos: Callable[..., Path]) -> None:
    from visionbatch.io.local_tree import LocalTree  # noqa: PLC0415  # for one test
    from visionbatch.roboflow.media import Media, survey  # noqa: PLC0415
    from visionbatch.transfer.plan import Plan  # noqa: PLC0415
    from visionbatch.transfer.renamed import RenamedTree  # noqa: PLC0415
    from visionbatch.transfer.tar_shard import TarShard  # noqa: PLC0415

    place = photos(3)
    with LocalTree(place) as tree:
        found = survey(tree, Media.IMAGES)
        plan = Plan("x")
        for member in found.members():
            plan.add(member)
        shard = TarShard(plan, RenamedTree(tree, dict(found.origins())))
        whole = b"".join(shard.blocks(0, shard.size, 1000))
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        assert archive.getnames() == ["0000.jpg", "0001.jpg", "0002.jpg"]
