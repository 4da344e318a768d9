"""One upload by one method, in a process of its own: ``python -m benchmarks.upload_clients METHOD URL FILE [SCRIPT]``.

Prints wall and CPU seconds of the upload alone, without the imports, and the peak of the whole process.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.harness import memory_kib

Upload = Callable[[], None]
Prepare = Callable[[str, str], Upload]


def visionbatch(url: str, path: str) -> Upload:
    """Ours: a batch is made and its archive sent, as `visionbatch.Deepomatic` does it."""
    from visionbatch import Deepomatic, DeepomaticSettings, Secret, token_header
    from visionbatch.transfer.source import FileSource

    def upload() -> None:
        settings = DeepomaticSettings(url, upload_hosts=(url,), allow_plain_http=True)
        with Deepomatic(settings, lambda: token_header(Secret("key"))) as site, FileSource(path) as source:
            session = site.create("benchmark").upload_url
            assert session is not None
            site.upload(source, session)

    return upload


def raw_socket(url: str, path: str) -> Upload:
    """The limit: one request, whose body the kernel takes from the file. It could not go on after a failure."""
    parts = urlsplit(url)

    def upload() -> None:
        with socket.create_connection((parts.hostname, parts.port)) as sock, Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            sock.sendall(f"PUT /session/raw HTTP/1.1\r\nHost: raw\r\nContent-Length: {size}\r\n\r\n".encode())
            sent = 0
            while sent < size:
                sent += os.sendfile(sock.fileno(), file.fileno(), sent, size - sent)
            assert b"200" in sock.recv(1 << 16)

    return upload


def google_resumable_media(chunk_bytes: int) -> Prepare:
    """Google's own library, without its checksum."""

    def prepared(url: str, path: str) -> Upload:
        import requests
        from google.resumable_media.requests import ResumableUpload

        def upload() -> None:
            with requests.Session() as session, Path(path).open("rb") as stream:
                sending = ResumableUpload(f"{url}/resumable", chunk_bytes, checksum=None)
                sending.initiate(session, stream, {"name": "benchmark"}, "application/octet-stream")
                while not sending.finished:
                    sending.transmit_next_chunk(session)

        return upload

    return prepared


def google_cloud_storage(url: str, path: str) -> Upload:
    """Google's client as its documentation uses it, in its chunks of 100 MiB and without its checksum."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    def upload() -> None:
        client = storage.Client("benchmark", AnonymousCredentials(), client_options={"api_endpoint": url})
        client.bucket("benchmark").blob("archive").upload_from_filename(path, checksum=None)

    return upload


def requests_streaming(url: str, path: str) -> Upload:
    """One request with the file as its body; it cannot go on after a failure."""
    import requests

    def upload() -> None:
        with requests.Session() as session, Path(path).open("rb") as stream:
            made = session.post(f"{url}/v0.2/batches", timeout=60).json()
            session.put(made["upload_url"], data=stream, timeout=600).raise_for_status()

    return upload


def documented(url: str, path: str) -> Upload:
    """The vendor's documented script, read where the caller says."""
    import requests  # noqa: F401  # the script's import is not its upload

    def upload() -> None:
        sys.argv = [sys.argv[4], url, path]
        os.environ["CUSTOMER_API_KEY"] = "key"
        runpy.run_path(sys.argv[0], run_name="__main__")

    return upload


METHODS: dict[str, Prepare] = {
    "visionbatch": visionbatch,
    "raw sendfile": raw_socket,
    "google-resumable-media 8 MiB": google_resumable_media(8 << 20),
    "google-cloud-storage": google_cloud_storage,
    "requests, streaming": requests_streaming,
    "documented script": documented,
}


@contextmanager
def silence() -> Iterator[None]:
    """What a client says to its user is not measured."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


if __name__ == "__main__":
    upload_now = METHODS[sys.argv[1]](sys.argv[2], sys.argv[3])
    wall, cpu = time.perf_counter(), time.process_time()
    with silence():
        upload_now()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    sys.stdout.write(json.dumps({"wall_s": wall, "cpu_s": cpu, "peak_mib": memory_kib(what="VmHWM") / 1024}))
