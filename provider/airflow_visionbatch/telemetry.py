"""What a try does with what the tries before it left, as Airflow's metrics and on its spans.

The names are those of Airflow's own ``ResumableJobMixin``, so that one dashboard shows every resumable operator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_visionbatch._compat import count, span_attributes

if TYPE_CHECKING:
    from visionbatch import Decision

METRICS = {
    "begin": ("fresh_submit",),
    "seek": ("reconnect_attempt",),
    "resume": ("reconnect_attempt", "reconnect_success"),
    "adopt": ("reconnect_attempt", "reconnect_success"),
    "take": ("reconnect_attempt", "already_succeeded"),
    "replace": ("reconnect_attempt", "terminal_resubmit"),
    "restart": ("reconnect_attempt", "terminal_resubmit"),
}
"""Metrics under ``resumable_job.`` that go up by one, by `visionbatch.Action`."""


def tell_decision(decision: Decision, *, operator: Any, service: str, ti: Any) -> None:
    """Count a decision, with operator and service as tags, and note it on the current span."""
    tags = {"operator": type(operator).__name__, "service": service}
    team = (getattr(ti, "stats_tags", None) or {}).get("team_name")
    if team:
        tags["team_name"] = team
    for name in METRICS[decision.action]:
        count(f"resumable_job.{name}", tags)
    span_attributes(
        {
            "visionbatch.service": service,
            "visionbatch.action": decision.action.value,
            "visionbatch.generation": decision.generation,
        }
    )


def tell_ref(id_key: str, ref: str) -> None:
    """Note on the current span what is worked on.

    :param id_key: what its id is called, such as ``batch_id``.
    """
    span_attributes({f"visionbatch.{id_key}": ref})
