"""Every documented rule of a batch task, checked before the first request, with its name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.vias.bodies import DOCUMENTED, GROUP, batch_task, groups
from visionbatch import Secret
from visionbatch.errors import InvalidInput
from visionbatch.model.finding import Severity
from visionbatch.model.secret import written_out
from visionbatch.vias.batch_task import BatchTask
from visionbatch.vias.outputs import DisOutput, ObsOutput, Outputs, WebhookOutput
from visionbatch.vias.rulebook import RULES
from visionbatch.vias.schedule import Period, Schedule
from visionbatch.vias.sources import VideoSource, VideoSourceGroup

HEADERS = {"token": "t"}
NINE_TO_FIVE = (Period("09:00:00", "17:00:00"),)


def broken(task: BatchTask) -> set[str]:
    return {finding.rule for finding in task.findings()}


@pytest.mark.fault("CR17")
def test_the_vendors_own_example_is_accepted_with_warnings_and_sent_as_it_is_printed() -> None:
    task = BatchTask.from_json(DOCUMENTED)
    warnings = task.check()
    assert {finding.rule for finding in warnings} == {"service-name", "webhook-bare-name", "webhook-plain-http"}
    assert all(finding.severity is Severity.WARNING for finding in warnings)
    assert json.loads(written_out(task.to_json())) == DOCUMENTED


def test_a_plain_task_breaks_no_rule() -> None:
    assert not batch_task().findings()


def output(**given: Any) -> dict[str, Any]:
    return {"outputs": Outputs(**given)}


def webhook(url: str = "https://example.com/hook", headers: Any = HEADERS, **more: Any) -> dict[str, Any]:
    return output(webhook=WebhookOutput(url, headers, **more))


def plan(days: Any = None, timezone: str = "+08:00") -> dict[str, Any]:
    return {"schedule": Schedule(timezone, {1: NINE_TO_FIVE} if days is None else days)}


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("name", {"name": ""}),
        ("name", {"name": "a" * 101}),
        ("name", {"name": "nightly\n"}),
        ("name", {"name": "night shift"}),
        ("description-length", {"description": "d" * 501}),
        ("service-version", {"service_version": "1"}),
        ("service-version", {"service_version": "1.0-RC"}),
        ("resource-order-id", {"resource_order_id": "abc"}),
        ("config-common", {"common": {"a": float("nan")}}),
        ("config-common", {"common": {"a": object()}}),
        ("body-size", {"common": {"a": "x" * 12_000_000}}),
        ("extra-field", {"extra_body": {"name": "other"}}),
        ("groups-count", {"groups": ()}),
        ("groups-count", {"groups": groups() * 101}),
        ("group-id", {"groups": (VideoSourceGroup("G", (VideoSource("source-0001"),)),)}),
        ("sources-count", {"groups": groups(*(f"source-{n:04}" for n in range(101)))}),
        ("source-id", {"groups": groups("SOURCE")}),
        ("source-id", {"groups": groups("../../v2")}),
        ("source-twice", {"groups": groups("source-0001", "source-0001")}),
        ("roi-length", {"groups": (VideoSourceGroup(GROUP, (VideoSource("source-0001", "r" * 2049),)),)}),
        ("output-missing", output()),
        ("obs-bucket", output(obs=ObsOutput("ab", "out"))),
        ("obs-bucket", output(obs=ObsOutput("a..b", "out"))),
        ("obs-bucket", output(obs=ObsOutput("a--b", "out"))),
        ("obs-bucket", output(obs=ObsOutput("bucket\n", "out"))),
        ("obs-path", output(obs=ObsOutput("bucket", "/out"))),
        ("obs-path", output(obs=ObsOutput("bucket", "a//b"))),
        ("obs-path", output(obs=ObsOutput("bucket", "out."))),
        ("obs-path", output(obs=ObsOutput("bucket", "a|b"))),
        ("obs-path", output(obs=ObsOutput("bucket", "a\\b"))),
        ("obs-path", output(obs=ObsOutput("bucket", "a" * 1024))),
        ("dis-stream", output(dis=DisOutput("s p"))),
        ("dis-stream", output(dis=DisOutput("s" * 65))),
        ("data-category", output(dis=DisOutput("s", ("FaceImage", "FaceImage")))),
        ("data-category", output(dis=DisOutput("s", tuple(map(str, range(11)))))),
        ("webhook-url", webhook("rtsp://example.com/x")),
        ("webhook-url", webhook("http://t")),
        ("webhook-url", webhook("https://example.com/" + "x" * 1000)),
        ("webhook-url", webhook("https://example.com/ü")),
        ("webhook-headers", webhook(headers={})),
        ("webhook-headers", webhook(headers={f"h{n}": "v" for n in range(11)})),
        ("webhook-headers", webhook(headers={"a\r\nb": "v"})),
        ("webhook-headers", webhook(headers={"a": "v\r\nb: c"})),
        ("webhook-inside", webhook("https://127.0.0.1/hook")),
        ("webhook-inside", webhook("https://169.254.169.254/hook")),
        ("webhook-inside", webhook("https://receiver.internal/hook")),
        ("schedule-timezone", plan(timezone="8:00")),
        ("schedule-timezone", plan(timezone="Asia/Shanghai")),
        ("schedule-days", plan({0: NINE_TO_FIVE})),
        ("schedule-days", plan({8: NINE_TO_FIVE})),
        ("schedule-days", plan({})),
        ("schedule-periods", plan({1: ()})),
        ("schedule-periods", plan({1: NINE_TO_FIVE * 11})),
        ("schedule-clock", plan({1: (Period("99:99:99", "17:00:00"),)})),
        ("schedule-clock", plan({1: (Period("17:00:00", "09:00:00"),)})),
        ("schedule-clock", plan({1: (Period("9:00", "17:00"),)})),
    ],
)
def test_what_breaks_a_rule_is_refused_with_the_rules_name(rule: str, changes: dict[str, Any]) -> None:
    task = batch_task(**changes)
    assert rule in broken(task)
    with pytest.raises(InvalidInput, match=rf"\[{rule}\]"):
        task.check()


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("service-name", {"service_name": "Smoke detection"}),
        ("sources-empty", {"groups": (VideoSourceGroup(GROUP),)}),
        ("roi-json", {"groups": (VideoSourceGroup(GROUP, (VideoSource("source-0001", "84,389"),)),)}),
        ("webhook-bare-name", webhook("https://receiver/hook")),
        ("webhook-plain-http", webhook("http://example.com/hook")),
    ],
)
def test_what_is_only_odd_is_a_warning(rule: str, changes: dict[str, Any]) -> None:
    assert [finding.rule for finding in batch_task(**changes).check()] == [rule]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "夜间巡检-2"},
        {"description": ""},
        {"description": "two\nlines"},
        output(obs=ObsOutput("bucket", "")),
        output(obs=ObsOutput("my.bucket-1", "output/")),
        output(obs=ObsOutput("bucket", "a.b/c-d/e f"), dis=DisOutput("s" * 64)),
        webhook("https://10.0.0.7/hook", allow_inside=True),
        webhook(headers={"Authorization": Secret("Bearer x")}),
        plan({1: NINE_TO_FIVE, 5: (), 7: NINE_TO_FIVE * 10}),
        {"extra_body": {"priority": "low"}},
        {"resource_order_id": "order-1"},
    ],
)
def test_what_the_documents_allow_is_taken(changes: dict[str, Any]) -> None:
    assert not batch_task(**changes).findings()


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("type", {"name": 7}),
        ("type", {"is_saved_as_template": "yes"}),
        ("type", {"batch_input": None}),
        ("type", {"output": {"webhook": {"url": "http://test", "headers": {"a": 1}}}}),
        ("type", {"config": {"common": "render"}}),
        ("unknown-field", {"output": {"kafka": {}}}),
        ("unknown-field", {"config": {"common": {}, "special": {}}}),
        ("schedule-type", {"schedule": {"type": "monthly", "timezone": "+08:00"}}),
        ("schedule-months", {"schedule": {"type": "weekly", "days_of_month": [1]}}),
        (
            "schedule-periods",
            {"schedule": {"type": "weekly", "timezone": "+08:00", "days_of_week": [1, 2], "periods": [[]]}},
        ),
        (
            "schedule-days",
            {"schedule": {"type": "weekly", "timezone": "+08:00", "days_of_week": [2, 1], "periods": [[], []]}},
        ),
    ],
)
def test_a_body_that_is_not_the_documented_one_is_refused_with_the_rules_name(rule: str, change: Any) -> None:
    with pytest.raises(InvalidInput, match=rf"\[{rule}\]"):
        BatchTask.from_json({**DOCUMENTED, **change})


IDS = st.from_regex(r"[a-z0-9-]{4,36}", fullmatch=True)
PERIODS = st.lists(
    st.tuples(st.times(), st.times())
    .map(lambda pair: sorted(f"{time:%H:%M:%S}" for time in pair))
    .filter(lambda pair: pair[0] < pair[1])
    .map(lambda pair: Period(*pair)),
    min_size=1,
    max_size=3,
).map(tuple)
TASKS = st.builds(
    BatchTask,
    name=st.from_regex(RULES["name"].pattern, fullmatch=True),
    service_name=st.just("fire"),
    service_version=st.just("1.0"),
    groups=st.lists(
        st.builds(
            VideoSourceGroup,
            IDS,
            st.lists(st.builds(VideoSource, IDS), unique_by=lambda s: s.video_source_id, max_size=4).map(tuple),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
    outputs=st.builds(
        Outputs,
        obs=st.none() | st.just(ObsOutput("bucket", "out", ("FaceImage",))),
        dis=st.none() | st.just(DisOutput("stream")),
        event_center=st.just(True),
    ),
    description=st.none() | st.text(max_size=50),
    schedule=st.none()
    | st.builds(Schedule, st.just("-03:30"), st.dictionaries(st.integers(1, 7), PERIODS, min_size=1)),
    common=st.none() | st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3),
    save_as_template=st.booleans(),
    resource_order_id=st.none() | IDS,
    extra_body=st.just({}) | st.just({"priority": "low"}),
)


@given(TASKS)
def test_a_task_survives_the_way_through_its_request_body(task: BatchTask) -> None:
    assert not [finding for finding in task.findings() if finding.severity is Severity.ERROR]
    assert BatchTask.from_json(json.loads(written_out(task.to_json()))) == task


def test_the_fingerprint_is_that_of_the_content_and_not_of_the_name() -> None:
    assert batch_task().fingerprint() == batch_task(name="another").fingerprint()
    assert batch_task().fingerprint() != batch_task(service_version="1.1").fingerprint()


def test_a_receivers_address_and_headers_do_not_print(tmp_path: Path) -> None:
    task = batch_task(**webhook("https://example.com/hook?key=s3cret", {"token": "t0ken"}))
    shown = repr(task) + str(task.to_json()) + "".join(map(str, task.findings()))
    assert "s3cret" not in shown
    assert "t0ken" not in shown
