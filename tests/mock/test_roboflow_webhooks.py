"""Roboflow's webhooks, taken by a receiver behind a real socket."""

import json

import pytest

from support.receiver import Receiver
from support.roboflow_wire import STAGING, tar_of

AT_ONCE = {
    "roboflow_indexing_s": 0,
    "roboflow_queued_s": 0,
    "roboflow_processing_s": 0,
    "roboflow_export_s": 0,
    "roboflow_webhook_pause_s": 10,
}


@pytest.fixture
def batch(workspace, photo) -> str:
    workspace.inside.configure(**AT_ONCE)
    workspace.upload("b", "a.jpg", photo())
    return "b"


def test_a_job_tells_its_end_though_nobody_asks_the_mock_anything(workspace, batch):
    with Receiver() as receiver:
        workspace.start("j", batch, notificationsURL=f"{receiver.url}/secret")
        (event,) = receiver.wait_for(1)
    assert {key: event[key] for key in ("type", "job_id", "job_state", "delivery_attempt")} == {
        "type": "roboflow-batch-job-notification-v1",
        "job_id": "j",
        "job_state": "success",
        "delivery_attempt": 1,
    }
    assert receiver.headers[0]["Authorization"] == "Bearer rf_mock-workspace"


def test_the_courier_follows_the_clock(workspace, batch):
    with Receiver() as receiver:
        workspace.inside.configure(roboflow_processing_s=3600, roboflow_outcome="fail")
        workspace.start("j", batch, notificationsURL=receiver.url)
        workspace.inside.roboflow.deliver()
        assert receiver.events == []
        workspace.inside.clock.advance(3600)
        (event,) = receiver.wait_for(1)
    assert event["job_state"] == "fail"


def test_a_refused_delivery_is_repeated_with_the_same_id_after_growing_pauses(workspace, batch):
    with Receiver(statuses=[500, 302, 404]) as receiver:
        workspace.start("j", batch, notificationsURL=receiver.url)
        for number, pause in enumerate((10, 20, 40), start=1):
            receiver.wait_for(number)
            workspace.inside.roboflow.deliver()
            assert len(receiver.events) == number
            workspace.inside.clock.advance(pause)
        events = receiver.wait_for(4)
        workspace.inside.roboflow.deliver()
    assert len({event["event_id"] for event in events}) == 1
    assert [event["delivery_attempt"] for event in events] == [1, 2, 3, 4]
    assert [entry["status"] for entry in workspace.effects("webhook_delivered")] == [500, 302, 404, 200]


def test_a_receiver_that_never_takes_an_event_is_given_up(workspace, batch):
    with Receiver(statuses=[503] * 9) as receiver:
        workspace.inside.configure(roboflow_webhook_attempts=2, roboflow_webhook_pause_s=0)
        workspace.start("j", batch, notificationsURL=receiver.url)
        receiver.wait_for(2)
        workspace.inside.clock.advance(1000)
        workspace.inside.roboflow.deliver()
        assert len(receiver.events) == 2
    (shown,) = workspace.control("GET", "deliveries").json()
    assert shown["due"] is None
    assert [attempt["status"] for attempt in shown["attempts"]] == [503, 503]


def test_nothing_is_delivered_to_another_machine(workspace, batch):
    workspace.start("j", batch, notificationsURL="http://192.0.2.1/hook")
    (shown,) = workspace.control("POST", "deliveries").json()
    assert shown["attempts"][0]["status"] is None
    assert "this machine" in shown["attempts"][0]["error"]


def test_an_event_is_delivered_twice_by_setting(workspace, batch):
    workspace.inside.configure(roboflow_webhook_copies=2)
    with Receiver() as receiver:
        workspace.start("j", batch, notificationsURL=receiver.url)
        first, second = receiver.wait_for(2)
    assert first["event_id"] == second["event_id"]


def test_references_tell_of_the_ingest_and_of_files_in_either_order(workspace):
    workspace.inside.configure(**{**AT_ONCE, "roboflow_indexing_s": 1}, roboflow_webhook_newest_first=True)
    references = [{"name": name, "url": f"https://storage.googleapis.com/f/{name}"} for name in ("a.jpg", "a.jpg")]
    with Receiver() as receiver:
        told = {
            "imageReferences": references,
            "ingestId": "mine",
            "notificationsURL": receiver.url,
            "notificationCategories": ["ingest-status", "files-status"],
        }
        workspace.post(f"{STAGING}/b/bulk-upload/image-references", told)
        workspace.inside.clock.advance(1)
        status, files = receiver.wait_for(2)
    assert status["notification"] == {"type": "ingest-status-notification-v1", "success": True, "error_details": None}
    assert (files["ingest_id"], files["batch_id"]) == ("mine", "b")
    assert files["notification"]["ingested_files"] == ["a.jpg"]
    assert files["notification"]["failed_files"][0]["type"] == "duplicated-file-name"


def test_a_failed_ingest_says_why(workspace):
    workspace.inside.configure(**AT_ONCE)
    with Receiver() as receiver:
        told = {"videoReferences": [{"name": "a.mp4", "url": "https://elsewhere.example/a.mp4"}]}
        workspace.post(f"{STAGING}/v/bulk-upload/video-references", {**told, "notificationsURL": receiver.url})
        (event,) = receiver.wait_for(1)
    assert event["notification"]["success"] is False
    assert event["notification"]["error_details"]["type"] == "unsafe-url-detected"


def test_an_archive_names_its_own_subscriber(workspace, photos):
    workspace.inside.configure(**AT_ONCE)
    with Receiver() as receiver:
        config = json.dumps({"ingestId": "mine", "notificationsURL": receiver.url}).encode()
        workspace.put(workspace.sign("b"), tar_of({**photos(2), "notification_config.json": config}))
        (event,) = receiver.wait_for(1)
    assert event["ingest_id"] == "mine"
    assert event["shard_id"] == workspace.shards("b")[0]["shardId"]
    assert workspace.count("b") == 2


def test_a_reset_tenant_tells_nothing_any_more(workspace, batch):
    with Receiver() as receiver:
        workspace.inside.configure(roboflow_processing_s=10)
        workspace.start("j", batch, notificationsURL=receiver.url)
        workspace.inside.reset()
        workspace.inside.clock.advance(100)
        workspace.inside.roboflow.deliver()
        assert receiver.events == []


def test_a_snapshot_brings_uploads_jobs_and_untold_events_back(workspace, batch, photos):
    with Receiver() as receiver:
        workspace.inside.configure(roboflow_processing_s=60, roboflow_indexing_s=60)
        signed = workspace.sign("s")
        workspace.put(signed, tar_of(photos(2)))
        workspace.start("j", batch, notificationsURL=receiver.url)
        headers = {"Authorization": f"Bearer {workspace.key}"}
        taken = workspace.http.post(f"{workspace.mock.url}/_control/snapshots", headers=headers, timeout=20).json()
        for number in (1, 2):
            workspace.inside.clock.advance(60)
            receiver.wait_for(number)
            assert workspace.count("s") == 2
            path = f"{workspace.mock.url}/_control/snapshots/{taken['id']}/restore"
            assert workspace.http.post(path, headers=headers, timeout=20).status_code < 300
            assert workspace.count("s") == 0
            assert workspace.job("j")["isTerminal"] is False
    assert workspace.put(signed, tar_of(photos(3))).status_code == 200
