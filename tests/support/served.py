"""The mock's command in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from types import TracebackType
from typing import Self

COMMAND = (sys.executable, "-m", "visionbatch_mock.cli", "serve")


class Served:
    """`visionbatch-mock serve`, which is ended by a signal; `url` is where it listens."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("visionbatch-mock listening on "), self.process.communicate()
        self.url = line.split()[-1]

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Its exit code, and all that it wrote to standard error."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=20)
        return self.process.returncode, errors

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()
        self.process.wait(20)


def refused(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command where it is expected to end by itself."""
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)
