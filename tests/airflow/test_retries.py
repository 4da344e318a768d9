"""Which failures are worth another try, and when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from support.features import Feature, lacks, needs
from visionbatch.errors import (
    ConfigError,
    DeadlinePassed,
    IdTaken,
    InvalidInput,
    JobCancelled,
    JobFailed,
    JobPartial,
    NotAuthorized,
    Refused,
    Throttled,
    TlsRefused,
    Unavailable,
    Unreachable,
    UnreadableRecord,
    UploadStalled,
)

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

asks_a_policy = needs(Feature.RETRY_POLICY)

IN_VAIN = [
    ConfigError,
    InvalidInput,
    NotAuthorized,
    TlsRefused,
    UnreadableRecord,
    JobPartial,
    JobCancelled,
    DeadlinePassed,
    Refused,
    IdTaken,
]
WORTH_IT = [Throttled("too fast"), Unreachable("no"), UploadStalled("slow"), JobFailed("bad"), ValueError("other")]


@pytest.fixture
def policy() -> Any:
    from airflow_visionbatch.retries import VisionBatchRetryPolicy  # noqa: PLC0415

    return VisionBatchRetryPolicy()


def caused_by(error: BaseException) -> BaseException:
    outer = RuntimeError("something around it")
    outer.__cause__ = error
    return outer


@asks_a_policy
@pytest.mark.parametrize("kind", IN_VAIN)
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_another_try_cannot_mend_fails_at_once(policy, kind, wrapped):
    error = kind("it is so")
    decision = policy.evaluate(caused_by(error) if wrapped else error, 1, 3)
    assert decision.action.name == "FAIL"
    assert kind.__name__ in decision.reason


@asks_a_policy
@pytest.mark.parametrize("kind", [Throttled, Unavailable])
def test_the_time_that_the_service_asked_for_is_kept(policy, kind):
    decision = policy.evaluate(kind("too fast", retry_after_s=90.0), 1, 3)
    assert (decision.action.name, decision.retry_delay) == ("RETRY", timedelta(seconds=90))


@asks_a_policy
@pytest.mark.parametrize("error", WORTH_IT)
def test_everything_else_is_left_to_the_task(policy, error):
    assert policy.evaluate(error, 1, 3).action.name == "DEFAULT"


@asks_a_policy
def test_a_chain_of_causes_that_bites_its_tail_ends(policy):
    error = RuntimeError("round and round")
    error.__cause__ = other = RuntimeError("and round")
    other.__cause__ = error
    assert policy.evaluate(error, 1, 3).action.name == "DEFAULT"


@asks_a_policy
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


@asks_a_policy
def test_it_survives_the_way_through_the_database(policy):
    assert type(type(policy).deserialize(policy.serialize())) is type(policy)


@lacks(Feature.RETRY_POLICY)
@pytest.mark.parametrize("kind", IN_VAIN)
def test_where_airflow_asks_no_policy_it_is_told_not_to_retry(kind):
    from airflow_visionbatch._compat import AirflowFailException  # noqa: PLC0415
    from airflow_visionbatch.failures import failing_for_good  # noqa: PLC0415

    with pytest.raises(AirflowFailException, match="it is so") as caught, failing_for_good():
        raise kind("it is so")
    assert type(caught.value.__cause__) is kind


@lacks(Feature.RETRY_POLICY)
@pytest.mark.parametrize("error", WORTH_IT)
def test_where_airflow_asks_no_policy_everything_else_is_left_to_the_task(error):
    from airflow_visionbatch.failures import failing_for_good  # noqa: PLC0415

    with pytest.raises(type(error)) as caught, failing_for_good():
        raise error
    assert caught.value is error
