"""Events for asset watchers: a job of this workspace has ended, whoever made it."""

from __future__ import annotations

from airflow_visionbatch.triggers.ended_events import EndedEventTrigger


class RoboflowJobEventTrigger(EndedEventTrigger):
    """Tells of every job of a workspace that ends, for an ``AssetWatcher``; nothing is asked for but the list of jobs.

    Its arguments, and what holds over restarts: `airflow_visionbatch.triggers.ended_events.EndedEventTrigger`. Outcomes
    are ``done`` and ``failed``: the list tells neither an abort nor what became of a job's tasks, so that one that lost
    some of them is ``done`` here, and `RoboflowJobSensor` or the job's manifest know more. A job's label is the name
    that people see. The payload has the id as ``job_id``.
    """

    default_conn_name = "roboflow_default"
    service = "roboflow"
    id_key = "job_id"
    ends = ("done", "failed")
