"""Answers, line by line, with the identity, size and a part's hash of the archive of a folder, from a process apart."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from support.archives import of_tree, part
from support.orders import sha256
from visionbatch.io.local_tree import LocalTree

if __name__ == "__main__":
    for line in sys.stdin:
        asked = json.loads(line)
        with LocalTree(Path(asked["folder"])) as tree:
            source = of_tree(asked["kind"], tree)
            told = [source.fingerprint, source.size, sha256(part(source, asked["offset"], asked["stop"]))]
        sys.stdout.write(f"{json.dumps(told)}\n")
        sys.stdout.flush()
