"""Several processes that read chunks of an export side by side. Needs the extra ``parquet``."""

from __future__ import annotations

import subprocess
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from multiprocessing import Pipe

from visionbatch.errors import InputError, SourceUnreadable
from visionbatch.pipelines.export_chunks import FileChunk, Portion
from visionbatch.pipelines.export_settings import TableSettings
from visionbatch.pipelines.export_worker import command, receive_portion, send_chunk


class Worker:
    """One process, which has one chunk at a time."""

    def __init__(self, settings: TableSettings) -> None:
        self._wire, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # our own module, by the interpreter that runs this
                command(theirs.fileno(), settings), pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
            )

    def send(self, chunk: FileChunk) -> None:
        """Give it a chunk, once it has answered to the one before.

        :raises SourceUnreadable: when the process has ended.
        """
        try:
            send_chunk(self._wire, chunk)
        except OSError as error:
            raise self._gone() from error

    def receive(self) -> Portion:
        """Its answer.

        :raises SourceUnreadable: when the process has ended.
        """
        try:
            return receive_portion(self._wire)
        except (EOFError, OSError) as error:
            raise self._gone() from error

    def close(self) -> None:
        """End it, whatever it does: it keeps nothing that could be lost."""
        self._wire.close()
        self._process.kill()
        self._process.wait()

    def _gone(self) -> SourceUnreadable:
        return SourceUnreadable(
            f"a process that read lines of the export ended with {self._process.wait()}",
            next_step="Try again, with fewer processes when memory is short.",
        )


class Workers:
    """As many processes as the settings say."""

    def __init__(self, settings: TableSettings) -> None:
        self._workers: list[Worker] = []
        with ExitStack() as started:
            for _ in range(settings.processes):
                self._workers.append(Worker(settings))
                started.callback(self._workers[-1].close)
            self._open = started.pop_all()

    def portions(self, chunks: Iterable[FileChunk]) -> Iterator[Portion]:
        """What is in some chunks, in their order.

        :raises SourceUnreadable: when a process has ended.
        """
        idle, busy = deque(self._workers), deque[Worker]()
        failure: InputError | None = None
        for chunk in _or_failure(chunks):
            if isinstance(chunk, InputError):
                # What was read before it may have an error of its own, which is the first.
                failure = chunk
                break
            if idle:
                busy.append(idle.popleft())
                busy[-1].send(chunk)
                continue
            portion = busy[0].receive()
            busy.rotate(-1)
            busy[-1].send(chunk)
            yield portion
        for worker in busy:
            yield worker.receive()
        if failure is not None:
            raise failure

    def close(self) -> None:
        """End all processes."""
        self._open.close()


def _or_failure(chunks: Iterable[FileChunk]) -> Iterator[FileChunk | InputError]:
    try:
        yield from chunks
    except InputError as error:
        yield error
