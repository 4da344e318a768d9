"""What tasks find: in a bucket that boto3 and s3fs read, and at a webhook, with its headers and retries."""

import base64
import json
import re

import boto3
import pytest
import s3fs
from botocore.config import Config
from moto.server import ThreadedMotoServer
from requests.structures import CaseInsensitiveDict

from support.receiver import Receiver

KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "cn-north-4"}
BUCKET = "inspections"
OBS = {"obs": {"bucket": BUCKET, "path": "results/yard/"}}


@pytest.fixture(scope="module")
def endpoint():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def store(endpoint, account):
    config = Config(s3={"addressing_style": "path"}, proxies={})
    client = boto3.session.Session(**KEYS).client("s3", endpoint_url=endpoint, config=config)
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "cn-north-4"})
    account.inside.configure(vias_obs_endpoint=endpoint)
    yield client
    for each in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        client.delete_object(Bucket=BUCKET, Key=each["Key"])
    client.delete_bucket(Bucket=BUCKET)
    client.close()


def finish(account):
    account.inside.clock.advance(5)
    account.inside.vias.deliver()


def test_results_of_a_batch_lie_in_the_bucket_and_boto3_reads_them(account, store):
    batch_id = account.new_batch("cam-a", "cam-b", output=OBS)
    finish(account)
    tasks = {task["id"]: task for task in account.tasks(batch_id)}
    keys = [each["Key"] for each in store.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert len(keys) == 4
    documents = [json.load(store.get_object(Bucket=BUCKET, Key=key)["Body"]) for key in keys if key.endswith(".json")]
    assert {document["task_id"] for document in documents} == set(tasks)
    for document in documents:
        key = f"results/yard/{document['task_id']}/{document['timestamp']}_{document['message_id']}.jpg"
        assert store.get_object(Bucket=BUCKET, Key=key)["Body"].read() == base64.b64decode(document["image_base64"])
        assert document["data"]["event_set"][0]["bounding_box"].keys() == {"x", "y", "w", "h"}
        assert re.fullmatch(r"[0-9A-F-]{36}", document["message_id"])
    written = account.effects("vias.result_written")
    assert sorted(entry["key"] for entry in written) == sorted(keys)
    assert {entry["batch_id"] for entry in written} == {batch_id}


def test_s3fs_reads_the_same_files(account, store, endpoint):
    account.new_batch("cam-a", output=OBS)
    finish(account)
    files = s3fs.S3FileSystem(
        key="testing", secret="testing", endpoint_url=endpoint, config_kwargs={"s3": {"addressing_style": "path"}},
        client_kwargs={"region_name": "cn-north-4"}, skip_instance_cache=True,
    )  # fmt: skip
    (name,) = files.glob(f"s3://{BUCKET}/results/**/*.json")
    assert json.loads(files.cat_file(name))["event_type"] == 196609


def test_a_bucket_that_is_not_there_fails_the_result_and_not_the_task(account, endpoint):
    account.inside.configure(vias_obs_endpoint=endpoint)
    batch_id = account.new_batch("cam-a", output={"obs": {"bucket": "nobodys", "path": ""}})
    finish(account)
    (failed,) = account.effects("vias.result_failed")
    assert "NoSuchBucket" in failed["error"]
    assert account.states(batch_id) == ["SUCCEEDED"]


def test_without_a_store_on_this_machine_nothing_is_written(account):
    for endpoint in (None, "http://192.0.2.1:9000"):
        account.inside.configure(vias_obs_endpoint=endpoint)
        account.new_batch(f"cam-{endpoint is None}", output=OBS)
        finish(account)
        assert "vias_obs_endpoint" in account.effects("vias.result_failed")[-1]["error"]


def hooked(receiver, **headers):
    return {"webhook": {"url": f"{receiver.url}/events", "headers": headers or {"x-key": "k-1", "x-site": "yard"}}}


def test_a_webhook_gets_each_event_once_with_the_headers_of_the_batch_and_by_itself(account):
    with Receiver() as receiver:
        batch_id = account.new_batch("cam-a", "cam-b", output=hooked(receiver))
        account.inside.clock.advance(5)
        events = receiver.wait_for(2)
        account.inside.vias.deliver()
    assert {event["task_id"] for event in events} == {task["id"] for task in account.tasks(batch_id)}
    for headers in map(CaseInsensitiveDict, receiver.headers):
        assert (headers["x-key"], headers["x-site"], headers["Content-Type"]) == ("k-1", "yard", "application/json")
    assert len({event["message_id"] for event in events}) == len(receiver.events) == 2
    delivered = account.effects("vias.webhook_delivered")
    assert [(entry["attempt"], entry["status"]) for entry in delivered] == [(1, 200)] * 2


def test_a_delivery_that_is_not_taken_is_tried_again_so_often_and_no_more(account):
    with Receiver(statuses=[500, 302, 503, 200]) as receiver:
        batch_id = account.new_batch("cam-a", output=hooked(receiver))
        for _ in range(5):
            account.inside.clock.advance(5)
            account.inside.vias.deliver()
        assert len(receiver.events) == 3
        assert len({event["message_id"] for event in receiver.events}) == 1
    assert [entry["status"] for entry in account.effects("vias.webhook_delivered")] == [500, 302, 503]
    assert account.states(batch_id) == ["SUCCEEDED"]


def test_a_receiver_that_is_not_there_or_not_here_is_noted(account):
    account.inside.configure(vias_webhook_retries=0)
    for url in ("http://127.0.0.1:1/events", "http://192.0.2.1/events"):
        account.new_batch(f"cam-{len(url)}", output={"webhook": {"url": url, "headers": {"k": "v"}}})
        finish(account)
    first, second = account.effects("vias.webhook_delivered")
    assert (first["status"], second["status"]) == (None, None)
    assert second["error"] == "the mock delivers to this machine only"


def test_copies_of_an_event_have_its_message_id(account):
    account.inside.configure(vias_webhook_copies=3)
    with Receiver() as receiver:
        account.new_batch("cam-a", output=hooked(receiver))
        account.inside.clock.advance(5)
        events = receiver.wait_for(3)
    assert len({event["message_id"] for event in events}) == 1


def test_a_stream_finds_something_at_its_intervals_until_it_is_stopped(account):
    account.inside.configure(vias_event_every_s=10)
    with Receiver() as receiver:
        batch_id = account.new_batch("cam-a", kind="camera", output=hooked(receiver))
        account.inside.clock.advance(2 + 35)
        events = receiver.wait_for(3)
        account.ok("PUT", f"/batch-tasks/{batch_id}/action/stop")
        account.inside.clock.advance(100)
        account.inside.vias.deliver()
        assert len(receiver.events) == 3
    assert [event["timestamp"] - events[0]["timestamp"] for event in events] == [0, 10, 20]


def test_a_webhook_that_an_update_brings_is_called(account):
    with Receiver() as receiver:
        batch_id = account.new_batch("cam-a")
        account.ok("PUT", f"/batch-tasks/{batch_id}", {"output": hooked(receiver)})
        account.inside.clock.advance(5)
        assert len(receiver.wait_for(1)) == 1


def test_no_thread_waits_for_a_batch_that_sends_nothing(account):
    account.new_batch("cam-a")
    assert not account.inside.vias.restless
    account.new_batch("cam-b", output=OBS)
    assert account.inside.vias.restless
    account.inside.reset()
    assert not account.inside.vias.restless


def control(account, method, path, body=None):
    headers = {"Authorization": f"Token {account.key}"}
    url = f"{account.mock.url}/_control/vias{path}"
    return account.http.request(method, url, json=body, headers=headers, timeout=20)


def test_everything_a_test_needs_is_there_over_http(account):
    assert control(account, "GET", "/project").json() == {"id": account.project}
    sources = [{"name": "cam-a"}, {"name": "cam-b", "type": "camera"}]
    made = control(account, "POST", "/groups", {"name": "yard", "sources": sources}).json()
    control(account, "POST", "/services", {"api": "fire", "output_types": ["Webhook"]})
    with Receiver() as receiver:
        told = account.request(made["video_group_id"], made["video_source_ids"], output=hooked(receiver))
        batch_id = account.ok("POST", "/batch-tasks", told)["id"]
        shown = control(account, "GET", f"/tasks?batch_id={batch_id}").json()
        assert [task["ahead"] for task in shown] == [["STARTING", "RUNNING", "SUCCEEDED"], ["STARTING", "RUNNING"]]
        control(account, "POST", f"/tasks/{shown[1]['id']}", {"find": True})
        control(account, "POST", f"/tasks/{shown[1]['id']}", {"force": "FROZEN"})
        assert account.states(batch_id) == ["PENDING", "FROZEN"]
        assert control(account, "POST", "/deliveries").json()[0]["attempts"] == [200]
    control(account, "POST", "/tokens/revoke")
    assert account.call("GET", "/tasks").status_code == 401


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/groups", {"name": "g", "sources": 5}),
        ("/services", {"api": "a", "x": 1}),
        ("/groups", {}),
        ("/tasks/none", {"force": "FROZEN"}),
        ("/services", {}),
    ],
)
def test_wrong_words_over_http_are_refused(account, path, body):
    assert control(account, "POST", path, body).status_code == 400


@pytest.mark.parametrize(
    "settings",
    [
        {"vias_error_text": "{nothing}"},
        {"vias_obs_layout": "{"},
        {"vias_refusals": {"dance": ["*"]}},
        {"vias_lives": ["RUNNING"]},
        {"vias_durations": {"RUNNING": -1}},
        {"vias_count_errors": {"count": 1}},
        {"vias_tasks_count": "half"},
        {"vias_events": -1},
    ],
)
def test_settings_are_checked(account, settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        account.inside.configure(**settings)
