"""`/v0.2/batches`, by the vendor's batch page, and what the mock assumes beyond it."""

import hashlib
import uuid

import pytest
import requests

from visionbatch_mock.config import SettingError

Q = 262_144


def status_of(tenant, batch_id: str) -> str:
    return tenant.get(f"/v0.2/batches/{batch_id}").json()["status"]


def moments(tenant, effect: str) -> list[float]:
    return [entry.at for entry in tenant.effects(effect)]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("body", [b"", b"{}", b'{"filename": "label"}'])
def test_creating_takes_empty_and_json_bodies_with_and_without_slash(tenant, slash, body):
    answer = tenant.post(f"/v0.2/batches{slash}", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201
    made = answer.json()
    assert set(made) == {"batch_id", "upload_url"}
    assert uuid.UUID(made["batch_id"]).version == 4
    assert made["upload_url"].startswith(
        f"{tenant.mock.url}/upload/storage/v1/b/site-batches/o?uploadType=resumable&upload_id="
    )
    shown = tenant.get(f"/v0.2/batches/{made['batch_id']}{slash}")
    assert shown.json() == {**made, "status": "created"}


def test_the_upload_url_is_on_the_host_that_the_client_used(tenant):
    answer = tenant.post("/v0.2/batches", headers={"Host": "site.example:8443"})
    assert answer.json()["upload_url"].startswith("http://site.example:8443/upload/")


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"filename": 7}', "application/json", 400),
        (b"filename=a", "application/x-www-form-urlencoded", 415),
    ],
)
def test_a_bad_body_is_refused(tenant, body, kind, status):
    answer = tenant.post("/v0.2/batches", data=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert isinstance(answer.json(), dict)
    assert tenant.effects() == []


@pytest.mark.parametrize("path", ["/v0.2/batches", "/v0.2/batches/"])
def test_an_unknown_method_is_405_in_the_vendors_dialect(tenant, path):
    answer = tenant.call("PUT", path)
    assert answer.status_code == 405
    assert "detail" in answer.json()
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize("path", ["/v0.2/nothing", "/v0.2/batches/x", "/v0.2/batches/x/errors"])
def test_what_is_not_there_is_404_with_detail(tenant, path):
    answer = tenant.get(path)
    assert (answer.status_code, list(answer.json())) == (404, ["detail"])


# -- keys


@pytest.mark.parametrize("header", [None, "", "Token", "Token ", "Basic abc"])
def test_a_missing_key_is_403(mock, header):
    headers = {} if header is None else {"Authorization": header}
    answer = requests.post(f"{mock.url}/v0.2/batches", headers=headers, timeout=20)
    assert answer.status_code == 403
    assert answer.json() == {"detail": "Authentication credentials were not provided."}


def test_a_wrong_key_is_403(mock):
    headers = {"Authorization": "Token invalid-key"}
    answer = requests.post(f"{mock.url}/v0.2/batches", headers=headers, timeout=20)
    assert answer.status_code == 403
    assert answer.json() == {"detail": "No user found for such apiKey"}


def test_a_revoked_key_is_403_from_then_on(tenant):
    assert tenant.post("/v0.2/batches").status_code == 201
    tenant.inside.revoke()
    assert tenant.post("/v0.2/batches").status_code == 403


def test_wrong_keys_can_be_401(tenant):
    tenant.inside.configure(auth_status=401)
    tenant.inside.revoke()
    answer = tenant.post("/v0.2/batches")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Token")


def test_a_bearer_token_is_a_token(tenant):
    answer = tenant.post("/v0.2/batches", headers={"Authorization": f"Bearer {tenant.token}"})
    assert answer.status_code == 201
    assert len(tenant.effects("batch.created")) == 1


def test_customers_do_not_see_each_other(mock, tenant):
    batch_id, _ = tenant.new_batch()
    headers = {"Authorization": "Token somebody-else"}
    url = f"{mock.url}/v0.2/batches/{batch_id}"
    assert requests.get(url, headers=headers, timeout=20).status_code == 404
    assert mock.world.tenant("somebody-else").ledger.entries() == []


# -- life cycle


def test_a_batch_goes_through_its_life_on_the_clock(tenant, archive):
    batch_id, upload = tenant.new_batch()
    clock = tenant.inside.clock
    assert status_of(tenant, batch_id) == "created"
    upload.put(body=archive)
    assert status_of(tenant, batch_id) == "uploaded"
    clock.advance(0.9)
    assert status_of(tenant, batch_id) == "uploaded"
    clock.advance(0.2)
    assert status_of(tenant, batch_id) == "processing"
    clock.advance(2.8)
    assert status_of(tenant, batch_id) == "processing"
    assert tenant.effects("batch.processed") == []
    clock.advance(0.2)
    assert status_of(tenant, batch_id) == "success"
    assert tenant.get(f"/v0.2/batches/{batch_id}").json()["upload_url"] is None


def test_a_batch_is_uploading_once_bytes_are_there(tenant, data):
    batch_id, upload = tenant.new_batch()
    upload.probe()
    assert status_of(tenant, batch_id) == "created"
    upload.chunk(data, 0, Q, len(data))
    assert status_of(tenant, batch_id) == "uploading"


def test_the_ledger_dates_a_verdict_with_the_moment_it_was_due(tenant, archive):
    tenant.send(archive)
    committed = moments(tenant, "archive.committed")[0]
    tenant.inside.clock.advance(3600)
    entry = tenant.effects("batch.processed")[0]
    assert entry.at == pytest.approx(committed + 4.0, abs=0.01)
    assert (entry["outcome"], entry["ok"], entry["failed"]) == ("success", 2, 0)
    assert len(tenant.effects("batch.processed")) == 1


def test_the_archive_is_committed_with_its_checksums(tenant, archive):
    tenant.send(archive)
    entry = tenant.effects("archive.committed")[0]
    assert entry["size"] == len(archive)
    assert entry["sha256"] == hashlib.sha256(archive).hexdigest()


def test_a_batch_can_move_by_looks(tenant, archive):
    tenant.inside.configure(lifecycle={"mode": "looks", "looks": 2})
    batch_id = tenant.send(archive)
    seen = [status_of(tenant, batch_id) for _ in range(6)]
    assert seen == ["uploaded"] * 2 + ["processing"] * 2 + ["success"] * 2


def test_a_batch_can_move_by_hand_only(tenant, archive):
    tenant.inside.configure(lifecycle="manual")
    batch_id = tenant.send(archive)
    tenant.inside.clock.advance(10**6)
    assert status_of(tenant, batch_id) == "uploaded"
    batch = tenant.inside.batches.get(batch_id)
    batch.advance()
    assert status_of(tenant, batch_id) == "processing"
    batch.advance()
    assert status_of(tenant, batch_id) == "success"


def test_an_end_can_be_forced(tenant):
    batch_id, _ = tenant.new_batch()
    tenant.post(f"/_control/batches/{batch_id}", json={"force": "error"})
    assert status_of(tenant, batch_id) == "error"
    assert tenant.effects("batch.processed")[0]["outcome"] == "error"


def test_status_words_are_a_setting(tenant, archive):
    tenant.inside.configure(status_words={"success": "Finished", "created": "waiting-for-upload"})
    batch_id, upload = tenant.new_batch()
    assert status_of(tenant, batch_id) == "waiting-for-upload"
    upload.put(body=archive)
    tenant.inside.clock.advance(60)
    assert status_of(tenant, batch_id) == "Finished"


def test_deleting_is_204_and_then_nothing_is_found(tenant, data):
    batch_id, upload = tenant.new_batch()
    upload.chunk(data, 0, Q, len(data))
    answer = tenant.call("DELETE", f"/v0.2/batches/{batch_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert tenant.get(f"/v0.2/batches/{batch_id}").status_code == 404
    assert tenant.call("DELETE", f"/v0.2/batches/{batch_id}").status_code == 404
    assert upload.probe().status_code == 499
    assert len(tenant.effects("batch.deleted")) == 1


def test_a_batch_deleted_while_processing_is_never_processed(tenant, archive):
    batch_id = tenant.send(archive)
    tenant.inside.clock.advance(2)
    assert status_of(tenant, batch_id) == "processing"
    assert tenant.call("DELETE", f"/v0.2/batches/{batch_id}").status_code == 204
    tenant.inside.clock.advance(3600)
    assert tenant.effects("batch.processed") == []


# -- the session behind the upload URL


def url_of(tenant, batch_id: str) -> str:
    return tenant.get(f"/v0.2/batches/{batch_id}").json()["upload_url"]


def test_fetching_a_batch_gives_the_same_session_while_it_lives(tenant, data):
    batch_id, upload = tenant.new_batch()
    upload.chunk(data, 0, Q, len(data))
    assert url_of(tenant, batch_id) == upload.url


@pytest.mark.parametrize(("act", "status"), [("expire", 404), ("terminate", 410)])
def test_a_dead_session_is_replaced_by_a_new_one(tenant, archive, data, act, status):
    batch_id, upload = tenant.new_batch()
    upload.chunk(data, 0, Q, len(data))
    tenant.post(f"/_control/sessions/{batch_id}/{act}")
    old, fresh = upload.url, url_of(tenant, batch_id)
    assert fresh != old
    assert upload.probe().status_code == status
    upload.url = fresh
    assert "Range" not in upload.probe().headers
    assert upload.put(body=archive).status_code == 200
    assert len(tenant.effects("archive.committed")) == 1


def test_a_session_that_outlived_its_week_is_replaced(tenant):
    batch_id, upload = tenant.new_batch()
    tenant.inside.clock.advance(8 * 24 * 3600)
    fresh = url_of(tenant, batch_id)
    assert fresh != upload.url
    assert upload.probe().status_code == 404
    tenant.inside.clock.advance(-8 * 24 * 3600)
    assert upload.probe().status_code == 404, "an old URL stays dead whatever the clock says"


def test_a_cancelled_session_is_not_replaced(tenant):
    batch_id, upload = tenant.new_batch()
    upload.cancel()
    assert url_of(tenant, batch_id) == upload.url


def test_a_complete_upload_needs_no_url_even_if_its_session_died(tenant, archive):
    batch_id, upload = tenant.new_batch()
    tenant.plan("storage.sessions.chunk", "terminate-session-after-commit")
    assert upload.put(body=archive).status_code == 410
    assert url_of(tenant, batch_id) is None
    assert status_of(tenant, batch_id) == "uploaded"


def test_xml_sessions_have_the_xml_apis_url(tenant):
    tenant.inside.configure(session_kind="xml")
    batch_id, upload = tenant.new_batch()
    assert upload.url.startswith(f"{tenant.mock.url}/site-batches/{batch_id}/")


def test_a_key_on_a_session_url_is_noted(tenant, data):
    upload = tenant.new_upload()
    upload.chunk(data, 0, Q, len(data))
    upload.chunk(data, Q, 2 * Q, len(data), Authorization="Token oops")
    chunks = tenant.inside.journal.entries("storage.sessions.chunk")
    assert [entry.authorization for entry in chunks] == [False, True]


def test_the_journal_holds_no_secret(tenant, data):
    upload = tenant.new_upload()
    upload.chunk(data, 0, Q, len(data))
    secret = upload.url.rpartition("=")[2]
    text = tenant.get("/_control/journal").text
    assert secret not in text
    assert tenant.token not in text
    entry = tenant.inside.journal.entries("storage.sessions.chunk")[0]
    assert entry.query == ("uploadType", "upload_id")
    assert (entry.content_range, entry.received) == (f"bytes 0-{Q - 1}/{len(data)}", Q)
    assert (entry.status, entry.range) == (308, f"bytes=0-{Q - 1}")


# -- profiles


@pytest.mark.parametrize("tail", ["", "/{}/errors", "/{}/work-orders"])
def test_the_strict_profile_has_no_assumed_routes(tenant, tail):
    batch_id, _ = tenant.new_batch()
    answer = tenant.get("/v0.2/batches" + tail.format(batch_id))
    assert (answer.status_code, list(answer.json())) == (404, ["detail"])


def test_the_rich_profile_adds_keys(tenant, archive):
    tenant.inside.configure(profile="rich")
    made = tenant.post("/v0.2/batches", json={"filename": "march"}).json()
    assert made["filename"] == "march"
    assert {"status", "create_date", "update_date"} <= set(made)
    batch_id = tenant.send(archive)
    tenant.inside.clock.advance(60)
    shown = tenant.get(f"/v0.2/batches/{batch_id}").json()
    assert shown["work_orders"] == {"total": 2, "succeeded": 2, "failed": 0}


def test_the_rich_profile_lists_batches_in_pages(tenant):
    tenant.inside.configure(profile="rich")
    ids = [tenant.new_batch()[0] for _ in range(5)]
    first = tenant.get("/v0.2/batches?limit=2").json()
    assert (first["count"], first["previous"]) == (5, None)
    seen = [b["batch_id"] for b in first["results"]]
    following = first["next"]
    while following:
        answer = tenant.get(following.removeprefix(tenant.mock.url)).json()
        seen += [b["batch_id"] for b in answer["results"]]
        following = answer["next"]
    assert seen == ids[::-1]


def test_a_bad_page_is_refused(tenant):
    tenant.inside.configure(profile="rich")
    assert tenant.get("/v0.2/batches?limit=x").json() == {"limit": ["A valid integer is required."]}


def test_the_rich_profile_lists_the_work_orders_of_a_batch(tenant, archive):
    tenant.inside.configure(profile="rich")
    batch_id = tenant.send(archive)
    tenant.inside.clock.advance(60)
    found = tenant.get(f"/v0.2/batches/{batch_id}/work-orders").json()
    assert [order["name"] for order in found["results"]] == ["WO_1", "WO_2"]


# -- error report


@pytest.fixture
def faulty(tenant, zipped, photo) -> str:
    batch_id = tenant.send(zipped({"WO_1/a-0.jpg": photo(), "WO_2/a-0.gif": b"GIF"}))
    tenant.inside.clock.advance(60)
    return batch_id


def test_the_error_report_can_be_json(tenant, faulty):
    tenant.inside.configure(error_report="json")
    found = tenant.get(f"/v0.2/batches/{faulty}/errors").json()
    assert {"work_order": "WO_2", "file": "a-0.gif", "code": "unsupported_extension"}.items() <= (found[0].items())
    assert set(found[0]) == {"work_order", "file", "code", "message", "level"}


def test_the_error_report_can_be_json_lines(tenant, faulty):
    tenant.inside.configure(error_report="jsonl")
    answer = tenant.get(f"/v0.2/batches/{faulty}/errors")
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert len(answer.text.splitlines()) == 2


def test_the_error_report_can_be_csv(tenant, faulty):
    tenant.inside.configure(error_report="csv")
    answer = tenant.get(f"/v0.2/batches/{faulty}/errors")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert answer.text.splitlines()[0] == "work_order,file,code,message,level"


def test_the_error_report_can_be_off_in_the_rich_profile(tenant, faulty):
    tenant.inside.configure(profile="rich")
    assert tenant.get(f"/v0.2/batches/{faulty}/errors").status_code == 200
    tenant.inside.configure(error_report="off")
    assert tenant.get(f"/v0.2/batches/{faulty}/errors").status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"nothing": 1},
        {"profile": "loose"},
        {"queued_s": -1},
        {"queued_s": "soon"},
        {"auth_status": 418},
        {"lifecycle": {"mode": "looks", "looks": -1}},
        {"lifecycle": "never"},
        {"status_words": {"nothing": "x"}},
        {"task_groups": "abc"},
        {"required_metadata": {"a": "date"}},
        {"max_image_bytes": 0},
        {"strict_chunks": "yes"},
    ],
)
def test_a_wrong_setting_is_refused(tenant, wrong):
    with pytest.raises(SettingError):
        tenant.inside.configure(**wrong)
    assert tenant.call("PATCH", "/_control/settings", json=wrong).status_code == 400
