"""A person ends or clears a task: the batch goes when nobody needs it any more, and only then."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crash.scenes import TASK, Scene, Theatre
from support.books import CREATE

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

DELETED_WITHIN_S = 60
CLEARS = 3


def fail_task(scene: Scene) -> None:
    scene.stack.mark_task(scene.dag_id, scene.run_id, TASK, "failed")


def succeed_task(scene: Scene) -> None:
    scene.stack.mark_task(scene.dag_id, scene.run_id, TASK, "success")


def fail_run(scene: Scene) -> None:
    scene.stack.mark_run(scene.dag_id, scene.run_id, "failed")


ENDINGS: dict[str, Callable[[Scene], None]] = {
    "task marked failed": fail_task,
    "task marked successful": succeed_task,
    "run marked failed": fail_run,
}


class Held:
    """Runs whose batches wait at the service; all are started at once."""

    def __init__(self, theatre: Theatre) -> None:
        self.endings = {name: theatre.scene("deferrable_clear", name, lifecycle="manual") for name in ENDINGS}
        self.cleared = theatre.scene("deferrable_clear", f"cleared {CLEARS} times while deferred", lifecycle="manual")
        self.kept = theatre.scene("leave_running", "failed without cancel_on_kill", lifecycle="manual")


@pytest.fixture(scope="module")
def held(theatre: Theatre) -> Held:
    return Held(theatre)


@pytest.mark.fault("SE4")
@pytest.mark.parametrize("name", ENDINGS)
def test_a_task_ended_while_deferred_has_its_batch_deleted(held, name):
    scene = held.endings[name]
    scene.wait_watched()
    ENDINGS[name](scene)
    scene.wait(lambda: scene.deleted, "the batch to be deleted", DELETED_WITHIN_S)
    row = scene.row(ended_by_person=True)
    assert (row.processed, row.committed, row.leaks) == (0, 1, 0)
    assert len(scene.deleted) == 1


@pytest.mark.fault("SE5")
def test_a_task_cleared_while_deferred_keeps_its_batch(held):
    scene = held.cleared
    for number in range(1, CLEARS + 1):
        scene.wait_watched(tries=number)
        scene.clear()
        scene.wait_watched(tries=number + 1)
        scene.wait_left_alone(number)
    assert not scene.deleted
    scene.release()
    scene.wait_state("success")
    assert scene.processed_once(tries=CLEARS + 1, resent=0).generation == 1


def test_without_cancel_on_kill_a_batch_outlives_its_task(held):
    scene = held.kept
    scene.wait_watched()
    fail_task(scene)
    scene.wait(lambda: not scene.column("trigger_id"), "the trigger to go")
    scene.release()
    scene.books.processed_once(scene.theatre.archive)
    assert not scene.deleted
    scene.row()


@pytest.mark.slow
def test_a_running_task_marked_failed_has_its_batch_deleted(theatre):
    scene = theatre.scene("sync_clear", "task marked failed while running", lifecycle="manual")
    scene.wait_watching()
    fail_task(scene)
    scene.wait(lambda: scene.deleted, "the batch to be deleted", DELETED_WITHIN_S)
    row = scene.row(ended_by_person=True)
    assert (row.processed, row.committed, row.leaks) == (0, 1, 0)


def test_a_running_task_that_is_cleared_keeps_its_batch(theatre):
    scene = theatre.scene("sync_clear", "cleared while running", lifecycle="manual")
    scene.wait_watching()
    scene.clear()
    scene.wait_state("running", tries=2)
    scene.wait_watching()
    assert not scene.deleted
    scene.release()
    scene.wait_state("success")
    assert scene.processed_once(tries=2, resent=0).generation == 1
    assert len(scene.books.requests(CREATE)) == 1
