"""The test of a Dag that the mock's page shows, run as it is printed there, by pytest in a project of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.orders import write_orders

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(600)
def test_the_printed_test_passes_and_fails_when_the_service_does_not(
    airflow_settings: dict[str, str], tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "mock.md").read_text()
    (printed,) = [text for text in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "vision_connections" in text]
    shutil.copy(ROOT / "dags" / "deepomatic_batch.py", airflow_settings["AIRFLOW__CORE__DAGS_FOLDER"])
    write_orders(tmp_path / "work_orders")
    (tmp_path / "test_printed.py").write_text(printed)
    told = 'deepomatic_batch().test(run_conf={"work_orders": "nowhere", "reports": "reports"})'
    (tmp_path / "test_wrong.py").write_text(re.sub(r"deepomatic_batch\(\)\.test\(.*\)", lambda _: told, printed))

    said = run(airflow_settings, tmp_path)

    assert "1 failed, 1 passed" in said, said
    assert "FAILED test_wrong.py" in said


def run(settings: dict[str, Any], place: Path) -> str:
    environment = {**os.environ, **settings, "PYTHONPATH": settings["AIRFLOW__CORE__DAGS_FOLDER"]}
    environment.pop("PYTEST_ADDOPTS", None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:schemathesis", "-p", "no:cacheprovider"]
    ran = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=280, check=False)
    return ran.stdout[-4000:] + ran.stderr[-2000:]
