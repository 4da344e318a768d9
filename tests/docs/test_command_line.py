"""The reference of the command line is that of the code."""

from __future__ import annotations

from docs.command_line import PAGE, reference


def test_the_reference_is_up_to_date() -> None:
    assert PAGE.read_text() == reference(), "python -m tests.docs.command_line"
