"""Fetching an export: data, images, what is missing, and going on."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import fsspec
import pytest

from support.buckets import line
from support.clocks import HandClock
from visionbatch.config import DownloadSettings
from visionbatch.deepomatic.export_layout import ExportLayout
from visionbatch.errors import InputMissing, JobPartial, Unavailable, UnsafeName
from visionbatch.io.folders import LocalFolder, ObjectFolder
from visionbatch.io.run_files import FileRunStore
from visionbatch.pipelines.export_fetch import Wanted, fetch_export
from visionbatch.pipelines.export_manifest import FetchedFile, FetchManifest, FetchOutcome

LAYOUT = ExportLayout("prod/")
GET = "storage.objects.download"
SETTINGS = DownloadSettings(connections=2)


def write_export(owner) -> None:
    owner.put("prod/site-1/work-orders-timeline/2025-05-12/a.jsonl", line("wo-1", "in-1", "in-2") + b"\r\nnot json\n")
    owner.put("prod/site-1/work-orders-timeline/2025-05-13/b.jsonl", line("wo-2", "in-3", extension="PNG") + b"\n")
    owner.put("prod/site-1/images/in-1.jpg", b"one")
    owner.put("prod/site-1/images/in-2.JPG", b"two")
    owner.put("prod/site-1/images/in-3.png", b"three")


def below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture(params=["local", "object"])
def place(request, tmp_path: Path, folder: Path):
    if request.param == "local":
        return LocalFolder(folder)
    # A filesystem of fsspec that is a folder on the disk as well, so that it can be looked at.
    return ObjectFolder(fsspec.filesystem("file"), str(folder), f"file://{folder}", tmp_path / "spool")


def fetch(bucket, place, wanted=None, *, settings=SETTINGS, **more):
    return fetch_export(bucket, LAYOUT, place, wanted, settings=settings, clock=HandClock(), **more)


def test_data_and_images_arrive_by_their_names(bucket, owner, place, folder, tmp_path):
    write_export(owner)
    manifest = fetch(bucket, place)
    assert manifest.outcome is FetchOutcome.DONE
    found = below(folder)
    assert set(found) == {
        "data/site-1/work-orders-timeline/2025-05-12/a.jsonl",
        "data/site-1/work-orders-timeline/2025-05-13/b.jsonl",
        "images/in-1.jpg",
        "images/in-2.jpg",
        "images/in-3.png",
        "manifest.json",
    }
    assert found["images/in-3.png"] == b"three"
    assert manifest.unreadable_lines == 1
    whole = FetchManifest.parse(found["manifest.json"])
    assert (whole.files, whole.outcome) == (manifest.files, FetchOutcome.DONE)
    assert not below(tmp_path / "spool")


@pytest.mark.fault("EX18")
def test_images_that_are_missing_or_too_much_are_counted_named_and_judged(bucket, owner, place, folder):
    write_export(owner)
    owner.delete("prod/site-1/images/in-2.JPG")
    owner.put("prod/site-1/images/in-99.jpg", b"whose?")
    manifest = fetch(bucket, place)
    assert manifest.outcome is FetchOutcome.PARTIAL
    small = manifest.to_json()
    assert (small["missing_images"], small["surplus_images"]) == (["in-2"], ["prod/site-1/images/in-99.jpg"])
    assert small["counts"]["missing_images"] == small["counts"]["surplus_images"] == 1
    assert fetch(bucket, place, on_missing="accept:1").missing == ("in-2",)
    for refused in ("fail", "accept:0", "accept:10%"):
        with pytest.raises(JobPartial):
            fetch(bucket, place, on_missing=refused)
    assert FetchManifest.parse(below(folder)["manifest.json"]).missing == ("in-2",)


def test_what_is_there_is_not_fetched_again(bucket, owner, place, books, folder):
    write_export(owner)
    fetch(bucket, place)
    before = len(books.requests(GET))
    again = fetch(bucket, place)
    assert len(books.requests(GET)) == before
    assert again.fetched_bytes == 0
    owner.put("prod/site-1/images/in-3.png", b"eerht")
    assert fetch(bucket, place).fetched_bytes == 5
    assert below(folder)["images/in-3.png"] == b"eerht"


def test_a_spoiled_file_is_fetched_again(bucket, owner, folder):
    write_export(owner)
    fetch(bucket, LocalFolder(folder))
    (folder / "images" / "in-1.jpg").write_bytes(b"eno")
    fetch(bucket, LocalFolder(folder))
    assert (folder / "images" / "in-1.jpg").read_bytes() == b"one"


def test_a_run_that_broke_goes_on_and_one_that_ended_says_so(bucket, owner, place, books, faults, tmp_path):
    write_export(owner)
    store = FileRunStore(tmp_path / "state", "run")
    # One at a time: of two files under way, either could be the one that meets them.
    alone = DownloadSettings(connections=1)
    faults(GET, "pass", "pass", "pass", *["return-503"] * alone.attempts)
    with pytest.raises(Unavailable):
        fetch(bucket, place, settings=alone, store=store)
    done = fetch(bucket, place, store=store)
    assert done.outcome is FetchOutcome.DONE
    before = len(books.requests(GET))
    again = fetch(bucket, place, store=store)
    assert again.outcome is FetchOutcome.ALREADY_DONE
    assert again.files == done.files
    assert len(books.requests(GET)) == before
    owner.put("prod/site-1/c.jsonl", line("wo-3"))
    assert fetch(bucket, place, store=store).outcome is FetchOutcome.DONE


def test_nothing_there_is_no_failure(bucket, owner, place, tmp_path):
    manifest = fetch(bucket, place, store=FileRunStore(tmp_path / "state", "run"))
    assert manifest.outcome is FetchOutcome.NOTHING_NEW
    assert manifest.to_json()["counts"]["data_files"] == 0


def test_a_window_and_names_narrow_it(bucket, owner, place, tenant):
    owner.put("prod/a.jsonl", b"")
    tenant.clock.advance(100)
    middle = tenant.clock.now()
    owner.put("prod/b.jsonl", b"")
    tenant.clock.advance(100)
    owner.put("prod/c.jsonl", b"")

    def names(wanted: Wanted) -> list[str]:
        return sorted(file.path for file in fetch(bucket, place, wanted).data_files)

    assert names(Wanted(since=middle - 1)) == ["data/b.jsonl", "data/c.jsonl"]
    assert names(Wanted(since=middle - 1, until=middle + 1)) == ["data/b.jsonl"]
    assert names(Wanted(names=("prod/a.jsonl",))) == ["data/a.jsonl"]
    with pytest.raises(InputMissing, match=r"prod/x\.jsonl"):
        fetch(bucket, place, Wanted(names=("prod/x.jsonl",)))


def test_images_of_other_days_are_no_surplus(bucket, owner, place, tenant):
    owner.put("prod/site-1/images/in-9.jpg", b"of an earlier day")
    tenant.clock.advance(24 * 3600)
    owner.put("prod/a.jsonl", line("wo-1"))
    assert fetch(bucket, place).surplus == ()


def test_a_hostile_name_is_refused_before_anything_is_written(bucket, owner, place, folder):
    owner.put("prod/fine.jsonl", line("wo-1"))
    owner.put("prod/../../evil.jsonl", line("wo-2"))
    with pytest.raises(UnsafeName):
        fetch(bucket, place)
    assert "data/fine.jsonl" not in below(folder)


@pytest.mark.fault("EX8")
def test_a_file_that_is_stored_compressed_is_verified_and_kept_expanded(bucket, owner, place, books, faults, folder):
    content = line("wo-1") * 1000
    # Several members, as a program leaves them that appends to a file day by day.
    owner.put("prod/a.jsonl", gzip.compress(content) + gzip.compress(b"\n" + content), contentEncoding="gzip")
    # In a byte that gzip itself does not check: only the checksum of what is stored tells.
    faults(GET, "flip-bit-at-9B")
    fetch(bucket, place, Wanted(images=False))
    assert below(folder)["data/a.jsonl"] == content + b"\n" + content
    assert len(books.requests(GET)) == 2


def test_the_small_manifest_stays_small(tmp_path):
    files = tuple(FetchedFile(f"prod/{'x' * 90}{number}", 1, 1, f"data/{'x' * 90}{number}") for number in range(5000))
    missing = tuple("m" * 40 for _ in range(999))
    manifest = FetchManifest("gs://b/prod/", str(tmp_path), FetchOutcome.DONE, files, missing)
    value = manifest.to_json()
    assert len(json.dumps(value)) <= 4096
    assert value["names_left_out"] is True
    assert value["counts"]["data_files"] == 5000
    assert FetchManifest.parse(manifest.whole()) == manifest
