"""A restart in the middle of what Roboflow and VIAS have to do: it goes on, and by itself."""

import pytest

from support.huawei import Account
from support.receiver import Receiver
from support.roboflow_wire import STAGING, Workspace, tar_of
from visionbatch_mock import MockConfig, MockServer

AT_REST = {"roboflow_indexing_s": 60, "roboflow_processing_s": 60}


def seen(mock: MockServer, key: str) -> dict[str, object]:
    """What the services did for a customer and hold for it, as the control interface shows it."""
    workspace = Workspace(mock, key)
    with workspace.http:
        told = {"headers": {"Authorization": f"Bearer {key}"}}
        paths = (
            "ledger",
            "settings",
            "clock",
            "roboflow/batches",
            "roboflow/deliveries",
            "vias/tasks",
            "vias/deliveries",
        )
        return {path: workspace.call("GET", f"/_control/{path}", **told).json() for path in paths}


def at(signed: dict[str, object], mock: MockServer) -> dict[str, object]:
    """A signed URL at the same mock on another port."""
    path = str(signed["uploadURL"]).split("/", 3)[3]
    return {**signed, "uploadURL": f"{mock.url}/{path}"}


def test_staged_batches_jobs_and_signed_urls_of_roboflow_go_on_after_a_restart(tmp_path, photos):
    with Receiver() as receiver:
        with MockServer(MockConfig(seed=3), state=tmp_path) as mock:
            workspace = Workspace(mock, "k")
            workspace.inside.clock.freeze()
            workspace.upload("ready", "a.jpg", photos(1)["p-0.jpg"])
            workspace.start("j", "ready", notificationsURL=receiver.url)
            workspace.inside.configure(**AT_REST)
            workspace.shard("shards", photos(3))
            told = {"imageReferences": [{"name": "r.jpg", "url": "https://storage.googleapis.com/b/r.jpg"}]}
            workspace.post(f"{STAGING}/refs/bulk-upload/image-references", {**told, "ingestId": "i"})
            signed, video = workspace.sign("shards"), workspace.sign_video("films", "a.mp4")
            workspace.inside.clock.advance(5)
            assert workspace.stages("j")[-1]["statusType"] == "info"
            before = seen(mock, "k")
            workspace.http.close()
        with MockServer(MockConfig(seed=3), state=tmp_path) as again:
            assert seen(again, "k") == before
            workspace = Workspace(again, "k")
            assert workspace.put(at(signed, again), tar_of(photos(2, "q"))).status_code == 200
            assert workspace.put(at(video, again), b"a film").status_code == 200
            workspace.inside.clock.advance(3600)
            (event,) = receiver.wait_for(1)
            assert (event["job_id"], event["job_state"]) == ("j", "success")
            assert [entry["job_id"] for entry in workspace.effects("job_ended")] == ["j"]
            assert (workspace.count("shards"), workspace.count("refs"), workspace.count("films")) == (5, 1, 1)
            assert len(workspace.effects("shard_ingested")) == 3
            (results,) = workspace.archives("j-export", "results-archives")
            assert results
            content = workspace.http.get(workspace.files("films")[0]["downloadURL"], timeout=20).content
            assert content == b"a film"
            workspace.http.close()


def test_tasks_and_tokens_of_vias_go_on_after_a_restart_and_what_they_find_leaves_by_itself(tmp_path):
    with Receiver() as receiver:
        hook = {"webhook": {"url": receiver.url, "headers": {"x-key": "k"}}}
        with MockServer(MockConfig(seed=3), state=tmp_path) as mock:
            account = Account(mock, "AK")
            account.inside.clock.freeze()
            batch_id = account.new_batch("cam-a", "cam-b", output=hook)
            stream_id = account.new_batch("cam-c", kind="url", config="rtsp://cam-c/live")
            account.inside.clock.advance(2)
            assert account.states(batch_id) == ["RUNNING", "RUNNING"]
            token, before = account.token(), seen(mock, "AK")
            account.http.close()
        with MockServer(MockConfig(seed=3), state=tmp_path) as again:
            assert seen(again, "AK") == before
            inside = again.world.tenant("AK")
            inside.clock.advance(5)
            events = receiver.wait_for(2)
            account = Account(again, "AK")
            account._token = token
            assert {event["task_id"] for event in events} == {task["id"] for task in account.tasks(batch_id)}
            assert account.states(batch_id) == ["SUCCEEDED", "SUCCEEDED"]
            assert account.states(stream_id) == ["RUNNING"]
            assert len(account.effects("vias.task_ended")) == 2
            account.ok("PUT", f"/batch-tasks/{stream_id}/action/stop")
            account.http.close()


@pytest.mark.parametrize("place", ["roboflow", "vias"])
def test_what_was_on_its_way_to_a_receiver_leaves_after_a_restart(tmp_path, place, photos):
    with Receiver(statuses=[503]) as receiver:
        with MockServer(state=tmp_path) as mock:
            account, workspace = Account(mock, "c"), Workspace(mock, "c")
            account.inside.clock.freeze()
            account.inside.configure(roboflow_webhook_pause_s=600, vias_webhook_pause_s=600)
            if place == "vias":
                account.new_batch("cam-a", output={"webhook": {"url": receiver.url, "headers": {"x-key": "k"}}})
            else:
                workspace.upload("b", "a.jpg", photos(1)["p-0.jpg"])
                workspace.start("j", "b", notificationsURL=receiver.url)
            account.inside.clock.advance(60)
            receiver.wait_for(1)
            for each in (account, workspace):
                each.http.close()
        with MockServer(state=tmp_path) as again:
            again.world.tenant("c").clock.advance(600)
            first, second = receiver.wait_for(2)
    key = "event_id" if place == "roboflow" else "message_id"
    assert first[key] == second[key]
