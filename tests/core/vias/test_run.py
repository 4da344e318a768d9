"""One run over one record: whatever dies, and whatever is asked again, there is one batch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.conftest import Faults
from core.vias.bodies import batch_task, groups
from core.vias.conftest import Project
from support.books import Books
from support.clocks import TenantClock
from visionbatch import FileRunStore, LocalSink, Policies
from visionbatch.errors import (
    ConfigError,
    DeadlinePassed,
    IdTaken,
    InputChanged,
    JobFailed,
    JobPartial,
    TransportError,
    UnreadableAnswer,
)
from visionbatch.model.run import RunRecord, Stage
from visionbatch.model.snapshot import Phase
from visionbatch.pipelines.vias import Vias
from visionbatch.pipelines.vias_create import ViasRun, generation_name
from visionbatch.pipelines.vias_wait import wait
from visionbatch.vias.schedule import Period, Schedule
from visionbatch.vias.settings import ViasSettings
from visionbatch.vias.sources import VideoSourceGroup
from visionbatch_mock.tenant import Tenant

CREATE, MADE = "vias.batch_tasks.create", "vias.batch_created"
LIST, STOP = "vias.batch_tasks.list", "vias.batch_tasks.stop"
TWO = groups("source-0001", "source-0002")
NOT_LISTED = {
    "fault": "answer",
    "status": 200,
    "body": '{"count": 0, "batch_task_list": []}',
    "content_type": "application/json",
    "effect": False,
}


class Runs:
    """Makes a new run over the same record, as another process would."""

    def __init__(self, project: Project, folder: Path) -> None:
        self._project = project
        self._folder = folder
        self.told: list[str] = []

    @property
    def store(self) -> FileRunStore:
        return FileRunStore(self._folder, "run")

    def record(self) -> RunRecord:
        found = self.store.load()
        assert found is not None
        return found

    def __call__(self, policies: Policies | None = None, **options: Any) -> ViasRun:
        return ViasRun(self._project(), self.store, policies, created=self.told.append, **options)


@pytest.fixture
def runs(project: Project, tmp_path: Path) -> Runs:
    return Runs(project, tmp_path)


def names(books: Books) -> list[str]:
    return [effect["name"] for effect in books.effects(MADE)]


def test_a_run_makes_its_batch_waits_and_tells(runs: Runs, vias: Vias, books: Books, tmp_path: Path) -> None:
    run = runs()
    submitted = run.submit(batch_task(groups=TWO))
    manifest = run.conclude(submitted, lambda: vias.wait(run.ref), sink=LocalSink(tmp_path / "out"))
    assert (manifest.service, manifest.outcome, manifest.counts["succeeded"]) == ("huawei_vias", "done", 2)
    assert runs.record().stage is Stage.ENDED
    assert json.loads((tmp_path / "out" / f"{run.batch_id}.manifest.json").read_text())["archive"]["sources"] == 2
    assert len(books.effects(MADE)) == 1


def test_a_later_try_goes_on_with_the_same_batch(runs: Runs, books: Books) -> None:
    first = runs().submit(batch_task())
    again = runs().submit(batch_task())
    assert again.batch_id == first.batch_id
    assert runs.told == [first.batch_id] * 2
    assert len(books.requests(CREATE)) == 1


def test_a_try_that_died_before_it_knew_its_batch_finds_it(runs: Runs, books: Books, faults: Faults) -> None:
    faults(CREATE, "drop-response")
    faults(LIST, "pass", *["return-reset-connection"] * 4)
    with pytest.raises(TransportError):
        runs().submit(batch_task())
    assert runs.record().stage is Stage.INTENT
    submitted = runs().submit(batch_task())
    assert [effect["batch_id"] for effect in books.effects(MADE)] == [submitted.batch_id]
    assert len(books.requests(CREATE)) == 1


class Dying:
    """A store whose process dies at one of its writings: just before it, or just after."""

    def __init__(self, store: FileRunStore, number: int, *, after: bool) -> None:
        self._store = store
        self._left = number
        self._after = after

    def load(self) -> RunRecord | None:
        return self._store.load()

    def save(self, record: RunRecord) -> None:
        self._left -= 1
        if self._left or self._after:
            self._store.save(record)
        if not self._left:
            raise Killed

    def clear(self) -> None:
        self._store.clear()


class Killed(BaseException):
    """What no code catches by accident."""


def killed(_: object) -> None:
    raise Killed


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_run_that_dies_at_any_writing_of_its_record_ends_in_one_batch(
    project: Project, runs: Runs, vias: Vias, books: Books, number: int, after: bool
) -> None:
    died = False
    try:
        run = ViasRun(project(), Dying(runs.store, number, after=after))
        run.conclude(run.submit(batch_task()), lambda: vias.wait(run.ref))
    except Killed:
        died = True
    assert died
    run = runs()
    manifest = run.conclude(run.submit(batch_task()), lambda: vias.wait(run.ref))
    assert (manifest.outcome, manifest.generation) == ("done", 1)
    assert [effect["batch_id"] for effect in books.effects(MADE)] == [manifest.batch_id]
    assert len(books.requests(CREATE)) == 1


def test_a_name_that_somebody_else_has_can_be_an_error(runs: Runs, vias: Vias, books: Books) -> None:
    vias.create(batch_task())
    with pytest.raises(IdTaken):
        runs().submit(batch_task())
    # Nor does a refusal make it the next try's.
    with pytest.raises(IdTaken):
        runs().submit(batch_task())
    assert runs(adopt=True).submit(batch_task()).batch_id
    assert len(books.effects(MADE)) == 1


def test_a_batch_that_somebody_else_made_is_marked_and_never_cancelled(
    runs: Runs, vias: Vias, books: Books, tenant: Tenant, clock: TenantClock
) -> None:
    tenant.configure(vias_lives={"*": ["RUNNING"]})
    others = vias.create(batch_task())
    run = runs(Policies.of(on_partial="fail", on_timeout="cancel"), adopt=True)
    submitted = run.submit(batch_task(service_name="other"))
    assert (submitted.batch_id, run.adopted, runs.record().notes) == (others.batch_id, True, {"vias_adopted": True})
    assert submitted.archive == {"name": "nightly", "adopted": 1}
    deadline = clock.now() + 30
    with pytest.raises(DeadlinePassed):
        run.conclude(submitted, lambda: vias.wait(run.ref, deadline=deadline))
    # As a triggerer does, which knows no more than the ref.
    vias.cancel(run.ref)
    again = runs(Policies.of(on_partial="fail", on_clear="cancel_and_new"))
    again.submit(batch_task(service_name="other"), cleared=True)
    assert not books.requests(STOP)
    assert names(books) == ["nightly", "nightly-g2"]


def test_a_later_generations_name_that_somebody_else_has_is_refused_as_well(
    runs: Runs, vias: Vias, books: Books, tenant: Tenant
) -> None:
    vias.create(batch_task(name="nightly-g2"))
    runs().submit(batch_task())
    with pytest.raises(IdTaken):
        runs(Policies.of(on_partial="fail", on_clear="cancel_and_new")).submit(batch_task(), cleared=True)
    assert names(books) == ["nightly-g2", "nightly"]


def test_a_try_that_is_stopped_while_it_decides_leaves_the_batch_of_another_item_alone(
    project: Project, runs: Runs, books: Books, tenant: Tenant
) -> None:
    tenant.configure(vias_lives={"*": ["RUNNING"]})
    runs().submit(batch_task(name="item-b"))

    before = len(books.requests(LIST))
    run = ViasRun(project(), runs.store, decided=killed)
    with pytest.raises(Killed):
        run.submit(batch_task(name="item-a", groups=TWO))
    run.cancel()
    assert len(books.requests(LIST)) == before, "whose it is shows without a look"
    assert (run.batch_id, books.requests(STOP)) == ("", [])


def test_one_unlucky_look_ends_no_retry_and_no_status(runs: Runs, vias: Vias, books: Books, faults: Faults) -> None:
    first = runs().submit(batch_task())
    faults(LIST, "return-503", "return-reset-connection")
    assert runs().submit(batch_task()).batch_id == first.batch_id
    faults(LIST, "return-503")
    assert vias.status(first.batch_id).counts is not None


@pytest.mark.parametrize("on_cancel", ["stop", "delete"])
def test_a_batch_that_runs_as_it_should_is_alive_for_a_changed_input_and_one_that_has_ended_is_not_cancelled(
    project: Project, runs: Runs, books: Books, tenant: Tenant, on_cancel: str
) -> None:
    tenant.configure(vias_lives={"*": ["RUNNING"]})
    run = runs(wait_for="running")
    run.conclude(run.submit(batch_task()), lambda: project().wait(run.ref))
    assert runs.record().stage is Stage.ENDED
    with pytest.raises(InputChanged):
        runs(wait_for="running").submit(batch_task(groups=TWO), cleared=True)
    tenant.configure(vias_lives={})
    project().stop(run.batch_id)
    tenant.clock.advance(3600)
    stops = len(books.requests(STOP))
    again = ViasRun(project(on_cancel=on_cancel), runs.store, wait_for="running")
    again.submit(batch_task(groups=TWO), cleared=True)
    assert names(books) == ["nightly", "nightly-g2"]
    assert (len(books.requests(STOP)), books.effects("vias.batch_deleted")) == (stops, [])


def test_a_batch_that_the_list_does_not_show_yet_is_not_made_twice(
    runs: Runs, books: Books, faults: Faults, clock: TenantClock
) -> None:
    first = runs().submit(batch_task())
    faults(LIST, *[NOT_LISTED] * 6)
    assert runs().submit(batch_task()).batch_id == first.batch_id
    assert names(books) == ["nightly"]
    assert clock.elapsed < ViasSettings(region="eu-west-101").settle_s


@pytest.mark.parametrize("way", ["cancel", "replace"])
def test_a_batch_that_is_on_no_record_yet_is_cancelled_by_its_name(
    runs: Runs, books: Books, tenant: Tenant, faults: Faults, clock: TenantClock, way: str
) -> None:
    tenant.configure(vias_lives={"*": ["RUNNING"]})
    faults(CREATE, "drop-response")
    faults(LIST, "pass", "return-503")
    run = runs(wait_for="running")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(clock, "pause", killed)
        with pytest.raises(Killed):
            run.submit(batch_task())
    assert (run.batch_id, names(books)) == ("", ["nightly"])
    # The list lags behind.
    faults(LIST, *[NOT_LISTED] * 5)
    if way == "cancel":
        run.cancel()
    else:
        policies = Policies.of(on_partial="fail", on_input_change="cancel_and_new")
        runs(policies, wait_for="running").submit(batch_task(groups=TWO))
    [stopped] = books.requests(STOP)
    assert books.effects(MADE)[0]["batch_id"] in str(stopped.path)


@pytest.mark.parametrize("policy", ["fail", "warn"])
def test_a_partial_creation_whose_answer_was_lost_is_seen_by_the_number_of_tasks(
    project: Project, runs: Runs, vias: Vias, books: Books, tenant: Tenant, policy: str
) -> None:
    tenant.configure(vias_refusals={"create": ["source-0002"]}, vias_keep_failed=False)
    with pytest.raises(Killed):
        ViasRun(project(), Dying(runs.store, 3, after=False)).submit(batch_task(groups=TWO))
    run = runs(Policies.of(on_partial=policy))
    if policy == "fail":
        with pytest.raises(JobPartial, match="1 of 2 tasks could not be made"):
            run.submit(batch_task(groups=TWO))
    else:
        manifest = run.conclude(run.submit(batch_task(groups=TWO)), lambda: vias.wait(run.ref))
        assert (manifest.outcome, manifest.counts) == ("partial", {"total": 2, "succeeded": 1, "failed": 1})
    assert len(books.effects(MADE)) == 1


@pytest.mark.parametrize("keep", [True, False])
def test_tasks_that_could_not_be_made_count_at_the_end(runs: Runs, vias: Vias, tenant: Tenant, *, keep: bool) -> None:
    tenant.configure(vias_refusals={"create": ["source-0002"]}, vias_keep_failed=keep)
    run = runs(Policies.of(on_partial="warn"))
    manifest = run.conclude(run.submit(batch_task(groups=TWO)), lambda: vias.wait(run.ref))
    assert (manifest.outcome, manifest.counts) == ("partial", {"total": 2, "succeeded": 1, "failed": 1})


def test_a_batch_without_a_task_is_a_failure_and_waited_for_no_longer_than_abnormal_ones(
    runs: Runs, vias: Vias, books: Books, tenant: Tenant, clock: TenantClock
) -> None:
    tenant.configure(vias_empty_list_means_group=False)
    empty = batch_task(groups=(VideoSourceGroup("group-0001", ()),))
    for _ in range(2):
        with pytest.raises(JobFailed, match="no task was made"):
            runs().submit(empty)
    assert len(books.effects(MADE)) == 1
    end = vias.wait(runs.record().ref, deadline=clock.now() + 86_400)
    assert (end.phase, clock.elapsed < 1200) == (Phase.FAILED, True)


@pytest.mark.fault("CR14")
def test_a_partial_creation_is_refused_accepted_or_warned_of_by_policy_and_never_passes_unseen(
    runs: Runs, books: Books, tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    tenant.configure(vias_refusals={"create": ["source-0002"]})
    for _ in range(2):
        # No retry makes it a success.
        with pytest.raises(JobPartial, match="1 of 2 tasks could not be made: source-0002") as partial:
            runs().submit(batch_task(groups=TWO))
        assert partial.value.ref == runs.record().ref == runs.told[-1]
    assert len(books.effects(MADE)) == 1
    with pytest.raises(JobPartial):
        runs(Policies.of(on_partial="accept:0")).submit(batch_task(groups=TWO))
    for policy in ("warn", "accept", "accept:1", "accept:50%"):
        caplog.clear()
        assert runs(Policies.of(on_partial=policy)).submit(batch_task(groups=TWO)).batch_id
        assert "could not be made: source-0002" in caplog.text


def test_a_creation_of_which_nothing_came_is_a_failure_whatever_the_policy(runs: Runs, tenant: Tenant) -> None:
    tenant.configure(vias_refusals={"create": ["*"]})
    with pytest.raises(JobFailed, match="2 of 2 tasks could not be made") as failed:
        runs(Policies.of(on_partial="accept")).submit(batch_task(groups=TWO))
    assert failed.value.ref


def test_an_error_list_of_thousands_leaves_the_record_small(runs: Runs, tenant: Tenant) -> None:
    many = groups(*(f"source-{number:04}" for number in range(100)))
    tenant.configure(vias_refusals={"create": ["*"]})
    with pytest.raises(JobFailed):
        runs().submit(batch_task(groups=many))
    assert len(json.dumps(runs.record().to_json())) < 4096


def test_counts_that_do_not_add_up_leave_the_id_on_record(runs: Runs, tenant: Tenant, books: Books) -> None:
    tenant.configure(vias_count_errors={"failed_count": -1})
    with pytest.raises(UnreadableAnswer, match="do not add up"):
        runs().submit(batch_task())
    [effect] = books.effects(MADE)
    assert runs.record().ref == effect["batch_id"]
    tenant.configure(vias_count_errors={})
    assert runs().submit(batch_task()).batch_id == effect["batch_id"]


def test_counts_that_do_not_add_up_hide_no_task_that_was_not_made(runs: Runs, tenant: Tenant, books: Books) -> None:
    told = {"vias_refusals": {"create": ["source-0002"]}, "vias_keep_failed": False}
    tenant.configure(vias_count_errors={"total_count": 7}, **told)
    with pytest.raises(UnreadableAnswer):
        runs().submit(batch_task(groups=TWO))
    tenant.configure(vias_count_errors={})
    for _ in range(2):
        with pytest.raises(JobPartial, match="1 of 2 sources have no task"):
            runs().submit(batch_task(groups=TWO))
    assert len(books.effects(MADE)) == 1


def test_a_batch_that_ended_badly_is_replaced_under_the_next_name(
    runs: Runs, vias: Vias, books: Books, tenant: Tenant
) -> None:
    tenant.configure(vias_lives={"*": ["FAILED"]})
    run = runs()
    with pytest.raises(JobFailed):
        run.conclude(run.submit(batch_task()), lambda: vias.wait(run.ref))
    tenant.configure(vias_lives={})
    run = runs()
    manifest = run.conclude(run.submit(batch_task()), lambda: vias.wait(run.ref))
    assert (manifest.outcome, manifest.generation) == ("done", 2)
    assert names(books) == ["nightly", "nightly-g2"]


def test_another_request_under_the_same_record_is_refused_or_replaces(runs: Runs, books: Books) -> None:
    runs().submit(batch_task())
    with pytest.raises(InputChanged):
        runs().submit(batch_task(groups=TWO))
    runs(Policies.of(on_partial="fail", on_input_change="cancel_and_new")).submit(batch_task(groups=TWO))
    assert names(books) == ["nightly", "nightly-g2"]
    assert len(books.requests("vias.batch_tasks.stop")) == 1


def test_a_weekly_plan_is_only_waited_for_until_it_runs(runs: Runs, books: Books) -> None:
    weekly = batch_task(schedule=Schedule("+08:00", {1: (Period("08:00:00", "12:00:00"),)}))
    with pytest.raises(ConfigError, match="never ends"):
        runs().submit(weekly)
    assert not books.tenant.journal.entries()
    assert runs(wait_for=None).submit(weekly).batch_id
    assert runs(wait_for="running").submit(weekly).batch_id


def test_names_of_later_generations_keep_the_limit() -> None:
    assert generation_name("n" * 100, 1) == "n" * 100
    assert generation_name("n" * 100, 12) == "n" * 96 + "-g12"


def test_patience_with_abnormal_tasks_outlives_a_process_and_a_person_renews_it(
    runs: Runs, project: Project, tenant: Tenant, clock: TenantClock
) -> None:
    tenant.configure(vias_lives={"*": ["ABNORMAL"]})

    def wait_for(seconds: float, *, cleared: bool = False) -> None:
        """What a process of its own sees of the batch, and keeps of it."""
        vias = project(abnormal_s=600)
        run = ViasRun(vias, runs.store)
        submitted = run.submit(batch_task(), cleared=cleared)
        deadline = clock.now() + seconds
        run.conclude(submitted, lambda: wait(vias, run.ref, deadline=deadline, observe=run.saw))

    for _ in range(2):
        with pytest.raises(DeadlinePassed):
            wait_for(250)
    assert clock.elapsed < 600
    noted = runs.record().notes["vias_unwell_since"]
    with pytest.raises(DeadlinePassed):
        wait_for(250, cleared=True)
    assert runs.record().notes["vias_unwell_since"] > noted
    with pytest.raises(JobFailed, match="ABNORMAL"):
        wait_for(3600)
    assert clock.elapsed < 600 + 750


def test_one_call_for_a_whole_run_makes_no_batch_over_a_live_stream(vias: Vias, books: Books, tmp_path: Path) -> None:
    source = {"video_source_name": "yard", "access_type": "cloud", "type": "vcn", "type_config": "<type>VCN</type>"}
    camera = vias.ask("CreateVideoSource", body=source)["video_source_id"]
    with pytest.raises(ConfigError, match="live stream"):
        vias.run(batch_task(groups=groups(camera)), kept_in=tmp_path)
    assert not books.effects(MADE)
