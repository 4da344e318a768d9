"""Google's own fault mechanism, as its storage test bench offers it.

`POST /retry_test` makes a plan, requests with its id in `x-retry-test-id` consume it. Google's client
libraries test their retries with it, so their scenarios run here unchanged.
"""

from typing import Any

from flask import Blueprint, Response

from visionbatch_mock.answers import empty_answer, json_answer
from visionbatch_mock.exchange import Unacceptable, json_object_of_control, tenant_of_control
from visionbatch_mock.faults import FaultPlan, UnknownInstruction

bp = Blueprint("retry_tests", __name__)


@bp.post("/retry_test")
def create() -> Response:
    """A new plan for requests that carry its id."""
    told = json_object_of_control()
    if told.get("transport", "HTTP") != "HTTP":
        raise Unacceptable(400, {"error": "the mock speaks HTTP only"})
    try:
        plan = tenant_of_control().faults.plan({"instructions": told.get("instructions")}, retry_test=True)
    except UnknownInstruction as cause:
        raise Unacceptable(400, {"error": str(cause)}) from cause
    return json_answer(_shown(plan))


@bp.get("/retry_tests")
def list_all() -> Response:
    """Every plan of this kind."""
    plans = tenant_of_control().faults.plans(retry_test=True)
    return json_answer({"retry_test": [_shown(plan) for plan in plans]})


@bp.get("/retry_test/<plan_id>")
def get(plan_id: str) -> Response:
    """A plan and whether it was met."""
    plan = tenant_of_control().faults.get(plan_id)
    if plan is None or not plan.retry_test:
        raise Unacceptable(404, {"error": f"no retry test {plan_id}"})
    return json_answer(_shown(plan))


@bp.delete("/retry_test/<plan_id>")
def delete(plan_id: str) -> Response:
    """Take a plan out of force."""
    if not tenant_of_control().faults.remove(plan_id):
        raise Unacceptable(404, {"error": f"no retry test {plan_id}"})
    return empty_answer(200)


def _shown(plan: FaultPlan) -> dict[str, Any]:
    return {
        "id": plan.id,
        "instructions": plan.remaining,
        "completed": plan.completed,
        "transport": "HTTP",
    }
