"""Run records as objects, for runs that go on on another machine without a scheduler's state store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from visionbatch.errors import Unreachable
from visionbatch.model.run import RunRecord


class ObjectRunStore:
    """The record of one run as one object, which a store replaces as a whole.

    :param filesystem: any fsspec filesystem.
    :param path: of the object, without protocol.
    """

    def __init__(self, filesystem: Any, path: str) -> None:
        self._filesystem = filesystem
        self._path = path

    def load(self) -> RunRecord | None:
        """See `visionbatch.model.run.RunStore.load`."""
        with self._translated():
            self._filesystem.invalidate_cache(self._path)
            if not self._filesystem.exists(self._path):
                return None
            text = self._filesystem.cat_file(self._path)
        return RunRecord.parse(text, self._path)

    def save(self, record: RunRecord) -> None:
        """See `visionbatch.model.run.RunStore.save`.

        There is no fence between two processes here: the last one to write wins.
        """
        folder, _, _ = self._path.rpartition("/")
        with self._translated():
            if folder:
                self._filesystem.makedirs(folder, exist_ok=True)
            self._filesystem.pipe_file(self._path, json.dumps(record.to_json()).encode())

    def clear(self) -> None:
        """See `visionbatch.model.run.RunStore.clear`."""
        with self._translated():
            if self._filesystem.exists(self._path):
                self._filesystem.rm_file(self._path)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Object stores raise errors of their own making, and none of them is worth a traceback."""
        try:
            yield
        except Exception as error:
            raise Unreachable(f"the run record {self._path} is out of reach ({type(error).__name__})") from error
