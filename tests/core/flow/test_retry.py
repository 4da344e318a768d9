"""When to try again and how long to wait: the arithmetic, and the loop that uses it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.clocks import HandClock
from visionbatch.errors import (
    NotFound,
    OutcomeUnknown,
    Throttled,
    TimedOut,
    TlsRefused,
    Unavailable,
    Unreachable,
    UnreadableAnswer,
    VisionBatchError,
)
from visionbatch.flow.call import call, unhappy
from visionbatch.flow.effects import Flow, Pause, Request, Response
from visionbatch.flow.retry import RetryPolicy, persist, retry_after_seconds, transient
from visionbatch.io.drive import drive

NOW = 1_800_000_000.0


def http_date(moment: float) -> str:
    return format_datetime(datetime.fromtimestamp(moment, UTC), usegmt=True)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("0", 0),
        ("7", 7),
        (" 120 ", 120),
        ("999999999999999999999999", 999_999_999_999),
        (http_date(NOW + 90), 90),
        (http_date(NOW - 90), 0),
        ("-5", None),
        ("1.5", None),
        ("1e3", None),
        ("soon", None),
        ("", None),
        ("\N{ARABIC-INDIC DIGIT SEVEN}", None),
        ("Wed, 99 Foo 2026 99:99:99 GMT", None),
        ("Wed, 21 Oct 99999 07:28:00 GMT", None),
    ],
)
def test_a_retry_after_is_read_in_both_forms_and_garbage_is_none(value: str | None, expected: float | None) -> None:
    assert retry_after_seconds(value, NOW) == expected


@given(value=st.text(max_size=40) | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ .*"))
def test_no_retry_after_breaks_the_reader(value: str) -> None:
    seconds = retry_after_seconds(value, NOW)
    assert seconds is None or seconds >= 0


def test_waits_double_up_to_the_cap_with_half_of_them_left_to_chance() -> None:
    policy = RetryPolicy(first_s=1, factor=2, cap_s=10, jitter=0.5)
    waits = [policy.pause_after(failures) for failures in range(1, 7)]
    assert [pause.at_most for pause in waits] == [1, 2, 4, 8, 10, 10]
    assert [pause.at_least for pause in waits] == [0.5, 1, 2, 4, 5, 5]


@given(failures=st.integers(1, 10**6), asked=st.none() | st.floats(0, 1e9))
def test_every_wait_is_finite_and_within_its_bounds(failures: int, asked: float | None) -> None:
    policy = RetryPolicy()
    pause = policy.pause_after(failures, asked)
    assert 0 <= pause.at_least <= pause.at_most <= policy.retry_after_cap_s + policy.cap_s


def test_a_retry_after_is_the_lower_bound_up_to_the_cap() -> None:
    policy = RetryPolicy(retry_after_cap_s=120)
    assert policy.pause_after(1, 60).at_least == 60
    assert policy.pause_after(1, 500).at_least == 120
    assert policy.pause_after(1, 0).at_most > 0, "many clients must not come back in step"


@pytest.mark.parametrize(
    ("failures", "elapsed", "asked", "gives_up"),
    [
        (1, 0, None, False),
        (5, 299, None, False),
        (6, 0, None, True),
        (1, 300, None, True),
        (1, 0, 120, False),
        (1, 0, 121, True),
    ],
)
def test_attempts_time_and_a_long_retry_after_each_end_the_patience(
    failures: int, elapsed: float, asked: float | None, gives_up: bool
) -> None:
    assert RetryPolicy().gives_up(failures, elapsed, asked) is gives_up


def test_a_pause_can_be_capped_and_never_goes_below_zero() -> None:
    assert Pause(5, 9).capped(7) == Pause(5, 7)
    assert Pause(5, 9).capped(-1) == Pause(0, 0)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Unreachable("x"), True),
        (TimedOut("x"), True),
        (TlsRefused("x"), False),
        (Throttled("x"), True),
        (Unavailable("x"), True),
        (NotFound("x"), False),
        (UnreadableAnswer("x"), False),
        (OutcomeUnknown("x"), False),
    ],
)
def test_only_what_time_may_mend_is_transient(error: VisionBatchError, expected: bool) -> None:
    assert transient(error) is expected


class Script:
    """A plane that gives answers, or raises errors, in order."""

    def __init__(self, *script: Response | VisionBatchError) -> None:
        self._script = list(script)
        self.sent: list[int | None] = []

    def send(self, request: Request, refused: int | None = None) -> Response | None:
        self.sent.append(refused)
        step = self._script.pop(0)
        if isinstance(step, VisionBatchError):
            raise step
        return step


GET, POST = Request("GET", "/x"), Request("POST", "/x", repeatable=False)


@pytest.mark.parametrize("failure", [Response(503), Response(429), Response(408), Response(500), TimedOut("silence")])
def test_a_repeatable_request_is_repeated(failure: Response | VisionBatchError) -> None:
    plane, clock = Script(failure, failure, Response(200)), HandClock()
    assert drive(call(GET, RetryPolicy()), plane, clock).status == 200
    assert len(clock.pauses) == 2


@pytest.mark.parametrize(
    ("failure", "repeated"),
    [
        (Response(503), True),
        (Response(429), True),
        (Unreachable("refused", maybe_received=False), True),
        (Unreachable("broke", maybe_received=True), False),
        (TimedOut("silence"), False),
        (Response(500), False),
        (Response(502), False),
        (Response(504), False),
        (Response(408), False),
    ],
)
def test_one_that_must_not_be_sent_twice_is_repeated_only_if_it_had_no_effect(
    failure: Response | VisionBatchError, repeated: bool
) -> None:
    plane = Script(failure, Response(200))
    flow = call(POST, RetryPolicy())
    if repeated:
        assert drive(flow, plane, HandClock()).status == 200
    else:
        with pytest.raises(VisionBatchError):
            drive(flow, plane, HandClock())
    assert len(plane.sent) == 1 + repeated


def test_a_retry_after_as_a_date_is_waited_for() -> None:
    clock = HandClock(NOW)
    plane = Script(Response(503, {"retry-after": http_date(NOW + 30)}), Response(200))
    drive(call(GET, RetryPolicy()), plane, clock)
    assert clock.pauses[0].at_least == 30


def test_the_last_failure_is_raised_as_it_came() -> None:
    plane, clock = Script(*[Response(503, body=b"busy %d" % number) for number in range(6)]), HandClock()
    with pytest.raises(Unavailable, match="busy 5"):
        drive(call(GET, RetryPolicy()), plane, clock)


def test_time_alone_ends_the_retries() -> None:
    clock = HandClock()
    policy = RetryPolicy(attempts=1000, total_s=100, cap_s=20, jitter=0)
    with pytest.raises(Unavailable):
        drive(call(GET, policy), Script(*[Response(503)] * 1000), clock)
    assert 100 <= clock.time - 1_000_000 < 120


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (301, "Redirected"),
        (304, "Redirected"),
        (308, "Redirected"),
        (400, "Refused"),
        (401, "NotAuthorized"),
        (403, "NotAuthorized"),
        (404, "NotFound"),
        (405, "Refused"),
        (408, "Unavailable"),
        (409, "Refused"),
        (429, "Throttled"),
        (500, "Unavailable"),
        (501, "Unavailable"),
        (599, "Unavailable"),
    ],
)
def test_every_status_has_one_error_and_its_body_is_shown_on_one_line(status: int, name: str) -> None:
    error = unhappy(GET, Response(status, {"location": "https://secret"}, b"line one\nline two\x1b[2J"), NOW)
    assert type(error).__name__ == name
    assert "\n" not in str(error)
    assert "\x1b" not in str(error)
    assert "secret" not in str(error)


def test_a_refused_credential_is_renewed_once_and_not_again() -> None:
    plane = Script(Response(401, credential=4), Response(401, credential=5))
    with pytest.raises(VisionBatchError, match="answered 401"):
        drive(call(GET, RetryPolicy()), plane, HandClock())
    assert plane.sent == [None, 4]


def test_other_failures_can_be_called_worth_it() -> None:
    tries: list[int] = []

    def attempt() -> Flow[str]:
        tries.append(1)
        if len(tries) < 3:
            raise NotFound("not yet")
        return "there"
        yield  # pragma: no cover  # makes it a flow

    persistent: Callable[[VisionBatchError], bool] = lambda error: isinstance(error, NotFound)  # noqa: E731  # named for its use
    assert drive(persist(attempt, RetryPolicy(), on=persistent), Script(), HandClock()) == "there"
