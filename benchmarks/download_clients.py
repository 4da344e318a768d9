"""One download by one method, in a process of its own: ``python -m benchmarks.download_clients METHOD NAME TARGET``.

Prints wall and CPU seconds of the download alone, children included and imports not, and the peak of the whole process.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.harness import memory_kib, own_cpu

BUCKET = "benchmark"
CHUNK = 32 << 20
"""transfer_manager's own default."""
BLOCK, SUMMED = 256 << 10, 64 << 10
"""What ours receives and sums at a time."""

Fetch = Callable[[], None]


def ours(name: str, target: str) -> Fetch:
    """As `visionbatch.fetch_export` does it for each file."""
    import google.auth.transport.requests
    import google.cloud.storage.retry  # noqa: F401  # what the first call would load

    from visionbatch.io.gcs_bucket import GcsBucket
    from visionbatch.transfer.download import Download

    def fetch() -> None:
        with GcsBucket(BUCKET) as bucket:
            Download(bucket.remote(bucket.look(name)), Path(target)).run()

    return fetch


def by_link(name: str, target: str) -> Fetch:
    """The same engine over a temporary link, which needs nothing of Google's."""
    from visionbatch.transfer.download import Download
    from visionbatch.transfer.link import Link

    store = os.environ["STORAGE_EMULATOR_HOST"]
    url = f"{store}/download/storage/v1/b/{BUCKET}/o/{name}?alt=media"

    def fetch() -> None:
        with Link(url, hosts=(store,)) as link:
            Download(link, Path(target)).run()

    return fetch


def limit(name: str, target: str) -> Fetch:
    """The least that Python can do: receive, write and sum the same blocks, with nothing around it."""
    import google_crc32c

    def fetch() -> None:
        place = urlsplit(os.environ["STORAGE_EMULATOR_HOST"])
        line = http.client.HTTPConnection(place.hostname or "", place.port or 80, timeout=60)
        line.request("GET", f"/download/storage/v1/b/{BUCKET}/o/{name}?alt=media")
        body, block, crc32c = line.getresponse(), memoryview(bytearray(BLOCK)), 0
        with Path(target).open("wb", buffering=0) as file:
            while count := body.readinto(block):
                file.write(block[:count])
                for start in range(0, count, SUMMED):
                    crc32c = google_crc32c.extend(crc32c, bytes(block[start : min(start + SUMMED, count)]))
        line.close()

    return fetch


def _blob(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

    client = storage.Client(project="benchmark", credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]  # Google's has no annotations
    return client.bucket(BUCKET).blob(name)


def to_filename(name: str, target: str) -> Fetch:
    """The one call that everybody knows."""
    return lambda: _blob(name).download_to_filename(target, checksum="crc32c")


def transfer_manager(worker: str, count: int) -> Callable[[str, str], Fetch]:
    """Google's parallel downloads."""

    def prepared(name: str, target: str) -> Fetch:
        from google.cloud.storage import transfer_manager as manager

        def fetch() -> None:
            manager.download_chunks_concurrently(
                _blob(name), target, chunk_size=CHUNK, worker_type=worker, max_workers=count
            )

        return fetch

    return prepared


METHODS: dict[str, Callable[[str, str], Fetch]] = {
    "visionbatch": ours,
    "visionbatch, by link": by_link,
    "limit": limit,
    "download_to_filename": to_filename,
    "transfer_manager, processes": transfer_manager("process", 8),
    "transfer_manager, threads": transfer_manager("thread", 8),
}

WITHOUT_GOOGLE = ("visionbatch, by link", "limit")


def main() -> None:
    """Fetch once and print what it took."""
    method, name, target = sys.argv[1:]
    if method not in WITHOUT_GOOGLE:
        _blob(name)
    fetch = METHODS[method](name, target)
    cpu, began = own_cpu(), time.perf_counter()
    fetch()
    wall, spent = time.perf_counter() - began, own_cpu() - cpu
    print(json.dumps({"wall_s": wall, "cpu_s": spent, "peak_mib": memory_kib(what="VmHWM") / 1024}))


if __name__ == "__main__":
    main()
