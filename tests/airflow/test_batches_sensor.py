"""`DeepomaticBatchesSensor` and its trigger: one task that waits for a list of batches."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from support.airflow_runs import PaperTi, TaskRun, paper_context
from support.books import DELETE, GET
from support.meanwhile import meanwhile
from support.patience import until
from visionbatch_mock.lifecycle import BatchState

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

LIST = "deepomatic.batches.list"
UNKNOWN = "7d0f5a52-3c11-4d8f-8f5c-2f6f5f0b9a11"
EVENT_BYTES = 4096
PACE = {"first_s": 0.02, "longest_s": 0.05, "confirm_s": 0.02, "grace_s": 0.2}
WAYS = {
    "poke": {},
    "reschedule": {"mode": "reschedule"},
    "deferrable": {"deferrable": True},
}


@pytest.fixture
def sensor() -> Any:
    from airflow_visionbatch.sensors.deepomatic_batches import DeepomaticBatchesSensor  # noqa: PLC0415

    return DeepomaticBatchesSensor


@pytest.fixture
def run_sensor(airflow, connection, sensor):
    def run(batch_ids: Any, **arguments: Any) -> TaskRun:
        return airflow.run(sensor, **{"batch_ids": batch_ids, "poke_interval": 0.1, "timeout": 30.0, **arguments})

    return run


@pytest.fixture
def on_paper(connection, sensor):
    def make(batch_ids: Any, **arguments: Any) -> Any:
        return sensor(**{"task_id": "task", "batch_ids": batch_ids, "poke_interval": 0.1, "timeout": 30.0, **arguments})

    return make


@pytest.fixture
def trigger(connection):
    from airflow_visionbatch.triggers.batch_list import BatchListTrigger  # noqa: PLC0415

    def make(refs: list[str], **arguments: Any) -> Any:
        return BatchListTrigger(
            **{"service": "deepomatic", "conn_id": "deepomatic_default", "refs": refs, "pace": PACE, **arguments}
        )

    return make


@pytest.fixture
def batches(tenant):
    """Batches that somebody else has made and that are being processed."""
    tenant.configure(profile="rich", lifecycle="manual")

    def make(count: int) -> list[Any]:
        made = [tenant.batches.create(f"made elsewhere {number}") for number in range(count)]
        for batch in made:
            batch.force(BatchState.PROCESSING)
        return made

    return make


def force(state: BatchState, *made: Any) -> list[str]:
    for batch in made:
        batch.force(state)
    return [batch.id for batch in made]


async def event_of(trigger: Any) -> dict[str, Any]:
    async with asyncio.timeout(20):
        (event,) = [event.payload async for event in trigger.run()]
    return event


@pytest.mark.parametrize("way", WAYS)
def test_it_ends_when_all_have_ended_well(run_sensor, batches, books, way):
    made = batches(101)
    refs = [*force(BatchState.SUCCESS, *made[:100]), made[100].id]
    with meanwhile(lambda: len(books.requests(LIST)) >= 3, lambda: made[100].force(BatchState.SUCCESS)):
        run = run_sensor(refs, **WAYS[way])
    assert (run.state, run.errors) == ("success", [])
    assert run.result == {
        "schema": 1,
        "service": "deepomatic",
        "outcome": "done",
        "total": 101,
        "counts": {"done": 101},
        "report": "",
        "examples": [],
    }
    assert run.xcoms["manifest"] == run.result


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("policies", "state", "outcome"),
    [
        ({}, "failed", "partial"),
        ({"on_failed": "warn"}, "success", "partial"),
        ({"on_failed": "accept:2"}, "success", "partial"),
        ({"on_failed": "accept:2", "on_partial": "fail"}, "failed", "partial"),
        ({"on_failed": "accept:60%", "on_partial": "fail"}, "success", "partial"),
    ],
    ids=str,
)
def test_the_policies_decide_on_what_did_not_end_well(
    run_sensor, batches, tmp_path: Path, way, policies, state, outcome
):
    made = batches(5)
    good = force(BatchState.SUCCESS, *made[:2])
    bad = force(BatchState.ERROR, *made[2:4])
    partial = force(BatchState.PARTIAL_SUCCESS, made[4])

    run = run_sensor([*good, *bad, *partial], report_path=str(tmp_path), **policies, **WAYS[way])

    assert run.state == state
    manifest = run.xcoms["manifest"]
    word = "partial_refused" if policies.get("on_partial") == "fail" else "partial"
    assert (manifest["outcome"], manifest["counts"]) == (outcome, {"done": 2, "failed": 2, word: 1})
    assert {example["ref"] for example in manifest["examples"]} >= set(bad)
    report = json.loads(Path(manifest["report"]).read_text())
    assert report["batches"] == {
        **dict.fromkeys(good, "done"), **dict.fromkeys(bad, "failed"), **dict.fromkeys(partial, word),
    }  # fmt: skip
    if state == "failed":
        assert type(run.error).__name__ == "JobPartial"
        assert "refused by on_failed=" in str(run.error)


@pytest.mark.parametrize("way", WAYS)
def test_when_none_ends_well_no_policy_helps(run_sensor, batches, way):
    run = run_sensor(force(BatchState.ERROR, *batches(3)), on_failed="accept", **WAYS[way])
    assert (run.state, type(run.error).__name__) == ("failed", "JobFailed")
    assert "none of them well" in str(run.error)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("soft_fail", [False, True], ids=["hard", "soft"])
def test_a_timeout_fails_or_skips_and_tells_how_far_they_are(run_sensor, batches, books, way, soft_fail):
    made = batches(3)
    force(BatchState.SUCCESS, made[0])
    run = run_sensor([batch.id for batch in made], timeout=0.4, soft_fail=soft_fail, retries=2, **WAYS[way])
    assert (run.state, run.tries) == ("skipped" if soft_fail else "failed", 1)
    assert run.xcoms["manifest"]["outcome"] == "waiting"
    assert run.xcoms["manifest"]["counts"] == {"done": 1, "waiting": 2}
    if not soft_fail:
        assert type(run.error).__name__ == "AirflowSensorTimeout"
    assert not books.requests(DELETE)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("on_failed", "state"), [("accept:1", "success"), ("fail", "failed")])
@pytest.mark.parametrize("soft_fail", [False, True], ids=["hard", "soft"])
def test_at_a_timeout_those_that_wait_may_count_as_failed(run_sensor, batches, way, on_failed, state, soft_fail):
    made = batches(3)
    force(BatchState.SUCCESS, *made[:2])
    refs = [batch.id for batch in made]
    run = run_sensor(refs, timeout=0.4, on_timeout="count", on_failed=on_failed, soft_fail=soft_fail, **WAYS[way])
    assert run.state == state
    assert run.xcoms["manifest"]["counts"] == {"done": 2, "waiting": 1}


@pytest.mark.parametrize("way", WAYS)
def test_an_outage_in_the_middle_is_lived_through(run_sensor, tenant, batches, way):
    refs = force(BatchState.SUCCESS, *batches(3))
    plan = tenant.faults.plan({"instructions": {LIST: ["return-503", "html-502", "return-reset-connection"]}})
    run = run_sensor(refs, **WAYS[way])
    assert plan.completed
    assert (run.state, run.tries) == ("success", 1)


@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_key_spends_no_retries(run_sensor, tenant, batches, way):
    refs = [batch.id for batch in batches(3)]
    tenant.revoke()
    run = run_sensor(refs, retries=2, **WAYS[way])
    assert (run.state, run.tries) == ("failed", 1)
    assert "Check the API key in the connection" in str(run.error)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"batch_ids": "['a', 'b']"}, "batch_ids is a str, not a list"),
        ({"batch_ids": ["a", 7]}, "item 1 of the batches"),
        ({"batch_ids": ["a", {"id": "b"}]}, "item 1 of the batches"),
        ({"batch_ids": ["a", " "]}, "item 1 of the batches"),
        ({"batch_ids": [str(number) for number in range(5001)]}, "5001 batches are too many"),
        ({"on_failed": "some"}, "on_failed is fail, warn, accept"),
        ({"on_partial": "some"}, "on_partial is fail, warn, accept"),
        ({"on_timeout": "cancel"}, "on_timeout is fail or count"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_input_is_refused_before_the_first_request(run_sensor, tenant, way, wrong, words):
    run = run_sensor(**{"batch_ids": ["a", "b"], "retries": 2, **wrong, **WAYS[way]})
    assert (run.state, run.tries) == ("failed", 1)
    assert words in str(run.error)
    assert not tenant.journal.entries()


@pytest.mark.parametrize("way", WAYS)
def test_nothing_to_wait_for_is_done(run_sensor, way):
    run = run_sensor([], **WAYS[way])
    assert (run.state, run.result["outcome"], run.result["total"]) == ("success", "done", 0)


@pytest.mark.parametrize("way", WAYS)
def test_the_output_of_a_mapped_task_is_a_list(run_sensor, connection, tenant, orders, way):
    from airflow_visionbatch.operators.deepomatic import DeepomaticRunBatchOperator  # noqa: PLC0415

    def upstream() -> dict[str, Any]:
        submit = DeepomaticRunBatchOperator.partial(task_id="submit", wait=False, source=str(orders))
        return {"batch_ids": submit.expand(batch_label=["north", "south", "west"]).output}

    run = run_sensor([], upstream=upstream, **WAYS[way])
    assert (run.state, run.errors) == ("success", [])
    assert run.result["counts"] == {"done": 3}
    assert len(tenant.batches.all()) == 3


def test_an_unknown_batch_may_still_appear_and_is_missing_after_a_minute(on_paper, batches):
    refs = [*force(BatchState.SUCCESS, *batches(2)), UNKNOWN]
    task = on_paper(refs, on_failed="accept:1")
    assert not task.poke(paper_context(PaperTi(started_s_ago=30)))
    late = task.poke(paper_context(PaperTi(started_s_ago=90)))
    assert late.xcom_value["counts"] == {"done": 2, "missing": 1}
    assert late.xcom_value["examples"][0]["ref"] == UNKNOWN


def test_an_end_that_is_taken_back_is_not_believed(on_paper, tenant, batches):
    tenant.configure(profile="strict")
    refs = [batch.id for batch in batches(1)]
    tenant.faults.plan({"instructions": {GET: [{"fault": "set-status", "value": "success"}]}})
    assert not on_paper(refs).poke(paper_context())


def deferred(task: Any) -> Any:
    from airflow.sdk.exceptions import TaskDeferred  # noqa: PLC0415

    with pytest.raises(TaskDeferred) as caught:
        task.execute(paper_context())
    return caught.value


def test_it_defers_with_ids_and_a_deadline_and_without_a_request(on_paper, tenant, batches):
    refs = [batch.id for batch in batches(3)]
    began = time.time()
    deferral = deferred(on_paper([*refs, refs[0], {"batch_id": refs[1]}], deferrable=True, timeout=60.0))
    spent = time.time() - began
    arguments = deferral.trigger.serialize()[1]
    assert arguments["refs"] == refs
    assert 60 <= arguments["deadline"] - began <= 60 + spent
    assert deferral.timeout.total_seconds() > 60
    assert json.loads(json.dumps(arguments)) == arguments
    assert not tenant.journal.entries()


async def test_the_event_of_thousands_is_small(trigger, tenant, batches):
    made = batches(1500)
    force(BatchState.ERROR, *made[::7])
    force(BatchState.SUCCESS, *[batch for number, batch in enumerate(made) if number % 7])
    event = await event_of(trigger([batch.id for batch in made]))
    assert len(json.dumps(event).encode()) < EVENT_BYTES
    from airflow_visionbatch.triggers.batch_list import ListEnded  # noqa: PLC0415

    assert ListEnded.read(event).tally().counts == {"done": 1285, "failed": 215}
    assert event["history"][-1]["state"] == "1500 of 1500 ended: 1285 done, 215 failed"


async def test_a_cancelled_trigger_says_nothing_and_a_kill_cancels_no_batch(trigger, batches, books):
    waits = trigger([batch.id for batch in batches(3)])
    waiting = asyncio.create_task(event_of(waits))
    await until(lambda: books.requests(LIST))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    if hasattr(waits, "on_kill"):
        await waits.on_kill()
    assert not books.requests(DELETE)


async def test_what_was_seen_meanwhile_is_replayed(on_paper, trigger, batches, monkeypatch):
    from airflow_visionbatch._compat import BaseOperator  # noqa: PLC0415

    lines: list[str] = []

    class Log:
        def info(self, message: str, *values: Any) -> None:
            lines.append(message % values)

        debug = warning = error = info

    refs = force(BatchState.SUCCESS, *batches(3))
    event = await event_of(trigger(refs))
    task = on_paper(refs)
    monkeypatch.setattr(BaseOperator, "log", Log())
    manifest = await asyncio.to_thread(task.execute_complete, paper_context(), event)
    assert manifest["counts"] == {"done": 3}
    assert lines[0].startswith("deepomatic batches: seen by the triggerer at ")
    assert lines[0].endswith("3 of 3 ended: 3 done")


async def test_a_list_that_has_changed_meanwhile_is_not_taken_for_the_old_one(on_paper, trigger, batches):
    from visionbatch import VisionBatchError  # noqa: PLC0415

    refs = force(BatchState.SUCCESS, *batches(2))
    event = await event_of(trigger(refs))
    with pytest.raises(VisionBatchError, match="not the ones any more"):
        await asyncio.to_thread(on_paper(refs[::-1]).execute_complete, paper_context(), event)


@pytest.mark.parametrize("value", [None, "text", {}, {"schema": 99, "tally": {}}, {"schema": 1}])
def test_an_event_of_somebody_else_is_refused(on_paper, value):
    from visionbatch import VisionBatchError  # noqa: PLC0415

    with pytest.raises(VisionBatchError, match="not one of ours"):
        on_paper(["a"]).execute_complete(paper_context(), value)


def test_a_damaged_tally_is_refused(on_paper):
    from visionbatch import VisionBatchError  # noqa: PLC0415

    with pytest.raises(VisionBatchError, match="cannot be read"):
        on_paper(["a"]).execute_complete(paper_context(), {"schema": 1, "tally": {"of": "x"}})


def documented(kind: Any) -> set[str]:
    return set(re.findall(r":param (\w+):", kind.__doc__))


def test_every_argument_is_documented(sensor, trigger):
    signature = inspect.signature(sensor.__init__)
    own = {name for name, it in signature.parameters.items() if it.kind is it.KEYWORD_ONLY}
    assert documented(sensor) == own
    made = trigger(["a"])
    arguments = set(inspect.signature(type(made).__init__).parameters) - {"self", "later"}
    assert documented(type(made)) == arguments == set(made.serialize()[1])


def test_the_trigger_survives_the_way_through_the_database(trigger):
    from airflow.sdk.serde import deserialize, serialize  # noqa: PLC0415

    first = trigger(["a", "b"], deadline=12.5, not_before=3.5, on_partial="accept:2", something_new={"x": 1})
    path, arguments = first.serialize()
    assert type(first)(**deserialize(serialize(arguments))).serialize() == (path, arguments)
    assert path == "airflow_visionbatch.triggers.batch_list.BatchListTrigger"
