"""Roboflow's batch jobs: their definition, their life, and what they write."""

import csv
import io
import json

import pytest

from support.roboflow_wire import JOBS, STAGING, Workspace, definition
from visionbatch_mock import MockConfig, MockServer

EXPORT = "results-archives"


@pytest.fixture
def batch(workspace, photo) -> str:
    """A simple batch of three photos, and a life cycle that takes 10, 100 and 10 seconds."""
    for shade in range(3):
        workspace.upload("b", f"p-{shade}.jpg", photo(shade=shade))
    workspace.inside.configure(roboflow_queued_s=10, roboflow_processing_s=100, roboflow_export_s=10)
    return "b"


@pytest.fixture
def shards(workspace, photos) -> str:
    """A batch of two shards of three photos each."""
    for prefix in ("p", "q"):
        workspace.shard("b", photos(3, prefix))
    workspace.inside.clock.advance(1)
    workspace.inside.configure(roboflow_queued_s=10, roboflow_processing_s=100, roboflow_export_s=10)
    return "b"


def finished(workspace, job_id: str):
    workspace.inside.clock.advance(120)
    return workspace.job(job_id)


def test_a_job_goes_by_the_clock_from_queued_over_both_stages_to_success(workspace, batch):
    workspace.start("j", batch)
    job = workspace.job("j")
    assert (job["currentStage"], job["isTerminal"], job["error"]) == (None, False, False)
    assert workspace.stages("j") == []
    workspace.inside.clock.advance(60)
    assert workspace.job("j")["currentStage"] == "processing"
    (task,) = workspace.tasks("j")
    assert (task["statusType"], task["progress"]) == ("info", 0.5)
    workspace.inside.clock.advance(50)
    assert [stage["statusType"] for stage in workspace.stages("j")] == ["success", "info"]
    workspace.inside.clock.advance(10)
    job = workspace.job("j")
    assert (job["currentStage"], job["isTerminal"], job["error"]) == ("export", True, False)
    assert job["plannedStages"] == ["processing", "export"]
    (ended,) = workspace.effects("job_ended")
    assert (ended["state"], ended["ok"], ended["failed"]) == ("succeeded", 3, 0)
    assert ended.at == workspace.effects("job_created")[0].at + 120


def test_a_job_goes_by_looks_or_by_hand_by_setting(workspace, batch):
    workspace.inside.configure(lifecycle={"mode": "looks", "looks": 2})
    workspace.start("looked-at", batch)
    seen = [workspace.job("looked-at") for _ in range(8)]
    assert [job["currentStage"] for job in seen[:6]] == [None, None, *["processing"] * 2, *["export"] * 2]
    assert [job["isTerminal"] for job in seen] == [False] * 6 + [True] * 2
    workspace.inside.configure(lifecycle="manual")
    workspace.start("by-hand", batch)
    workspace.inside.clock.advance(1000)
    assert workspace.job("by-hand")["currentStage"] is None
    workspace.control("POST", "jobs/by-hand", {"advance": True})
    assert workspace.job("by-hand")["currentStage"] == "processing"


def test_the_keys_that_the_vendors_client_insists_on_are_there(workspace, batch):
    workspace.start("j", batch)
    listing = workspace.get(JOBS).json()
    assert listing["nextPageToken"] is None
    (job,) = listing["jobs"]
    assert (job["name"], job["restartParametersOverride"]) == ("j", [])
    workspace.inside.configure(roboflow_null_tokens=False)
    assert "nextPageToken" in workspace.get(JOBS).json()
    workspace.inside.clock.advance(20)
    stage = workspace.stages("j")[0]
    assert stage["tasksNumber"] == 1
    assert stage["notification"]
    assert stage["outputBatches"] == ["j-processing"]


def test_the_same_definition_starts_nothing_new_and_another_one_is_a_conflict(workspace, batch):
    for _ in range(2):
        assert workspace.post(f"{JOBS}/j", definition(batch), name="Poles").status_code == 200
    assert workspace.post(f"{JOBS}/j", definition(batch, maxParallelTasks=2)).status_code == 409
    assert len(workspace.effects("job_created")) == 1
    assert workspace.job("j")["name"] == "Poles"


def test_plan_and_credits_are_asked_before_anything_else(workspace, batch):
    workspace.start("j", batch)
    workspace.inside.configure(roboflow_credits=False)
    assert workspace.post(f"{JOBS}/j", definition(batch)).status_code == 429
    workspace.inside.configure(roboflow_batch_plan=False)
    assert workspace.post(f"{JOBS}/j", definition("none")).status_code == 402
    assert workspace.get(f"{JOBS}/j").status_code == 200


@pytest.mark.parametrize(
    ("scopes", "statuses"), [(["batch-processing:read"], (200, 403)), (["batch-processing:trigger"], (403, 200))]
)
def test_a_scoped_key_reads_or_triggers(workspace, batch, scopes, statuses):
    workspace.inside.configure(roboflow_scopes=scopes)
    answers = workspace.get(JOBS), workspace.post(f"{JOBS}/j", definition(batch))
    assert tuple(answer.status_code for answer in answers) == statuses


@pytest.mark.parametrize("job_id", ["Upper", "x" * 21, "a.b"])
def test_a_job_id_that_breaks_the_documented_pattern_is_refused(workspace, batch, job_id):
    assert workspace.post(f"{JOBS}/{job_id}", definition(batch)).status_code == 400


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"type": "other"}, "type"),
        ({"type": "trt-compilation-v1"}, "type"),
        ({"input": {"type": "other"}}, "jobInput.type"),
        ({"computeConfiguration": {}}, "computeConfiguration.type"),
        ({"computeConfiguration": {"type": "compute-configuration-v2", "workersPerMachine": 3}}, "workersPerMachine"),
        ({"computeConfiguration": {"type": "compute-configuration-v2", "machineType": "tpu"}}, "machineType"),
        ({"processingTimeoutSeconds": 0}, "processingTimeoutSeconds"),
        ({"maxParallelTasks": "2"}, "maxParallelTasks"),
        ({"maxImageFailureRate": 1.1}, "maxImageFailureRate"),
        ({"inferenceBackend": "other"}, "inferenceBackend"),
        ({"notificationsURL": 1}, "notificationsURL"),
        ({"seed": 1}, "seed"),
        ({"specification": {"workflowId": ""}}, "workflowId"),
        ({"specification": {"aggregationFormat": "xml"}}, "aggregationFormat"),
        ({"specification": {"persistImagesOutputs": 1}}, "persistImagesOutputs"),
        ({"specification": {"maxVideoFPS": 5}}, "maxVideoFPS"),
        ({"specification": {"workspace": "elsewhere"}}, "workspace"),
        ({"type": "simple-video-processing-v1", "maxImageFailureRate": 0.5}, "maxImageFailureRate"),
        ({"type": "simple-video-processing-v1"}, "images"),
    ],
)
def test_a_definition_that_breaks_a_rule_is_refused_by_the_fields_name(workspace, batch, changes, field):
    answer = workspace.post(f"{JOBS}/j", definition(batch, **changes))
    assert answer.status_code == 400
    assert field in answer.json()["error"]
    assert workspace.effects("job_created") == []


def test_a_missing_batch_is_not_found_and_an_empty_one_is_refused(workspace):
    assert workspace.post(f"{JOBS}/j", definition("none")).status_code == 404
    workspace.sign("empty")
    assert workspace.post(f"{JOBS}/j", definition("empty")).status_code == 400


def test_a_job_over_a_batch_that_is_still_indexed_takes_what_is_there(workspace, photos):
    workspace.inside.configure(roboflow_indexing_s=2, roboflow_queued_s=1)
    workspace.shard("b", photos(2))
    workspace.inside.clock.advance(1.5)
    workspace.shard("b", photos(3, "late"))
    workspace.start("j", "b")
    finished(workspace, "j")
    (ended,) = workspace.effects("job_ended")
    assert ended["ok"] == 2


def test_every_shard_is_a_task_and_few_run_at_a_time(workspace, shards):
    workspace.start("j", shards, maxParallelTasks=1)
    workspace.inside.clock.advance(35)
    assert [task["progress"] for task in workspace.tasks("j")] == [0.5, None]
    workspace.inside.clock.advance(50)
    assert [task["statusType"] for task in workspace.tasks("j")] == ["success", "info"]


def test_results_are_archives_with_a_row_for_each_file(workspace, shards):
    workspace.start("j", shards, specification={"persistImagesOutputs": True, "imagesOutputsToBePersisted": ["shown"]})
    finished(workspace, "j")
    parts = workspace.get(f"{STAGING}/j-export/parts").json()["batchParts"]
    assert [part["partName"] for part in parts] == [EXPORT, "images-archives"]
    assert workspace.get(f"{STAGING}/j-export/list").status_code == 400
    first, second = workspace.archives("j-export", EXPORT)
    rows = [json.loads(line) for line in first["aggregated_results.jsonl"].splitlines()]
    assert [row["image"] for row in rows] == ["p-0.jpg", "p-1.jpg", "p-2.jpg"]
    assert rows[0]["shown"] == "<deducted_image>"
    assert json.loads(first["p-0.jpg/results.json"]) == rows[0]
    assert "q-0.jpg/results.json" in second
    persisted, _ = workspace.archives("j-export", "images-archives")
    assert persisted["p-0.jpg/shown.jpg"].startswith(b"\xff\xd8")
    files = workspace.files("j-processing", partName="results")
    assert [file["fileName"] for file in files] == ["aggregated_results_0.jsonl", "aggregated_results_1.jsonl"]


def test_csv_rows_hold_objects_as_json(workspace, batch):
    workspace.start("j", batch, specification={"aggregationFormat": "csv"})
    finished(workspace, "j")
    (archive,) = workspace.archives("j-export", EXPORT)
    rows = list(csv.DictReader(io.StringIO(archive["aggregated_results.csv"].decode())))
    assert [row["image"] for row in rows] == ["p-0.jpg", "p-1.jpg", "p-2.jpg"]
    assert all(len(json.loads(row["predictions"])["predictions"]) == int(row["count_objects"]) for row in rows)


def test_videos_give_a_row_for_each_frame(workspace):
    for name in ("a.mp4", "b.mp4"):
        workspace.put(workspace.sign_video("v", name), name.encode())
    workspace.start("j", "v", type="simple-video-processing-v1", specification={"maxVideoFPS": 2})
    workspace.inside.clock.advance(60)
    first, second = (archive["workflow_results_source_0.jsonl"] for archive in workspace.archives("j-export", EXPORT))
    assert [json.loads(line)["frame"] for line in first.splitlines()][:2] == [0, 1]
    assert {json.loads(line)["video"] for line in second.splitlines()} == {"b.mp4"}


def test_rows_belong_to_seed_name_and_bytes(photo):
    def rows(seed: int) -> bytes:
        at_once = {"roboflow_queued_s": 0, "roboflow_processing_s": 0, "roboflow_export_s": 0}
        with MockServer(MockConfig(seed=seed, **at_once)) as mock:
            workspace = Workspace(mock, "key")
            for shade in range(5):
                workspace.upload("b", f"p-{shade}.jpg", photo(shade=shade))
            workspace.start("j", "b")
            (file,) = workspace.files("j-export", partName=EXPORT)
            content = workspace.http.get(file["downloadURL"]).content
            workspace.http.close()
            return content

    assert rows(1) == rows(1)
    assert rows(1) != rows(2)


def test_a_file_that_cannot_be_processed_is_told_and_the_rest_comes(workspace, batch):
    workspace.inside.configure(roboflow_image_failures={"p-1.jpg": "out of memory"})
    workspace.start("j", batch)
    assert finished(workspace, "j")["error"] is False
    (archive,) = workspace.archives("j-export", EXPORT)
    (failures,) = [name for name in archive if name.startswith("failed_files_processing_")]
    assert json.loads(archive[failures]) == {"file_path": "p-1.jpg", "cause": "out of memory"}
    assert "p-1.jpg/results.json" not in archive
    logs = workspace.get(f"{JOBS}/j/logs", severity="warning").json()["logs"]
    assert [line["payload"]["file"] for line in logs] == ["p-1.jpg"]


@pytest.mark.parametrize("says_error", [False, True])
def test_a_task_with_too_many_failures_is_given_up_and_the_job_goes_on(workspace, shards, says_error):
    workspace.inside.configure(
        roboflow_image_failures={"q-0.jpg": "broken"}, roboflow_lost_tasks_error=says_error, roboflow_export_s=0
    )
    workspace.start("j", shards, maxImageFailureRate=0.1)
    job = finished(workspace, "j")
    assert (job["isTerminal"], job["error"]) == (True, says_error)
    assert [task["statusType"] for task in workspace.tasks("j", 0)] == ["success", "error"]
    (ended,) = workspace.effects("job_ended")
    assert (ended["ok"], ended["failed"]) == (3, 3)


def test_a_job_of_which_every_task_was_given_up_fails(workspace, batch):
    workspace.inside.configure(roboflow_image_failures={"p-0.jpg": "broken"})
    workspace.start("j", batch, maxImageFailureRate=0)
    job = finished(workspace, "j")
    assert (job["isTerminal"], job["error"]) == (True, True)
    assert workspace.get(f"{STAGING}/j-export").status_code == 404


def test_an_unknown_workflow_fails_the_job_with_a_line_in_the_log(workspace, batch):
    workspace.inside.configure(roboflow_workflows=["known"])
    workspace.start("j", batch)
    job = finished(workspace, "j")
    assert (job["isTerminal"], job["error"]) == (True, True)
    logs = workspace.get(f"{JOBS}/j/logs", severity="error").json()["logs"]
    assert logs[0]["logType"] == "workflow-not-found"
    assert workspace.get(f"{JOBS}/j/logs", severity="loud").status_code == 400


def test_a_job_that_uses_up_its_processing_time_fails(workspace, batch):
    workspace.start("j", batch, processingTimeoutSeconds=30)
    job = finished(workspace, "j")
    assert (job["error"], "processing time" in job["lastNotification"]) == (True, True)
    (ended,) = workspace.effects("job_ended")
    assert ended.at == workspace.effects("job_created")[0].at + 40


def test_an_abort_ends_the_job_as_a_failure_and_may_be_repeated(workspace, batch):
    workspace.inside.configure(roboflow_abort_s=5)
    workspace.start("j", batch)
    workspace.inside.clock.advance(20)
    for _ in range(2):
        assert workspace.post(f"{JOBS}/j/abort").status_code == 200
    assert workspace.job("j")["isTerminal"] is False
    workspace.inside.clock.advance(5)
    job = workspace.job("j")
    assert (job["isTerminal"], job["error"]) == (True, True)
    assert [stage["statusType"] for stage in workspace.stages("j")] == ["error"]
    assert len(workspace.effects("job_aborted")) == 1


def test_an_abort_comes_too_late_while_results_are_packed(workspace, batch):
    workspace.start("j", batch)
    workspace.inside.clock.advance(115)
    assert workspace.post(f"{JOBS}/j/abort").json()["status"] == "ok"
    workspace.inside.clock.advance(5)
    assert workspace.job("j")["error"] is False
    assert workspace.effects("job_aborted") == []


def test_a_failed_job_is_restarted_with_other_parameters(workspace, batch):
    workspace.start("j", batch, processingTimeoutSeconds=30)
    finished(workspace, "j")
    override = {"type": "parameters-override-v1", "processingTimeoutSeconds": 3000}
    assert workspace.post(f"{JOBS}/j/restart", {"type": "parameters-override-v1", "seed": 1}).status_code == 400
    assert workspace.post(f"{JOBS}/j/restart", override).status_code == 200
    assert workspace.job("j")["isTerminal"] is False
    job = finished(workspace, "j")
    assert (job["error"], job["restartParametersOverride"]) == (False, [override])
    assert workspace.post(f"{JOBS}/j/restart").status_code == 409
    assert [entry["state"] for entry in workspace.effects("job_ended")] == ["failed", "succeeded"]


def test_jobs_are_listed_newest_first_in_pages_of_ten_and_found_by_name(workspace, batch):
    for number in range(12):
        workspace.post(f"{JOBS}/j-{number}", definition(batch), name="the last" if number == 11 else "one")
    first = workspace.get(JOBS).json()
    assert [job["jobId"] for job in first["jobs"]] == [f"j-{number}" for number in range(11, 1, -1)]
    second = workspace.get(JOBS, nextPageToken=first["nextPageToken"]).json()
    assert [job["jobId"] for job in second["jobs"]] == ["j-1", "j-0"]
    assert [job["jobId"] for job in workspace.get(JOBS, search="last").json()["jobs"]] == ["j-11"]
    assert workspace.get(JOBS, pageSize=101).status_code == 400
    assert workspace.get(JOBS, search="x" * 161).status_code == 400


def test_unknown_jobs_and_stages_are_not_found(workspace, batch):
    workspace.start("j", batch)
    paths = ("none", "none/stages", "none/logs", "j/stages/none/tasks")
    assert [workspace.get(f"{JOBS}/{path}").status_code for path in paths] == [404] * 4
    assert workspace.post(f"{JOBS}/none/abort").status_code == 404


def test_control_forces_the_end_of_a_job(workspace, batch):
    for job_id, told in (("a", {"force": "failed"}), ("b", {"force": "succeeded"}), ("c", {"outcome": "fail"})):
        workspace.start(job_id, batch)
        assert workspace.control("POST", f"jobs/{job_id}", told).status_code == 200
    assert [workspace.job(job_id)["isTerminal"] for job_id in "abc"] == [True, True, False]
    workspace.inside.clock.advance(120)
    assert [workspace.job(job_id)["error"] for job_id in "abc"] == [True, False, True]
    assert workspace.control("GET", "jobs/b").json()["state"] == "succeeded"
    assert workspace.control("POST", "jobs/b", {"force": "other"}).status_code == 400
    assert workspace.control("GET", "jobs/none").status_code == 404


def test_control_shows_batches_ends_their_ingest_and_their_life(workspace, photos):
    workspace.inside.configure(roboflow_indexing_s=1000)
    workspace.shard("b", photos(2))
    assert workspace.control("POST", "batches/b", {"ingest": True}).json()["count"] == 2
    assert workspace.control("GET", "batches").json()[0]["shards"][0]["statusName"] == "ingested"
    url = workspace.files("b")[0]["downloadURL"]
    assert workspace.control("POST", "links/expire", {"method": "GET"}).json() == {"expired": 2}
    assert workspace.http.get(url).status_code == 403
    workspace.control("POST", "batches/b", {"expire": True})
    assert workspace.get(f"{STAGING}/b").status_code == 404


def test_control_plants_a_file_of_any_name_into_a_result(workspace, batch):
    params = {"fileName": "../evil.tar.gz", "partName": EXPORT}
    assert workspace.control("PUT", "batches/j-export/files", params=params, data=b"evil").status_code == 201
    (file,) = workspace.files("j-export", partName=EXPORT)
    assert file["fileName"] == "../evil.tar.gz"
    assert workspace.http.get(file["downloadURL"]).content == b"evil"
