"""Roboflow's own client does its part against the mock: whatever it insists on, the mock gives."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from visionbatch_mock import MockConfig, MockServer

pytestmark = pytest.mark.vendor

ENVIRONMENT = Path(__file__).parents[2] / ".venv-inference" / "bin"
CLIENT = ENVIRONMENT / "inference"
KEY = "key-of-the-vendors-client"
DEADLINE_S = 120

FILM = """
import sys, cv2, numpy
film = cv2.VideoWriter(sys.argv[1], cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
for shade in range(20):
    film.write(numpy.full((48, 64, 3), shade, numpy.uint8))
film.release()
"""

Run = Callable[..., str]


@pytest.fixture(scope="module", autouse=True)
def client_installed() -> None:
    if not CLIENT.exists():
        problem = "the vendor's client is not installed; make vendor-client installs it"
        pytest.fail(problem) if "CI" in os.environ else pytest.skip(problem)


@pytest.fixture(scope="module")
def mock() -> Iterator[MockServer]:
    with MockServer(MockConfig(seed=1, roboflow_indexing_s=0)) as server:
        yield server


@pytest.fixture
def inside(mock: MockServer):
    tenant = mock.world.tenant(KEY)
    tenant.reset()
    tenant.clock.freeze()
    return tenant


@pytest.fixture
def client(mock: MockServer, inside, tmp_path: Path) -> Run:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "API_BASE_URL": mock.url, "COLUMNS": "200"}

    def run(group: str, command: str, **options: object) -> str:
        words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        ran = subprocess.run(
            [CLIENT, "rf-cloud", group, command, "--api-key", KEY, "--debug-mode", *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    return run


@pytest.fixture
def photos(tmp_path: Path) -> Callable[[int], Path]:
    def make(number: int) -> Path:
        folder = tmp_path / f"photos-{number}"
        folder.mkdir()
        for shade in range(number):
            Image.new("RGB", (16, 12), (shade, shade, shade)).save(folder / f"photo-{shade:03}.jpg")
        return folder

    return make


@pytest.fixture
def films(tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    folder.mkdir()
    for name in ("a.avi", "b.avi"):
        subprocess.run([ENVIRONMENT / "python", "-c", FILM, folder / name], check=True, timeout=DEADLINE_S)
    return folder


def test_few_images_go_up_one_by_one_are_processed_and_come_back_as_archives(client, inside, photos, tmp_path):
    client("data-staging", "create-batch-of-images", batch_id="few", images_dir=photos(3))
    assert len(inside.ledger.entries("roboflow.image_stored")) == 3
    workflow = {"batch_id": "few", "workflow_id": "w", "job_id": "few-1", "job_name": "A few photos"}
    client("batch-processing", "process-images-with-workflow", **workflow, aggregation_format="csv")
    (created,) = inside.ledger.entries("roboflow.job_created")
    assert created["definition"]["processingSpecification"]["aggregationFormat"] == "csv"
    assert "few-1" in client("batch-processing", "list-jobs")
    inside.clock.advance(2)
    assert "processing" in client("batch-processing", "show-job-details", job_id="few-1")
    inside.clock.advance(60)
    assert "export" in client("batch-processing", "show-job-details", job_id="few-1")
    client("data-staging", "export-batch", batch_id="few-1-export", target_dir=tmp_path / "results")
    assert [file.name for file in (tmp_path / "results").rglob("*.csv")] == ["aggregated_results.csv"]
    assert len([*(tmp_path / "results").rglob("results.json")]) == 3


def test_many_images_go_up_as_shards(client, inside, photos):
    client("data-staging", "create-batch-of-images", batch_id="many", images_dir=photos(40), batch_name="Many photos")
    assert [(entry["ok"], entry["rejected"]) for entry in inside.ledger.entries("roboflow.shard_ingested")] == [(40, 0)]
    assert "Many photos" in client("data-staging", "list-batches")
    assert "40" in client("data-staging", "show-batch-details", batch_id="many")
    assert "ingested" in client("data-staging", "list-ingest-details", batch_id="many")


def test_references_are_ingested_and_their_content_is_listed(client, inside, tmp_path):
    url = "https://storage.googleapis.com/field/a.jpg?signature=s"
    (tmp_path / "refs.jsonl").write_text(json.dumps({"name": "a.jpg", "url": url}) + "\n")
    source = {"data_source": "references-file", "references": tmp_path / "refs.jsonl"}
    client("data-staging", "create-batch-of-images", batch_id="named", **source, ingest_id="mine")
    (taken,) = inside.ledger.entries("roboflow.references_taken")
    assert taken["ingest_id"].startswith("mine")
    assert "a.jpg" in client("data-staging", "list-batch-content", batch_id="named")


def test_videos_are_processed_and_a_second_job_is_aborted(client, inside, films, tmp_path):
    client("data-staging", "create-batch-of-videos", batch_id="films", videos_dir=films)
    assert {entry["name"] for entry in inside.ledger.entries("roboflow.video_stored")} == {"a.avi", "b.avi"}
    for job_id in ("films-1", "films-2"):
        told = {"batch_id": "films", "workflow_id": "w", "job_id": job_id, "max_video_fps": 2}
        client("batch-processing", "process-videos-with-workflow", **told)
    client("batch-processing", "abort-job", job_id="films-2")
    inside.clock.advance(60)
    ends = {entry["job_id"]: entry["state"] for entry in inside.ledger.entries("roboflow.job_ended")}
    assert ends == {"films-1": "succeeded", "films-2": "aborted"}
    client("batch-processing", "restart-job", job_id="films-2")
    assert len(inside.ledger.entries("roboflow.job_restarted")) == 1
    assert "aborted by the user" in client("batch-processing", "fetch-logs", job_id="films-2")
    client("data-staging", "export-batch", batch_id="films-1-export", target_dir=tmp_path / "results")
    assert [*(tmp_path / "results").rglob("workflow_results_source_0.jsonl")]


def test_an_archive_of_the_client_is_one_that_the_mock_opens_for_real(client, inside, photos):
    plan = inside.faults.plan({"instructions": {"roboflow.files.put": ["pass"]}})
    client("data-staging", "create-batch-of-images", batch_id="told", images_dir=photos(33), ingest_id="mine")
    assert plan.completed
    (batch,) = (each for each in inside.roboflow.staging.all() if each.id == "told")
    (shard,) = batch.shards.values()
    with tarfile.open(shard.found.files[0].content.path) as archive:
        assert {file.name for file in shard.found.files} <= set(archive.getnames())
