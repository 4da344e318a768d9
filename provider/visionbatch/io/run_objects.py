"""Run records as objects, for runs that go on on another machine without a scheduler's state store."""

from __future__ import annotations

import json
from typing import Any

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
        self._filesystem.invalidate_cache(self._path)
        try:
            text = self._filesystem.cat_file(self._path)
        except FileNotFoundError:
            return None
        return RunRecord.parse(text, self._path)

    def save(self, record: RunRecord) -> None:
        """See `visionbatch.model.run.RunStore.save`."""
        folder, _, _ = self._path.rpartition("/")
        if folder:
            self._filesystem.makedirs(folder, exist_ok=True)
        self._filesystem.pipe_file(self._path, json.dumps(record.to_json()).encode())

    def clear(self) -> None:
        """See `visionbatch.model.run.RunStore.clear`."""
        if self._filesystem.exists(self._path):
            self._filesystem.rm_file(self._path)
