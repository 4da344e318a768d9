"""Fault plans on Roboflow's calls and on bodies behind signed URLs."""

import hashlib
import json

import pytest
import requests

from support.roboflow_wire import JOBS, STAGING, definition, tar_of
from visionbatch_mock.operations import Operation, Surface

JSON = {Surface.CALL, Surface.LIST}
NAMES = sorted(each for each in Operation if each.startswith("roboflow."))


@pytest.fixture
def calls(workspace, photo):
    """A call for every operation; each can be made again and again."""
    workspace.upload("b", "a.jpg", photo())
    workspace.inside.configure(lifecycle="manual")
    workspace.start("j", "b")
    workspace.control("POST", "jobs/j", {"advance": True})
    stage = workspace.stages("j")[0]["processingStageId"]
    references = {"imageReferences": [{"name": "a.jpg", "url": "https://storage.googleapis.com/a.jpg"}]}
    films = {"videoReferences": [{"name": "a.mp4", "url": "https://storage.googleapis.com/a.mp4"}]}
    signed, (file,) = workspace.sign("shards"), workspace.files("b")
    return {
        "roboflow.workspace.get": lambda: workspace.get("/"),
        "roboflow.batches.list": lambda: workspace.get(STAGING),
        "roboflow.batches.get": lambda: workspace.get(f"{STAGING}/b"),
        "roboflow.batches.count": lambda: workspace.get(f"{STAGING}/b/count"),
        "roboflow.batches.shards": lambda: workspace.get(f"{STAGING}/b/shards"),
        "roboflow.batches.parts": lambda: workspace.get(f"{STAGING}/b/parts"),
        "roboflow.batches.content": lambda: workspace.get(f"{STAGING}/b/list"),
        "roboflow.images.upload": lambda: workspace.upload("b", "a.jpg", photo()),
        "roboflow.images.refer": lambda: workspace.post(f"{STAGING}/r/bulk-upload/image-references", references),
        "roboflow.images.query": lambda: workspace.post(f"{STAGING}/r/roboql-ingest", {"query": "q"}),
        "roboflow.videos.sign": lambda: workspace.post(f"{STAGING}/v/upload/video", fileName="a.mp4"),
        "roboflow.videos.refer": lambda: workspace.post(f"{STAGING}/v/bulk-upload/video-references", films),
        "roboflow.shards.sign": lambda: workspace.post(f"{STAGING}/shards/bulk-upload/image-files"),
        "roboflow.jobs.list": lambda: workspace.get(JOBS),
        "roboflow.jobs.create": lambda: workspace.post(f"{JOBS}/j", definition("b")),
        "roboflow.jobs.get": lambda: workspace.get(f"{JOBS}/j"),
        "roboflow.jobs.stages": lambda: workspace.get(f"{JOBS}/j/stages"),
        "roboflow.jobs.tasks": lambda: workspace.get(f"{JOBS}/j/stages/{stage}/tasks"),
        "roboflow.jobs.logs": lambda: workspace.get(f"{JOBS}/j/logs"),
        "roboflow.jobs.abort": lambda: workspace.post(f"{JOBS}/j/abort"),
        "roboflow.jobs.restart": lambda: workspace.post(f"{JOBS}/j/restart"),
        "roboflow.files.put": lambda: workspace.put(signed, tar_of({"a.jpg": photo()})),
        "roboflow.files.get": lambda: workspace.http.get(file["downloadURL"]),
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_operation_meets_a_status_with_retry_after_a_reset_and_a_lost_answer(workspace, calls, name):
    plan = workspace.plan(
        name, {"fault": "return-503", "retry_after": 3}, "return-reset-connection", "drop-response", "html-502"
    )
    first = calls[name]()
    assert (first.status_code, first.headers["Retry-After"]) == (503, "3")
    for _ in range(2):
        with pytest.raises(requests.ConnectionError):
            calls[name]()
    assert calls[name]().status_code == 502
    assert plan.completed


def test_an_error_of_a_plan_speaks_the_dialect_of_its_path(workspace, calls):
    workspace.plan("roboflow.jobs.get", "return-500")
    assert isinstance(calls["roboflow.jobs.get"]().json()["error"], str)
    workspace.plan("roboflow.files.put", "return-503")
    assert "<Code>ServiceUnavailable</Code>" in calls["roboflow.files.put"]().text


@pytest.mark.parametrize("name", [each for each in NAMES if Operation(each).surface in JSON])
def test_every_json_answer_can_be_bent_and_cut(workspace, calls, name):
    plan = workspace.plan(name, {"fault": "set-bent", "value": 1}, "truncate-3B", {"fault": "answer", "body": "[]"})
    assert calls[name]().json()["bent"] == 1
    with pytest.raises(requests.RequestException):
        calls[name]()
    assert calls[name]().json() == []
    assert plan.completed


def test_a_body_on_a_signed_url_is_reset_in_its_middle_and_nothing_is_stored(workspace, calls, photo):
    plan = workspace.plan("roboflow.files.put", "reset-mid-body-after-4K")
    with pytest.raises(requests.ConnectionError):
        calls["roboflow.files.put"]()
    assert plan.completed
    assert workspace.effects("shard_stored") == []


def test_a_lost_answer_to_a_shard_leaves_the_shard(workspace, calls):
    workspace.plan("roboflow.files.put", "drop-response")
    with pytest.raises(requests.ConnectionError):
        calls["roboflow.files.put"]()
    assert len(workspace.effects("shard_stored")) == 1
    assert calls["roboflow.files.put"]().status_code == 200
    assert [entry["again"] for entry in workspace.effects("shard_stored")] == [False, True]


def test_a_lost_answer_to_a_creation_leaves_the_job(workspace, calls):
    workspace.plan("roboflow.jobs.create", "drop-response")
    with pytest.raises(requests.ConnectionError):
        workspace.post(f"{JOBS}/new", definition("b"))
    assert workspace.post(f"{JOBS}/new", definition("b")).status_code == 200
    assert [entry["job_id"] for entry in workspace.effects("job_created")] == ["j", "new"]


@pytest.mark.parametrize("name", ["roboflow.files.put", "roboflow.files.get"])
def test_a_plan_lets_a_signed_url_expire(workspace, calls, name):
    plan = workspace.plan(name, "expire-link")
    assert [calls[name]().status_code for _ in range(2)] == [403, 403]
    assert plan.completed


def test_content_is_cut_flipped_and_stalled_and_ranges_are_ignored(workspace, calls, photo):
    get, content = calls["roboflow.files.get"], photo()
    plan = workspace.plan(
        "roboflow.files.get", "truncate-100B", "flip-bit-at-9B", "stall-for-0.01s-after-0K", "ignore-range"
    )
    with pytest.raises(requests.RequestException):
        get()
    assert get().content != content
    assert get().content == content
    url = workspace.files("b")[0]["downloadURL"]
    assert workspace.http.get(url, headers={"Range": "bytes=1-2"}).status_code == 200
    assert plan.completed


def test_a_file_is_replaced_under_its_reader(workspace, calls):
    before = calls["roboflow.files.get"]()
    workspace.plan("roboflow.files.get", {"fault": "replace-object", "body": "other"}, "delete-object")
    after = calls["roboflow.files.get"]()
    assert (after.text, after.headers["ETag"] == before.headers["ETag"]) == ("other", False)
    assert calls["roboflow.files.get"]().status_code == 404


def test_a_page_token_expires(workspace, photo):
    for name in ("a.jpg", "b.jpg"):
        workspace.upload("b", name, photo())
    plan = workspace.plan("roboflow.batches.content", "expire-page-token")
    token = workspace.get(f"{STAGING}/b/list", pageSize=1).json()["nextPageToken"]
    answer = workspace.get(f"{STAGING}/b/list", pageSize=1, nextPageToken=token)
    assert (answer.status_code, isinstance(answer.json()["error"], str)) == (400, True)
    assert plan.completed


def test_the_journal_shows_whether_a_key_travelled_and_never_the_key_or_a_url(workspace, calls):
    calls["roboflow.files.put"]()
    entries = [entry.as_json() for entry in workspace.inside.journal.entries()]
    signed = next(entry for entry in entries if entry["operation"] == "roboflow.files.put")
    assert (signed["query"], signed["authorization"]) == (("X-Mock-Signature",), False)
    assert all("api_key" in entry["query"] for entry in entries if entry["operation"] == "roboflow.jobs.get")
    told = json.dumps(entries)
    assert workspace.key not in told
    assert workspace.sign("c")["uploadURL"].rpartition("/")[2] not in told


def test_a_body_on_a_signed_url_stalls_at_its_place_and_still_arrives_whole(workspace):
    signed, body = workspace.sign_video("v", "a.mp4"), bytes(range(256)) * 1024
    plan = workspace.plan("roboflow.files.put", "stall-for-0.05s-after-100K", "stall-for-30s-after-100K")
    assert workspace.put(signed, body).status_code == 200
    assert workspace.effects("video_stored")[0]["sha256"] == hashlib.sha256(body).hexdigest()
    with pytest.raises(requests.Timeout):
        workspace.http.put(signed["uploadURL"], data=body, headers=signed["extensionHeaders"], timeout=(20, 0.2))
    assert workspace.count("v") == 1
    assert plan.completed
