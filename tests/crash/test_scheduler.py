"""The scheduler is killed while its workers go on: for a moment, or for so long that the task is given to another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from crash.scenes import Scene, Theatre
from support.books import CREATE
from support.orders import CHUNK

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(900)]

ORPHANED = {
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
}


@dataclass
class Outage:
    """What was under way when the scheduler went for long.

    :param sending: a task that was uploading.
    :param waiting: a task that waited in its worker.
    :param deferred: a task that waited in the triggerer.
    """

    sending: Scene
    waiting: Scene
    deferred: Scene


@pytest.fixture(scope="module")
def outage(theatre: Theatre) -> Iterator[Outage]:
    stack = theatre.stack
    found = Outage(
        theatre.scene("sync_retry", "scheduler gone for long, uploading"),
        theatre.scene("sync_retry", "scheduler gone for long, waiting", lifecycle="manual"),
        theatre.scene("deferrable_retry", "scheduler gone for long, deferred", lifecycle="manual"),
    )
    found.sending.throttle(24, 40)
    found.deferred.wait_watched()
    found.waiting.wait_watching()
    found.sending.wait_bytes(CHUNK)
    stack.kill("scheduler")
    # Another scheduler takes the first for dead as soon as its heart has not been heard for ten seconds.
    stack.wait_for(lambda: heartbeat_age(theatre) > 12, "the scheduler's last heartbeat to be old", 60)
    stack.start("scheduler", settings=ORPHANED)
    yield found
    stack.stop("scheduler")
    stack.start("scheduler")
    stack.wait_healthy()


def heartbeat_age(theatre: Theatre) -> float:
    query = (
        "select (julianday('now') - julianday(max(latest_heartbeat))) * 86400 from job where job_type = 'SchedulerJob'"
    )
    return float(theatre.stack.rows(query)[0][0])


@pytest.mark.fault("SE3")
def test_a_scheduler_that_is_back_at_once_changes_nothing(theatre):
    scene = theatre.scene("deferrable_retry", "scheduler gone for two seconds")
    scene.throttle(256)
    scene.wait_bytes(CHUNK)
    theatre.stack.kill("scheduler")
    theatre.stack.start("scheduler")
    scene.wait_state("success")
    assert scene.processed_once(tries=1, resent=0).generation == 1


@pytest.mark.fault("UP24")
def test_a_try_that_was_given_to_another_stops_sending_and_leaves_the_session(outage):
    scene = outage.sending
    scene.wait(lambda: scene.tries >= 2, "the task to be given to another try")
    scene.full_speed()
    scene.wait_state("success", timeout=240)
    row = scene.processed_once(resent=2 * CHUNK)
    assert row.generation == 1
    # Either its next save is refused, or its worker hears of it first and tells it to stop.
    assert "Superseded" in scene.log or "is left alone" in scene.log
    assert not scene.books.effects("session.cancelled")


@pytest.mark.fault("CR3")
def test_of_two_tries_at_once_the_old_one_ends_without_touching_the_batch(outage):
    scene = outage.waiting
    scene.wait(lambda: scene.tries >= 2 and scene.state == "running", "the task to be given to another try")
    scene.wait(lambda: "Task killed!" in scene.log, "the old try to be ended", 60)
    scene.wait_looks()
    assert not scene.deleted
    scene.release()
    scene.wait_state("success")
    row = scene.processed_once(resent=0)
    assert row.generation == 1
    assert len(scene.books.requests(CREATE)) == 1


def test_a_deferred_task_does_not_notice_a_long_outage(outage):
    scene = outage.deferred
    scene.release()
    scene.wait_state("success")
    assert scene.processed_once(tries=1, resent=0).generation == 1
