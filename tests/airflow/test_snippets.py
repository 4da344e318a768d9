"""The Airflow snippets of the documentation, run as they are printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SNIPPET = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def snippets() -> list[Any]:
    found = [(page.name, n, text) for page in PAGES for n, text in enumerate(SNIPPET.findall(page.read_text()))]
    # A test of the reader's own is run as one, by `test_three_lines`.
    mine = [each for each in found if "airflow" in each[2] and "def test_" not in each[2]]
    return [pytest.param(text, id=f"{name}-{n}") for name, n, text in mine]


@pytest.mark.parametrize("text", snippets())
def test_a_snippet_makes_dags_tasks_or_assets_that_airflow_takes(text: str) -> None:
    from airflow.sdk import DAG, Asset  # noqa: PLC0415
    from airflow.sdk.definitions._internal.abstractoperator import AbstractOperator  # noqa: PLC0415

    names: dict[str, Any] = {}
    with DAG("around_it", schedule=None):
        exec(compile(text, "snippet", "exec"), names)
    # A decorated function makes its Dag each time that it is called, as its last line does.
    last = text.strip().splitlines()[-1]
    made = [names[last.removesuffix("()")]()] if last.endswith("()") else list(names.values())
    dags = [value for value in made if isinstance(value, DAG)]
    assert dags or any(isinstance(value, (Asset, AbstractOperator)) for value in made)
    assert all(dag.task_ids for dag in dags)
