"""Fetching results from a service that misbehaves, over real sockets and into real folders."""

from __future__ import annotations

import gc
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import fsspec
import google_crc32c
import pyarrow.parquet as pq
import pytest

from support.outputs import Outputs
from support.patience import wait_until
from support.tars import member, of_files, packed, tar
from visionbatch.config import DownloadSettings
from visionbatch.errors import AlreadyRunning, Damaged, EndlessList, InputMissing, LinkExpired, NoRoom, UnsafeArchive
from visionbatch.io.folders import LocalFolder, ObjectFolder
from visionbatch.model.safe_names import broken_rule
from visionbatch.model.secret import Secret, SecretUrl
from visionbatch.pipelines.fetch_log import NAME as LOG
from visionbatch.pipelines.fetch_log import FetchLog
from visionbatch.pipelines.fetched import MANIFEST
from visionbatch.pipelines.roboflow import Roboflow, roboflow_key
from visionbatch.pipelines.roboflow_fetch import FetchSettings, fetch_results
from visionbatch.pipelines.roboflow_listing import ResultListing
from visionbatch.pipelines.roboflow_manifest import ResultFile, ResultKey, ResultsManifest
from visionbatch.pipelines.row_settings import RowSettings
from visionbatch.roboflow.settings import RoboflowSettings
from visionbatch_mock.roboflow.lifecycle import JobState

MIB = 1 << 20
GET = "roboflow.files.get"
PHOTO = bytes(range(256)) * 12_000
ROWS = b'{"image": "a.jpg", "count": 1}\n'


@pytest.fixture
def client(mock, tenant, clock):
    settings = RoboflowSettings(base_url=mock.url, download_hosts=(mock.url,))
    with Roboflow(settings, lambda: roboflow_key(Secret(tenant.token)), clock=clock) as client:
        yield client


@pytest.fixture
def outputs(tenant) -> Outputs:
    return Outputs(tenant)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture(params=["local", "object"])
def place(request, tmp_path: Path, folder: Path):
    if request.param == "local":
        return LocalFolder(folder)
    return ObjectFolder(fsspec.filesystem("file"), str(folder), f"file://{folder}", tmp_path / "spool")


def settings(**more) -> FetchSettings:
    download = DownloadSettings(**{"connections": 3, "checkpoint_s": 0.0, **more.pop("download", {})})
    return FetchSettings(**more, download=download)


def fetch(client, place, source=("j-1-export",), **more) -> ResultsManifest:
    place = LocalFolder(place) if isinstance(place, Path) else place
    return fetch_results(client, source, place, settings=settings(**more))


def below(folder: Path) -> dict[str, bytes]:
    """What is there, but for manifest and notes."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {
        name: path.read_bytes() for name, path in found.items() if Path(name).name not in (MANIFEST, ".unpacked.json")
    }


def test_each_archive_is_unpacked_to_a_folder_of_its_own_and_written_down(client, outputs, place, folder, tmp_path):
    # Each shard's archive has an aggregate of the same name.
    archives = [of_files({"aggregated_results.jsonl": ROWS * shard, "a/photo.jpg": PHOTO}) for shard in (1, 2)]
    outputs.batch(parts={
        "results": [("r_0.tar.gz", packed(archives[0])), ("r_1.tar", archives[1])], "logs": [("log.txt", b"log")],
    })  # fmt: skip
    manifest = fetch(client, place)
    assert below(folder) == {
        "j-1-export/results/r_0/aggregated_results.jsonl": ROWS,
        "j-1-export/results/r_0/a/photo.jpg": PHOTO,
        "j-1-export/results/r_1/aggregated_results.jsonl": ROWS * 2,
        "j-1-export/results/r_1/a/photo.jpg": PHOTO,
        "j-1-export/logs/log.txt": b"log",
    }
    assert manifest == ResultsManifest.parse((folder / MANIFEST).read_bytes())
    assert (manifest.outcome, manifest.counts()["members"], manifest.counts()["archives"]) == ("done", 4, 2)
    told = {f"{file.place}/{one.path}": one.crc32c for file in manifest.files for one in file.members}
    assert told["j-1-export/results/r_1/a/photo.jpg"] == f"{google_crc32c.value(PHOTO):08x}"
    assert not list((tmp_path / "spool").rglob("*.jpg"))


def test_what_is_there_is_not_fetched_again_and_what_was_damaged_is(client, outputs, place, folder, books):
    outputs.batch(parts={"results": [("r_0.tar", of_files({"a.jpg": PHOTO, "b.jpg": b"b"})), ("x.txt", b"x")]})
    first = fetch(client, place)
    again = fetch(client, place)
    assert len(books.requests(GET)) == 2
    assert (again.fetched_bytes, again.files) == (0, first.files)
    (folder / "j-1-export/results/r_0/b.jpg").unlink()
    fetch(client, place)
    assert len(books.requests(GET)) == 3
    assert below(folder)["j-1-export/results/r_0/b.jpg"] == b"b"


def test_archives_that_are_wanted_now_are_fetched_once_more(client, outputs, folder, books):
    archive = of_files({"a.jpg": PHOTO})
    outputs.batch(parts={"results": [("r_0.tar", archive)]})
    fetch(client, folder)
    fetch(client, folder, keep_archives=True)
    fetch(client, folder, keep_archives=True)
    assert (folder / "j-1-export/results/r_0.tar").read_bytes() == archive
    assert len(books.requests(GET)) == 2


@pytest.mark.parametrize("torn", ['{"key": {"batch": "j-1-ex', '{"key": 1}\n'])
def test_a_line_that_a_kill_has_torn_costs_that_line_alone(folder, torn):
    folder.mkdir(parents=True)
    files = [ResultFile(ResultKey("b", "p", name), f"b/p/{name}", 1, "00000000") for name in ("1", "2", "3")]
    with FetchLog(folder / LOG, "same", ResultFile.read) as noted:
        noted.add(files[0])
        noted.add(files[1])
    with (folder / LOG).open("a") as file:
        file.write(torn)
    with FetchLog(folder / LOG, "same", ResultFile.read) as noted:
        assert set(noted.noted.values()) == set(files[:2])
        noted.add(files[2])
    with FetchLog(folder / LOG, "same", ResultFile.read) as noted:
        assert set(noted.noted.values()) == set(files)
    with FetchLog(folder / LOG, "other", ResultFile.read) as noted:
        assert not noted.noted


def test_a_run_that_fails_forgets_nothing_of_what_is_there(client, outputs, folder, books, tenant):
    outputs.batch(parts={"a": [("r_0.tar", of_files({"a.jpg": PHOTO}))], "b": [("x.txt", b"x")]})
    fetch(client, folder)
    tenant.configure(roboflow_looping_tokens=True)
    with pytest.raises(EndlessList):
        fetch(client, folder)
    assert ResultsManifest.parse((folder / MANIFEST).read_bytes()).outcome == "unfinished"
    tenant.configure(roboflow_looping_tokens=False)
    assert fetch(client, folder).outcome == "done"
    assert len(books.requests(GET)) == 2


def test_results_that_were_made_anew_are_fetched_anew(client, outputs, tenant, folder):
    outputs.batch(parts={"results": [("x.txt", b"old")]})
    fetch(client, folder)
    tenant.clock.advance(5.0)
    outputs.batch(parts={"results": [("x.txt", b"new")]})
    fetch(client, folder)
    assert below(folder) == {"j-1-export/results/x.txt": b"new"}


def test_the_results_of_a_job_are_found_by_its_stages(client, outputs, folder):
    manifest = fetch(client, folder, outputs.job("j-1"))
    assert (manifest.job_id, manifest.batches) == ("j-1", ("j-1-export",))
    (rows,) = (content for name, content in below(folder).items() if name.endswith("aggregated_results.jsonl"))
    assert [json.loads(line)["image"] for line in rows.splitlines()] == ["a.jpg"]
    processing = fetch_results(client, "j-1", LocalFolder(folder / "single"), stage="processing")
    assert processing.batches == ("j-1-processing",)


def test_a_stage_that_has_not_ended_has_no_results(client, outputs, folder):
    outputs.job("j-1", until=JobState.EXPORTING)
    with pytest.raises(InputMissing, match="stage 'export' is still running") as caught:
        fetch(client, folder, "j-1")
    assert caught.value.retry_safe
    with pytest.raises(InputMissing, match="no stage 'tea' yet, its stages are: processing, export"):
        fetch_results(client, "j-1", LocalFolder(folder), stage="tea")


def test_a_link_that_expires_in_mid_file_is_renewed_by_a_listing_and_the_rest_is_fetched(
    client, outputs, folder, faults, books
):
    outputs.batch(parts={"results": [("big.bin", PHOTO), ("other.bin", PHOTO[::-1])]})
    faults(GET, "return-broken-stream-after-1000K", "expire-link")
    manifest = fetch(client, folder, download={"connections": 1})
    assert below(folder)["j-1-export/results/big.bin"] == PHOTO
    assert manifest.fetched_bytes == 2 * len(PHOTO)
    # Cut, refused, the rest of it, and the other file.
    assert [entry.status for entry in books.requests(GET)] == [200, 403, 206, 200]
    # One for the files, another for the link.
    assert len(books.requests("roboflow.batches.content")) == 2


def test_links_that_all_expire_together_cost_one_listing(client, outputs, folder, books, tenant):
    outputs.batch(parts={"results": [(f"{number}.bin", b"x" * 1000) for number in range(12)]})
    tenant.configure(roboflow_download_life_s=60.0)
    listing = client.api.staging.each_file

    def slow(batch_id, take, part=""):
        yield from listing(batch_id, take, part)
        if len(books.requests("roboflow.batches.content")) == 1:
            tenant.clock.advance(61.0)

    client.api.staging.each_file = slow
    fetch(client, folder)
    assert len(below(folder)) == 12
    assert len(books.requests("roboflow.batches.content")) == 2


def test_links_of_parts_that_are_done_are_not_held_and_had_again_when_needed(client, outputs, books):
    parts = {f"p{part}": [(f"{number}.txt", b"x") for number in range(50)] for part in range(6)}
    outputs.batch(parts=parts)
    gc.collect()
    before = sum(isinstance(each, SecretUrl) for each in gc.get_objects())
    listing, first, most = ResultListing(client, ["j-1-export"]), [], 0
    for key, url in listing.files():
        first += [(key, url)] if key.part == "p0" else []
        most = max(most, sum(isinstance(each, SecretUrl) for each in gc.get_objects()) - before - len(first))
    assert most <= 3 * 50
    listed = len(books.requests("roboflow.batches.content"))
    assert all(listing.fresh(key, url).reveal() != url.reveal() for key, url in first)
    assert len(books.requests("roboflow.batches.content")) == listed + 1


def test_a_file_that_is_gone_when_its_link_has_expired_is_said_to_be(client, outputs, folder, tenant):
    outputs.batch(parts={"results": [("gone.bin", PHOTO)]})
    listing, asked = client.api.staging.each_file, []

    def once(batch_id, take, part=""):
        asked.append(part)
        yield from listing(batch_id, take, part)
        if len(asked) == 1:
            outputs.batch(parts={"results": [("another.bin", b"x")]})
            tenant.clock.advance(2 * 24 * 3600.0)

    client.api.staging.each_file = once
    with pytest.raises(LinkExpired, match=r"'gone\.bin' of batch j-1-export is not listed any more"):
        fetch(client, folder)


def test_a_listing_that_comes_round_again_ends(client, outputs, folder, tenant):
    outputs.batch(parts={"results": [(f"{number}.bin", b"x") for number in range(7)]})
    tenant.configure(roboflow_page_items=2, roboflow_looping_tokens=True)
    with pytest.raises(EndlessList):
        fetch(client, folder)
    tenant.configure(roboflow_looping_tokens=False)
    assert len(fetch(client, folder).files) == 7


NAMES = ["../../x", "x", "", "/etc/passwd", "C:\\windows\\x", "a/b.txt", "a", "..", "n" * 300 + ".jpg", "twice.tar",
         "twice.tar.gz", "twice", "nul\0byte", ".hidden", "manifest.json"]  # fmt: skip


@pytest.mark.fault("EX14")
def test_names_of_the_service_are_made_harmless_and_unique_and_the_manifest_maps_them(
    client, outputs, tmp_path, folder
):
    content = {name: (packed(tar()) if name.startswith("twice.") else f"{number}".encode())
               for number, name in enumerate(NAMES)}  # fmt: skip
    twice = [(name, content[name]) for name in [*NAMES, "x", "x"]]
    outputs.batch(parts={"../up": twice, "p": [("x", b"of p")]})
    manifest = fetch(client, folder, unpack=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    assert len(manifest.files) == len(twice) + 1
    paths = [file.path for file in manifest.files]
    assert len(set(paths)) == len(paths)
    assert not any(broken_rule(path) for path in paths)
    for file in manifest.files:
        expected = b"of p" if file.key.part == "p" else content[file.key.name]
        assert (folder / file.path).read_bytes() == expected
    of_x = sorted(file.path for file in manifest.files if file.key.name == "x" and file.key.part != "p")
    assert of_x == ["j-1-export/up/x-2", "j-1-export/up/x-3", "j-1-export/up/x-4"]
    # Another run, and another machine's listing, lead to the same places.
    assert [file.path for file in fetch(client, folder, unpack=False).files] == paths


def test_the_rows_of_all_archives_become_one_table_when_asked(client, outputs, place, folder):
    bad = of_files({"aggregated_results.jsonl": ROWS + b"not json\n", "failed_files_processing_1.jsonl": ROWS})
    outputs.batch(parts={
        "results": [("r_0.tar", of_files({"aggregated_results.jsonl": ROWS * 2})), ("r_1.tar", bad)],
        "rows": [("aggregated_results_0.csv", b"image,count\nb.jpg,7\n")],
    })  # fmt: skip
    manifest = fetch(client, place, table=RowSettings())
    assert (manifest.outcome, manifest.table["rows"], manifest.table["quarantined"]) == ("partial", 4, 1)
    rows = pq.read_table(folder / "table" / "results.parquet").to_pylist()
    assert [(row["source_archive"], row["source_line"], row["image"], row["count"]) for row in rows] == [
        ("j-1-export/results/r_0.tar", 1, "a.jpg", "1"),
        ("j-1-export/results/r_0.tar", 2, "a.jpg", "1"),
        ("j-1-export/results/r_1.tar", 1, "a.jpg", "1"),
        ("", 2, "b.jpg", '"7"'),
    ]
    assert manifest == ResultsManifest.parse((folder / MANIFEST).read_bytes())
    assert len(json.dumps(manifest.to_json())) < 4096


def test_a_refused_member_fails_the_fetch_or_is_written_down(client, outputs, folder):
    outputs.batch(parts={"results": [("r.tar", tar(member("../../keys", b"x"), member("good", b"good")))]})
    with pytest.raises(UnsafeArchive, match=r"j-1-export/results/r\.tar has the member '../../keys'.*leads-up"):
        fetch(client, folder)
    assert not (folder / "j-1-export/results/r").exists()
    manifest = fetch(client, folder, on_bad_member="skip")
    assert manifest.outcome == "partial"
    assert manifest.files[0].refused == (("../../keys", "leads-up"),)
    assert below(folder) == {"j-1-export/results/r/good": b"good"}


def test_an_archive_that_was_cut_where_it_was_made_is_damaged(client, outputs, folder):
    outputs.batch(parts={"results": [("r.tar", tar(member("one.jpg", b"1"), end=b""))]})
    with pytest.raises(Damaged, match="end mark"):
        fetch(client, folder)


PROGRAM = """
import sys
from pathlib import Path
from visionbatch import DownloadSettings, Secret
from visionbatch.io.fresh_folder import NOTE
from visionbatch.io.folders import LocalFolder
from visionbatch.pipelines.roboflow import Roboflow, roboflow_key
from visionbatch.pipelines.roboflow_fetch import FetchSettings, fetch_results
from visionbatch.roboflow.settings import RoboflowSettings
url, key, folder = sys.argv[1:]
settings = FetchSettings(download=DownloadSettings(connections=1, checkpoint_s=0.0))
with Roboflow(RoboflowSettings(base_url=url, download_hosts=(url,)), lambda: roboflow_key(Secret(key))) as client:
    fetch_results(client, ["j-1-export"], LocalFolder(Path(folder)), settings=settings)
"""


def test_a_kill_costs_no_file_that_is_there_and_no_byte_that_has_arrived(client, outputs, folder, faults, mock, tenant):
    archive = of_files({"a.jpg": PHOTO})
    outputs.batch(parts={"results": [("r_0.tar", archive), ("x.txt", b"x"), ("big.bin", PHOTO)]})
    faults(GET, "pass", "pass", "stall-for-20s-after-1024K")
    half = folder / "j-1-export/results/.big.bin.partial.json"

    def noted() -> int:
        try:
            return sum(stop - start for start, stop, _ in json.loads(half.read_text())["spans"])
        except (OSError, ValueError):
            return 0

    with subprocess.Popen([sys.executable, "-c", PROGRAM, mock.url, tenant.token, str(folder)]) as process:
        try:
            wait_until(lambda: noted() == MIB)
            with pytest.raises(AlreadyRunning, match="fetches into"):
                fetch(client, folder)
        finally:
            process.send_signal(signal.SIGKILL)
    assert not (folder / MANIFEST).exists()
    manifest = fetch(client, folder)
    assert manifest.fetched_bytes == len(PHOTO) - MIB
    assert set(below(folder)) == {f"j-1-export/results/{name}" for name in ("r_0/a.jpg", "x.txt", "big.bin")}
    assert not (folder / LOG).exists()


def test_a_full_disk_keeps_what_has_arrived(client, outputs, tmp_path):
    outputs.batch(parts={"results": [("big.bin", PHOTO)]})
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]
    if subprocess.run(mounting, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(NoRoom):
            fetch(client, disk)
        subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
        manifest = fetch(client, disk)
        assert below(disk) == {"j-1-export/results/big.bin": PHOTO}
        assert manifest.fetched_bytes < len(PHOTO) - MIB // 4
    finally:
        subprocess.run(["umount", disk], check=True)


def test_two_fetches_into_one_folder_do_not_mix(client, outputs, folder):
    outputs.batch(parts={"results": [("x.txt", b"x")]})
    ready, go_on = threading.Event(), threading.Event()
    listing = client.api.staging.each_file

    def waiting(batch_id, take, part=""):
        ready.set()
        go_on.wait(20)
        return (yield from listing(batch_id, take, part))

    client.api.staging.each_file = waiting
    first = threading.Thread(target=fetch, args=(client, folder))
    first.start()
    try:
        assert ready.wait(20)
        with pytest.raises(AlreadyRunning):
            fetch(client, folder)
    finally:
        go_on.set()
        first.join(20)
    assert below(folder) == {"j-1-export/results/x.txt": b"x"}
