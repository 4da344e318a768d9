"""Every snippet of the documentation runs, as it is printed."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from PIL import Image

from support.orders import write_orders
from support.outputs import Outputs
from visionbatch_mock import MockConfig, MockServer
from visionbatch_mock.roboflow.lifecycle import JobState

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NEEDS_AIRFLOW = re.compile("airflow|vision_connections")
"""Of a snippet that tests of Airflow run instead."""
KEY = "key-of-the-snippets"


def blocks(language: str) -> list[pytest.ParameterSet]:
    return [
        pytest.param(text, id=f"{page.name}-{number}")
        for page in PAGES
        for number, (kind, text) in enumerate(BLOCK.findall(page.read_text()))
        if kind == language
    ]


@pytest.fixture(scope="module")
def mock() -> Iterator[MockServer]:
    at_once = {f"roboflow_{stage}_s": 0.0 for stage in ("queued", "processing", "export")}
    with MockServer(MockConfig(queued_s=0, processing_s=0, **at_once)) as server:
        vias = dict.fromkeys(("PENDING", "STARTING", "RUNNING", "STOPPING"), 0)
        server.world.tenant(KEY).configure(vias_open_sources=True, vias_durations=vias)
        yield server


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_orders(tmp_path / "work_orders")
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "photos" / "1.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def named(mock: MockServer, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `from_env` reads."""
    for name in (
        "DEEPOMATIC_URL",
        "DEEPOMATIC_UPLOAD_HOSTS",
        "ROBOFLOW_URL",
        "ROBOFLOW_HOSTS",
        "VIAS_URL",
        "VIAS_IAM_URL",
    ):
        monkeypatch.setenv(f"VISIONBATCH_{name}", mock.url)
    for name in ("DEEPOMATIC_API_KEY", "ROBOFLOW_API_KEY", "VIAS_ACCESS_KEY"):
        monkeypatch.setenv(f"VISIONBATCH_{name}", KEY)
    monkeypatch.setenv("VISIONBATCH_VIAS_SECRET_KEY", "secret")
    monkeypatch.setenv("VISIONBATCH_STATE_DIR", str(place / "records"))


@pytest.fixture
def exported(mock: MockServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export in the bucket that the pages name."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", mock.url)
    tenant = mock.world.tenant("anonymous")
    tenant.reset()
    export = tenant.exports.create(storage_uri="gs://my-exports/prod", interval="daily", export_images=True)
    export.seed({"generate": {"count": 3}})
    export.run()
    tenant.settle()


@pytest.fixture
def processed(mock: MockServer) -> None:
    """The job that the pages name, with its results."""
    Outputs(mock.world.tenant(KEY)).job("j-1")


@pytest.fixture
def staged(mock: MockServer) -> None:
    """Two photos in the batch that the pages name."""
    held = io.BytesIO()
    Image.new("RGB", (8, 8)).save(held, "JPEG")
    for name in ("1.jpg", "2.jpg"):
        requests.post(
            f"{mock.url}/data-staging/v1/external/mock-workspace/batches/line-4/upload/image",
            params={"api_key": KEY, "fileName": name},
            files={name: held.getvalue()},
            timeout=30,
        ).raise_for_status()


@pytest.mark.usefixtures("exported", "staged", "processed", "named")
@pytest.mark.parametrize(
    "text", [block for block in blocks("python") if not NEEDS_AIRFLOW.search(str(block.values[0]))]
)
def test_a_python_snippet_runs(text: str, place: Path, mock: MockServer, capsys: pytest.CaptureFixture[str]) -> None:
    names = {"base_url": mock.url, "api_key": KEY, "state_dir": place / "state"}
    exec(compile(text, "snippet", "exec"), names)
    assert capsys.readouterr().out


@pytest.mark.parametrize("text", blocks("json"))
def test_a_json_snippet_is_json(text: str) -> None:
    assert json.loads(text)


ELSEWHERE = re.compile(r"^\$ (make|pip|python3?\S*|visionbatch-mock) |(obs|dis)://|127\.0\.0\.1:8080", re.MULTILINE)
"""Of a block that is not run here: what installs, builds, measures or serves; what fetches from an S3 service or a
stream, as the tests of VIAS's results do; and the first ten minutes, below."""

BODY = {
    "name": "night",
    "service_name": "fire",
    "service_version": "1.0",
    "batch_input": {
        "video_source_group": [
            {"video_source_group_id": "group-0001", "video_source_list": [{"video_source_id": "source-0001"}]}
        ]
    },
    "output": {"event_center": True},
}


def scripts() -> list[pytest.ParameterSet]:
    """The commands of each page, in order: one may need what another has made."""
    found = []
    for page in PAGES:
        told = [text for kind, text in BLOCK.findall(page.read_text()) if kind == "console"]
        lines = [line for text in told if not ELSEWHERE.search(text) for line in text.splitlines()]
        if lines:
            found.append(pytest.param([line.removeprefix("$ ") for line in lines], id=page.name))
    return found


@pytest.fixture
def inputs(mock: MockServer, place: Path) -> None:
    """The files and the jobs that the pages name."""
    (place / "body.json").write_text(json.dumps(BODY))
    config = {"site_id": [f"{'0' * 8}-0000-4000-8000-{'0' * 12}"], "storage_uri": "gs://my-exports/prod"}
    more = {"export_type": "work-orders-timeline", "interval": "daily", "connector_type": "cloud_storage"}
    (place / "export.json").write_text(json.dumps({**config, **more, "export_images": True, "customer_name": "firm"}))
    outputs = Outputs(mock.world.tenant(KEY))
    outputs.job("vb-k2f6wzq3m7xa-1", until=JobState.FAILED)
    outputs.job("j-2026-11-22")


@pytest.mark.usefixtures("exported", "staged", "inputs", "named")
@pytest.mark.parametrize("lines", scripts())
def test_the_commands_of_a_page_run(lines: list[str], place: Path, mock: MockServer) -> None:
    """As a shell runs them; what a reader has elsewhere is at hand in this folder."""
    (place / "key").write_text(KEY)
    (place / "secret").write_text("secret")
    script = "\n".join(["set -e", *lines])
    for printed, here in (
        ("/run/secrets/vias", "secret"),
        ("/run/secrets/deepomatic", "key"),
        ("/run/secrets/roboflow", "key"),
        ("/data/", ""),
        ("VISIONBATCH_VIAS_ACCESS_KEY=my-access-key", f"VISIONBATCH_VIAS_ACCESS_KEY={KEY}"),
        ("VISIONBATCH_DEEPOMATIC_SITE=my-site", f"VISIONBATCH_DEEPOMATIC_URL={mock.url}"),
    ):
        script = script.replace(printed, here)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "HOME": str(place)}
    ran = subprocess.run(
        ["sh", "-c", script], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, (script, ran.stdout, ran.stderr)
    for kept in re.findall(r"--report-dir (?:\./)?(\S+)|--out (\S+)", script):
        assert (place / "".join(kept)).exists()


def test_the_first_ten_minutes_go_as_they_are_printed(place: Path, mock: MockServer) -> None:
    page = (ROOT / "docs" / "start.md").read_text()
    (text,) = [text for kind, text in BLOCK.findall(page) if kind == "console" and "runs list" in text]
    script = "\n".join(["set -e", *(line.removeprefix("$ ") for line in text.splitlines())])
    script = script.replace("http://127.0.0.1:8080", mock.url)
    environment = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(place)}
    ran = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    *_, first, second, listed = ran.stdout.splitlines()
    assert (first.startswith("batch "), second) == (True, f"already done: {first}")
    assert "done" in listed


def test_every_make_target_in_the_pages_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"(?:`|\$ )make ([a-z-]+)", page.read_text())}
    assert named <= targets


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
