"""Every fault of a plan, met over plain HTTP, and the account that a plan keeps."""

import socket
import time
from urllib.parse import urlsplit

import pytest
import requests

from support.patience import wait_until
from visionbatch_mock.faults import Fault, UnknownInstruction
from visionbatch_mock.faults.grammar import FORMS
from visionbatch_mock.operations import Operation

Q = 262_144
CHUNK = "storage.sessions.chunk"
STATUSES = [400, 401, 403, 404, 408, 410, 412, 429, 499, 500, 502, 503, 504]


def persisted(upload) -> int:
    answer = upload.probe()
    assert answer.status_code == 308
    shown = answer.headers.get("Range")
    return int(shown.removeprefix("bytes=0-")) + 1 if shown else 0


def fails_to_answer(send) -> None:
    with pytest.raises(requests.ConnectionError):
        send()


# -- before any effect


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_is_returned_before_any_effect(tenant, upload, data, status):
    plan = tenant.plan(CHUNK, f"return-{status}")
    assert upload.chunk(data, 0, Q, len(data)).status_code == status
    assert persisted(upload) == 0
    assert plan.completed


@pytest.mark.parametrize("value", [3, "120", "Wed, 21 Oct 2026 07:28:00 GMT", "soon"])
def test_a_status_may_carry_any_retry_after(tenant, upload, data, value):
    tenant.plan(CHUNK, {"fault": "return-429", "retry_after": value})
    answer = upload.chunk(data, 0, Q, len(data))
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == str(value)


def test_an_injected_503_is_not_taken_for_a_gap(tenant, upload, data):
    tenant.plan(CHUNK, "return-503")
    answer = upload.chunk(data, 0, Q, len(data))
    assert "Content-Range" not in answer.text
    assert not answer.headers["Content-Type"].startswith("text/plain")


def test_pass_lets_requests_through_untouched(tenant, upload, data):
    plan = tenant.plan(CHUNK, "pass", "pass", "return-503")
    total = len(data)
    assert upload.chunk(data, 0, Q, total).status_code == 308
    assert upload.chunk(data, Q, 2 * Q, total).status_code == 308
    assert not plan.completed
    assert upload.chunk(data, 2 * Q, 3 * Q, total).status_code == 503
    assert plan.completed


def test_a_proxy_page_is_html(tenant, upload, data):
    tenant.plan(CHUNK, "html-503")
    answer = upload.chunk(data, 0, Q, len(data))
    assert answer.status_code == 503
    assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_names_the_location_of_the_plan(tenant, upload, data, status):
    where = "http://127.0.0.1:1/elsewhere"
    tenant.plan(CHUNK, {"fault": f"redirect-{status}", "location": where})
    answer = upload.chunk(data, 0, Q, len(data))
    assert (answer.status_code, answer.headers["Location"]) == (status, where)
    assert persisted(upload) == 0


def raw_request(upload, head_only: int | None, body: bytes, content_range: str) -> socket.socket:
    """Send a request by hand and leave the socket to the test."""
    parts = urlsplit(upload.url)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=20)
    head = (
        f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Content-Range: {content_range}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    # In one call: a mock that resets at once must not find this side still sending.
    connection.sendall(head.encode() + (body if head_only is None else body[:head_only]))
    return connection


def test_a_reset_is_a_genuine_tcp_reset(tenant, upload, data):
    tenant.plan(CHUNK, "return-reset-connection")
    connection = raw_request(upload, 0, data, f"bytes 0-{len(data) - 1}/{len(data)}")
    with connection, pytest.raises(ConnectionResetError):
        connection.recv(1)
    assert persisted(upload) == 0


def test_a_reset_in_mid_body_keeps_the_whole_blocks(tenant, upload, data):
    plan = tenant.plan(CHUNK, "reset-mid-body-after-600K")
    fails_to_answer(lambda: upload.chunk(data, 0, len(data), len(data)))
    assert persisted(upload) == 2 * Q
    assert plan.completed


def test_a_reset_in_mid_body_is_a_genuine_tcp_reset(tenant, upload, data):
    tenant.plan(CHUNK, "reset-mid-body-after-300K")
    span = f"bytes 0-{len(data) - 1}/{len(data)}"
    connection = raw_request(upload, 300 * 1024, data, span)
    with connection, pytest.raises(ConnectionResetError):
        connection.recv(1)


@pytest.mark.parametrize("status", [413, 400])
def test_an_early_answer_comes_before_the_body_is_read(tenant, upload, status):
    tenant.plan(CHUNK, f"early-{status}")
    body = bytes(8 * 1024 * 1024)
    span = f"bytes 0-{len(body) - 1}/{len(body)}"
    with raw_request(upload, 0, body, span) as connection:
        assert f" {status} ".encode() in connection.recv(4096)
    entry = tenant.inside.journal.entries(CHUNK)[0]
    assert (entry.received, entry.status) == (0, status)


# -- partial effects


def test_a_status_after_an_offset_keeps_the_bytes_before_it(tenant, upload, data):
    plan = tenant.plan(CHUNK, "return-503-after-300K")
    assert upload.chunk(data, 0, 2 * Q, len(data)).status_code == 503
    assert persisted(upload) == 300 * 1024
    assert plan.completed


def test_a_status_after_an_offset_waits_for_the_chunk_that_reaches_it(tenant, upload, data):
    plan = tenant.plan(CHUNK, "return-503-after-512K")
    assert upload.chunk(data, 0, Q, len(data)).status_code == 308
    assert not plan.completed
    assert upload.chunk(data, Q, 3 * Q, len(data)).status_code == 503
    assert persisted(upload) == 2 * Q


def test_a_partial_persist_answers_a_smaller_range(tenant, upload, data):
    tenant.plan(CHUNK, "partial-persist-100K")
    answer = upload.chunk(data, 0, 2 * Q, len(data))
    assert answer.headers["Range"] == "bytes=0-102399"
    assert persisted(upload) == 102_400


def test_persist_nothing_answers_the_unchanged_range(tenant, upload, data):
    tenant.plan(CHUNK, "persist-nothing", "pass", "persist-nothing")
    assert "Range" not in upload.chunk(data, 0, Q, len(data)).headers
    upload.chunk(data, 0, Q, len(data))
    answer = upload.chunk(data, Q, 2 * Q, len(data))
    assert answer.headers["Range"] == f"bytes=0-{Q - 1}"


def test_an_upload_survives_partial_persistence_of_its_last_chunk(tenant, upload, data):
    tenant.plan(CHUNK, "partial-persist-1K")
    assert upload.chunk(data, 0, len(data), len(data)).status_code == 308
    assert upload.chunk(data, 1024, len(data), len(data)).status_code == 200


# -- lost and lying answers


def test_a_dropped_answer_has_its_effect(tenant, upload, data):
    tenant.plan(CHUNK, "drop-response")
    fails_to_answer(lambda: upload.chunk(data, 0, Q, len(data)))
    assert persisted(upload) == Q
    assert tenant.inside.journal.entries(CHUNK)[0].status is None


def test_a_dropped_final_answer_leaves_the_object(tenant, upload, data):
    plan = tenant.plan(CHUNK, "drop-response-final")
    assert upload.chunk(data, 0, Q, len(data)).status_code == 308
    fails_to_answer(lambda: upload.chunk(data, Q, len(data), len(data)))
    assert plan.completed
    assert upload.probe().status_code == 200
    assert len(tenant.effects("archive.committed")) == 1


def test_the_range_can_be_left_out(tenant, upload, data):
    plan = tenant.plan("storage.sessions.any", "omit-range")
    assert "Range" not in upload.probe().headers
    assert not plan.completed, "a probe of nothing has no Range anyway"
    assert "Range" not in upload.chunk(data, 0, Q, len(data)).headers
    assert plan.completed
    assert persisted(upload) == Q


def test_the_range_can_claim_more_than_was_sent(tenant, upload, data):
    tenant.plan(CHUNK, "ack-too-much")
    answer = upload.chunk(data, 0, Q, len(data))
    assert int(answer.headers["Range"].removeprefix("bytes=0-")) >= Q
    assert persisted(upload) == Q


def test_the_range_can_shrink_below_what_was_acknowledged(tenant, upload, data):
    plan = tenant.plan(CHUNK, "range-shrinks")
    upload.chunk(data, 0, Q, len(data))
    assert not plan.completed, "nothing was acknowledged before the first chunk"
    answer = upload.chunk(data, Q, 2 * Q, len(data))
    assert int(answer.headers["Range"].removeprefix("bytes=0-")) < Q - 1
    assert persisted(upload) == 2 * Q


@pytest.mark.parametrize("name", ["truncate-final-7B", "return-broken-stream-final-chunk-after-7B"])
def test_a_final_answer_can_be_cut(tenant, data, name):
    upload = tenant.new_upload()
    tenant.plan(CHUNK, name)
    span = f"bytes 0-{len(data) - 1}/{len(data)}"
    with raw_request(upload, None, data, span) as connection:
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 200 " in head
    assert len(body) == 7
    length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    assert int(length.split(b":")[1]) > 7
    assert upload.probe().status_code == 200


def test_a_final_answer_can_be_empty(tenant, upload, data):
    tenant.plan(CHUNK, "empty-final")
    answer = upload.put(body=data)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["x-goog-stored-content-length"] == str(len(data))


def test_a_final_answer_can_be_201(tenant, upload, data):
    tenant.plan(CHUNK, "final-201")
    assert upload.put(body=data).status_code == 201


def hashes(answer, kind: str) -> tuple[str | None, str | None]:
    if kind == "json":
        return answer.json().get("crc32c"), answer.json().get("md5Hash")
    pairs = dict(p.split("=", 1) for p in answer.headers.get("x-goog-hash", "").split(",") if p)
    return pairs.get("crc32c"), pairs.get("md5")


def test_hashes_of_the_final_answer_can_be_wrong_or_missing(tenant, upload, kind, data):
    tenant.plan(CHUNK, "wrong-hash")
    tenant.plan("storage.sessions.probe", "no-hash")
    wrong = hashes(upload.put(body=data), kind)
    right = hashes(upload.probe(), kind)
    assert all(a != b for a, b in zip(wrong, right, strict=True))
    assert all(right), "a complete session has nothing left to finish, so no-hash still waits"


def test_hashes_can_be_left_out(tenant, upload, kind, data):
    tenant.plan(CHUNK, "no-hash")
    assert hashes(upload.put(body=data), kind) == (None, None)


def test_the_size_of_the_final_answer_can_be_wrong(tenant, upload, kind, data):
    tenant.plan(CHUNK, "wrong-size")
    answer = upload.put(body=data)
    shown = answer.json()["size"] if kind == "json" else answer.headers["x-goog-stored-content-length"]
    assert shown == str(len(data) + 1)


# -- dying sessions


@pytest.mark.parametrize(
    ("name", "status"),
    [("expire-session", 404), ("terminate-session", 410), ("cancel-session", 499)],
)
def test_a_session_dies_from_this_request_on(tenant, upload, data, name, status):
    upload.chunk(data, 0, Q, len(data))
    plan = tenant.plan(CHUNK, name)
    assert upload.chunk(data, Q, 2 * Q, len(data)).status_code == status
    assert upload.probe().status_code == status
    assert upload.chunk(data, Q, 2 * Q, len(data)).status_code == status
    assert plan.completed
    assert [e["stop"] for e in tenant.effects("bytes.persisted")] == [Q]


@pytest.mark.parametrize(
    ("name", "status"),
    [("expire-session-after-commit", 404), ("terminate-session-after-commit", 410)],
)
def test_a_session_can_die_after_its_archive_was_committed(tenant, upload, data, name, status):
    tenant.plan(CHUNK, name)
    assert upload.chunk(data, 0, Q, len(data)).status_code == 308
    assert upload.chunk(data, Q, len(data), len(data)).status_code == status
    assert upload.probe().status_code == status
    assert len(tenant.effects("archive.committed")) == 1


# -- time


def test_a_stall_does_not_keep_a_probe_waiting(tenant, upload, data):
    plan = tenant.plan(CHUNK, "stall-for-30s-after-256K")
    upload.http.headers["Connection"] = "close"
    span = f"bytes 0-{2 * Q - 1}/{len(data)}"
    with raw_request(upload, None, data[: 2 * Q], span) as connection:
        wait_until(lambda: plan.completed and persisted(upload) >= Q)
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    assert upload.chunk(data, Q, len(data), len(data)).status_code == 200


def test_a_stall_that_is_over_goes_on_normally(tenant, upload, data):
    tenant.plan(CHUNK, "stall-for-0.2s-after-256K")
    began = time.monotonic()
    assert upload.chunk(data, 0, 2 * Q, len(data)).headers["Range"] == f"bytes=0-{2 * Q - 1}"
    assert time.monotonic() - began >= 0.2


def test_a_throttle_slows_the_body_down(tenant, upload, data):
    tenant.plan(CHUNK, "throttle-1024Kps")
    began = time.monotonic()
    assert upload.chunk(data, 0, Q, len(data)).status_code == 308
    assert time.monotonic() - began >= 0.24


# -- calls with a JSON answer


CREATE, GET = "deepomatic.batches.create", "deepomatic.batches.get"


@pytest.mark.parametrize("status", STATUSES)
def test_a_call_can_fail_with_a_status_before_any_effect(tenant, status):
    tenant.plan(CREATE, f"return-{status}")
    answer = tenant.post("/v0.2/batches")
    assert answer.status_code == status
    assert "detail" in answer.json()
    assert tenant.effects() == []


def test_a_call_can_meet_a_proxy_page(tenant):
    tenant.plan(CREATE, "html-502")
    answer = tenant.post("/v0.2/batches")
    assert answer.status_code == 502
    assert "<html>" in answer.text


@pytest.mark.parametrize("effect", [True, False])
def test_a_call_can_be_answered_with_given_bytes(tenant, effect):
    body = '{"batch_id": 7,'
    told = {"fault": "answer", "status": 200, "content_type": "application/json", "body": body}
    tenant.plan(CREATE, {**told, "effect": effect})
    answer = tenant.post("/v0.2/batches")
    assert (answer.status_code, answer.text) == (200, body)
    assert len(tenant.effects("batch.created")) == int(effect)


def test_a_calls_answer_can_be_cut(tenant):
    tenant.plan(CREATE, "truncate-5B")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        tenant.post("/v0.2/batches")
    assert len(tenant.effects("batch.created")) == 1


def test_a_calls_answer_can_be_lost_after_its_effect(tenant):
    tenant.plan(CREATE, "drop-response")
    fails_to_answer(lambda: tenant.post("/v0.2/batches"))
    assert len(tenant.effects("batch.created")) == 1


def test_a_call_can_be_reset_before_its_effect(tenant):
    tenant.plan(CREATE, "return-reset-connection")
    fails_to_answer(lambda: tenant.post("/v0.2/batches"))
    assert tenant.effects() == []


def test_a_call_can_be_delayed(tenant):
    tenant.plan(CREATE, "delay-for-0.2s")
    began = time.monotonic()
    assert tenant.post("/v0.2/batches").status_code == 201
    assert time.monotonic() - began >= 0.2


def test_a_key_can_be_left_out(tenant):
    tenant.plan(CREATE, "omit-upload_url")
    assert set(tenant.post("/v0.2/batches").json()) == {"batch_id"}


@pytest.mark.parametrize(
    "told",
    [
        {"fault": "set", "key": "upload_url", "value": "file:///etc/passwd"},
        {"fault": "set-upload_url", "value": "file:///etc/passwd"},
    ],
)
def test_a_key_can_be_given_a_value(tenant, told):
    tenant.plan(CREATE, told)
    assert tenant.post("/v0.2/batches").json()["upload_url"] == "file:///etc/passwd"


def test_a_delete_can_lose_its_answer(tenant):
    batch_id, _ = tenant.new_batch()
    tenant.plan("deepomatic.batches.delete", "drop-response")
    fails_to_answer(lambda: tenant.call("DELETE", f"/v0.2/batches/{batch_id}"))
    assert tenant.get(f"/v0.2/batches/{batch_id}").status_code == 404


# -- the account


def test_a_plan_reports_what_was_met_and_what_remains(tenant, upload, data):
    plan = tenant.plan("storage.sessions.any", "return-503", "return-408", "drop-response-final")
    upload.probe()
    upload.chunk(data, 0, Q, len(data))
    first, second = plan.met
    assert (first.instruction, second.instruction) == ("return-503", "return-408")
    journal = {e.seq: e for e in tenant.inside.journal.entries()}
    assert journal[first.seq].operation == "storage.sessions.probe"
    assert (journal[second.seq].fault, journal[second.seq].status) == ("return-408", 408)
    assert plan.remaining == {"storage.sessions.any": ["drop-response-final"]}
    assert not plan.completed


def test_the_oldest_plan_is_met_first(tenant):
    old, new = tenant.plan(CREATE, "return-500"), tenant.plan(CREATE, "return-502")
    statuses = [tenant.post("/v0.2/batches").status_code for _ in range(3)]
    assert statuses == [500, 502, 201]
    assert old.completed
    assert new.completed


def answers(tenant, number: int) -> list[int]:
    return [tenant.post("/v0.2/batches").status_code for _ in range(number)]


def test_with_a_time_to_live_an_instruction_is_met_until_the_clock_has_passed_it(tenant):
    plan = tenant.plan(CREATE, "pass", {"fault": "return-503", "ttl": 60}, "return-500")
    assert answers(tenant, 4) == [201, 503, 503, 503]
    tenant.inside.clock.advance(59)
    assert answers(tenant, 1) == [503]
    assert not plan.completed
    tenant.inside.clock.advance(1)
    assert answers(tenant, 2) == [500, 201]
    assert plan.completed
    assert len(plan.met) == 6


def test_an_instruction_that_nobody_met_in_time_keeps_its_plan_from_being_complete(tenant):
    plan = tenant.plan(CREATE, {"fault": "return-503", "ttl": 60}, {"fault": "return-500", "ttl": 60}, "return-502")
    tenant.inside.clock.advance(90)
    assert answers(tenant, 2) == [500, 500]
    tenant.inside.clock.advance(30)
    assert answers(tenant, 2) == [502, 201]
    assert not plan.completed
    told = tenant.get(f"/_control/faults/{plan.id}").json()
    assert told["lapsed"] == plan.unmet == {CREATE: [{"fault": "return-503", "ttl": 60}]}
    assert told["instructions"] == {CREATE: []}


def test_with_a_probability_chance_decides_and_a_seed_repeats_it(tenant):
    storm = {"fault": "return-503", "probability": 0.3, "ttl": 60}
    series = []
    for seed in (1, 1, 2):
        plan = tenant.inside.faults.plan({"instructions": {CREATE: [storm]}, "seed": seed})
        series.append(answers(tenant, 60))
        assert plan.completed
        tenant.inside.faults.remove(plan.id)
    first, same, other = series
    assert first == same != other
    assert 8 <= first.count(503) <= 28


def test_with_a_probability_and_no_time_an_instruction_waits_for_its_chance_and_is_met_once(tenant):
    tenant.inside.faults.plan({"instructions": {CREATE: [{"fault": "return-503", "probability": 0.2}]}, "seed": "s"})
    assert answers(tenant, 60).count(503) == 1


def test_a_seed_that_is_none_is_refused(tenant):
    with pytest.raises(UnknownInstruction, match="seed"):
        tenant.inside.faults.plan({"instructions": {CREATE: ["return-503"]}, "seed": [1]})


@pytest.mark.parametrize(
    ("operation", "told"),
    [
        ("storage.sessions.chunk", "return-99"),
        ("storage.sessions.chunk", "explode"),
        ("storage.sessions.chunk", "throttle-0Kps"),
        ("storage.sessions.chunk", 7),
        ("storage.sessions.chunk", {"no": "fault"}),
        ("storage.sessions.chunk", {"fault": "return-503", "color": "red"}),
        ("storage.sessions.chunk", "truncate-4B"),
        ("deepomatic.batches.get", "drop-response-final"),
        ("deepomatic.batches.get", {"fault": "set", "key": "status"}),
        ("deepomatic.batches.fly", "return-503"),
        (CREATE, {"fault": "return-503", "probability": 0}),
        (CREATE, {"fault": "return-503", "probability": 1.5}),
        (CREATE, {"fault": "return-503", "probability": True}),
        (CREATE, {"fault": "return-503", "ttl": -1}),
        (CREATE, {"fault": "return-503", "ttl": "60"}),
    ],
)
def test_an_unknown_word_is_refused_when_the_plan_is_made(tenant, operation, told):
    with pytest.raises(UnknownInstruction):
        tenant.plan(operation, told)
    assert tenant.inside.faults.plans() == []


def test_a_refused_operation_names_the_known_ones(tenant):
    with pytest.raises(UnknownInstruction, match=r"storage\.sessions\.probe"):
        tenant.plan("nothing", "return-503")


def test_a_refused_instruction_names_the_known_ones(tenant):
    with pytest.raises(UnknownInstruction, match="drop-response-final"):
        tenant.plan(CHUNK, "nothing")


def test_every_fault_has_a_form_and_every_operation_a_surface():
    assert {form.fault for form in FORMS} == set(Fault)
    for operation in Operation:
        assert any(operation.surface in form.surfaces for form in FORMS)
