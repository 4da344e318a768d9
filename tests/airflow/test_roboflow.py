"""Roboflow from Airflow: the shipped Dags as a whole, and jobs through ``dag.test()`` or with a context of paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.airflow_runs import PaperTi, is_small_json, paper_context
from support.arguments import documented, own_arguments, said_to_be_templated
from support.meanwhile import stopped
from support.orders import photo
from visionbatch_mock.roboflow.words import ContentType
from visionbatch_mock.tenant import Tenant

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

DAGS = Path(__file__).parents[2] / "dags" / "roboflow_batch.py"
JOB = "roboflow.jobs.get"
CREATED, ABORTED, RESTARTED = "roboflow.job_created", "roboflow.job_aborted", "roboflow.job_restarted"


@pytest.fixture
def operator() -> Any:
    from airflow_visionbatch.operators.roboflow import RoboflowRunJobOperator  # noqa: PLC0415

    return RoboflowRunJobOperator


@pytest.fixture
def arguments(workspace, staged, records) -> dict[str, Any]:
    return {"batch": staged(), "workflow_id": "inspect", "poll_interval": 0.05, **records.arguments}


def photos(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"{number:03}.jpg").write_bytes(photo(number, 60))
    return folder


def created(tenant: Tenant) -> list[dict[str, Any]]:
    """The definitions of all jobs that there are, in order of their making."""
    return [entry["definition"] for entry in tenant.ledger.entries(CREATED)]


def test_the_shipped_dag_goes_from_a_folder_to_a_table(airflow, workspace, tenant, tmp_path):
    import pyarrow.parquet as pq  # noqa: PLC0415

    place = photos(tmp_path / "photos", 40)
    run = airflow.run_shipped(DAGS, "roboflow_batch", {"photos": str(place), "results": str(tmp_path / "results")})
    assert set(run.states.values()) == {"success"}
    assert [task for task, _ in run.states] == ["stage", "ready", "run", "fetch", "tell"]
    (staged,), (job,), (fetched,) = (run.results(task) for task in ("stage", "run", "fetch"))
    assert all(is_small_json(value) for value in (staged, job, fetched))
    assert (staged["kind"], staged["expected"]) == ("shards", 40)
    assert (job["outcome"], job["results"]["input_batch"]) == ("done", staged["batch_id"])
    (table,) = Path(fetched["folder"]).glob("table/*.parquet")
    assert pq.read_metadata(table).num_rows == 40
    assert len(tenant.ledger.entries("roboflow.shard_stored")) == len(created(tenant)) == 1


def test_each_day_becomes_a_batch_a_job_and_a_folder_of_its_own(airflow, workspace, tenant, tmp_path):
    for day, count in (("2026-11-20", 3), ("2026-11-21", 5)):
        photos(tmp_path / "photos" / day, count)
    tenant.configure(roboflow_processing_s=0.0, roboflow_export_s=0.0)
    given = {"photos": str(tmp_path / "photos"), "results": str(tmp_path / "results")}
    run = airflow.run_shipped(DAGS, "roboflow_days", given)
    assert set(run.states.values()) == {"success"}
    staged = run.results("one_day.stage")
    assert [batch["expected"] for batch in staged] == [3, 5]
    assert len({batch["batch_id"] for batch in staged}) == 2
    jobs = [job["jobInput"]["batchId"] for job in created(tenant)]
    assert sorted(jobs) == sorted(batch["batch_id"] for batch in staged)
    folders = [fetched["folder"] for fetched in run.results("one_day.fetch")]
    assert [Path(folder).name for folder in folders] == ["2026-11-20", "2026-11-21"]


@pytest.mark.parametrize("deferrable", [False, True], ids=["sync", "deferrable"])
def test_a_job_is_made_once_and_its_id_and_link_are_known_while_it_runs(run_task, tenant, workspace, deferrable):
    workspace(extra={"console_url": "https://app.roboflow.com/{workspace}/jobs/{job_id}"})
    plan = tenant.faults.plan({"instructions": {JOB: ["return-503", "html-502"]}})
    run = run_task(deferrable=deferrable)
    assert plan.completed
    assert (run.state, run.errors) == ("success", [])
    (entry,) = tenant.ledger.entries(CREATED)
    job_id = entry["job_id"]
    page = f"https://app.roboflow.com/mock-workspace/jobs/{job_id}"
    assert (run.xcoms["job_id"], run.xcoms["console_url"], run.xcoms["_link_RoboflowJobLink"]) == (job_id, page, page)
    manifest = run.result
    assert is_small_json(manifest)
    assert manifest == run.xcoms["manifest"]
    assert (manifest["batch_id"], manifest["outcome"], manifest["console_url"]) == (job_id, "done", page)
    assert set(manifest["results"]["output_batches"]) == {"processing", "export"}
    assert run.record["stage"] == "ended"


@pytest.fixture
def killed_while_it_waits(on_paper, tenant, monkeypatch):
    """Run an operator that is told to stop while it looks at its job."""
    from airflow_visionbatch import ownership  # noqa: PLC0415

    def kill(state: str) -> None:
        monkeypatch.setattr(ownership, "_state", lambda task_instance: state)
        tenant.configure(roboflow_processing_s=3600)
        stopped(on_paper(), lambda: len(tenant.journal.entries(JOB)) >= 3)

    return kill


@pytest.mark.parametrize(("state", "aborted"), [("failed", True), ("running", False)])
def test_a_kill_aborts_the_job_of_a_task_that_was_ended_and_no_other(killed_while_it_waits, tenant, state, aborted):
    killed_while_it_waits(state)
    made = [entry["job_id"] for entry in tenant.ledger.entries(CREATED)]
    assert [entry["job_id"] for entry in tenant.ledger.entries(ABORTED)] == (made if aborted else [])


@pytest.mark.parametrize(("state", "aborted"), [("failed", True), ("deferred", False)])
async def test_so_does_a_kill_of_a_task_that_waits_in_the_triggerer(on_paper, tenant, monkeypatch, state, aborted):
    from airflow.providers.common.compat.sdk import TaskDeferred  # noqa: PLC0415

    from airflow_visionbatch import ownership  # noqa: PLC0415

    tenant.configure(roboflow_processing_s=3600)
    with pytest.raises(TaskDeferred) as deferred:
        on_paper(deferrable=True).execute(paper_context())
    monkeypatch.setattr(ownership, "_state", lambda task_instance: state)
    trigger = deferred.value.trigger
    trigger.task_instance = PaperTi()
    await trigger.on_kill()
    made = [entry["job_id"] for entry in tenant.ledger.entries(CREATED)]
    assert [entry["job_id"] for entry in tenant.ledger.entries(ABORTED)] == (made if aborted else [])


@pytest.mark.parametrize(("policy", "jobs", "restarts"), [("new", 2, 0), ("restart", 1, 1)])
def test_a_retry_of_a_failed_job_makes_a_new_one_or_restarts_it(on_paper, tenant, policy, jobs, restarts):
    tenant.configure(roboflow_outcome="fail")
    context = paper_context(PaperTi(max_tries=3))
    with pytest.raises(Exception, match="ended with an error"):
        on_paper(on_failed_job=policy).execute(context)
    tenant.configure(roboflow_outcome="success")
    context["ti"].try_number = 2
    assert on_paper(on_failed_job=policy).execute(context)["outcome"] == "done"
    assert (len(created(tenant)), len(tenant.ledger.entries(RESTARTED))) == (jobs, restarts)


@pytest.mark.parametrize(("on_partial", "state"), [("accept:2", "success"), ("fail", "failed")])
def test_a_job_that_lost_tasks_is_judged_and_its_manifest_is_there_either_way(run_task, tenant, on_partial, state):
    tenant.configure(roboflow_images_per_task=2, roboflow_image_failures={"000.jpg": "blurred"})
    run = run_task(on_partial=on_partial, max_image_failure_rate=0.1, deferrable=True, retries=2)
    assert (run.state, run.tries) == (state, 1)
    assert (run.xcoms["manifest"]["outcome"], run.xcoms["manifest"]["counts"]["failed"]) == ("partial", 1)


def test_a_plan_without_batch_processing_spends_no_retries(run_task, tenant):
    tenant.configure(roboflow_batch_plan=False)
    run = run_task(retries=3)
    assert (run.state, run.tries, type(run.reason).__name__) == ("failed", 1, "PlanRefused")


def test_end_from_trigger_goes_on_in_a_worker(run_task):
    """What came of a job takes its stages and its log, which a worker asks for."""
    run = run_task(deferrable=True, end_from_trigger=True)
    assert (run.state, run.result["outcome"]) == ("success", "done")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"media": "sounds"}, "images or videos"),
        ({"batch": {"kind": "single"}}, "names no batch"),
        ({"batch": {"batch_id": "j-1", "outcome": "done"}}, "names no batch"),
        ({"definition": {"aggregation": "csv"}}, "aggregation has an argument of its own"),
        ({"definition": {"notifications_url": "https://example.com/secret"}}, "notifications_url has an argument"),
        ({"definition": {"worker": 2}}, "worker"),
        ({"machine": "quantum", "definition": {"workers": 3}}, "breaks 2 rules"),
        ({"notify": True}, "takes no webhooks"),
        ({"on_failed_job": "ignore"}, "ignore"),
    ],
)
def test_what_cannot_be_is_named_before_anything_is_asked(on_paper, tenant, wrong, named):
    with pytest.raises(Exception, match=named):
        on_paper(**wrong).execute(paper_context())
    assert not tenant.journal.entries()


def test_two_deployments_with_the_same_dag_make_two_jobs(on_paper, tenant, monkeypatch):
    for deployment in ("staging", "production"):
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", f"https://{deployment}.example.com")
        on_paper(wait=False).execute(paper_context(PaperTi(run_id="scheduled__2026-11-22")))
    assert len(created(tenant)) == 2


SECRET = "a-secret-of-thirty-two-characters-or-more"


class Effects:
    """What each argument of the operator itself changes, seen at the mock; the base's have their tests elsewhere."""

    def batch(self, run, tenant, workspace, staged):
        run(batch={"batch_id": "photos", "ready_ref": "photos/4"})
        assert created(tenant)[0]["jobInput"]["batchId"] == "photos"

    def workflow_id(self, run, tenant, workspace, staged):
        run(workflow_id="another")
        assert self._specification(tenant)["workflowId"] == "another"

    def media(self, run, tenant, workspace, staged):
        run(media="videos", batch=staged(1, "films", ContentType.VIDEOS))
        assert created(tenant)[0]["type"] == "simple-video-processing-v1"

    def workflow_parameters(self, run, tenant, workspace, staged):
        run(workflow_parameters={"confidence": 0.4})
        assert self._specification(tenant)["workflowParameters"] == {"confidence": 0.4}

    def machine(self, run, tenant, workspace, staged):
        run(machine="gpu")
        assert created(tenant)[0]["computeConfiguration"]["machineType"] == "gpu"

    def max_image_failure_rate(self, run, tenant, workspace, staged):
        run(max_image_failure_rate=0.25)
        assert created(tenant)[0]["maxImageFailureRate"] == 0.25

    def aggregation(self, run, tenant, workspace, staged):
        run(aggregation="csv")
        assert self._specification(tenant)["aggregationFormat"] == "csv"

    def persist_images(self, run, tenant, workspace, staged):
        run(persist_images=True)
        assert self._specification(tenant)["persistImagesOutputs"] is True

    def definition(self, run, tenant, workspace, staged):
        run(definition={"workers": 2, "timeout_s": 600, "image_input": "photo"})
        made = created(tenant)[0]
        assert (made["computeConfiguration"]["workersPerMachine"], made["processingTimeoutSeconds"]) == (2, 600)
        assert self._specification(tenant)["imageInputName"] == "photo"

    def job_name(self, run, tenant, workspace, staged):
        run(job_name="monday")
        assert tenant.roboflow.jobs.get(tenant.ledger.entries(CREATED)[0]["job_id"]).name == "monday"

    def notify(self, run, tenant, workspace, staged):
        receiver = {"webhook_secret": SECRET, "webhook_base_url": "http://127.0.0.1:9", "webhook_inside": True}
        workspace(extra=receiver)
        run(notify=True)
        assert created(tenant)[0]["notificationsURL"].endswith(f"/roboflow/roboflow_default/{SECRET}")

    def on_failed_job(self, run, tenant, workspace, staged):
        with pytest.raises(ValueError, match="never"):
            run(on_failed_job="never")

    def roboflow_conn_id(self, run, tenant, workspace, staged):
        with pytest.raises(Exception, match="another_workspace"):
            run(roboflow_conn_id="another_workspace")

    def _specification(self, tenant: Tenant) -> dict[str, Any]:
        return dict(created(tenant)[0]["processingSpecification"])


EFFECTS = sorted(name for name in vars(Effects) if not name.startswith("_"))


@pytest.mark.parametrize("argument", EFFECTS)
def test_every_argument_reaches_its_effect(on_paper, tenant, workspace, staged, argument):
    def run(**given: Any) -> None:
        on_paper(wait=False, **given).execute(paper_context())

    getattr(Effects(), argument)(run, tenant, workspace, staged)


def test_every_argument_is_documented_and_tested_and_said_to_be_templated(operator):
    from airflow_visionbatch.operators.remote_run import RemoteRunOperator  # noqa: PLC0415

    assert set(documented(operator)) == own_arguments(operator) == set(EFFECTS) | own_arguments(RemoteRunOperator)
    assert said_to_be_templated(operator) == set(operator.template_fields)
