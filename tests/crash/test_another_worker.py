"""Celery workers with folders of their own, over Redis and PostgreSQL: a run begins on one and ends on another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from crash.scenes import DAGS, TASK, Props, Scene, Theatre
from support.celery_stack import CeleryStack
from support.orders import CHUNK, write_orders
from support.services import postgres_server, redis_server
from visionbatch_mock import MockConfig, MockServer

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]

FIRST, SECOND = "worker-1", "worker-2"
SOURCE, REPORTS = "gs://field-photos/today", "gs://field-reports/today"
LOST = {
    # A worker that is lost says nothing: Airflow waits for its heartbeat, five minutes by default.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
}
SHORT = {"AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "5"}
"""For a worker that takes a task for lost, and so for its own, five seconds after another has begun with it."""


class Company(Theatre):
    """A theatre of several workers, and an object store that all of them reach."""

    stack: CeleryStack

    def fill_store(self) -> None:
        bucket, _, folder = SOURCE.removeprefix("gs://").partition("/")
        with requests.Session() as session:
            session.trust_env = False
            for path in sorted(self.source.rglob("*")):
                if path.is_file():
                    name = f"{folder}/{path.relative_to(self.source)}"
                    url = f"{self.mock.url}/upload/storage/v1/b/{bucket}/o"
                    told = {"uploadType": "media", "name": name}
                    session.post(url, params=told, data=path.read_bytes(), timeout=30).raise_for_status()

    def stored(self, place: str) -> set[str]:
        """Names of the objects below a place."""
        bucket, _, folder = place.removeprefix("gs://").partition("/")
        listing = self.mock.world.tenant().objects.listing(bucket)
        return {found.name.removeprefix(f"{folder}/") for found in listing if found.name.startswith(f"{folder}/")}

    def work_at(self, *hosts: str) -> None:
        """Bring back who was lost, and let these workers alone take tasks from now on."""
        self.stack.restart_lost()
        self.stack.give_work_to(*hosts)

    def lose_first(self) -> None:
        """Lose the first worker at once, and let the second take over."""
        self.stack.lose(FIRST)
        self.stack.give_work_to(SECOND)

    def hosts(self, scene: Scene) -> list[str]:
        """Where the tries ran, each where it ran last."""
        places = "dag_id = ? and run_id = ? and task_id = ?"
        query = f"select hostname, try_number from task_instance_history where {places} union "
        query += f"select hostname, try_number from task_instance where {places} order by try_number"
        return [host for host, _ in self.stack.rows(query, *(scene.dag_id, scene.run_id, TASK) * 2)]


@pytest.fixture(scope="module")
def company(props: Props) -> Iterator[Company]:
    with MockServer(MockConfig(seed=12)) as mock, postgres_server() as database, redis_server() as broker:
        settings = {**props.settings, **LOST, "CRASH_STORE": mock.url}
        home = props.home / "celery"
        with CeleryStack(
            home, DAGS, database=database, broker=broker, hosts=(FIRST, SECOND), settings=settings
        ) as stack:
            company = Company(stack, mock, props)
            company.fill_store()
            yield company


def begun_at_first(company: Company, name: str, **told: object) -> Scene:
    """A run whose upload is under way on the first worker, of which the second knows nothing."""
    company.work_at(FIRST)
    scene = company.scene(str(told.pop("dag_id", "deferrable_retry")), name, **told)
    scene.throttle(128, 40)
    scene.wait_bytes(2 * CHUNK)
    return scene


def test_when_a_worker_is_lost_in_mid_upload_another_goes_on_from_the_object_store(company):
    scene = begun_at_first(
        company, "worker lost while uploading", dag_id="with_report", source=SOURCE, conf={"reports": REPORTS}
    )
    company.lose_first()
    assert scene.persisted < len(company.archive)
    scene.full_speed()
    scene.wait_state("success", tries=2)
    assert company.hosts(scene) == [FIRST, SECOND]
    row = scene.processed_once(tries=2)
    assert row.generation == 1
    manifest = company.stack.xcom(scene.dag_id, scene.run_id, TASK)
    assert (manifest["outcome"], manifest["archive"]["size"]) == ("done", len(company.archive))
    assert f"{manifest['batch_id']}.manifest.json" in company.stored(REPORTS)


@pytest.mark.slow
def test_a_deferred_task_is_resumed_by_whichever_worker_is_there(company):
    company.work_at(FIRST)
    scene = company.scene(
        "with_report", "resumed on another worker", source=SOURCE, conf={"reports": REPORTS}, lifecycle="manual"
    )
    scene.wait_watched()
    assert company.hosts(scene) == [FIRST]
    company.work_at(SECOND)
    scene.release()
    scene.wait_state("success")
    assert company.hosts(scene) == [SECOND]
    assert scene.processed_once(tries=1, resent=0).generation == 1


@pytest.mark.slow
def test_a_source_on_one_worker_s_disk_is_missed_on_another_and_found_again_on_the_first(company):
    write_orders(company.stack.folder(FIRST) / "orders-here", photos=9)
    scene = begun_at_first(company, "source on the first worker only", source="orders-here")
    company.lose_first()
    scene.full_speed()
    scene.wait_state("failed", tries=2)
    for part in (
        f"there is no {company.stack.folder(SECOND) / 'orders-here'} on this machine",
        f"{scene.record['sent']} of {len(company.archive)} bytes",
        "keep it in an object store that every worker reaches",
    ):
        assert part in scene.log
    company.work_at(FIRST)
    scene.clear()
    scene.wait_state("success", tries=3)
    assert company.hosts(scene) == [FIRST, SECOND, FIRST]
    assert scene.processed_once(tries=3).generation == 1


@pytest.mark.slow
def test_a_batch_that_has_its_archive_needs_no_source_on_the_next_worker(company):
    write_orders(company.stack.folder(FIRST) / "orders-there", photos=9)
    company.work_at(FIRST)
    scene = company.scene("sync_retry", "worker lost while waiting", source="orders-there", lifecycle="manual")
    scene.wait_watching()
    company.lose_first()
    scene.wait_state("running", tries=2)
    scene.release()
    scene.wait_state("success", tries=2)
    assert company.hosts(scene) == [FIRST, SECOND]
    assert "going on with batch" in scene.log
    assert scene.processed_once(tries=2, resent=0).generation == 1


@pytest.mark.slow
@pytest.mark.parametrize("dag_id", ["deferrable_clear", "sync_clear"])
def test_a_task_marked_failed_has_its_batch_deleted_once(company, dag_id):
    company.work_at(FIRST, SECOND)
    scene = company.scene(dag_id, f"{dag_id} marked failed on Celery", source=SOURCE, lifecycle="manual")
    scene.wait_watching()
    if dag_id == "deferrable_clear":
        scene.wait_watched()
    company.stack.mark_task(scene.dag_id, scene.run_id, TASK, "failed")
    scene.wait(lambda: scene.deleted, "the batch to be deleted", 60)
    row = scene.row(ended_by_person=True)
    assert (row.processed, row.committed, row.leaks) == (0, 1, 0)
    assert len(scene.deleted) == 1


@pytest.mark.slow
def test_a_message_that_redis_delivers_again_changes_nothing(company):
    """While its task runs on another worker, and after that task was given up with its worker."""
    company.work_at(SECOND)
    alive = company.scene("sync_retry", "running task's message delivered again", source=SOURCE, lifecycle="manual")
    alive.wait_watching()
    lost = begun_at_first(company, "lost worker's message delivered again", source=SOURCE)
    company.lose_first()
    lost.full_speed()
    lost.wait_state("success", tries=2)
    company.stack.give_work_to()
    with company.stack.further_worker("worker-3", SHORT) as log:
        alive.wait(lambda: "ignoring redelivered message" in log(), "the running task's message to come again")
        alive.wait(lambda: "Task Instance not found" in log(), "the lost worker's message to come again")
    alive.release()
    alive.wait_state("success", tries=1)
    assert company.hosts(alive) == [SECOND]
    assert company.hosts(lost) == [FIRST, SECOND]
    assert alive.processed_once(tries=1, resent=0).generation == 1
    assert lost.processed_once(tries=2).generation == 1
