"""`RoboflowStageOperator`: what arrives in the mock's batches, whatever becomes of the tries."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from support.airflow_runs import PaperTi, TaskRun, paper_context
from support.arguments import documented, own_arguments, said_to_be_templated
from support.orders import photo
from support.patience import wait_until
from visionbatch_mock.tenant import Tenant

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

PUT, SIGN = "roboflow.files.put", "roboflow.shards.sign"
STORED, SHARD = "roboflow.image_stored", "roboflow.shard_stored"
SECRET = "a-secret-of-thirty-two-characters-or-more"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty photos, no two alike."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(20):
        (folder / f"{number:03}.jpg").write_bytes(photo(number, 60))
    return folder


@pytest.fixture
def operator() -> Any:
    from airflow_visionbatch.operators.roboflow_stage import RoboflowStageOperator  # noqa: PLC0415

    return RoboflowStageOperator


@pytest.fixture
def on_paper(operator, workspace, photos, records):
    def make(**given: Any) -> Any:
        return operator(**{"task_id": "task", "source": str(photos), **records.arguments, **given})

    return make


@pytest.fixture
def run_stage(airflow, operator, workspace, photos, records):
    def run(**given: Any) -> TaskRun:
        return airflow.run(operator, **{"source": str(photos), **records.arguments, **given})

    return run


SHARDS = {"kind": "shards", "settings": {"images_per_shard": 2, "parallel": 1}}


def shards(tenant: Tenant) -> list[str]:
    return [str(entry["sha256"]) for entry in tenant.ledger.entries(SHARD)]


def test_a_retry_sends_only_what_did_not_arrive(run_stage, workspace, tenant):
    workspace(extra={"transfer": {"attempts": 1}})
    plan = tenant.faults.plan({"instructions": {PUT: [*["pass"] * 6, "return-503", *["pass"] * 3]}})
    run = run_stage(retries=1, **SHARDS)
    assert plan.completed
    assert (run.state, run.tries, type(run.error).__name__) == ("success", 2, "UploadStalled")
    assert len(shards(tenant)) == len(set(shards(tenant))) == 10
    assert len(tenant.journal.entries(PUT)) == 11
    manifest = run.result
    assert (manifest["kind"], manifest["expected"], manifest["parts"]) == ("shards", 20, 10)
    assert manifest["ready_ref"] == f"{manifest['batch_id']}/20/10"
    assert (run.xcoms["batch_id"], run.xcoms["manifest"]) == (manifest["batch_id"], manifest)
    assert len(json.dumps(manifest)) < 4096


def test_a_kill_stops_it_and_the_next_try_goes_on(on_paper, tenant):
    tenant.faults.plan({"instructions": {PUT: [*["pass"] * 4, "throttle-1Kps"]}})
    task, context = on_paper(**SHARDS), paper_context(PaperTi(max_tries=3))
    before = signal.signal(signal.SIGUSR1, lambda *_: task.on_kill())

    def in_the_middle() -> None:
        wait_until(lambda: len(tenant.journal.entries(SIGN)) >= 5)
        os.kill(os.getpid(), signal.SIGUSR1)

    killer = threading.Thread(target=in_the_middle)
    killer.start()
    try:
        with pytest.raises(Exception, match="told this process to stop"):
            task.execute(context)
    finally:
        killer.join(30)
        signal.signal(signal.SIGUSR1, before)
    assert 4 <= len(shards(tenant)) < 10
    tenant.faults.clear()
    assert on_paper(**SHARDS).execute(context)["expected"] == 20
    assert len(shards(tenant)) == len(set(shards(tenant))) == 10


def test_a_second_run_of_the_same_dag_fills_its_own_batch(on_paper):
    batches = {on_paper().execute(paper_context())["batch_id"] for _ in range(2)}
    assert len(batches) == 2


def test_a_folder_in_an_object_store_is_read_as_one_on_the_worker(on_paper, photos, tenant):
    import fsspec  # noqa: PLC0415
    from airflow.sdk.io import attach  # noqa: PLC0415

    here = on_paper(**SHARDS).execute(paper_context())
    attach(
        "memory", conn_id="photo_vault", fs=fsspec.filesystem("dir", path=str(photos.parent), target_protocol="file")
    )
    place = f"memory://{photos.name}"
    there = on_paper(source=place, source_conn_id="photo_vault", **SHARDS).execute(paper_context())
    assert there["fingerprint"] == here["fingerprint"]
    assert [shards(tenant).count(digest) for digest in set(shards(tenant))] == [2] * 10


def references(place: Path, count: int = 3) -> Path:
    lines = [{"name": f"{n}.jpg", "url": f"https://photos.example/{n}.jpg?signature={SECRET}"} for n in range(count)]
    place.write_text("\n".join(json.dumps(line) for line in lines))
    return place


def test_references_are_fetched_by_the_service_and_their_signatures_are_nowhere(run_stage, tenant, tmp_path, caplog):
    tenant.configure(roboflow_trusted_hosts=None)
    run = run_stage(source=str(references(tmp_path / "list.jsonl")), by_reference=True)
    assert (run.state, run.result["kind"], run.result["expected"]) == ("success", "image-references", 3)
    assert run.result["ready_ref"].endswith("/3/1")
    assert SECRET not in json.dumps([run.xcoms, run.record, run.rendered]) + caplog.text


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"source": " "}, "path of the source is empty"),
        ({"source": "", "by_reference": True}, "path of the source is empty"),
        ({"source": "https://a.example/list?sig=1", "by_reference": True}, "password of a connection"),
        ({"media": "sounds"}, "images or videos"),
        ({"kind": "tar"}, "kind is single, shards"),
        ({"settings": {"kind": "single"}}, "kind has an argument of its own"),
        ({"settings": {"notifications_url": "x"}}, "notifications_url has an argument of its own"),
        ({"settings": {"images_in_shard": 2}}, "images_in_shard"),
        ({"on_input_change": "ignore"}, "fail or cancel_and_new"),
    ],
)
def test_what_cannot_be_is_named_before_anything_is_asked(on_paper, tenant, wrong, named):
    with pytest.raises(Exception, match=named) as caught:
        on_paper(**wrong).execute(paper_context())
    assert not tenant.journal.entries()
    assert "sig=1" not in str(caught.value)


def namesakes(place: Path) -> Path:
    """Two photos of the same name in different folders, which a batch cannot have."""
    for folder in ("a", "b"):
        (place / "photos" / folder).mkdir(parents=True)
        (place / "photos" / folder / "1.jpg").write_bytes(photo(1, 60))
    return place / "photos"


class Effects:
    """What each argument changes, seen at the mock or in what comes out."""

    def source(self, run, tenant, workspace, tmp_path):
        with pytest.raises(Exception, match="there is no folder /no/such/place"):
            run(source="/no/such/place")

    def media(self, run, tenant, workspace, tmp_path):
        (tmp_path / "film.mp4").write_bytes(b"a film")
        assert run(source=str(tmp_path), media="videos")["kind"] == "videos"

    def by_reference(self, run, tenant, workspace, tmp_path):
        tenant.configure(roboflow_trusted_hosts=None)
        found = run(source=str(references(tmp_path / "list")), by_reference=True, media="videos")
        assert found["kind"] == "video-references"

    def kind(self, run, tenant, workspace, tmp_path):
        assert [run(kind=kind)["kind"] for kind in ("single", "shards")] == ["single", "shards"]

    def batch_id(self, run, tenant, workspace, tmp_path):
        assert run(batch_id="mine")["batch_id"] == "mine"

    def display_name(self, run, tenant, workspace, tmp_path):
        run(batch_id="mine", display_name="Monday")
        assert tenant.roboflow.staging.get("mine").display_name == "Monday"

    def source_conn_id(self, run, tenant, workspace, tmp_path):
        tenant.configure(roboflow_trusted_hosts=None)
        workspace("the_list", password=str(references(tmp_path / "list")))
        assert run(source="", by_reference=True, source_conn_id="the_list")["expected"] == 3

    def settings(self, run, tenant, workspace, tmp_path):
        assert run(kind="shards", settings={"images_per_shard": 7})["parts"] == 3

    def url_life(self, run, tenant, workspace, tmp_path):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", "of-this-test")
            patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
            with pytest.raises(Exception, match="life of signed addresses"):
                run(source="s3://bucket/folder", by_reference=True, url_life=0)

    def report_path(self, run, tenant, workspace, tmp_path):
        told = run(source=str(namesakes(tmp_path)), report_path=str(tmp_path / "out"))
        assert told["renamed"] == 2
        assert Path(told["names"]).read_text().count("\n") == 2

    def report_conn_id(self, run, tenant, workspace, tmp_path):
        import fsspec  # noqa: PLC0415
        from airflow.sdk.io import attach  # noqa: PLC0415

        attach("memory", conn_id="names_shelf", fs=fsspec.filesystem("dir", path=str(tmp_path), target_protocol="file"))
        run(source=str(namesakes(tmp_path)), report_path="memory://out", report_conn_id="names_shelf")
        assert list((tmp_path / "out").glob("*.names.jsonl"))

    def notify(self, run, tenant, workspace, tmp_path):
        with pytest.raises(Exception, match="takes no webhooks"):
            run(notify=True)
        workspace(extra={"webhook_secret": SECRET, "webhook_base_url": "http://127.0.0.1:9", "webhook_inside": True})
        run(notify=True, kind="shards")
        assert shards(tenant)

    def on_input_change(self, run, tenant, workspace, tmp_path):
        (tmp_path / "0.jpg").write_bytes(photo(0, 60))
        context = paper_context()
        refused = tenant.faults.plan({"instructions": {"roboflow.images.upload": ["return-403"]}})
        with pytest.raises(Exception, match="403"):
            run(context, source=str(tmp_path))
        (tmp_path / "1.jpg").write_bytes(photo(1, 60))
        with pytest.raises(Exception, match="is not what it was"):
            run(context, source=str(tmp_path))
        second = run(context, source=str(tmp_path), on_input_change="cancel_and_new")
        assert (second["generation"], second["expected"], refused.completed) == (2, 2, True)

    def state_path(self, run, tenant, workspace, tmp_path):
        run(state_path=f"file://{tmp_path}/state")
        assert len(list((tmp_path / "state").glob("*.json"))) == 1

    def roboflow_conn_id(self, run, tenant, workspace, tmp_path):
        with pytest.raises(Exception, match="another_workspace"):
            run(roboflow_conn_id="another_workspace")


EFFECTS = sorted(name for name in vars(Effects) if not name.startswith("_"))


@pytest.mark.parametrize("argument", EFFECTS)
def test_every_argument_reaches_its_effect(on_paper, tenant, workspace, tmp_path, argument):
    def run(context: Any = None, **given: Any) -> Any:
        return on_paper(**given).execute(context or paper_context())

    getattr(Effects(), argument)(run, tenant, workspace, tmp_path)


def test_every_argument_is_documented_and_tested_and_said_to_be_templated(operator):
    assert set(documented(operator)) == own_arguments(operator) == set(EFFECTS)
    assert said_to_be_templated(operator) == set(operator.template_fields)
