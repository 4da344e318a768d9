"""What a fetch has put in place so far, line by line, so that a kill costs no file that is there."""

from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path
from typing import TextIO

from visionbatch.io.closing import Closable
from visionbatch.pipelines.roboflow_manifest import ResultFile, ResultKey

NAME = ".fetched.jsonl"


class FetchLog(Closable):
    """A file beside the results; may be shared by threads.

    :param fingerprint: of what is being fetched; what was noted of anything else does not count.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.noted: dict[ResultKey, ResultFile] = {}
        same = self._read(fingerprint)
        self._file: TextIO = path.open("a" if same else "w", encoding="utf-8")
        if not same:
            self._line({"fingerprint": fingerprint})

    def add(self, file: ResultFile) -> None:
        """Note a file that is in place; it outlives a kill from here on."""
        with self._lock:
            self._line(dataclasses.asdict(file))

    def close(self) -> None:
        """End it, and leave it for a later try."""
        self._file.close()

    def done(self) -> None:
        """Remove it: the manifest has it all."""
        self.close()
        self._path.unlink(missing_ok=True)

    def _line(self, value: object) -> None:
        self._file.write(json.dumps(value) + "\n")
        self._file.flush()

    def _read(self, fingerprint: str) -> bool:
        """Take in what is there; false when it is of something else, or its last line was torn by a kill."""
        try:
            lines = self._path.read_text(encoding="utf-8").split("\n")
            if json.loads(lines[0]) != {"fingerprint": fingerprint}:
                return False
            for line in filter(None, lines[1:]):
                file = ResultFile.read(json.loads(line))
                self.noted[file.key] = file
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return lines[-1] == ""
