"""What a histogram of states is to somebody who waits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visionbatch import Counts, Phase
from visionbatch.errors import ConfigError
from visionbatch.vias.goals import FINISHED, RUNNING, BatchRef, Goal
from visionbatch.vias.settings import ViasSettings
from visionbatch.vias.words import STATES, histogram_of, histogram_of_states, interpret, table


def seen(goal: str | Goal = FINISHED, *, lost_patience: bool = False, **counters: int) -> Any:
    histogram = histogram_of(counters, sum(counters.values()), {})
    return interpret(histogram, Goal.parse(goal), lost_patience=lost_patience)


@pytest.mark.parametrize(
    ("goal", "counters", "phase"),
    [
        ("finished", {"pending": 2}, Phase.QUEUED),
        ("finished", {"pending": 1, "running": 1}, Phase.RUNNING),
        ("finished", {"succeeded": 1, "running": 1}, Phase.RUNNING),
        ("finished", {"succeeded": 1, "failed": 1, "starting": 1}, Phase.QUEUED),
        ("finished", {"succeeded": 2}, Phase.SUCCEEDED),
        ("finished", {"succeeded": 1, "lack_of_resources": 1}, Phase.PARTIAL),
        ("finished", {"failed": 1, "stopped": 1}, Phase.FAILED),
        ("finished", {"stopped": 2}, Phase.CANCELLED),
        ("finished", {"frozen": 2}, Phase.QUEUED),
        ("finished", {}, Phase.QUEUED),
        ("running", {"running": 2}, Phase.SUCCEEDED),
        ("running", {"running": 1, "succeeded": 1}, Phase.SUCCEEDED),
        ("running", {"running": 1, "start_failed": 1}, Phase.PARTIAL),
        ("running", {"running": 1, "starting": 1}, Phase.RUNNING),
        ("running", {"stopped": 1}, Phase.QUEUED),
        ("STOPPED", {"stopped": 2}, Phase.SUCCEEDED),
        ("STOPPED,SUCCEEDED", {"stopped": 1, "succeeded": 1}, Phase.SUCCEEDED),
        ("STOPPED", {"stopped": 1, "stopping": 1}, Phase.RUNNING),
        ("FAILED", {"failed": 1}, Phase.SUCCEEDED),
        ("finished", {"hibernating": 1, "succeeded": 1}, Phase.UNKNOWN),
        ("running", {"abnormal": 1, "running": 1}, Phase.RUNNING),
    ],
)
def test_a_histogram_becomes_a_phase_by_what_is_waited_for(goal: str, counters: dict[str, int], phase: Phase) -> None:
    assert seen(goal, **counters).phase is phase


def test_batches_that_look_the_same_are_one_value_in_memory() -> None:
    assert seen(running=2, pending=1) is seen(pending=1, running=2)
    assert seen(running=2) is not seen(RUNNING, running=2)


def test_what_lasts_too_long_as_abnormal_counts_as_failed() -> None:
    assert seen(RUNNING, abnormal=1, running=1, lost_patience=True).phase is Phase.PARTIAL
    assert seen("ABNORMAL", abnormal=1, lost_patience=True).phase is Phase.SUCCEEDED


@given(st.dictionaries(st.sampled_from(sorted(STATES)), st.integers(1, 50), max_size=6), st.booleans())
def test_counts_never_exceed_the_tasks_and_an_end_has_none_left(counters: dict[str, int], patience: bool) -> None:
    for goal in (FINISHED, RUNNING):
        snapshot = seen(goal, lost_patience=patience, **counters)
        counts = snapshot.counts
        assert counts.succeeded + counts.failed <= counts.total == sum(counters.values())
        over = counts.total == counts.succeeded + counts.failed
        assert snapshot.phase.is_terminal == (over and (patience or counts.total > 0))
        assert snapshot.phase is not Phase.UNKNOWN


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner)), st.text())
def test_any_counters_are_lived_through(counters: Any, total: Any) -> None:
    snapshot = interpret(histogram_of(counters, total, {}), FINISHED)
    assert str(snapshot).isprintable()
    assert table(snapshot)


def test_a_task_that_is_not_counted_yet_is_waited_for() -> None:
    snapshot = interpret(histogram_of({"succeeded": 1}, 3, {}), FINISHED)
    assert (snapshot.phase, snapshot.counts) == (Phase.QUEUED, Counts(3, 1, 0))


def test_an_alias_gives_an_unknown_state_a_meaning() -> None:
    settings = ViasSettings(status_aliases={"THROTTLED": "PENDING"})
    assert interpret(histogram_of_states(["THROTTLED"], settings.status_aliases), FINISHED).phase is Phase.QUEUED
    with pytest.raises(ConfigError, match="status_aliases lead to"):
        ViasSettings(status_aliases={"THROTTLED": "WAITING"})


def test_the_table_shows_each_state_with_its_share() -> None:
    lines = table(seen(succeeded=3, lack_of_resources=1))
    assert lines == [
        "SUCCEEDED               3   75.0%  ###############",
        "LACK_OF_RESOURCES       1   25.0%  #####",
    ]


@given(st.from_regex(r"[a-z0-9_-]{4,36}", fullmatch=True), st.sampled_from(["running", "finished", "STOPPED,FAILED"]))
def test_a_ref_says_what_is_waited_for(batch_id: str, goal: str) -> None:
    for name in ("", "夜间 & co=?"):
        ref = BatchRef(batch_id, Goal.parse(goal), name)
        assert BatchRef.parse(str(ref)) == ref


@pytest.mark.parametrize("text", ["", "a", "../x", "abcd?wait_for=soon", "ABCD"])
def test_a_ref_that_is_none_is_a_setting_error(text: str) -> None:
    with pytest.raises(ConfigError):
        BatchRef.parse(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"region": "cn north"},
        {"project_id": "a/b"},
        {"states_from": "guesses"},
        {"on_cancel": "freeze"},
    ],
)
def test_a_setting_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        ViasSettings(**changes)


def test_a_region_gives_the_hosts_and_they_can_be_given_instead() -> None:
    assert ViasSettings("cn-east-3").base_url == "https://vias.cn-east-3.myhuaweicloud.com"
    assert ViasSettings("cn-east-3").iam_url == "https://iam.cn-east-3.myhuaweicloud.com"
    assert ViasSettings(base_url="https://vias.example.com").base_url == "https://vias.example.com"
