"""The pages that are made from the code are those of the code, and all pages together make a site."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from docs import command_line, cookbook


@pytest.mark.parametrize(
    ("module", "page", "text"),
    [
        ("command_line", command_line.PAGE, command_line.reference),
        ("cookbook", cookbook.PAGE, cookbook.cookbook),
    ],
    ids=["command_line", "cookbook"],
)
def test_a_page_made_from_the_code_is_up_to_date(module, page, text) -> None:
    assert page.read_text() == text(), f"python -m tests.docs.{module}"


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    build = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-b",
        "html",
        str(root / "docs"),
        str(tmp_path),
    ]
    built = subprocess.run(build, capture_output=True, text=True, timeout=240, check=False)
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "index.html").is_file()
