"""What people install: the wheel, in an environment where nothing else is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.orders import write_orders
from visionbatch_mock import MockConfig, MockServer

ROOT = Path(__file__).parents[2]
PATIENCE_S = 240
COMES_ALONG = {"click", "google-crc32c"}
"""What the base install brings, the dependencies of dependencies among them."""

MODULES_AT_START = 200
"""It takes 130, most of them of click and of the interpreter; requests alone would add 150, an event loop 60."""

NOTEBOOK = """
from visionbatch import Deepomatic
with Deepomatic.from_env() as site:
    manifest = site.run("work_orders")
print(manifest.batch_id)
"""


def run(*command: object, folder: Path = ROOT, **environment: str) -> str:
    ran = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def built(kind: str, source: Path, target: Path) -> Path:
    run(sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", target, folder=source)
    (made,) = target.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def empty(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that has the wheel, without extras, and nothing more."""
    home = tmp_path_factory.mktemp("empty")
    run(sys.executable, "-m", "venv", home)
    programs = home / "bin"
    constraints = ROOT / "constraints.txt"
    run(programs / "python", "-m", "pip", "install", "--quiet", wheel, PIP_CONSTRAINT=str(constraints))
    return programs


@pytest.fixture(scope="module")
def mock() -> Iterator[MockServer]:
    with MockServer(MockConfig(queued_s=0, processing_s=0)) as server:
        yield server


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as opened:
        return set(opened.namelist())


def test_the_wheel_holds_the_three_packages_and_says_that_they_are_typed(wheel: Path) -> None:
    names = names_in(wheel)
    packages = {"visionbatch", "airflow_visionbatch", "visionbatch_mock"}
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == packages
    assert {f"{package}/py.typed" for package in packages} <= names
    assert {"visionbatch/report/page.html.j2", "visionbatch/report/page.css"} <= names
    (metadata,) = {name.partition("/")[0] for name in names if ".dist-info/" in name}
    assert {f"{metadata}/{name}" for name in ("entry_points.txt", "licenses/LICENSE")} <= names


def test_the_source_archive_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    archive = built("sdist", ROOT, tmp_path / "sdist")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    assert {"tests", "docs", "dags", "constraints.txt", "Makefile"} <= {path.name for path in source.iterdir()}
    assert names_in(built("wheel", source, tmp_path / "again")) == names_in(wheel)


def test_the_base_install_brings_few_packages(empty: Path) -> None:
    listed = json.loads(run(empty / "python", "-m", "pip", "list", "--format", "json"))
    assert {package["name"] for package in listed} - {"pip", "setuptools"} == {*COMES_ALONG, "visionbatch"}


def test_a_command_that_needs_an_extra_names_it(empty: Path, tmp_path: Path) -> None:
    for extra, *command in (
        ("mock", "visionbatch-mock", "serve"),
        ("report", "visionbatch", "deepomatic", "export", "report", tmp_path, "--out", tmp_path / "report.html"),
    ):
        ended = subprocess.run(
            [empty / command[0], *command[1:]], capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert (ended.returncode, f"visionbatch[{extra}]" in ended.stderr) == (2, True), ended.stderr
        assert "Traceback" not in ended.stderr


def test_the_version_is_told_without_loading_what_runs_need(empty: Path) -> None:
    ran = subprocess.run(
        [empty / "visionbatch", "--version"],
        env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines() if line.startswith("import time:")}
    assert not imported & {"requests", "urllib3", "asyncio", "ssl", "visionbatch.pipelines", "google_crc32c"}
    assert len(imported) < MODULES_AT_START
    assert ran.stdout.startswith("visionbatch, version ")


def test_a_whole_batch_runs_from_the_wheel_alone(empty: Path, mock: MockServer, tmp_path: Path) -> None:
    write_orders(tmp_path / "work_orders")
    tenant = mock.world.tenant("key-of-the-wheel")
    environment = {
        "HOME": str(tmp_path),
        "VISIONBATCH_DEEPOMATIC_URL": mock.url,
        "VISIONBATCH_DEEPOMATIC_UPLOAD_HOSTS": mock.url,
        "VISIONBATCH_DEEPOMATIC_API_KEY": tenant.token,
    }
    command = (empty / "visionbatch", "--json", "deepomatic", "run", "work_orders", "--report-dir", "reports")
    told = json.loads(run(*command, folder=tmp_path, **environment))
    assert told["outcome"] == "done"
    assert (tmp_path / "reports" / f"{told['batch_id']}.manifest.json").exists()
    assert run(empty / "python", "-c", NOTEBOOK, folder=tmp_path, **environment).strip() == told["batch_id"]
    assert len(tenant.ledger.entries("batch.processed")) == 1
