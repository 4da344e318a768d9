"""The poll loop of batches and the one judgement, without a server."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.clocks import HandClock
from visionbatch import Counts, OnPartial, Outcome, Pace, Phase, Snapshot, judge
from visionbatch.errors import (
    ConfigError,
    DeadlinePassed,
    JobCancelled,
    JobFailed,
    JobPartial,
    NotAuthorized,
    NotFound,
    Throttled,
    Unavailable,
    UnreadableAnswer,
    VisionBatchError,
)
from visionbatch.flow.effects import Flow, Pause, Request, Response
from visionbatch.flow.gathering import Gathering
from visionbatch.flow.pace import LONGEST_ASKED_S
from visionbatch.flow.vigil import Vigil
from visionbatch.flow.watch import watch
from visionbatch.io.drive import drive
from visionbatch.pipelines.lag import shown

QUEUED, RUNNING = Snapshot(Phase.QUEUED, "queued"), Snapshot(Phase.RUNNING, "running")
DONE, FAILED = Snapshot(Phase.SUCCEEDED, "done"), Snapshot(Phase.FAILED, "failed")
STRANGE = Snapshot(Phase.UNKNOWN, "brooding")


class NoPlane:
    def send(self, request: Request, refused: int | None = None) -> Response | None:
        raise AssertionError("nothing is sent here")


def looks(script: Sequence[Snapshot | VisionBatchError]) -> tuple[Callable[[], Flow[Snapshot]], list[int]]:
    """Looks that see the script, and for ever its last line; and how many there were."""
    count: list[int] = []

    def look() -> Flow[Snapshot]:
        step = script[min(len(count), len(script) - 1)]
        count.append(1)
        if isinstance(step, VisionBatchError):
            raise step
        return step
        yield  # pragma: no cover  # makes it a flow

    return look, count


def watched(
    *script: Snapshot | VisionBatchError,
    clock: HandClock | None = None,
    deadline_in: float | None = None,
    pace: Pace | None = None,
    seen: list[Snapshot] | None = None,
) -> Snapshot:
    clock = clock or HandClock()
    look, _ = looks(script)
    flow = watch(
        look,
        subject="batch 1",
        pace=pace or Pace(),
        deadline=None if deadline_in is None else clock.time + deadline_in,
        observe=None if seen is None else seen.append,
    )
    return drive(flow, NoPlane(), clock)


@pytest.mark.parametrize(
    ("snapshot", "policy", "outcome", "accepted"),
    [
        (QUEUED, "warn", Outcome.WAIT, False),
        (STRANGE, "accept", Outcome.WAIT, False),
        (Snapshot(Phase.AWAITING_DATA), "warn", Outcome.WAIT, False),
        (DONE, "fail", Outcome.DONE, True),
        (FAILED, "accept", Outcome.FAILED, False),
        (Snapshot(Phase.CANCELLED), "accept", Outcome.CANCELLED, False),
        (Snapshot(Phase.PARTIAL), "warn", Outcome.PARTIAL, True),
        (Snapshot(Phase.PARTIAL), "accept", Outcome.PARTIAL, True),
        (Snapshot(Phase.PARTIAL), "fail", Outcome.PARTIAL, False),
        (Snapshot(Phase.PARTIAL), "accept:5", Outcome.PARTIAL, False),
        (Snapshot(Phase.PARTIAL), "accept:5%", Outcome.PARTIAL, False),
        (Snapshot(Phase.PARTIAL, counts=Counts(100, 95, 5)), "accept:5", Outcome.PARTIAL, True),
        (Snapshot(Phase.PARTIAL, counts=Counts(100, 94, 6)), "accept:5", Outcome.PARTIAL, False),
        (Snapshot(Phase.PARTIAL, counts=Counts(100, 95, 5)), "accept:5%", Outcome.PARTIAL, True),
        (Snapshot(Phase.PARTIAL, counts=Counts(100, 94, 6)), "accept:5%", Outcome.PARTIAL, False),
        (Snapshot(Phase.PARTIAL, counts=Counts(0, 0, 0)), "accept:0%", Outcome.PARTIAL, True),
        (Snapshot(Phase.SUCCEEDED, counts=Counts(10, 9, 1)), "fail", Outcome.PARTIAL, False),
        (Snapshot(Phase.SUCCEEDED, counts=Counts(10, 9, 1)), "warn", Outcome.PARTIAL, True),
        (Snapshot(Phase.SUCCEEDED, counts=Counts(10, 10, 0)), "fail", Outcome.DONE, True),
        (Snapshot(Phase.RUNNING, counts=Counts(10, 1, 9)), "fail", Outcome.WAIT, False),
        (Snapshot(Phase.FAILED, counts=Counts(10, 9, 1)), "accept", Outcome.FAILED, False),
    ],
)
def test_a_snapshot_means_what_the_table_says(
    snapshot: Snapshot, policy: str, outcome: Outcome, accepted: bool
) -> None:
    verdict = judge(snapshot, OnPartial.parse(policy))
    assert (verdict.outcome, verdict.accepted) == (outcome, accepted)
    assert str(snapshot) in verdict.reason


@given(
    phase=st.sampled_from(Phase),
    counts=st.none() | st.builds(Counts, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)),
    policy=st.sampled_from(["fail", "warn", "accept", "accept:3", "accept:20%"]),
)
def test_every_snapshot_is_judged_and_what_is_not_over_is_never_accepted(
    phase: Phase, counts: Counts | None, policy: str
) -> None:
    verdict = judge(Snapshot(phase, counts=counts), OnPartial.parse(policy))
    assert (verdict.outcome is Outcome.WAIT) == (not phase.is_terminal)
    if verdict.accepted:
        assert phase in (Phase.SUCCEEDED, Phase.PARTIAL)


@pytest.mark.parametrize(
    ("snapshot", "kind"),
    [(FAILED, JobFailed), (Snapshot(Phase.CANCELLED), JobCancelled), (Snapshot(Phase.PARTIAL), JobPartial)],
)
def test_an_outcome_that_is_not_accepted_has_an_error_of_its_own(snapshot: Snapshot, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        judge(snapshot, OnPartial.parse("fail")).require("deepomatic", "b-1")
    assert "deepomatic b-1" in str(caught.value)


def test_what_goes_on_or_is_accepted_raises_nothing() -> None:
    for snapshot in (QUEUED, DONE):
        judge(snapshot, OnPartial()).require("deepomatic", "b-1")


def test_every_change_is_one_line_and_one_observation(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    seen: list[Snapshot] = []
    watched(QUEUED, QUEUED, RUNNING, RUNNING, RUNNING, DONE, seen=seen)

    assert caplog.messages == [
        'batch 1: queued ("queued")',
        'batch 1: running ("running")',
        'batch 1: succeeded ("done")',
    ]
    assert seen == [QUEUED, RUNNING, DONE]


def test_a_strange_word_is_warned_of_once_even_when_it_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    watched(STRANGE, STRANGE, RUNNING, STRANGE, DONE)

    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "status_aliases" in warnings[0]


def test_the_interval_grows_while_nothing_changes_and_starts_again_at_a_change() -> None:
    clock = HandClock()
    watched(*[QUEUED] * 8, *[RUNNING] * 2, DONE, clock=clock, pace=Pace(first_s=5, longest_s=20, factor=2, spread=0))

    assert [pause.at_least for pause in clock.pauses] == [5, 10, 20, 20, 20, 20, 20, 20, 5, 10, 1]


def test_watchers_are_spread_evenly_around_the_interval() -> None:
    pause = Pace(first_s=10, spread=0.2).pause(1)
    assert (pause.at_least, pause.at_most) == (8, 12)


@given(looks=st.integers(1, 10**6), asked=st.none() | st.floats(0, 1e12))
def test_no_interval_is_endless(looks: int, asked: float | None) -> None:
    pause = Pace().pause(looks, asked)
    assert 0 < pause.at_least <= pause.at_most <= LONGEST_ASKED_S + 60


def test_what_a_service_asks_for_is_kept_up_to_an_hour() -> None:
    clock = HandClock()
    watched(Throttled("slow", retry_after_s=600), Throttled("slow", retry_after_s=10**6), DONE, clock=clock)

    assert [pause.at_least for pause in clock.pauses[:2]] == [600, LONGEST_ASKED_S]


def test_no_pause_goes_beyond_the_deadline() -> None:
    clock = HandClock()
    with pytest.raises(
        DeadlinePassed, match='batch 1 has not ended by its deadline, last seen running \\("running"\\)'
    ):
        watched(RUNNING, clock=clock, deadline_in=33, pace=Pace(first_s=10, spread=0, factor=1))

    assert clock.time == 1_000_033
    assert [pause.at_least for pause in clock.pauses] == [10, 10, 10, 3]


def test_a_deadline_in_the_past_still_looks_once_and_takes_an_end() -> None:
    assert watched(DONE, deadline_in=-5) == DONE
    with pytest.raises(DeadlinePassed):
        watched(QUEUED, deadline_in=-5)


@pytest.mark.parametrize("error", [Unavailable("503"), Throttled("429"), UnreadableAnswer("HTML")])
def test_an_outage_is_two_lines_however_long(error: VisionBatchError, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    watched(QUEUED, *[error] * 50, QUEUED, DONE)

    assert len(caplog.messages) == 4
    assert "out of reach" in caplog.messages[1]
    assert "in reach again" in caplog.messages[2]


def test_what_patience_does_not_mend_ends_the_watch() -> None:
    with pytest.raises(NotAuthorized):
        watched(QUEUED, NotAuthorized("403"), DONE)


GONE = NotFound("404")


def test_a_single_404_ends_no_watch() -> None:
    clock = HandClock()
    assert watched(RUNNING, GONE, RUNNING, GONE, DONE, GONE, DONE, clock=clock) == DONE
    assert watched(GONE, DONE, pace=Pace(grace_s=0)) == DONE
    assert watched(*[Unavailable("503")] * 20, GONE, DONE) == DONE


@pytest.mark.parametrize("seen", [QUEUED, DONE])
def test_a_batch_that_was_seen_is_gone_when_a_second_look_says_so(seen: Snapshot) -> None:
    clock = HandClock()
    with pytest.raises(NotFound):
        watched(seen, GONE, GONE, clock=clock)
    assert clock.pauses[-1].at_least == Pace().confirm_s


def test_an_outage_between_a_404_and_its_confirmation_forgets_neither() -> None:
    with pytest.raises(NotFound):
        watched(QUEUED, GONE, Unavailable("503"), GONE)


def test_a_404_at_the_deadline_ends_as_a_deadline_unless_nothing_was_ever_there() -> None:
    with pytest.raises(DeadlinePassed, match=r"last seen running .*; not there at the last look"):
        watched(RUNNING, GONE, deadline_in=4, pace=Pace(first_s=10, spread=0))
    with pytest.raises(NotFound):
        watched(GONE, deadline_in=-1, pace=Pace(grace_s=0))


def test_who_is_over_hears_no_more_of_the_look_that_went_on_for_others(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    gathering = Gathering(["b-1"], kind="batch", pace=Pace(), began=0.0, deadline=5.0, on_partial=OnPartial())
    seen: list[Snapshot] = []
    alone = Vigil("batch 2", Pace(), began=0.0, deadline=5.0, observe=seen.append)
    vigils = [*(member for _, member in gathering.members()), alone]

    assert all(vigil.settle(5.0) for vigil in vigils)
    for vigil in vigils:
        vigil.missed(Unavailable("503"), 6.0)
        vigil.saw(RUNNING)
        vigil.missed(NotAuthorized("403"), 7.0)

    assert caplog.messages == []
    assert seen == []
    assert gathering.tally().counts == {"waiting": 1}
    with pytest.raises(DeadlinePassed):
        alone.result()


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
@pytest.mark.parametrize("field", ["first_s", "longest_s", "confirm_s", "factor", "spread", "grace_s"])
def test_a_pace_that_is_none_is_refused_by_the_name_of_its_field(field: str, value: float) -> None:
    if value == 0 and field in ("spread", "grace_s"):
        assert getattr(Pace(**{field: value}), field) == 0
        return
    with pytest.raises(ConfigError, match=field):
        Pace(**{field: value})


def test_an_end_is_only_believed_when_it_is_seen_twice_in_a_row() -> None:
    clock = HandClock()
    assert watched(DONE, RUNNING, FAILED, RUNNING, DONE, DONE, clock=clock) == DONE
    assert len(clock.pauses) == 5


def test_an_outage_between_an_end_and_its_confirmation_forgets_neither() -> None:
    assert watched(DONE, Unavailable("503"), DONE) == DONE


PHASES = st.lists(
    st.sampled_from([QUEUED, RUNNING, STRANGE, DONE, FAILED, Unavailable("503"), UnreadableAnswer("HTML")]),
    max_size=20,
)


@settings(max_examples=300)
@given(script=PHASES, end=st.sampled_from([DONE, FAILED]))
def test_every_history_ends_with_a_confirmed_end(script: list[Snapshot | VisionBatchError], end: Snapshot) -> None:
    clock = HandClock()
    found = watched(*script, end, clock=clock)

    assert found.phase.is_terminal
    assert len(clock.pauses) <= len(script) + 2


class SetClock(HandClock):
    """A clock that somebody sets while a look is under way: the hour of summer time, or a machine's first contact."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.slept = 0.0
        self._by = by

    def look(self) -> Flow[Snapshot]:
        if len(self.pauses) == 2:
            self.time += self._by
            self._by = 0.0
        return QUEUED if len(self.pauses) < 6 else DONE
        yield  # pragma: no cover  # makes it a flow

    def pause(self, pause: Pause) -> None:
        super().pause(pause)
        self.slept += pause.at_least


@pytest.mark.fault("SE23")
@pytest.mark.parametrize("by", [-3600.0, -100 * 86400.0, 3600.0])
def test_a_clock_that_is_set_neither_holds_up_the_looks_nor_hurries_them(by: float) -> None:
    clock = SetClock(by)
    assert drive(watch(clock.look, subject="batch 1", pace=Pace(spread=0)), NoPlane(), clock) == DONE
    assert all(Pace().confirm_s <= pause.at_least <= Pace().longest_s for pause in clock.pauses)
    assert len(clock.pauses) == 7

    # A deadline is a moment, and the same for every process: what the clock says then counts.
    clock = SetClock(by)
    late = watch(clock.look, subject="batch 1", pace=Pace(spread=0), deadline=clock.time + 60)
    if by > 0:
        with pytest.raises(DeadlinePassed):
            drive(late, NoPlane(), clock)
    else:
        assert drive(late, NoPlane(), clock) == DONE
    assert clock.slept < 300


@pytest.mark.parametrize("by", [-3600.0, 3600.0])
def test_patience_with_what_does_not_show_is_not_measured_by_a_clock_that_is_set(by: float) -> None:
    clock = HandClock()

    def look() -> None:
        clock.time += by

    assert shown(look, clock, 60) is None
    assert sum(pause.at_least for pause in clock.pauses) == 60
