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


@pytest.mark.parametrize("text", [block for block in blocks("console") if "my-site" in str(block.values[0])])
def test_a_command_line_snippet_runs(text: str, place: Path, mock: MockServer) -> None:
    commands = [line.removeprefix("$ ") for line in text.splitlines()]
    (place / "key").write_text(KEY)
    script = "\n".join(["set -e", *commands])
    script = script.replace("/run/secrets/deepomatic", str(place / "key"))
    script = script.replace("VISIONBATCH_DEEPOMATIC_SITE=my-site", f"VISIONBATCH_DEEPOMATIC_URL={mock.url}")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(place),
        "VISIONBATCH_DEEPOMATIC_UPLOAD_HOSTS": mock.url,
    }
    ran = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert (place / "reports").is_dir()


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
