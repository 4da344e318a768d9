"""The failure cookbook, from the tree of errors; ``python -m tests.docs.cookbook`` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import getdoc
from pathlib import Path

from visionbatch.errors import ExitCode, VisionBatchError, every_error

PAGE = Path(__file__).parents[2] / "docs" / "cookbook.md"
HEAD = """# When something fails

Every error says what happened, to which batch, whether another try is safe, and what to do next. Here they all are, by
the exit code of [the command line](command-line.md#exit-codes); in Airflow the same classes end a task, and those of
codes 2, 3 and 4 do so without spending its retries. Made from the code by `python -m tests.docs.cookbook`.
"""


def cookbook() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(line for code in ExitCode for line in _section(code))])


def _section(code: ExitCode) -> Iterator[str]:
    found = [kind for kind in every_error()[1:] if kind.exit_code is code]
    if not found:
        return
    yield f"## {int(code)}: {code.name.lower()}\n"
    yield "| error | what happened | safe to retry | what to do |\n| --- | --- | --- | --- |"
    yield from (_row(kind) for kind in found)
    yield ""


def _row(kind: type[VisionBatchError]) -> str:
    told = (getdoc(kind) or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
    advice = kind.default_next_step or "the message says it"
    return f"| `{kind.__name__}` | {told} | {'yes' if kind.default_retry_safe else 'as the message says'} | {advice} |"


if __name__ == "__main__":
    PAGE.write_text(cookbook())
