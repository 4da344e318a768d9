"""The command line as a process, with an environment of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATIENCE_S = 60.0
COMMAND = Path(sys.executable).with_name("visionbatch")


@dataclass
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class CommandLine:
    """Runs commands.

    :param environment: all that they find in theirs.
    :param printed: what all of them have said.
    """

    environment: dict[str, str]
    printed: list[tuple[str, bytes]] = field(default_factory=list)

    def __call__(self, *arguments: object, stdin: str = "", **environment: str) -> Ended:
        process = self.start(*arguments, stdin=subprocess.PIPE, **environment)
        return self.ended(process, stdin)

    def start(
        self, *arguments: object, stdout: int = subprocess.PIPE, stdin: int = subprocess.DEVNULL, **environment: str
    ) -> subprocess.Popen[str]:
        command = [str(COMMAND), *map(str, arguments)]
        return subprocess.Popen(
            command,
            env={**self.environment, **environment},
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            # Whatever started the tests may have switched some signals off.
            preexec_fn=_all_signals,  # noqa: PLW1509  # nothing but signals is touched
        )

    def ended(self, process: subprocess.Popen[str], stdin: str | None = None) -> Ended:
        try:
            out, err = process.communicate(stdin, timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        self.printed += [("stdout", (out or "").encode()), ("stderr", (err or "").encode())]
        return Ended(process.returncode, out or "", err or "")


def _all_signals() -> None:
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
