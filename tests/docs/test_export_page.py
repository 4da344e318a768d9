"""The page of the data export says what the files hold."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from visionbatch.deepomatic.export_schema import COLUMNS, Table

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "export.md").read_text()
CORE = ROOT / "provider" / "visionbatch"
ROW = re.compile(r"^\| `(?P<name>[^`]+)` \| (?P<type>[^|]+) \|", re.MULTILINE)


def section(heading: str) -> str:
    return PAGE.split(f"{heading}\n", 1)[1].split("\n#", 1)[0]


def rules_in_the_code() -> set[str]:
    """The first argument of every `Broken` that is raised."""
    files = ("deepomatic/export_records.py", "pipelines/export_chunks.py")
    calls = [node for file in files for node in ast.walk(ast.parse((CORE / file).read_text()))]
    return {
        ast.literal_eval(node.args[0])
        for node in calls
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Broken"
    }


def test_every_column_is_on_the_page_with_its_type() -> None:
    for table in Table:
        listed = {row["name"]: row["type"].strip() for row in ROW.finditer(section(f"#### `{table}`"))}
        assert list(listed.items()) == [(name, str(kind)) for name, kind in COLUMNS[table].items()], table


def test_every_rule_of_a_broken_line_is_on_the_page() -> None:
    assert {row["name"] for row in ROW.finditer(section("### Broken lines"))} == rules_in_the_code()
