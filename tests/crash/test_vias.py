"""A batch task of VIAS whose task process ends by SIGKILL: nothing marks two creations as the same one."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest

from crash.scenes import Scene

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

DAG_ID = "vias_retry"
CREATE = "vias.batch_tasks.create"


def scene_of(theatre: Any, name: str, plan: dict[str, Any]) -> Scene:
    run_id = f"vias-{name}"
    tenant = theatre.mock.world.tenant(f"AK{secrets.token_hex(8)}")
    tenant.configure(vias_open_sources=True, vias_durations={"PENDING": 0.2, "STARTING": 0.2, "RUNNING": 3.0})
    (theatre.plans / f"{run_id}.json").write_text(json.dumps(plan))
    url = theatre.mock.url
    extra = json.dumps({"iam_url": url})
    theatre.stack.connect(run_id, conn_type="huawei_vias", host=url, login=tenant.token, password="secret", extra=extra)
    theatre.stack.trigger(DAG_ID, {"connection": run_id}, run_id=run_id)
    return Scene(theatre, DAG_ID, run_id, f"VIAS: {name}", tenant)


def test_a_kill_at_any_point_of_the_creation_leaves_one_batch_task(theatre):
    before = scene_of(theatre, "before-it-asks", {"moment": "after", "stage": "intent"})
    between = scene_of(theatre, "before-the-id-is-saved", {"moment": "before", "stage": "created"})
    after = scene_of(theatre, "when-the-id-is-saved", {"moment": "after", "stage": "created"})
    for scene in (before, between, after):
        scene.wait_state("success", tries=2)
        assert scene.is_killed
        (made,) = scene.books.effects("vias.batch_created")
        assert len(scene.books.requests(CREATE)) == 1
        assert (scene.record["ref"], scene.record["stage"]) == (made["batch_id"], "ended")
        assert scene.generation == 1
        assert not scene.books.effects("vias.batch_deleted") + scene.books.effects("vias.task_stopped")
