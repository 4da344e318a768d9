"""What an import costs: every parse of a Dag file and every task process pays it again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MODULES = {
    "batches": (
        "airflow_visionbatch.operators.deepomatic",
        "airflow_visionbatch.sensors.deepomatic",
        "airflow_visionbatch.sensors.deepomatic_batches",
        "airflow_visionbatch.hooks.deepomatic",
        "airflow_visionbatch.links",
    ),
    "jobs": (
        "airflow_visionbatch.operators.roboflow",
        "airflow_visionbatch.hooks.roboflow",
        "airflow_visionbatch.links",
    ),
    "staging and results": (
        "airflow_visionbatch.operators.roboflow_stage",
        "airflow_visionbatch.operators.roboflow_results",
        "airflow_visionbatch.sensors.roboflow",
    ),
    "export": (
        "airflow_visionbatch.operators.deepomatic_export",
        "airflow_visionbatch.operators.deepomatic_export_tables",
        "airflow_visionbatch.sensors.deepomatic_export",
        "airflow_visionbatch.hooks.google",
    ),
    "vias": (
        "airflow_visionbatch.operators.vias",
        "airflow_visionbatch.operators.vias_results",
        "airflow_visionbatch.sensors.vias",
    ),
}
HEAVY = ("boto3", "requests", "aiohttp", "google", "pandas", "pyarrow", "flask")
CPU_S = 0.010
NEW_MODULES = 30
INTERPRETERS = 5

PROGRAM = """
import json, sys, time
from importlib import import_module
from airflow.sdk import DAG, BaseHook, BaseOperator, BaseOperatorLink, BaseSensorOperator, task
before = set(sys.modules)
began = time.process_time()
for name in sys.argv[1:]:
    import_module(name)
spent = time.process_time() - began
print(json.dumps({"cpu_s": spent, "new": sorted(set(sys.modules) - before)}))
"""


def measured(home: Path, *modules: str) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *modules],
        # Compiled once, as wherever something is installed; the first of several interpreters does that.
        env={
            **environment,
            "AIRFLOW_HOME": str(home),
            "PYTHONPYCACHEPREFIX": str(home / "compiled"),
            "PYTHONDONTWRITEBYTECODE": "",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.airflow
@pytest.mark.parametrize("what", MODULES)
def test_operator_sensor_hook_and_link_cost_next_to_nothing_beside_airflow(tmp_path, what):
    # The least of several fresh interpreters: noise of the machine only ever adds.
    results = []
    while len(results) < INTERPRETERS:
        results.append(measured(tmp_path, *MODULES[what]))
        if len(results) > 1 and results[-1]["cpu_s"] <= CPU_S:
            break
    new = results[-1]["new"]
    assert not [name for name in new if name.partition(".")[0] in HEAVY]
    assert len(new) <= NEW_MODULES, new
    assert min(result["cpu_s"] for result in results) <= CPU_S


def test_the_base_package_knows_neither_airflow_nor_flask():
    program = (
        "import sys, visionbatch; visionbatch.Deepomatic; print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.split())
    assert "visionbatch" in loaded
    assert not loaded & {"airflow", "airflow_visionbatch", "flask", "werkzeug", "visionbatch_mock"}


def test_collecting_these_tests_imports_no_airflow(tmp_path):
    """A run without the marker must not pay for Airflow, nor leave a home behind."""
    program = """
import sys, pytest
code = pytest.main([sys.argv[1], "--collect-only", "-q", "-m", "not airflow", "-p", "no:cacheprovider"])
assert code in (0, 5), code
assert "airflow" not in sys.modules
"""
    here = Path(__file__).parent
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, "-c", program, str(here)],
        env={**environment, "HOME": str(tmp_path)},
        cwd=here.parents[1],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "airflow").exists()
