"""The reference of the command line, from the code; ``python -m tests.docs.command_line`` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click

from visionbatch.cli import cli

PAGE = Path(__file__).parents[2] / "docs" / "command-line-reference.md"
HEAD = """# Command line reference

Made from the code by `python -m tests.docs.command_line`. What the commands have in common (identity of a run, exit
codes, JSON, signals, configuration) stands in [the command line](command-line.md).
"""


def reference() -> str:
    """The whole page."""
    context = click.Context(cli, info_name="visionbatch")
    return "\n".join([HEAD, *_described(cli, context)])


def _described(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"## `{context.command_path}`\n"
    yield f"{cleandoc(command.help or '')}\n"
    arguments = [p.make_metavar(context) for p in command.params if isinstance(p, click.Argument)]
    if arguments:
        yield f"Takes `{' '.join(arguments)}`.\n"
    records = [p.get_help_record(context) for p in command.params if isinstance(p, click.Option)]
    if any(records):
        yield "| option | what it does |\n| --- | --- |"
        yield from (f"| `{_cell(option)}` | {_cell(text)} |" for option, text in filter(None, records))
        yield ""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from _described(below, click.Context(below, info_name=name, parent=context))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(reference())
