"""Ids, definitions and words: everything that needs no server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visionbatch import Compute, Counts, JobDefinition, JobKind, Phase, RoboflowSettings, SecretUrl, ready_ref
from visionbatch.errors import ConfigError, EndlessList, OutOfCredits, PlanRefused, Throttled, UnreadableAnswer
from visionbatch.flow.effects import Request, Response
from visionbatch.roboflow.decode import Fields, Pages, reason_given, refusal
from visionbatch.roboflow.ids import derived_job_id, require_batch_id, require_job_id
from visionbatch.roboflow.ready import read_ready_ref
from visionbatch.roboflow.staged import Shard
from visionbatch.roboflow.values import Job
from visionbatch.roboflow.words import Sent, StageProgress, job_snapshot, readiness

IMAGES = {"kind": JobKind.IMAGES, "batch_id": "b", "workflow_id": "w"}


@given(st.text(), st.integers(1, 36**4 - 1))
def test_a_derived_id_follows_both_readings_of_the_rule_and_from_the_run_alone(identity: str, generation: int) -> None:
    job_id = derived_job_id(identity, generation)

    assert require_job_id(job_id) == job_id
    assert derived_job_id(identity, generation) == job_id
    assert derived_job_id(identity, generation % 36**4 + 1 if generation < 36**4 - 1 else 1) != job_id
    assert derived_job_id(identity + "x", generation) != job_id


@pytest.mark.parametrize("bad", ["", "B", "a/b", "é", "a" * 65, "a\n"])
def test_a_batch_id_outside_the_rule_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError, match="batch-id"):
        require_batch_id(bad)


def test_every_parameter_of_a_job_arrives_and_nothing_else() -> None:
    images = JobDefinition(
        **IMAGES,
        workflow_workspace="other",
        part="p",
        images_metadata_part="m",
        machine="gpu",
        workers=4,
        timeout_s=3600,
        max_parallel_tasks=2,
        max_image_failure_rate=0.0,
        workflow_parameters={"deep": [1, {"x": None}]},
        image_input="photo",
        persist_images=True,
        images_to_persist=("crop",),
        aggregation="jsonl",
        metadata_inputs={"line": "line_id"},
        notifications_url=SecretUrl("https://receiver.example/guess-me-not"),
        inference_backend="inference-models",
    )
    assert images.body("mine") == {
        "type": "simple-image-processing-v1",
        "jobInput": {"type": "staging-batch-input-v1", "batchId": "b", "partName": "p", "imagesMetadataPart": "m"},
        "computeConfiguration": {"type": "compute-configuration-v2", "machineType": "gpu", "workersPerMachine": 4},
        "processingTimeoutSeconds": 3600,
        "maxParallelTasks": 2,
        "maxImageFailureRate": 0.0,
        "notificationsURL": SecretUrl("https://receiver.example/guess-me-not"),
        "inferenceBackend": "inference-models",
        "processingSpecification": {
            "type": "workflows-processing-specification-v1",
            "workspace": "other",
            "workflowId": "w",
            "workflowParameters": {"deep": [1, {"x": None}]},
            "imageInputName": "photo",
            "persistImagesOutputs": True,
            "imagesOutputsToBePersisted": ["crop"],
            "aggregationFormat": "jsonl",
            "imagesMetadataInputsMapping": {"line": "line_id"},
        },
    }
    assert "guess-me-not" not in repr(images)
    bare = JobDefinition(kind=JobKind.VIDEOS, batch_id="b", workflow_id="w", max_fps=2).body("mine")
    assert "null" not in json.dumps(bare)
    assert set(bare) == {"type", "jobInput", "computeConfiguration", "processingSpecification"}
    assert bare["processingSpecification"]["maxVideoFPS"] == 2


@pytest.mark.parametrize(
    ("rule", "given_"),
    [
        ("batch-id", {"batch_id": "No"}),
        ("workflow_id", {"workflow_id": ""}),
        ("workflow_workspace", {"workflow_workspace": "a/b"}),
        ("machine", {"machine": "tpu"}),
        ("workers", {"workers": 3}),
        ("timeout_s", {"timeout_s": 0}),
        ("max_parallel_tasks", {"max_parallel_tasks": True}),
        ("max_image_failure_rate", {"max_image_failure_rate": 1.01}),
        ("max_image_failure_rate", {"max_image_failure_rate": float("nan")}),
        ("max_image_failure_rate", {"kind": JobKind.VIDEOS, "max_image_failure_rate": 0.5}),
        ("images_metadata_part", {"kind": JobKind.VIDEOS, "images_metadata_part": "m"}),
        ("metadata_inputs", {"kind": JobKind.VIDEOS, "metadata_inputs": {"a": "b"}}),
        ("max_fps", {"max_fps": 1}),
        ("max_fps", {"kind": JobKind.VIDEOS, "max_fps": 0}),
        ("aggregation", {"aggregation": "xml"}),
        ("inference_backend", {"inference_backend": "new"}),
        ("images_to_persist", {"images_to_persist": ("crop",)}),
        ("workflow_parameters", {"workflow_parameters": {"x": float("inf")}}),
    ],
)
def test_each_rule_of_a_definition_is_refused_by_its_name(rule: str, given_: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rf"breaks 1 rule: {rule}") as caught:
        JobDefinition(**{**IMAGES, **given_})
    assert caught.value.permanent


def test_all_broken_rules_are_told_together() -> None:
    with pytest.raises(ConfigError, match=r"2 rules: machine.*; workers"):
        JobDefinition(**{**IMAGES, "machine": "x", "workers": 9})


def test_a_definition_describes_what_computes_the_same_wherever_its_end_is_announced() -> None:
    mine = JobDefinition(**IMAGES, notifications_url=SecretUrl("https://a.example/1"))
    remote = JobDefinition(**IMAGES).body("ws")

    assert mine.describes({**remote, "addedByTheService": 1}, "ws")
    assert mine.fingerprint() == JobDefinition(**IMAGES).fingerprint()
    assert not mine.describes(remote, "another")
    assert not JobDefinition(**IMAGES, workers=2).describes(remote, "ws")


def test_a_restart_overrides_what_is_given_and_sends_no_body_without() -> None:
    assert Compute().override() is None
    assert Compute(timeout_s=7200).override() == {"type": "parameters-override-v1", "processingTimeoutSeconds": 7200}
    with pytest.raises(ConfigError, match="the restart breaks 1 rule: workers"):
        Compute(workers=5).override()


@pytest.mark.parametrize("body", [b'{"error": "no"}', b'{"error": {"message": "no"}}'])
def test_both_shapes_of_a_refusal_are_read(body: bytes) -> None:
    assert reason_given(body) == "no"
    assert "answered 400: no." in str(refusal(Request("GET", "/x"), Response(400, {}, body), 0, ()))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": 1}', b'{"error": {}}'])
def test_a_refusal_without_a_reason_is_still_one(body: bytes) -> None:
    assert reason_given(body) == ""
    assert isinstance(refusal(Request("POST", "/x"), Response(402, {}, body), 0, ()), PlanRefused)


def test_a_429_about_credits_is_told_from_one_about_speed() -> None:
    request, body = Request("POST", "/credit-suisse/jobs/x"), b'{"error": "No Credits left"}'

    assert isinstance(refusal(request, Response(429, {}, body), 0, ("credit",)), OutOfCredits)
    for other in (Response(429, {"retry-after": "1"}, body), Response(429, {}, b'{"error": "slow down"}')):
        error = refusal(request, other, 0, ("credit",))
        assert isinstance(error, Throttled)
        assert error.retry_safe


def test_a_field_of_a_wrong_kind_is_named() -> None:
    fields = Fields({"n": -1, "s": 2, "many": [1], "share": 1.5, "flag": 0}, "a thing")
    for name, read in (
        ("n", fields.number),
        ("s", fields.text),
        ("many", fields.texts),
        ("share", fields.share),
        ("flag", fields.flag),
        ("none", fields.number),
    ):
        with pytest.raises(UnreadableAnswer, match=f"{name} of a thing is not"):
            read(name)


def test_a_list_ends_without_a_token_with_a_null_and_with_an_empty_one() -> None:
    for last in ({}, {"nextPageToken": None}, {"nextPageToken": ""}):
        assert Pages("a list").token_after({"items": [1], **last}, "items") == ""


def test_pages_without_entries_may_follow_each_other_under_fresh_tokens() -> None:
    pages = Pages("a list")
    assert [pages.token_after({"items": [], "nextPageToken": token}, "items") for token in "abc"] == ["a", "b", "c"]
    with pytest.raises(EndlessList, match="a second time"):
        pages.token_after({"items": [], "nextPageToken": "b"}, "items")


def test_a_first_page_that_comes_for_ever_under_fresh_tokens_is_seen_through() -> None:
    pages = Pages("a list")
    assert pages.token_after({"items": [1], "nextPageToken": "a"}, "items") == "a"
    with pytest.raises(EndlessList, match="a second time"):
        pages.token_after({"items": [1], "nextPageToken": "b"}, "items")


def job(**told: Any) -> Job:
    needed = {"jobId": "j", "name": "", "jobDefinition": {}}
    return Job.read(Fields({**needed, **told}, "a job"))


def stage(name: str, total: int, good: int, bad: int) -> StageProgress:
    return StageProgress(name, Counts(total, good, bad), 1.0)


@pytest.mark.parametrize(
    ("told", "phase"),
    [
        ({}, Phase.QUEUED),
        ({"currentStage": "processing"}, Phase.RUNNING),
        ({"currentStage": "processing", "error": True}, Phase.RUNNING),
        ({"isTerminal": True}, Phase.SUCCEEDED),
        ({"isTerminal": True, "error": True, "lastNotification": {"message": "out of time"}}, Phase.FAILED),
    ],
)
def test_two_flags_and_a_stage_become_a_phase(told: dict[str, Any], phase: Phase) -> None:
    assert job_snapshot(job(**told)).phase is phase


def test_lost_tasks_make_a_success_partial_and_are_not_diluted_by_other_stages() -> None:
    stages = (stage("processing", 10, 9, 1), stage("export", 90, 90, 0))

    snapshot = job_snapshot(job(isTerminal=True), stages)

    assert (snapshot.phase, snapshot.counts) == (Phase.PARTIAL, Counts(10, 9, 1))
    assert job_snapshot(job(currentStage="export"), (stages[1],)).counts == Counts(90, 90, 0)


def shard(status: str, objects: int = 2) -> Shard:
    return Shard(f"s-{status}", status, status, objects)


@pytest.mark.parametrize(
    ("count", "shards", "sent", "phase", "native"),
    [
        (4, (), Sent(4), Phase.SUCCEEDED, "ready"),
        (3, (), Sent(4), Phase.RUNNING, "indexing"),
        (5, (), Sent(4), Phase.FAILED, "more items than were sent"),
        (0, (), Sent(), Phase.RUNNING, "indexing"),
        (1, (), Sent(), Phase.SUCCEEDED, "ready"),
        (4, ("success", "info"), Sent(4), Phase.RUNNING, "1 of 2 shards ingested"),
        (4, ("success",), Sent(4, 2), Phase.RUNNING, "1 of 1 shards ingested"),
        (2, ("success", "error"), Sent(4), Phase.PARTIAL, "1 of 2 shards failed"),
        (0, ("error",), Sent(4), Phase.FAILED, "1 of 1 shards failed"),
        (2, ("success", "halted"), Sent(4), Phase.UNKNOWN, "halted"),
        (2, ("success",), Sent(4), Phase.RUNNING, "indexing"),
        (2, ("success",), Sent(4, 1), Phase.PARTIAL, "files turned away"),
    ],
)
def test_a_batch_is_ready_when_all_is_there_and_no_shard_is_on_its_way(
    count: int, shards: tuple[str, ...], sent: Sent, phase: Phase, native: str
) -> None:
    snapshot = readiness(count, [shard(status) for status in shards], sent, {})
    assert (snapshot.phase, snapshot.native) == (phase, native)


def test_a_word_of_shards_can_be_taught() -> None:
    assert readiness(2, [shard("halted")], Sent(4), {"halted": "failed"}).phase is Phase.PARTIAL


@given(st.integers(1, 10**9) | st.none(), st.integers(1, 10**6) | st.none())
def test_what_is_waited_for_is_written_into_the_ref_and_read_back(expected: int | None, shards: int | None) -> None:
    sent = Sent(expected, shards if expected is not None else None)
    assert read_ready_ref(ready_ref("b-1", expected, shards)) == ("b-1", sent)


@pytest.mark.parametrize("bad", ["b/", "b/0", "b/x", "b/1/2/3", "B/1", "/1", "b/1/0"])
def test_a_ref_that_is_none_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError):
        read_ready_ref(bad)


@pytest.mark.parametrize(
    "bad",
    [
        {"key_in": "cookie"},
        {"workspace": "a/b"},
        {"page_size": 0},
        {"upload_hosts": "storage.example"},
        {"status_aliases": {"done": "finished"}},
        {"staging_path": "/x"},
    ],
)
def test_settings_that_cannot_be_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        RoboflowSettings(**bad)
