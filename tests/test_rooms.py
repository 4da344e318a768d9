"""What the table of rooms promises and an import linter cannot see."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import visionbatch
import visionbatch_mock

ROOT = Path(__file__).parents[1]
CORE = ROOT / "provider" / "visionbatch"
LOOP_ROOMS = {
    *("io/clock.py", "io/control_async.py", "io/drive.py", "io/rate.py"),
    *(
        "pipelines/export_looks.py",
        "pipelines/hub.py",
        "pipelines/lease.py",
        "pipelines/rounds.py",
        "pipelines/site.py",
        "pipelines/vias_access.py",
    ),
}


def modules(folder: Path) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(folder.rglob("*.py")):
        yield path.relative_to(folder).as_posix(), ast.parse(path.read_text())


def calls_to(tree: ast.Module, *names: str) -> list[str]:
    called = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [name for name in called if name in names]


def test_only_the_clock_and_the_rate_sleep() -> None:
    sleeping = {name for name, tree in modules(CORE) if calls_to(tree, "time.sleep", "asyncio.sleep")}
    assert sleeping == {"io/clock.py", "io/rate.py"}
    airflow_layer = ROOT / "provider" / "airflow_visionbatch"
    assert not [name for name, tree in modules(airflow_layer) if calls_to(tree, "time.sleep", "asyncio.sleep")]


def test_nothing_is_written_twice_for_async() -> None:
    with_coroutines = {
        name
        for name, tree in modules(CORE)
        if any(isinstance(node, (ast.AsyncFunctionDef, ast.Await)) for node in ast.walk(tree))
    }
    assert with_coroutines == LOOP_ROOMS


def test_only_one_place_judges_a_snapshot() -> None:
    judging = {
        name
        for name, tree in modules(CORE)
        if any(isinstance(node, ast.Attribute) and ast.unparse(node) == "Phase.PARTIAL" for node in ast.walk(tree))
    }
    assert judging == {
        "deepomatic/words.py",
        "flow/judge.py",
        "model/snapshot.py",
        "roboflow/words.py",
        "vias/words.py",
    }


def test_dags_are_composition_only() -> None:
    for name, tree in modules(ROOT / "dags"):
        imported = {
            (node.module or "").split(".")[0] if isinstance(node, ast.ImportFrom) else node.names[0].name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, (ast.Import, ast.ImportFrom))
        }
        assert imported <= {"__future__", "airflow", "airflow_visionbatch", "datetime", "typing"}, name


def test_public_names_are_sorted_and_all_there() -> None:
    for package in (visionbatch, visionbatch_mock):
        assert sorted(package.__all__) == package.__all__
        assert all(getattr(package, name) is not None for name in package.__all__)


def test_every_package_says_that_it_is_typed() -> None:
    for package in ("visionbatch", "airflow_visionbatch", "visionbatch_mock"):
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        assert (Path(spec.origin).parent / "py.typed").exists()


def test_the_base_install_imports_neither_airflow_nor_flask() -> None:
    program = (
        "import sys, visionbatch, visionbatch.cli\n"
        "for name in visionbatch.__all__: name in ('Hub', 'await_end', 'hub') or getattr(visionbatch, name)\n"
        "heavy = {'airflow', 'flask', 'werkzeug', 'aiohttp', 'google.cloud', 'fsspec', 'PIL', 'msgspec', 'pyarrow'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr


def test_filling_a_batch_imports_nothing_that_only_jobs_references_or_waiting_need() -> None:
    program = (
        "import sys, visionbatch.cli.roboflow_stage\n"
        "unused = {'flow.watch', 'model.tally', 'pipelines.stage_references', 'roboflow.job', 'roboflow.jobs',\n"
        "          'roboflow.references', 'transfer.upload'}\n"
        "unused = {f'visionbatch.{name}' for name in unused} & set(sys.modules)\n"
        "ours = [name for name in sys.modules if name.startswith('visionbatch')]\n"
        "sys.exit(', '.join(sorted(unused)) or (len(ours) if len(ours) > 110 else 0))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("command", ["stage", "fetch"])
def test_a_command_of_one_service_imports_no_other_one_and_nothing_that_only_loops_or_stores_need(command: str) -> None:
    program = (
        f"import sys, visionbatch.cli.roboflow_{command}\n"
        "heavy = {'asyncio', 'aiohttp', 'fsspec', 'requests', 'tomllib', 'urllib.request', 'urllib3', 'xml.etree',\n"
        "         'visionbatch.deepomatic.api', 'visionbatch.deepomatic.settings', 'visionbatch.flow.gathering',\n"
        "         'visionbatch.io.gcs_bucket', 'visionbatch.pipelines.doctor', 'visionbatch.transfer.zip_reader',\n"
        "         'visionbatch.vias.api', 'visionbatch.vias.settings'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
