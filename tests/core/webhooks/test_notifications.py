"""What services post to a webhook: read within bounds, reduced to a notice, and each event taken once."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visionbatch.model.bounded_json import DEPTH, VALUES, json_object
from visionbatch.model.notice import Notice, NoticeKind
from visionbatch.model.seen import Claim, SeenEvents
from visionbatch.roboflow.notifications import roboflow_notice
from visionbatch.vias.notifications import vias_event_line, vias_notice

JOB = {
    "type": "roboflow-batch-job-notification-v1",
    "event_id": "4a1c",
    "job_id": "night-1",
    "job_state": "success",
    "delivery_attempt": 1,
}
INGEST = {
    "type": "roboflow-data-staging-notification-v1",
    "event_id": "77",
    "ingest_id": "i",
    "batch_id": "b-1",
    "shard_id": None,
    "notification": {
        "type": "ingest-status-notification-v1",
        "success": False,
        "error_details": {"type": "unsafe-url-detected", "reason": "text"},
    },
    "delivery_attempt": 2,
}
FILES = {
    **INGEST,
    "event_id": "78",
    "shard_id": "s-1",
    "notification": {
        "type": "ingest-files-status-notification-v1",
        "success": True,
        "ingested_files": ["a.jpg"],
        "failed_files": [],
        "content_truncated": False,
    },
}
EVENT = {
    "event_type": 196609,
    "task_id": "0123456789abcdef0123456789abcdef",
    "stream_id": "dock#2",
    "timestamp": 1618299313,
    "message_id": "C8F67CE2-9C2A-11EB-BBF6-0242AC110002",
    "image_base64": "/9j/4AAQ",
    "data": {"event_set": [{"bounding_box": {"x": 853, "y": 450, "w": 101, "h": 161}}]},
}


@pytest.mark.parametrize(
    ("body", "kind", "ref"),
    [(JOB, NoticeKind.JOB, "night-1"), (INGEST, NoticeKind.INGEST, "b-1"), (FILES, NoticeKind.FILES, "b-1")],
)
def test_a_notification_becomes_a_notice_without_what_it_claims(body, kind, ref):
    notice = roboflow_notice(json_object(json.dumps(body).encode()))
    assert notice == Notice("roboflow", kind, body["event_id"], ref)
    assert notice.to_json() == {"service": "roboflow", "kind": kind, "event_id": body["event_id"], "ref": ref}


def test_an_event_of_vias_is_known_by_its_message():
    assert vias_notice(EVENT) == Notice("huawei_vias", NoticeKind.RESULT, EVENT["message_id"], EVENT["task_id"])
    assert vias_notice({**EVENT, "message_id": EVENT["message_id"].lower()}).event_id == EVENT["message_id"]
    least = {key: EVENT[key] for key in ("event_type", "task_id", "timestamp", "message_id")}
    assert vias_notice(least).ref == EVENT["task_id"]


@pytest.mark.parametrize(
    "body",
    [
        {**JOB, "type": "roboflow-batch-job-notification-v2"},
        {**INGEST, "notification": {"type": "ingest-stage-changed-v1", "success": True}},
    ],
)
def test_a_type_that_is_to_come_is_none_of_ours(body):
    assert roboflow_notice(body) is None


@pytest.mark.parametrize(
    "change",
    [
        {"type": 1},
        {"event_id": None},
        {"event_id": ""},
        {"event_id": "x" * 101},
        {"event_id": "a b"},
        {"event_id": "\ud800"},
        {"job_id": ".."},
        {"job_id": "a/b"},
        {"job_id": "a\n"},
        {"job_state": True},
        {"delivery_attempt": 0},
        {"delivery_attempt": True},
        {"delivery_attempt": "1"},
    ],
    ids=str,
)
def test_another_shape_of_a_job_s_notification_is_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        roboflow_notice({**JOB, **change})


@pytest.mark.parametrize("inner", [None, [], {}, {"type": "ingest-status-notification-v1", "success": 1}], ids=str)
def test_another_shape_of_a_staging_notification_is_refused(inner):
    with pytest.raises(ValueError, match=r"type|success"):
        roboflow_notice({**INGEST, "notification": inner})


@pytest.mark.parametrize(
    "change",
    [
        {"message_id": "../x"},
        {"task_id": None},
        {"timestamp": 1.5},
        {"event_type": -1},
        {"data": []},
        {"image_base64": {}},
        {"stream_id": None},
    ],
    ids=str,
)
def test_another_shape_of_an_event_is_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        vias_notice({**EVENT, **change})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"text"',
        b"{",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\xff"}',
        '{"a": 1}'.encode("utf-16"),
        b'{"a": "' + b'\\"' * 1000,
        b'{"a":' + b"[" * DEPTH + b"]" * DEPTH + b"}",
        b"[" * 1_000_000,
        b'{"a":' * 1_000_000,
        b'{"a": [' + b"[]," * VALUES + b"1]}",
    ],
    ids=range(14),
)
def test_what_is_no_small_json_object_is_refused_with_a_reason(body):
    with pytest.raises(ValueError, match=r"the body|limit"):
        json_object(body)


def test_brackets_in_a_text_are_no_nesting():
    text = '[{"\\' * 1000
    assert json_object(json.dumps({"a": text}).encode()) == {"a": text}


def test_hostile_quotes_cost_memory_in_the_size_of_the_body_only():
    body = b'{"a": "' + b'\\"' * 2_000_000
    tracemalloc.start()
    with pytest.raises(ValueError, match="the body"):
        json_object(body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * len(body)


@given(st.dictionaries(st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=6)))
def test_an_honest_object_is_read_as_json_reads_it(value):
    body = json.dumps(value).encode()
    assert json_object(body) == json.loads(body)


@given(st.binary(max_size=200))
def test_no_body_is_too_odd_to_be_refused(body):
    try:
        value = json_object(body)
        roboflow_notice(value)
    except ValueError:
        pass


def test_a_line_holds_an_event_whatever_its_texts():
    event = {**EVENT, "stream_id": "a\nb\u2028\ud800é"}
    line = vias_event_line(event)
    assert line.count(b"\n") == 1
    assert line.isascii()
    assert json.loads(line) == event


@pytest.mark.fault("WH2")
@given(st.data())
def test_replayed_duplicated_and_reordered_deliveries_have_one_effect_an_event(data):
    events = [f"event-{number}" for number in range(data.draw(st.integers(1, 8)))]
    deliveries = data.draw(st.permutations([event for event in events for _ in range(data.draw(st.integers(1, 4)))]))
    failing = set(data.draw(st.lists(st.integers(0, len(deliveries) - 1), max_size=4)))
    seen, effects, tried = SeenEvents(), [], set()
    for place, event in enumerate(deliveries):
        claim = seen.claim(event)
        assert claim is (Claim.SEEN if event in effects else Claim.FIRST)
        if claim is Claim.FIRST:
            tried.add(event)
            if place in failing:
                seen.failed(event)
            else:
                effects.append(event)
                seen.done(event)
    assert sorted(set(effects)) == sorted(effects), "no event had two effects"
    assert tried == set(events)
    assert len(seen) == len(effects)


@given(st.lists(st.integers(0, 50)), st.integers(1, 10))
def test_the_ids_that_are_kept_are_bounded(numbers, most):
    seen = SeenEvents(most)
    for number in numbers:
        if seen.claim(str(number)) is Claim.FIRST:
            seen.done(str(number))
        assert len(seen) <= most
        assert seen.claim(str(number)) is Claim.SEEN, "the last ones are kept"


def test_a_delivery_of_an_event_that_is_at_work_is_told_so():
    seen = SeenEvents()
    assert seen.claim("a") is Claim.FIRST
    assert seen.claim("a") is Claim.BUSY
    seen.failed("a")
    assert seen.claim("a") is Claim.FIRST
