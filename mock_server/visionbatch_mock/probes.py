"""What supervisors and monitoring ask of the process: `/health`, `/ready` and `/metrics`.

They need no token and name no tenant, so that a container's health check works on a guarded mock too.
"""

from collections import Counter
from collections.abc import Iterator

from flask import Blueprint, Response

from visionbatch_mock import metrics
from visionbatch_mock.answers import json_answer
from visionbatch_mock.exchange import world

bp = Blueprint("probes", __name__)


@bp.get("/health")
def health() -> Response:
    """200 as long as the process answers at all."""
    return json_answer({"status": "ok"})


@bp.get("/ready")
def ready() -> Response:
    """200 while requests are welcome, 503 once the mock has been told to stop."""
    stopping = world().stopping.is_set()
    return json_answer({"status": "stopping" if stopping else "ready"}, 503 if stopping else 200)


@bp.get("/metrics")
def exposed() -> Response:
    """Counters for Prometheus."""
    lines = [*world().metrics.lines(), *_looked_up()]
    return Response("\n".join(lines) + "\n", content_type=metrics.CONTENT_TYPE)


def _looked_up() -> Iterator[str]:
    mock = world()
    tenants = mock.tenants()
    waiting = sum(plan.waiting for tenant in tenants for plan in tenant.faults.all())
    states = Counter(session.status.value for session in mock.sessions())
    yield from metrics.single("tenants", "gauge", "Customers that have been mentioned.", len(tenants))
    yield from metrics.single("faults_waiting", "gauge", "Planned faults that no request has met yet.", waiting)
    yield from metrics.several("upload_sessions", "gauge", "Upload sessions by state.", "state", states)
    yield from metrics.single("ready", "gauge", "1 while requests are welcome.", not mock.stopping.is_set())
