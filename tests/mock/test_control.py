"""The mock's own routes, and Google's retry tests."""

import base64
import hashlib
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from support.patience import wait_until
from visionbatch_mock import MockConfig, MockServer

Q = 262_144


def test_health_needs_nothing(mock):
    assert requests.get(f"{mock.url}/_control/health", timeout=20).json() == {"status": "ok"}


def test_a_control_token_is_required_when_set():
    with MockServer(MockConfig(control_token="secret")) as guarded:
        url = f"{guarded.url}/_control/health"
        assert requests.get(url, timeout=20).status_code == 403
        wrong = requests.get(url, headers={"X-Control-Token": "x"}, timeout=20)
        right = requests.get(url, headers={"X-Control-Token": "secret"}, timeout=20)
        assert (wrong.status_code, right.status_code) == (403, 200)


def test_the_clock_is_moved_over_http(tenant):
    tenant.inside.clock.run()
    assert tenant.post("/_control/clock", json={"freeze": True}).json()["frozen"]
    before = tenant.get("/_control/clock").json()["now"]
    assert tenant.post("/_control/clock", json={"advance": 90}).json()["now"] == before + 90
    assert tenant.post("/_control/clock", json={"set": 1000}).json()["now"] == 1000
    assert tenant.post("/_control/clock", json={"speed": 5}).json()["speed"] == 5
    for wrong in ({}, {"stop": 1}, {"advance": "x"}, {"advance": None}, {"speed": -1}):
        assert tenant.post("/_control/clock", json=wrong).status_code == 400


def test_fault_plans_are_made_read_and_removed_over_http(tenant):
    told = {"instructions": {"deepomatic.batches.create": ["return-503", "drop-response"]}}
    made = tenant.post("/_control/faults", json=told)
    assert made.status_code == 201
    plan_id = made.json()["id"]
    assert tenant.post("/v0.2/batches").status_code == 503
    report = tenant.get(f"/_control/faults/{plan_id}").json()
    assert report["instructions"] == {"deepomatic.batches.create": ["drop-response"]}
    assert [m["instruction"] for m in report["met"]] == ["return-503"]
    assert report["completed"] is False
    assert [p["id"] for p in tenant.get("/_control/faults").json()] == [plan_id]
    assert tenant.call("DELETE", f"/_control/faults/{plan_id}").status_code == 204
    assert tenant.get(f"/_control/faults/{plan_id}").status_code == 404
    assert tenant.post("/v0.2/batches").status_code == 201


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"instructions": {}},
        {"instructions": {"deepomatic.batches.create": ["explode"]}},
        {"instructions": {"deepomatic.batches.create": "return-503"}},
        {"instructions": {"nothing": []}},
    ],
)
def test_a_bad_plan_is_400_with_the_known_words(tenant, told):
    answer = tenant.post("/_control/faults", json=told)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_journal_and_ledger_are_read_over_http(tenant, archive):
    batch_id = tenant.send(archive)
    tenant.inside.clock.advance(60)
    effects = [entry["effect"] for entry in tenant.get("/_control/ledger").json()]
    assert effects == [
        "batch.created", "session.opened", "bytes.persisted", "archive.committed",
        "batch.processing", "batch.processed",
    ]  # fmt: skip
    only = tenant.get("/_control/ledger?effect=archive.committed").json()
    assert [(e["batch_id"], e["size"]) for e in only] == [(batch_id, len(archive))]
    assert tenant.get("/_control/ledger?effect=nothing").status_code == 400
    journal = tenant.get("/_control/journal?operation=storage.sessions.chunk").json()
    assert [(e["status"], e["received"]) for e in journal] == [(200, len(archive))]
    assert len(tenant.get("/_control/journal").json()) == 2, "control calls are not recorded"


def test_settings_are_read_and_changed_over_http(tenant):
    shown = tenant.get("/_control/settings").json()
    assert (shown["profile"], shown["lifecycle"]) == ("strict", {"mode": "time", "looks": 1})
    changed = tenant.call("PATCH", "/_control/settings", json={"profile": "rich"}).json()
    assert changed == {**shown, "profile": "rich"}
    assert tenant.call("PATCH", "/_control/settings", json=changed).json() == changed


def test_a_batch_made_in_the_web_interface_has_an_id_only(tenant, archive):
    made = tenant.post("/_control/batches", json={})
    assert list(made.json()) == ["batch_id"]
    path = f"/v0.2/batches/{made.json()['batch_id']}"
    url = tenant.get(path).json()["upload_url"]
    assert tenant.http.put(url, data=archive, timeout=20).status_code == 200


def test_a_batch_is_moved_over_http(tenant, archive):
    tenant.inside.configure(lifecycle="manual")
    path = f"/_control/batches/{tenant.send(archive)}"
    assert tenant.post(path, json={"advance": True}).json()["state"] == "processing"
    assert tenant.post(path, json={"force": "partial_success"}).json()["state"] == "partial_success"
    assert tenant.get(path).json()["state"] == "partial_success"
    assert tenant.post(path, json={"force": "nothing"}).status_code == 400
    assert tenant.post(path, json={}).status_code == 400
    assert tenant.get("/_control/batches/nothing").status_code == 404


def test_a_session_ends_over_http(tenant):
    batch_id, upload = tenant.new_batch()
    answer = tenant.post(f"/_control/sessions/{batch_id}/cancel")
    assert answer.json() == {"url": upload.url, "state": "cancelled"}
    assert upload.probe().status_code == 499
    assert tenant.post(f"/_control/sessions/{batch_id}/explode").status_code == 404


def test_a_token_is_revoked_over_http(mock, tenant):
    body = {"token": tenant.token}
    assert requests.post(f"{mock.url}/_control/tokens/revoke", json=body, timeout=20).ok
    assert tenant.post("/v0.2/batches").status_code == 403


def test_a_reset_forgets_one_tenant_or_all(mock, tenant):
    upload = tenant.new_upload()
    assert tenant.post("/_control/reset").status_code == 204
    assert tenant.effects() == []
    assert upload.probe().status_code == 404
    with MockServer() as other:
        for name in ("a", "b"):
            other.world.tenant(name).batches.create()
        requests.post(f"{other.url}/_control/reset", json={"all": True}, timeout=20)
        assert all(not other.world.tenant(name).batches.all() for name in ("a", "b"))


# -- Google's retry tests


def retry_test(mock, *instructions: str) -> str:
    body = {"instructions": {"storage.objects.insert": list(instructions)}, "transport": "HTTP"}
    return requests.post(f"{mock.url}/retry_test", json=body, timeout=20).json()["id"]


def completed(mock, plan_id: str) -> bool:
    return requests.get(f"{mock.url}/retry_test/{plan_id}", timeout=20).json()["completed"]


def patient(send) -> requests.Response:
    """The first answer that is no injected failure."""
    for _ in range(5):
        try:
            answer = send()
        except requests.ConnectionError:
            continue
        if answer.status_code in {200, 308}:
            return answer
    raise AssertionError("every try failed")


def insert_patiently(mock, plan_id: str, content: bytes) -> None:
    """Insert an object as Google's conformance scenario does, asking after every failure."""
    headers, total = {"x-retry-test-id": plan_id}, len(content)
    where = f"{mock.url}/upload/storage/v1/b/b/o?uploadType=resumable&name=retried"
    opened = patient(lambda: requests.post(where, headers=headers, timeout=20))
    url, start = opened.headers["Location"], 0
    for _ in range(5):
        span = {**headers, "Content-Range": f"bytes {start}-{total - 1}/{total}"}
        try:
            if requests.put(url, content[start:], headers=span, timeout=20).status_code == 200:
                return
        except requests.ConnectionError:
            pass
        ask = {**headers, "Content-Range": f"bytes */{total}"}
        told = patient(lambda: requests.put(url, headers=ask, timeout=20))  # noqa: B023 - at once
        start = int(told.headers.get("Range", "bytes=0--1").removeprefix("bytes=0-")) + 1
    raise AssertionError("never done")


@pytest.mark.parametrize(
    "instructions",
    [
        ["return-reset-connection", "return-503"],
        ["return-408"],
        ["return-503-after-256K"],
        ["return-503-after-8192K", "return-408"],
    ],
)
def test_googles_conformance_sequences_end_in_an_identical_object(mock, instructions):
    content = bytes(range(256)) * 4096 * 9
    plan_id = retry_test(mock, *instructions)
    insert_patiently(mock, plan_id, content)
    assert completed(mock, plan_id)
    stored = mock.world.tenant("anonymous").objects.get("b", "retried")
    assert stored is not None
    assert stored.path.read_bytes() == content


def test_a_retry_test_concerns_only_requests_with_its_id(mock):
    plan_id = retry_test(mock, "return-400")
    where = f"{mock.url}/upload/storage/v1/b/b/o?uploadType=media&name=other"
    assert requests.post(where, data=b"x", timeout=20).status_code == 200
    assert not completed(mock, plan_id)
    headers = {"x-retry-test-id": plan_id}
    assert requests.post(where, data=b"x", headers=headers, timeout=20).status_code == 400
    assert completed(mock, plan_id)


def test_retry_tests_are_listed_and_removed(mock):
    plan_id = retry_test(mock, "return-400")
    listed = requests.get(f"{mock.url}/retry_tests", timeout=20).json()["retry_test"]
    assert plan_id in [each["id"] for each in listed]
    assert requests.delete(f"{mock.url}/retry_test/{plan_id}", timeout=20).status_code == 200
    assert requests.get(f"{mock.url}/retry_test/{plan_id}", timeout=20).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"instructions": {"storage.objects.insert": ["explode"]}},
        {"instructions": {"storage.objects.fly": ["return-400"]}},
        {"instructions": {"storage.objects.insert": ["return-400"]}, "transport": "GRPC"},
    ],
)
def test_an_unknown_retry_test_is_400(mock, body):
    assert requests.post(f"{mock.url}/retry_test", json=body, timeout=20).status_code == 400


# -- faults on whole objects


@pytest.mark.parametrize("instruction", ["return-503-after-256K", "reset-mid-body-after-256K"])
def test_a_fault_on_a_whole_object_leaves_nothing(tenant, instruction):
    plan = tenant.plan("storage.objects.insert", instruction)
    where = "/upload/storage/v1/b/b/o?uploadType=media&name=x"
    assert tenant.post(where, data=b"small").status_code == 200
    if "503" in instruction:
        assert tenant.post(where, data=bytes(2 * Q)).status_code == 503
    else:
        with pytest.raises(requests.ConnectionError):
            tenant.post(where, data=bytes(2 * Q))
    assert plan.completed
    assert len(tenant.effects("object.created")) == 1


@pytest.mark.parametrize(
    ("instruction", "kept"), [("return-broken-stream", 4), ("return-broken-stream-after-1K", 1024)]
)
def test_a_download_can_break(tenant, instruction, kept):
    tenant.post("/upload/storage/v1/b/b/o?uploadType=media&name=x", data=bytes(5000))
    tenant.plan("storage.objects.get", instruction)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match=f"{kept} bytes read"):
        tenant.get("/storage/v1/b/b/o/x?alt=media")


def test_a_listing_has_pages_prefixes_and_delimiters(tenant):
    for name in ("a/1", "a/2", "a/b/3", "c"):
        tenant.post(f"/upload/storage/v1/b/b/o?uploadType=media&name={name}", data=b"x")
    shown = tenant.get("/storage/v1/b/b/o?prefix=a/&delimiter=/").json()
    assert [o["name"] for o in shown["items"]] == ["a/1", "a/2"]
    assert shown["prefixes"] == ["a/b/"]
    seen, token = [], ""
    while True:
        page = tenant.get(f"/storage/v1/b/b/o?maxResults=2&pageToken={token}").json()
        seen += [o["name"] for o in page["items"]]
        if not (token := page.get("nextPageToken", "")):
            break
    assert seen == ["a/1", "a/2", "a/b/3", "c"]


def test_a_download_can_be_a_range(tenant):
    tenant.post("/upload/storage/v1/b/b/o?uploadType=media&name=x", data=b"0123456789")
    path = "/download/storage/v1/b/b/o/x?alt=media"
    part = tenant.get(path, headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")
    assert part.headers["Content-Range"] == "bytes 2-4/10"
    assert tenant.get(path, headers={"Range": "bytes=-3"}).content == b"789"
    beyond = tenant.get(path, headers={"Range": "bytes=10-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, "bytes */10")


def test_generations_guard_objects(tenant):
    where = "/upload/storage/v1/b/b/o?uploadType=media&name=x"
    first = tenant.post(f"{where}&ifGenerationMatch=0", data=b"1").json()["generation"]
    assert tenant.post(f"{where}&ifGenerationMatch=0", data=b"2").status_code == 412
    second = tenant.post(f"{where}&ifGenerationMatch={first}", data=b"2").json()["generation"]
    assert int(second) > int(first)
    assert tenant.get(f"/storage/v1/b/b/o/x?generation={first}").status_code == 404
    path = f"/storage/v1/b/b/o/x?ifGenerationMatch={first}"
    assert tenant.call("DELETE", path).status_code == 412
    assert tenant.call("DELETE", "/storage/v1/b/b/o/x").status_code == 204
    assert tenant.call("DELETE", "/storage/v1/b/b/o/x").status_code == 404


@pytest.mark.parametrize("line_break", [b"\r\n", b"\n"])
def test_a_multipart_upload_carries_metadata_and_content(tenant, line_break):
    content = (b"--almost" + line_break + b"--b\r") * 30_000
    head = b'--bound\nContent-Type: application/json\n\n{"name": "m", "metadata": {"k": "v"}}\n'
    head += b"--bound\nContent-Type: image/png\n\n"
    body = head.replace(b"\n", line_break) + content + b"\n--bound--\n".replace(b"\n", line_break)
    kind = {"Content-Type": "multipart/related; boundary=bound"}
    where = "/upload/storage/v1/b/b/o?uploadType=multipart"
    made = tenant.post(where, data=body, headers=kind).json()
    assert (made["size"], made["contentType"]) == (str(len(content)), "image/png")
    assert made["metadata"] == {"k": "v"}
    assert tenant.get("/storage/v1/b/b/o/m?alt=media").content == content
    assert base64.b64decode(made["md5Hash"])
    for broken in (b"", body[:100], b"nothing"):
        assert tenant.post(where, data=broken, headers=kind).status_code == 400


# -- the journal explains


def test_the_journal_names_the_route_that_was_meant(tenant):
    tenant.post("/v0.2/batch")
    tenant.post("/v0.2/batches")
    missed, met = tenant.get("/_control/journal").json()
    assert (missed["matched"], met["matched"]) == (False, True)
    assert (missed["nearest"]["path"], met["nearest"]) == ("/v0.2/batches", None)
    assert missed["nearest"]["difference"] == "'batch' is not 'batches'"


def test_a_request_can_be_tried_again_as_a_command_that_holds_no_secret(tenant, data, tmp_path):
    upload = tenant.new_upload()
    upload.chunk(data, 0, Q, len(data))
    upload.chunk(data, 0, Q, len(data))
    name = "a 'quoted' $HOME `id` \"name\".txt"
    tenant.post("/upload/storage/v1/b/b/o", params={"uploadType": "media", "name": name}, data=b"x")
    entries = tenant.get("/_control/journal").json()
    _, session = upload.url.split("upload_id=")
    assert session not in str(entries)
    assert tenant.token not in str([entry["curl"] for entry in entries])
    (tmp_path / "body").write_bytes(data[:Q])
    environment = {**os.environ, "VISION_KEY": tenant.token, "UPLOAD_ID": session, "no_proxy": "*"}
    for entry in entries[1:]:
        ran = subprocess.run(
            ["sh", "-c", entry["curl"]], cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=True
        )
        assert f"HTTP/1.1 {entry['status']}".encode() in ran.stdout
    again = tenant.get("/_control/journal").json()[len(entries) :]
    kept = ("method", "path", "arguments", "content_range", "status", "operation")
    assert [{key: entry[key] for key in kept} for entry in again] == [
        {key: entry[key] for key in kept} for entry in entries[1:]
    ]


# -- presets


def test_every_preset_is_a_plan_named_after_a_row_of_the_page(tenant):
    page = (Path(__file__).parents[2] / "docs" / "faults.md").read_text()
    presets = tenant.get("/_control/faults/presets").json()
    assert len(presets) > 25
    for preset in presets:
        assert f"| {preset['name'].partition('-')[0]} |" in page, preset["name"]
        made = tenant.post("/_control/faults", json={"preset": preset["name"]}).json()
        assert made["instructions"] == preset["instructions"]
        assert made["instructions"].keys()
        again = tenant.post("/_control/faults", json={"instructions": preset["instructions"]})
        assert again.status_code == 201
    unknown = tenant.post("/_control/faults", json={"preset": "UP99"})
    assert (unknown.status_code, "UP6" in unknown.json()["error"]) == (400, True)


def test_a_preset_happens(tenant, data):
    tenant.post("/_control/faults", json={"preset": "UP6"})
    upload = tenant.new_upload()
    with pytest.raises(requests.ConnectionError):
        upload.put(body=data)
    assert upload.probe(len(data)).status_code == 200
    assert len(tenant.effects("archive.committed")) == 1


# -- snapshots


def test_a_snapshot_brings_back_an_unfinished_upload_as_often_as_wanted(tenant, data):
    batch_id, upload = tenant.new_batch()
    upload.chunk(data, 0, Q, len(data))
    early = tenant.post("/_control/snapshots").json()["id"]
    before = tenant.get("/_control/ledger").json()
    assert upload.chunk(data, Q, len(data), len(data)).status_code == 200
    late = tenant.post("/_control/snapshots").json()["id"]
    assert [s["id"] for s in tenant.get("/_control/snapshots").json()] == [early, late]
    for other in (b"\1" * len(data), data):
        assert tenant.post(f"/_control/snapshots/{early}/restore").status_code == 204
        assert tenant.get("/_control/ledger").json() == before
        assert upload.probe().headers["Range"] == f"bytes=0-{Q - 1}"
        content = data[:Q] + other[Q:]
        assert upload.chunk(content, Q, len(data), len(data)).status_code == 200
        (committed,) = tenant.effects("archive.committed")
        assert committed["sha256"] == hashlib.sha256(content).hexdigest()
    tenant.post(f"/_control/snapshots/{late}/restore")
    (stored,) = tenant.inside.objects.listing("site-batches")
    assert stored.path.read_bytes() == data
    assert tenant.call("DELETE", f"/_control/snapshots/{late}").status_code == 204
    assert tenant.post(f"/_control/snapshots/{late}/restore").status_code == 404
    assert tenant.inside.batches.get(batch_id) is not None


def test_a_snapshot_is_of_one_tenant(mock, tenant):
    other = mock.world.tenant(f"beside {tenant.token}")
    taken = tenant.post("/_control/snapshots").json()["id"]
    made = other.batches.create()
    tenant.new_batch()
    tenant.post(f"/_control/snapshots/{taken}/restore")
    assert tenant.inside.batches.all() == []
    assert other.batches.get(made.id) is made


def test_a_snapshot_waits_for_running_requests_or_says_so(tenant, monkeypatch):
    monkeypatch.setattr("visionbatch_mock.snapshots.REST_S", 0.01)
    plan = tenant.plan("deepomatic.batches.create", "delay-for-1s")
    with ThreadPoolExecutor(1) as pool:
        key = {"Authorization": f"Token {tenant.token}"}
        running = pool.submit(requests.post, f"{tenant.mock.url}/v0.2/batches", headers=key, timeout=20)
        wait_until(lambda: plan.completed)
        assert tenant.post("/_control/snapshots").status_code == 409
        assert running.result(20).status_code == 201
    assert tenant.post("/_control/snapshots").status_code == 201


def test_a_snapshot_waits_for_nobody_elses_requests(tenant, mock):
    other = mock.world.tenant(f"busy beside {tenant.token}")
    plan = other.faults.plan({"instructions": {"deepomatic.batches.create": ["delay-for-1s"]}})
    with ThreadPoolExecutor(1) as pool:
        key = {"Authorization": f"Token {other.token}"}
        running = pool.submit(requests.post, f"{mock.url}/v0.2/batches", headers=key, timeout=20)
        wait_until(lambda: plan.completed)
        assert tenant.post("/_control/snapshots").status_code == 201
        assert not running.done()


def test_a_stalled_batch_waits_until_it_is_let_go(tenant, archive):
    batch_id = tenant.send(archive)
    path = f"/_control/batches/{batch_id}"
    tenant.post(path, json={"stall": True})
    tenant.inside.clock.advance(3600)
    assert tenant.get(path).json()["state"] == "uploaded"
    tenant.post(path, json={"stall": False})
    assert tenant.get(path).json()["state"] == "success"
    assert tenant.post(path, json={"stall": "yes"}).status_code == 400


@pytest.mark.parametrize("instruction", ["stall-for-0.01s-after-1K", "drop-response", "reset-mid-body-after-1K"])
def test_what_happens_in_the_middle_of_a_body_or_after_its_effect_can_be_planned_over_http(tenant, data, instruction):
    told = {"instructions": {"storage.sessions.chunk": [instruction]}}
    plan = tenant.post("/_control/faults", json=told).json()["id"]
    upload = tenant.new_upload()
    try:
        assert upload.put(body=data).status_code == 200
    except requests.ConnectionError:
        assert instruction != "stall-for-0.01s-after-1K"
    (met,) = tenant.get(f"/_control/faults/{plan}").json()["met"]
    assert met["instruction"] == instruction
    kept = len(tenant.effects("archive.committed"))
    assert upload.put(body=data).status_code == 200, "the client sends it again"
    assert (kept, len(tenant.effects("archive.committed"))) == (0 if "reset" in instruction else 1, 1)
