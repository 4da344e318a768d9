"""From a folder to an uploaded archive by one method, in a process of its own.

Run: ``python -m benchmarks.archive_clients METHOD URL FOLDER SCRATCH [SCRIPT]``. Prints wall and CPU seconds, without
the imports and with the children, the peak of the largest process, and the bytes written to disk.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import resource
import runpy
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.harness import memory_kib, own_cpu

READ_BYTES = 1 << 20
READY = "ready.bin"
"""A file in the scratch folder, as long as the archive."""


class Client:
    """One method: made with its imports, then run once."""

    def __init__(self, url: str, folder: str, scratch: str, script: str | None) -> None:
        self.url = url
        self.folder = folder
        self.scratch = Path(scratch)
        self.script = script

    def run(self) -> None:
        raise NotImplementedError

    @property
    def target(self) -> str:
        return f"{urlsplit(self.url).path}/session/{type(self).__name__}-{os.getpid()}"

    @contextmanager
    def connection(self) -> Iterator[http.client.HTTPConnection]:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=600)
        with contextlib.closing(connection):
            yield connection

    def put(self, body: Iterable[bytes], length: int | None) -> None:
        """One request for all; in chunks of HTTP where the length is not known."""
        headers = {"Transfer-Encoding": "chunked"} if length is None else {"Content-Length": str(length)}
        with self.connection() as connection:
            connection.request("PUT", self.target, body=body, headers=headers, encode_chunked=length is None)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"the sink says {answer.status}")


class Ours(Client):
    """The product, with its own sending as it comes."""

    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        from visionbatch import Deepomatic, DeepomaticSettings, Secret, token_header
        from visionbatch.io.local_tree import LocalTree
        from visionbatch.transfer.folder import members
        from visionbatch.transfer.plan import Plan
        from visionbatch.transfer.source import FileSource
        from visionbatch.transfer.tar_shard import TarShard
        from visionbatch.transfer.zip_archive import ZipArchive

        self.FileSource = FileSource
        settings = DeepomaticSettings(self.url, upload_hosts=(self.url,), allow_plain_http=True)
        self._site = lambda: Deepomatic(settings, lambda: token_header(Secret("key")))
        self._kinds = {"zip": ZipArchive, "tar": TarShard}
        self._members, self._plan, self._tree = members, Plan, LocalTree

    def send(self, source: Any) -> None:
        with self._site() as site:
            session = site.create("benchmark").upload_url
            assert session is not None
            site.upload(source, session)

    def computed(self, kind: str) -> Any:
        """The archive of everything in the folder, unchecked."""
        tree = self._tree(Path(self.folder))
        plan = self._plan("benchmark")
        for member in self._members(tree):
            plan.add(member)
        return self._kinds[kind](plan, tree)


class Checked(Ours):
    """With the check of every work order, which no peer does."""

    def run(self) -> None:
        with self._site() as site, site.check(self.folder) as checked:
            self.send(checked.ready())


class Zip(Ours):
    def run(self) -> None:
        self.send(self.computed("zip"))


class Tar(Ours):
    def run(self) -> None:
        self.send(self.computed("tar"))


class MakeArchiveDocumented(Client):
    """What a user does today; the vendor's script is read where the caller says."""

    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        import requests  # noqa: F401  # the script's import is not its upload

    def run(self) -> None:
        made = shutil.make_archive(str(self.scratch / "made"), "zip", self.folder)
        assert self.script is not None
        sys.argv = [self.script, self.url, made]
        os.environ["CUSTOMER_API_KEY"] = "key"
        runpy.run_path(self.script, run_name="__main__")


class MakeArchive(Ours):
    def run(self) -> None:
        with self.FileSource(shutil.make_archive(str(self.scratch / "made"), "zip", self.folder)) as source:
            self.send(source)


class StoredFile(Ours):
    def run(self) -> None:
        made = self.scratch / "made.zip"
        with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
            for path in files_below(self.folder):
                archive.write(path, os.path.relpath(path, self.folder))
        with self.FileSource(made) as source:
            self.send(source)


class ZipstreamNg(Client):
    """Sized, which takes no checksum of the bytes in advance."""

    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        import zipstream

        self._zipstream = zipstream

    def run(self) -> None:
        stream = self._zipstream.ZipStream(sized=True)
        stream.add_path(self.folder, "/")
        self.put(stream, len(stream))


class StreamZip(Client):
    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        import stream_zip

        self._stream_zip = stream_zip

    def run(self) -> None:
        moment = datetime.now().astimezone()
        method = self._stream_zip.NO_COMPRESSION_32
        self.put(
            self._stream_zip.stream_zip(
                (os.path.relpath(path, self.folder), moment, 0o644, method, pieces(path))
                for path in files_below(self.folder)
            ),
            None,
        )


class TarCurl(Client):
    def run(self) -> None:
        with subprocess.Popen(["tar", "-cC", self.folder, "."], stdout=subprocess.PIPE) as tar:
            command = ["curl", "-sS", "-f", "-o", "/dev/null", "-T", "-", f"{self.url}{self.target}"]
            subprocess.run(command, stdin=tar.stdout, check=True, timeout=600)
        if tar.returncode:
            raise RuntimeError(f"tar ended with {tar.returncode}")


class ReadAll(Client):
    """The limit of the folder: every file read into one place, nothing sent."""

    def run(self) -> None:
        room = bytearray(READ_BYTES)
        for path in files_below(self.folder):
            descriptor = os.open(path, os.O_RDONLY)
            while os.readv(descriptor, [room]) == len(room):
                pass
            os.close(descriptor)


class SendReady(Client):
    """The limit of the connection: a ready file of that length, copied by the kernel."""

    def run(self) -> None:
        with (self.scratch / READY).open("rb") as file, self.connection() as connection:
            length = os.fstat(file.fileno()).st_size
            connection.putrequest("PUT", self.target)
            connection.putheader("Content-Length", str(length))
            connection.endheaders()
            assert isinstance(connection.sock, socket.socket)
            connection.sock.sendfile(file)
            connection.getresponse().read()


METHODS: dict[str, type[Client]] = {
    "visionbatch": Zip,
    "visionbatch, checked": Checked,
    "visionbatch, tar": Tar,
    "make_archive, documented script": MakeArchiveDocumented,
    "make_archive, best upload": MakeArchive,
    "ZIP_STORED file, best upload": StoredFile,
    "zipstream-ng": ZipstreamNg,
    "stream-zip": StreamZip,
    "tar to curl -T -": TarCurl,
    "limit: read all": ReadAll,
    "limit: send one file": SendReady,
}


def files_below(folder: str) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        yield from (f"{place}/{name}" for name in sorted(names))


def pieces(path: str) -> Iterator[bytes]:
    with Path(path).open("rb") as file:
        while piece := file.read(READ_BYTES):
            yield piece


def written_bytes() -> int:
    """Bytes that this process and its ended children made the kernel write to a disk, now or later."""
    used = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(one.ru_oublock for one in used) * 512


def measured(act: Callable[[], None]) -> dict[str, float]:
    wall, cpu, written = time.perf_counter(), own_cpu(), written_bytes()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        act()
    return {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": own_cpu() - cpu,
        "peak_mib": max(memory_kib(what="VmHWM"), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024,
        "written_mib": (written_bytes() - written) / (1 << 20),
    }


if __name__ == "__main__":
    method, *about = sys.argv[1:]
    client = METHODS[method](*about[:3], about[3] if len(about) > 3 else None)
    sys.stdout.write(json.dumps(measured(client.run)))
