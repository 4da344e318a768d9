"""What a later try makes of what it finds: a failed batch, a finished one, none, another item's, no source."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import time

import psutil
import pytest

from crash.scenes import TASK
from support.books import CREATE
from support.orders import CHUNK, write_orders
from visionbatch_mock.lifecycle import BatchState

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

MODES = ["sync", pytest.param("deferrable", marks=pytest.mark.slow)]


def outcomes(scene):
    """Ends that the service came to, in order."""
    return [entry["outcome"] for entry in scene.books.effects("batch.processed")]


def fail_batch(scene):
    """Let the service refuse the batch that it holds, and take the next one."""
    (batch,) = scene.tenant.batches.all()
    batch.force(BatchState.ERROR)
    scene.release()


@pytest.mark.fault("CR4")
def test_a_retry_after_the_batch_failed_makes_the_next_generation(theatre):
    scene = theatre.scene("deferrable_retry", "retry after a failed batch", lifecycle="manual")
    scene.wait_watched()
    fail_batch(scene)
    scene.wait_state("success")
    assert outcomes(scene) == ["error", "success"]
    row = scene.row()
    assert (row.tries, row.generation, row.committed, row.wrong_cancels) == (2, 2, 2, 0)
    assert "generation 2: replace" in scene.log


@pytest.mark.fault("CR5")
@pytest.mark.parametrize("mode", MODES)
def test_clearing_a_finished_task_takes_the_result_that_is_there(theatre, mode):
    scene = theatre.scene(f"{mode}_clear", f"{mode} cleared after success")
    scene.wait_state("success", tries=1)
    result = theatre.stack.xcom(scene.dag_id, scene.run_id, TASK)
    scene.clear()
    scene.wait_state("success", tries=2)
    row = scene.processed_once(tries=2, resent=0)
    assert row.generation == 1
    again = theatre.stack.xcom(scene.dag_id, scene.run_id, TASK)
    assert (again["batch_id"], again["outcome"]) == (result["batch_id"], result["outcome"])


@pytest.mark.slow
@pytest.mark.fault("SE6")
@pytest.mark.parametrize("kept", [True, False], ids=["record-kept", "record-dropped"])
def test_clearing_a_failed_task_sends_one_new_batch(theatre, kept):
    scene = theatre.scene(
        "sync_clear", f"cleared after a failed batch, record {'kept' if kept else 'dropped'}", lifecycle="manual"
    )
    scene.wait_watching()
    fail_batch(scene)
    scene.wait_state("failed", tries=1)
    if not kept:
        path = f"/dags/{scene.dag_id}/dagRuns/{scene.run_id}/taskInstances/{TASK}"
        theatre.stack.api("DELETE", f"{path}/state-store")
        assert not scene.record
    scene.clear()
    scene.wait_state("success", tries=2)
    assert outcomes(scene) == ["error", "success"]
    row = scene.row()
    assert (row.generation, row.committed, row.wrong_cancels) == (2 if kept else 1, 2, 0)
    assert len(scene.books.requests(CREATE)) == 2


@pytest.mark.slow
@pytest.mark.fault("CR6")
def test_a_batch_that_is_gone_is_sent_again_once(theatre):
    scene = theatre.scene("deferrable_clear", "cleared after its batch was deleted elsewhere")
    scene.wait_state("success", tries=1)
    (batch,) = scene.tenant.batches.all()
    batch.delete()
    scene.clear()
    scene.wait_state("success", tries=2)
    assert outcomes(scene) == ["success", "success"]
    assert len(scene.books.requests(CREATE)) == 2
    assert f"batch {batch.id} is gone" in scene.log
    row = scene.row(by_test=1)
    assert (row.generation, row.committed, row.wrong_cancels) == (2, 2, 0)
    assert scene.deleted == [batch.id]


@pytest.mark.slow
@pytest.mark.fault("CR8")
def test_mapped_items_in_another_order_inherit_nothing_from_each_other(theatre, tmp_path):
    places = [str(write_orders(tmp_path / name, photos=count)) for name, count in (("north", 1), ("south", 2))]
    items = tmp_path / "items.json"
    items.write_text(json.dumps(places))
    scene = theatre.scene("mapped", "mapped items in another order", conf={"items": str(items)})
    stack = theatre.stack
    scene.wait(lambda: stack.run_state(scene.dag_id, scene.run_id) == "success", "the first run to succeed")
    first = {entry["batch_id"]: entry["sha256"] for entry in scene.books.effects("archive.committed")}
    items.write_text(json.dumps(places[::-1]))
    stack.clear(scene.dag_id, scene.run_id, "items", TASK)
    scene.wait(lambda: len(outcomes(scene)) == 4, "both items to be sent again")
    scene.wait(lambda: stack.run_state(scene.dag_id, scene.run_id) == "success", "the second run to succeed")
    assert outcomes(scene) == ["success"] * 4
    committed = {entry["batch_id"]: entry["sha256"] for entry in scene.books.effects("archive.committed")}
    assert len(committed) == 4
    assert sorted(committed.values()) == sorted([*first.values(), *first.values()])
    assert not scene.deleted
    assert scene.log.count("the record found belongs to") == 2
    scene.row()


@pytest.mark.slow
@pytest.mark.fault("UP2")
def test_a_source_that_is_not_on_this_machine_fails_at_once_and_says_how_far_it_was(theatre, tmp_path):
    source = tmp_path / "orders"
    shutil.copytree(theatre.source, source)
    plan = {"moment": "after", "stage": "created", "sent": 2 * CHUNK}
    scene = theatre.scene("sync_clear", "source not on this machine", plan=plan, source=source)
    scene.wait_state("failed", tries=1)
    elsewhere = source.rename(tmp_path / "elsewhere")
    began = len(scene.tenant.journal.entries())
    scene.clear()
    scene.wait_state("failed", tries=2)
    for part in (str(source), socket.gethostname(), f"{scene.persisted} of {len(theatre.archive)} bytes"):
        assert part in scene.log
    assert len(scene.tenant.journal.entries()) == began
    elsewhere.rename(source)
    scene.clear()
    scene.wait_state("success", tries=3)
    scene.processed_once(tries=3)


@pytest.mark.fault("UP25")
def test_sigterm_stops_an_upload_within_five_seconds_and_the_retry_goes_on(theatre):
    scene = theatre.scene("sync_retry", "SIGTERM while uploading", processing_s=0.1)
    scene.throttle(128)
    scene.wait_bytes(2 * CHUNK)
    task = psutil.Process(int(scene.column("pid")))
    began = time.monotonic()
    os.kill(task.pid, signal.SIGTERM)
    scene.wait(lambda: not task.is_running() or task.status() == psutil.STATUS_ZOMBIE, "the process to end", 30)
    seconds = time.monotonic() - began
    record = scene.record
    scene.full_speed()
    scene.wait_state("success", tries=2)
    row = scene.processed_once(tries=2)
    assert seconds < 5
    assert record["sent"] >= CHUNK
    assert row.generation == 1


@pytest.mark.slow
@pytest.mark.fault("SE8")
def test_our_deadline_comes_before_airflows(theatre):
    scene = theatre.scene("impatient", "deadline passed", lifecycle="manual")
    scene.wait_watched()
    deadline = scene.record["deadline"]
    backstop = scene.column("strftime('%s', trigger_timeout)")
    assert 600 < int(backstop) - deadline < 1200
    scene.wait_state("failed", tries=1)
    assert "DeadlinePassed" in scene.log
    assert time.time() < int(backstop)
    assert not scene.deleted
    scene.row()
