"""The task's process is ended by SIGKILL while it fills a batch, or has just made a job."""

from __future__ import annotations

from pathlib import Path

import pytest

from crash.scenes import Theatre
from support.orders import photo

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

PUT, CREATE = "roboflow.files.put", "roboflow.jobs.create"
KILLED_IN = 7


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twenty photos, which become ten archives of a few blocks each."""
    for number in range(20):
        (tmp_path / f"{number:03}.jpg").write_bytes(photo(number))
    return tmp_path


def test_a_kill_in_the_middle_of_shard_7_of_10_sends_only_unfinished_shards_again(theatre: Theatre, photos: Path):
    plan = {"moment": "sending", "nth": KILLED_IN}
    scene = theatre.workspace_scene("stage_shards", "kill in shard 7 of 10", plan=plan, source=photos)
    scene.came_through()
    stored = scene.entries("shard_stored")
    assert len(stored) == len({entry["sha256"] for entry in stored}) == 10
    assert len(scene.books.requests(PUT)) == 10 + 1
    received = [entry.received for entry in scene.books.requests(PUT)]
    assert sum(received) < sum(entry["size"] for entry in stored) + max(received)
    assert (scene.record["stage"], scene.generation) == ("ended", 1)


@pytest.mark.slow
def test_a_kill_between_the_creation_of_a_job_and_its_record_makes_one_job(theatre: Theatre):
    plan = {"moment": "before", "stage": "created"}
    scene = theatre.workspace_scene("run_job", "kill before the job is on record", plan=plan)
    scene.came_through()
    (created,) = scene.entries("job_created")
    # The next try asks again, under the same id, and no second job comes of it.
    assert len(scene.books.requests(CREATE)) == 2
    assert not scene.entries("job_aborted")
    assert (scene.record["ref"], scene.record["stage"], scene.generation) == (created["job_id"], "ended", 1)
