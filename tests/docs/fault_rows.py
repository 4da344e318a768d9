"""Which test shows which row of the fault matrix; ``python -m tests.docs.fault_rows`` brings the page up to date."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "faults.md"
ROW = re.compile(r"^\| (?P<id>[A-Z]{2}\d+) \| (?P<what>[^|]*) \|(?P<test>[^|]*)\|$", re.MULTILINE)


def marked() -> Iterator[tuple[str, str]]:
    """Every fault id that a test carries, with the test."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                for fault in _ids(node):
                    yield fault, f"{path.relative_to(ROOT).as_posix()}::{node.name}"


def _ids(test: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for decorator in test.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.fault":
            yield from (ast.literal_eval(argument) for argument in decorator.args)


def listed() -> dict[str, tuple[str, str]]:
    """The rows of the page: id to what happens and the test that shows it."""
    return {row["id"]: (row["what"].strip(), row["test"].strip(" `")) for row in ROW.finditer(PAGE.read_text())}


def main() -> None:
    """Write the tests that carry each id into the page, and name the ids that it lacks."""
    carried = dict(marked())
    text = ROW.sub(lambda row: _line(row["id"], row["what"].strip(), carried.get(row["id"], "")), PAGE.read_text())
    PAGE.write_text(text)
    for fault in sorted(set(carried) - set(listed())):
        print(f"not on the page: {fault} {carried[fault]}")


def _line(fault: str, what: str, test: str) -> str:
    return f"| {fault} | {what} | {f'`{test}`' if test else ''} |"


if __name__ == "__main__":
    main()
