"""Begins a run and is killed when half of its archive is on the way."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from visionbatch import Deepomatic, DeepomaticRun, DeepomaticSettings, Secret, TransferSettings, Tuning, token_header
from visionbatch.io.run_files import FileRunStore

if __name__ == "__main__":
    url, token, orders, state, chunk_bytes = sys.argv[1:6]

    def die_half_way(position: int, total: int) -> None:
        # In the middle of a chunk, for what becomes of a whole one is not known when its sender dies.
        if position > total // 2:
            os._exit(137)

    transfer = TransferSettings(chunk_bytes=int(chunk_bytes), block_bytes=65_536, checkpoint_s=0.001)
    tuning = Tuning(transfer=transfer)
    settings = DeepomaticSettings(url, upload_hosts=(url,))
    with Deepomatic(settings, lambda: token_header(Secret(token)), tuning=tuning) as client:
        run = DeepomaticRun(client, FileRunStore(Path(state), "run"), progress=die_half_way)
        with client.check(orders) as checked:
            run.submit(checked, label="orders")
