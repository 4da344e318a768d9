"""The triggerer is killed, replaced, or stands still while another takes over: one resume, and no batch is lost."""

from __future__ import annotations

import json
import os
import signal

import psutil
import pytest

from crash.scenes import Scene
from support.airflow_stack import free_port
from support.books import GET
from support.orders import write_orders

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]


def runner_of(triggerer: int) -> psutil.Process:
    """The child process in which the triggers run."""
    (runner,) = [child for child in psutil.Process(triggerer).children() if "triggerer" in " ".join(child.cmdline())]
    return runner


def held(theatre, name: str) -> Scene:
    scene = theatre.scene("deferrable_retry", name, lifecycle="manual")
    scene.wait_watched()
    return scene


def ends_well(scene: Scene) -> None:
    scene.release()
    scene.wait_state("success")
    assert scene.processed_once(tries=1, resent=0).generation == 1
    assert scene.log.count(f"{scene.record['ref']}: ended succeeded") == 1, "it was resumed more than once"


@pytest.mark.fault("SE1")
def test_after_a_kill_of_the_trigger_runner_the_next_triggerer_goes_on(theatre):
    scene = held(theatre, "trigger runner killed")
    runner_of(theatre.stack.pid("triggerer")).kill()
    theatre.stack.wait_gone("triggerer")
    theatre.stack.start("triggerer")
    scene.wait_looks()
    ends_well(scene)


@pytest.mark.slow
def test_a_triggerer_that_is_replaced_cancels_nothing(theatre):
    scene = held(theatre, "triggerer replaced")
    theatre.stack.stop("triggerer")
    theatre.stack.start("triggerer")
    scene.wait_looks()
    ends_well(scene)


@pytest.mark.slow
@pytest.mark.fault("SE15")
def test_many_triggers_may_ask_for_their_connection_at_once(theatre, tmp_path):
    count = 12
    items = tmp_path / "items.json"
    items.write_text(json.dumps([str(write_orders(tmp_path / "one", work_orders=1, photos=1))] * count))
    scene = theatre.scene("mapped", f"{count} triggers at once", lifecycle="manual", conf={"items": str(items)})
    waiting = "select count(*) from task_instance where run_id = ? and state = 'deferred'"
    scene.wait(lambda: scene.stack.rows(waiting, scene.run_id)[0][0] == count, "all to be deferred")
    theatre.stack.stop("triggerer")
    looked = len(scene.books.requests(GET))
    theatre.stack.start("triggerer")

    def batches_looked_at() -> int:
        return len({entry.path for entry in scene.books.requests(GET)[looked:]})

    scene.wait(lambda: batches_looked_at() == count, "every batch to be looked at")
    scene.release()
    scene.wait(lambda: scene.stack.run_state(scene.dag_id, scene.run_id) in ("success", "failed"), "the end")
    assert scene.stack.run_state(scene.dag_id, scene.run_id) == "success"
    row = scene.row()
    assert (row.processed, row.committed, row.wrong_cancels) == (count, count, 0)


class Twins:
    """A second triggerer takes over from a first whose supervisor stands still; its runner goes on looking."""

    def __init__(self, theatre) -> None:
        self.stack = theatre.stack
        self.first = theatre.stack.pid("triggerer")

    def __enter__(self):
        self.stack.wait_for(self._halted_without_a_lock, "the first triggerer to stand still")
        settings = {
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        }
        self.stack.start("triggerer", "second triggerer", settings)
        return self

    def _halted_without_a_lock(self) -> bool:
        """Stop the first; one that stands still in the middle of a transaction would stop everybody else, too."""
        os.kill(self.first, signal.SIGSTOP)
        if self.stack.is_writable():
            return True
        self.wake_first()
        return False

    def taken_over(self, scene: Scene, from_job: int) -> None:
        scene.wait(lambda: job_of(scene) not in (None, from_job), "the second triggerer to take over", 90)

    def wake_first(self) -> None:
        os.kill(self.first, signal.SIGCONT)

    def __exit__(self, *_: object) -> None:
        self.wake_first()
        self.stack.stop("second triggerer")


def job_of(scene: Scene) -> int | None:
    query = "select t.triggerer_id from trigger t join task_instance i on i.trigger_id = t.id where i.run_id = ?"
    found = scene.stack.rows(query, scene.run_id)
    return found[0][0] if found else None


@pytest.mark.slow
def test_a_triggerer_that_wakes_up_behind_its_successor_cancels_nothing(theatre):
    scene = held(theatre, "triggerer stood still")
    job = job_of(scene)
    with Twins(theatre) as twins:
        twins.taken_over(scene, job)
        scene.wait_looks()
        twins.wake_first()
        scene.wait_left_alone()
        assert not scene.deleted
        assert scene.state == "deferred"
        ends_well(scene)


@pytest.mark.slow
@pytest.mark.fault("SE2")
def test_two_triggerers_with_one_trigger_resume_the_task_once(theatre):
    scene = held(theatre, "two triggerers saw the end")
    job = job_of(scene)
    with Twins(theatre) as twins:
        twins.taken_over(scene, job)
        scene.wait_looks()
        scene.release()
        scene.wait_state("success")
        twins.wake_first()
        # However the first one hears of it: with an event of its own that comes too late, or told that it lost the
        # trigger. When it looks at the next batch, it has dealt with that.
        later = held(theatre, "the batch after two triggerers")
        ends_well(later)
        ends_well(scene)


@pytest.mark.slow
def test_a_triggerer_that_missed_the_end_leaves_the_finished_batch_alone(theatre):
    scene = held(theatre, "triggerer missed the end")
    job = job_of(scene)
    with Twins(theatre) as twins:
        # Its runner stands still as well, so that it has not seen the end when it is told that the trigger is gone.
        runner = runner_of(twins.first)
        runner.suspend()
        twins.taken_over(scene, job)
        scene.release()
        scene.wait_state("success")
        twins.wake_first()
        runner.resume()
        scene.wait_left_alone()
        ends_well(scene)
