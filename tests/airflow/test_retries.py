"""Which failures are worth another try, and when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from visionbatch.errors import (
    ConfigError,
    InvalidInput,
    JobFailed,
    NotAuthorized,
    Throttled,
    TlsRefused,
    Unavailable,
    Unreachable,
    UnreadableRecord,
    UploadStalled,
)

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]


@pytest.fixture
def policy() -> Any:
    from airflow_visionbatch.retries import VisionBatchRetryPolicy  # noqa: PLC0415

    return VisionBatchRetryPolicy()


def caused_by(error: BaseException) -> BaseException:
    outer = RuntimeError("something around it")
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize("kind", [ConfigError, InvalidInput, NotAuthorized, TlsRefused, UnreadableRecord])
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_only_a_person_can_mend_fails_at_once(policy, kind, wrapped):
    error = kind("it is so")
    decision = policy.evaluate(caused_by(error) if wrapped else error, 1, 3)
    assert decision.action.name == "FAIL"
    assert kind.__name__ in decision.reason


@pytest.mark.parametrize("kind", [Throttled, Unavailable])
def test_the_time_that_the_service_asked_for_is_kept(policy, kind):
    decision = policy.evaluate(kind("too fast", retry_after_s=90.0), 1, 3)
    assert (decision.action.name, decision.retry_delay) == ("RETRY", timedelta(seconds=90))


@pytest.mark.parametrize(
    "error", [Throttled("too fast"), Unreachable("no"), UploadStalled("slow"), JobFailed("bad"), ValueError("other")]
)
def test_everything_else_is_left_to_the_task(policy, error):
    assert policy.evaluate(error, 1, 3).action.name == "DEFAULT"


def test_a_chain_of_causes_that_bites_its_tail_ends(policy):
    error = RuntimeError("round and round")
    error.__cause__ = other = RuntimeError("and round")
    other.__cause__ = error
    assert policy.evaluate(error, 1, 3).action.name == "DEFAULT"


def test_it_is_the_operators_default_and_the_users_own_wins(policy):
    from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy  # noqa: PLC0415

    from airflow_visionbatch.operators.deepomatic import DeepomaticRunBatchOperator  # noqa: PLC0415
    from airflow_visionbatch.sensors.deepomatic import DeepomaticBatchSensor  # noqa: PLC0415

    own = ExceptionRetryPolicy(rules=[])
    for make in (
        lambda **more: DeepomaticRunBatchOperator(task_id="a", source="x", **more),
        lambda **more: DeepomaticBatchSensor(task_id="b", batch_id="x", **more),
    ):
        assert type(make().retry_policy) is type(policy)
        assert make(retry_policy=own).retry_policy is own


def test_it_survives_the_way_through_the_database(policy):
    assert type(type(policy).deserialize(policy.serialize())) is type(policy)
