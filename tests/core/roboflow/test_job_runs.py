"""A job over one run record: created once, whatever is lost on the way, and judged at its end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from support.books import Books
from support.clocks import TenantClock
from support.runs import Died, DyingStore, MemoryStore
from support.silence import Silence
from visionbatch import (
    Action,
    Decision,
    JobDefinition,
    JobKind,
    Manifest,
    OnFailedJob,
    Policies,
    Roboflow,
    RoboflowJobRun,
    SecretUrl,
    Submitted,
    derived_job_id,
    ready_ref,
)
from visionbatch.errors import (
    ConfigError,
    DeadlinePassed,
    IdTaken,
    InputChanged,
    JobFailed,
    JobPartial,
    NotAuthorized,
    NotReady,
    OutOfCredits,
    PlanRefused,
    Throttled,
    Unavailable,
    UnsafeUrl,
)
from visionbatch.flow.effects import Pause
from visionbatch.model.run import Stage as RecordStage
from visionbatch_mock.tenant import Tenant

CREATE, GET, TASKS = "roboflow.jobs.create", "roboflow.jobs.get", "roboflow.jobs.tasks"
CREATED, RESTARTED, ABORTED = "roboflow.job_created", "roboflow.job_restarted", "roboflow.job_aborted"
RUN = "dag task run"

Stage = Callable[..., JobDefinition]


def submit(client: Roboflow, definition: JobDefinition, store: MemoryStore, **options: Any) -> Submitted:
    policies = options.pop("policies", None)
    on_failed = options.pop("on_failed_job", OnFailedJob.NEW)
    run = RoboflowJobRun(client, store, RUN, policies, on_failed_job=on_failed, decided=options.pop("decided", None))
    return run.submit(definition, **options)


def run_through(client: Roboflow, definition: JobDefinition, store: MemoryStore, **options: Any) -> Manifest:
    """Submit, wait and conclude."""
    policies = options.get("policies")
    submitted = submit(client, definition, store, **options)
    run = RoboflowJobRun(client, store, RUN, policies)
    return run.conclude(submitted, lambda: client.wait(submitted.batch_id, deadline=submitted.record.deadline))


def created(books: Books) -> list[str]:
    return [str(entry["job_id"]) for entry in books.effects(CREATED)]


def test_a_job_runs_to_its_end_and_says_where_its_results_are(
    workspace: Any, stage: Stage, books: Books, tenant: Tenant
) -> None:
    tenant.configure(roboflow_images_per_task=2)
    store = MemoryStore()

    manifest = run_through(workspace(), stage(count=5), store)

    (job_id,) = created(books)
    assert job_id == derived_job_id(RUN, 1)
    assert (manifest.service, manifest.batch_id, manifest.outcome) == ("roboflow", job_id, "done")
    assert manifest.counts == {"total": 3, "succeeded": 3, "failed": 0}
    assert manifest.results == {
        "input_batch": "photos",
        "output_batches": {"processing": [f"{job_id}-processing"], "export": [f"{job_id}-export"]},
    }
    assert store.saves[-1]["outcome"] == "done"


@pytest.mark.parametrize("at_save", [1, 2, 3])
@pytest.mark.parametrize("taken", [False, True])
def test_a_process_that_dies_at_any_save_leaves_one_job_to_the_next_try(
    workspace: Any, stage: Stage, books: Books, at_save: int, *, taken: bool
) -> None:
    store, definition = DyingStore(at_save, taken=taken), stage()
    with pytest.raises(Died):
        run_through(workspace(), definition, store)

    assert run_through(workspace(), definition, store).outcome == "done"

    assert created(books) == [derived_job_id(RUN, 1)]


@pytest.mark.parametrize(
    "met",
    [
        ["drop-response"],
        ["truncate-5B"],
        ["html-200"] * 2,
        ["return-503"] * 2,
        ["return-500"] * 2,
        ["return-reset-connection"] * 2,
    ],
    ids=lambda met: str(met[0]),
)
def test_a_creation_whose_answer_is_lost_or_odd_makes_one_job(
    workspace: Any, stage: Stage, books: Books, faults: Any, met: list[str]
) -> None:
    definition = stage()
    faults(CREATE, *met)

    assert run_through(workspace(), definition, MemoryStore()).outcome == "done"

    assert created(books) == [derived_job_id(RUN, 1)]


@pytest.mark.fault("CR7")
def test_an_id_that_other_work_has_taken_is_never_adopted(
    workspace: Any, stage: Stage, books: Books, silence: Silence
) -> None:
    mine, others = stage("mine"), stage("others")
    client = workspace()
    client.perform(client.api.jobs.create(derived_job_id(RUN, 1), others))

    with silence.raises(IdTaken, match="different input") as caught:
        submit(client, mine, MemoryStore())

    assert not caught.value.retry_safe
    assert caught.value.ref == derived_job_id(RUN, 1)
    (effect,) = books.effects(CREATED)
    assert effect["batch_id"] == "others"
    assert not books.effects(ABORTED), "the other job is left alone"


def test_a_job_of_somebody_else_under_our_id_is_never_aborted(workspace: Any, stage: Stage, books: Books) -> None:
    mine, changed, others = stage("mine"), stage("changed"), stage("others")
    client, store = workspace(), MemoryStore()
    client.perform(client.api.jobs.create(derived_job_id(RUN, 1), others))
    run = RoboflowJobRun(client, store, RUN)
    with pytest.raises(IdTaken):
        run.submit(mine)
    run.cancel()
    anew = RoboflowJobRun(client, store, RUN, Policies.of(on_input_change="cancel_and_new"))
    assert anew.submit(changed).batch_id == derived_job_id(RUN, 2)
    # And where a try died before the service could say whose the id is.
    store.save(replace(store.load(), stage=RecordStage.INTENT, ref=derived_job_id(RUN, 1), place="mine"))
    RoboflowJobRun(client, store, RUN, Policies.of(on_input_change="cancel_and_new")).submit(stage("again"))
    assert not books.effects(ABORTED)


def test_a_409_for_a_job_that_does_the_same_adopts_it(workspace: Any, stage: Stage, books: Books) -> None:
    definition = stage()
    client = workspace()
    elsewhere = replace(definition, notifications_url=SecretUrl("https://receiver.example.com/one"))
    client.perform(client.api.jobs.create(derived_job_id(RUN, 1), elsewhere))

    assert run_through(client, definition, MemoryStore()).outcome == "done"

    assert len(created(books)) == 1


@pytest.mark.fault("CR12")
@pytest.mark.parametrize(
    ("setting", "kind", "text"),
    [
        ({"roboflow_batch_plan": False}, PlanRefused, "plan has no batch processing"),
        ({"roboflow_credits": False}, OutOfCredits, "no credits left"),
        ({"roboflow_scopes": ["batch-processing:read"]}, NotAuthorized, "lacks the scope"),
    ],
)
def test_what_the_plan_or_the_key_does_not_cover_is_refused_once_and_by_its_name(
    workspace: Any,
    stage: Stage,
    books: Books,
    tenant: Tenant,
    silence: Silence,
    setting: dict[str, Any],
    kind: type[NotAuthorized],
    text: str,
) -> None:
    definition = stage()
    tenant.configure(**setting)

    with silence.raises(NotAuthorized, match=text) as caught:
        submit(workspace(), definition, MemoryStore())

    assert type(caught.value) is kind
    assert caught.value.permanent
    assert not caught.value.retry_safe
    assert len(books.requests(CREATE)) == 1


def test_a_429_about_speed_is_waited_out_and_one_about_credits_is_not_believed_of_a_job_that_runs(
    workspace: Any, stage: Stage, books: Books, tenant: Tenant, faults: Any
) -> None:
    definition, store = stage(), MemoryStore()
    faults(CREATE, {"fault": "return-429", "retry_after": "3"}, "drop-response")
    submit(workspace(), definition, store)
    assert len(created(books)) == 1

    tenant.configure(roboflow_credits=False)
    store.saves[:] = store.saves[:1]
    manifest = run_through(workspace(), definition, MemoryStore())

    assert manifest.outcome == "done"
    assert len(created(books)) == 1


def test_a_service_that_stays_away_is_given_up_and_the_next_try_makes_the_same_job(
    workspace: Any, stage: Stage, books: Books, faults: Any
) -> None:
    definition, store = stage(), MemoryStore()
    faults(CREATE, *["return-503"] * 6)
    with pytest.raises((Unavailable, Throttled)):
        submit(workspace(), definition, store)

    decisions: list[Decision] = []
    submit(workspace(), definition, store, decided=decisions.append)

    assert [decision.action for decision in decisions] == [Action.SEEK]
    assert created(books) == [derived_job_id(RUN, 1)]


@pytest.mark.fault("CR16")
@pytest.mark.parametrize("job_id", ["x" * 21, "Upper", "smile-\N{GRINNING FACE}", "under_score", "", "a/../b"])
def test_a_job_id_outside_the_rule_is_refused_before_any_request(
    workspace: Any, stage: Stage, books: Books, tenant: Tenant, job_id: str
) -> None:
    definition, client = stage(), workspace()
    before = len(tenant.journal.entries())

    with pytest.raises(ConfigError, match="job-id"):
        client.perform(client.api.jobs.create(job_id, definition))

    assert len(tenant.journal.entries()) == before


@pytest.mark.parametrize("url", ["https://10.0.0.7/hook-secret", "http://receiver.example.com/hook-secret"])
def test_a_webhook_inside_the_network_or_in_clear_is_refused_before_any_request(
    workspace: Any, stage: Stage, books: Books, tenant: Tenant, silence: Silence, url: str
) -> None:
    silence.guard("hook-secret")
    definition, client = stage(notifications_url=SecretUrl(url)), workspace()
    before = len(tenant.journal.entries())

    with silence.raises(UnsafeUrl, match="notifications_url"):
        submit(client, definition, MemoryStore())
    assert len(tenant.journal.entries()) == before

    submit(workspace(allow_inside=True), definition, MemoryStore())
    (effect,) = books.effects(CREATED)
    assert effect["definition"]["notificationsURL"] == url


def failing(tenant: Tenant, *names: str, **more: Any) -> None:
    tenant.configure(roboflow_images_per_task=2, roboflow_image_failures=dict.fromkeys(names, "blurred"), **more)


@pytest.mark.fault("SE19")
@pytest.mark.parametrize(
    ("on_partial", "accepted"), [("warn", True), ("fail", False), ("accept:1", True), ("accept:20%", False)]
)
def test_a_job_that_lost_tasks_is_a_partial_one_with_counts_and_the_policy_decides(
    workspace: Any,
    stage: Stage,
    tenant: Tenant,
    silence: Silence,
    caplog: pytest.LogCaptureFixture,
    on_partial: str,
    *,
    accepted: bool,
) -> None:
    failing(tenant, "0.jpg")
    definition, delivered = stage(count=6, max_image_failure_rate=0.1), list[Manifest]()
    client, store, policies = workspace(), MemoryStore(), Policies.of(on_partial=on_partial)
    submitted = submit(client, definition, store, policies=policies)
    run = RoboflowJobRun(client, store, RUN, policies)

    def conclude() -> Manifest:
        return run.conclude(submitted, lambda: client.wait(submitted.batch_id), deliver=delivered.append)

    if accepted:
        conclude()
    else:
        with silence.raises(JobPartial, match="3 done, 1 failed"):
            conclude()

    (manifest,) = delivered
    assert (manifest.outcome, manifest.counts) == ("partial", {"total": 3, "succeeded": 2, "failed": 1})
    assert manifest.errors == {"lines": 1, "by_code": {"file-failed": 1}, "failed_tasks": 2}
    assert any("stage processing 3 of 3 tasks, 1 failed, 100%" in line for line in caplog.messages)
    assert any("blurred" in line for line in caplog.messages)


def test_images_may_fail_within_the_rate_without_a_task_being_lost(
    workspace: Any, stage: Stage, tenant: Tenant
) -> None:
    failing(tenant, "0.jpg")

    manifest = run_through(workspace(), stage(max_image_failure_rate=0.5), MemoryStore())

    assert (manifest.outcome, manifest.counts["failed"]) == ("done", 0)


@pytest.mark.parametrize("policy", [OnFailedJob.NEW, OnFailedJob.RESTART])
def test_a_retry_after_a_failed_job_makes_the_next_one_or_does_the_same_again(
    workspace: Any, stage: Stage, books: Books, tenant: Tenant, policy: OnFailedJob
) -> None:
    definition, store = stage(), MemoryStore()
    tenant.configure(roboflow_outcome="fail")
    with pytest.raises(JobFailed, match="The job failed"):
        run_through(workspace(), definition, store)
    tenant.configure(roboflow_outcome="success")

    manifest = run_through(workspace(), definition, store, on_failed_job=policy)

    again = policy is OnFailedJob.RESTART
    assert manifest.outcome == "done"
    assert created(books) == [derived_job_id(RUN, generation) for generation in ((1,) if again else (1, 2))]
    assert len(books.effects(RESTARTED)) == again
    assert manifest.generation == (1 if again else 2)
    assert store.saves[-1]["notes"] == ({"roboflow_restarts": 1} if again else {})


def test_a_restart_that_took_effect_is_not_taken_for_refused(
    workspace: Any, stage: Stage, books: Books, tenant: Tenant, faults: Any
) -> None:
    definition, store = stage(), MemoryStore()
    tenant.configure(roboflow_outcome="fail")
    with pytest.raises(JobFailed):
        run_through(workspace(), definition, store)
    tenant.configure(roboflow_outcome="success", roboflow_queued_s=600)
    faults("roboflow.jobs.restart", "drop-response")
    faults("roboflow.jobs.get", "pass", "pass", "return-503")

    submit(workspace(), definition, store, on_failed_job=OnFailedJob.RESTART)

    assert len(books.requests("roboflow.jobs.restart")) == 2, "the second one is refused: the job goes on"
    assert len(books.effects(RESTARTED)) == 1


@pytest.mark.parametrize("fault", ["drop-response", "return-503", "return-reset-connection"])
def test_a_restart_whose_answer_is_lost_is_charged_once(
    workspace: Any, stage: Stage, books: Books, tenant: Tenant, faults: Any, fault: str
) -> None:
    definition, store = stage(), MemoryStore()
    tenant.configure(roboflow_outcome="fail")
    with pytest.raises(JobFailed):
        run_through(workspace(), definition, store)
    tenant.configure(roboflow_outcome="success", roboflow_queued_s=600)
    faults("roboflow.jobs.restart", fault)

    submit(workspace(), definition, store, on_failed_job=OnFailedJob.RESTART)

    assert len(books.effects(RESTARTED)) == 1


def test_other_input_is_refused_or_replaces_the_job_that_runs(
    workspace: Any, stage: Stage, books: Books, tenant: Tenant
) -> None:
    tenant.configure(roboflow_processing_s=3600)
    definition, store = stage(), MemoryStore()
    submit(workspace(), definition, store)
    changed = replace(definition, workers=2)

    with pytest.raises(InputChanged):
        submit(workspace(), changed, store)
    submit(workspace(), changed, store, policies=Policies.of(on_input_change="cancel_and_new"))

    assert [entry["job_id"] for entry in books.effects(ABORTED)] == [derived_job_id(RUN, 1)]
    assert created(books) == [derived_job_id(RUN, 1), derived_job_id(RUN, 2)]


def test_a_record_of_another_item_neither_stops_nor_touches_its_job(
    workspace: Any, stage: Stage, books: Books, tenant: Tenant
) -> None:
    tenant.configure(roboflow_processing_s=3600)
    store = MemoryStore()
    submit(workspace(), stage("monday"), store)

    submit(workspace(), stage("tuesday"), store)

    assert [entry["batch_id"] for entry in books.effects(CREATED)] == ["monday", "tuesday"]
    assert not books.effects(ABORTED)


def test_a_try_that_is_stopped_while_it_decides_leaves_the_job_of_another_item_alone(
    workspace: Any, stage: Stage, books: Books, tenant: Tenant
) -> None:
    tenant.configure(roboflow_processing_s=3600)
    store, tuesday, client = MemoryStore(), stage("tuesday"), workspace()
    submit(client, stage("monday"), store)
    stored = len(store.saves)

    def stop(decision: Decision) -> None:
        raise Died

    run = RoboflowJobRun(client, store, RUN, decided=stop)
    with pytest.raises(Died):
        run.submit(tuesday)
    run.cancel()

    assert not books.requests(GET), "whose it is shows without a look"
    assert not books.effects(ABORTED)
    assert len(store.saves) == stored


def test_a_service_in_trouble_for_a_moment_ends_no_retry(
    workspace: Any, stage: Stage, books: Books, faults: Any
) -> None:
    definition, store, client = stage(), MemoryStore(), workspace()
    submit(client, definition, store)
    faults(GET, "return-503", "return-reset-connection")

    submit(client, definition, store)

    assert created(books) == [derived_job_id(RUN, 1)]


@pytest.mark.parametrize("age", [0, 61], ids=["within the grace", "beyond it"])
def test_a_job_that_does_not_show_is_not_made_twice(
    workspace: Any, stage: Stage, books: Books, faults: Any, tenant: Tenant, age: int
) -> None:
    definition, store = stage(), MemoryStore()
    submit(workspace(), definition, store)
    tenant.clock.advance(age)
    faults(GET, "return-404", "return-404")

    again = submit(workspace(), definition, store)

    assert created(books) == [again.batch_id] == [derived_job_id(RUN, 1)]
    assert len(books.requests(CREATE)) == (2 if age else 1), "what is believed to be gone is asked for by the same id"


def test_a_job_that_no_try_knows_of_is_aborted_before_another_takes_its_place(
    workspace: Any, stage: Stage, books: Books, tenant: Tenant
) -> None:
    tenant.configure(roboflow_processing_s=3600)
    store, definition = DyingStore(3, taken=False), stage()
    with pytest.raises(Died):
        submit(workspace(), definition, store)
    changed = replace(definition, workers=2)

    submit(workspace(), changed, store, policies=Policies.of(on_input_change="cancel_and_new"))

    assert [entry["job_id"] for entry in books.effects(ABORTED)] == [derived_job_id(RUN, 1)]


@pytest.mark.parametrize("told", [True, False], ids=["what was sent", "the id alone"])
def test_no_job_is_made_over_a_batch_that_is_still_being_indexed(
    workspace: Any, refer: Callable[..., int], books: Books, tenant: Tenant, *, told: bool
) -> None:
    tenant.configure(roboflow_indexing_s=120)
    client, store = workspace(), MemoryStore()
    sent = refer("refs", 3, 2)
    ref = ready_ref("refs", sent, 2) if told else ""
    definition = JobDefinition(kind=JobKind.IMAGES, batch_id="refs", workflow_id="inspect")

    with pytest.raises(NotReady, match="0 of 2 shards ingested") as caught:
        submit(client, definition, store, ready_ref=ref)
    assert caught.value.retry_safe
    assert not books.requests(CREATE)
    tenant.clock.advance(120)
    submit(client, definition, store, ready_ref=ref)

    assert created(books) == [derived_job_id(RUN, 1)]


def test_a_count_that_comes_after_its_shards_is_waited_for_and_one_that_never_comes_ends_the_wait(
    workspace: Any, refer: Callable[..., int], books: Books, faults: Any, clock: TenantClock
) -> None:
    sent = refer("refs", 3, 2)
    clock.pause(Pause(60, 60))
    definition = JobDefinition(kind=JobKind.IMAGES, batch_id="refs", workflow_id="inspect")
    faults("roboflow.batches.count", *[{"fault": "answer", "body": '{"count": 4}'}] * 3)

    submit(workspace(), definition, MemoryStore(), ready_ref=ready_ref("refs", sent, 2))

    assert len(books.effects(CREATED)) == 1
    again = replace(definition, workflow_id="another")
    RoboflowJobRun(workspace(), MemoryStore(), "another run").submit(again, ready_ref=ready_ref("refs", sent + 1, 2))
    assert len(books.effects(CREATED)) == 2


@pytest.mark.parametrize("on_timeout", ["leave", "cancel"])
def test_at_the_deadline_the_job_is_left_or_aborted(
    workspace: Any, stage: Stage, books: Books, tenant: Tenant, clock: TenantClock, on_timeout: str
) -> None:
    tenant.configure(roboflow_processing_s=10**6)

    with pytest.raises(DeadlinePassed, match=r'running \("processing"\), 0 of 1 done'):
        run_through(
            workspace(),
            stage(),
            MemoryStore(),
            policies=Policies.of(on_timeout=on_timeout),
            deadline=clock.now() + 3600,
        )

    assert len(books.effects(ABORTED)) == (on_timeout == "cancel")


def test_progress_is_told_while_the_job_runs(
    workspace: Any, stage: Stage, tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    tenant.configure(roboflow_images_per_task=1, roboflow_processing_s=600)

    run_through(workspace(), stage(count=4, max_parallel_tasks=1), MemoryStore())

    told = [line for line in caplog.messages if 'running ("processing")' in line]
    assert any("2 of 4 done" in line for line in told)
