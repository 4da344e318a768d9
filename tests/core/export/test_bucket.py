"""The reading side of a bucket, against the mock."""

from __future__ import annotations

import subprocess
import sys

import google_crc32c
import pytest

from support.clocks import HandClock
from visionbatch.config import DownloadSettings
from visionbatch.deepomatic.export_config import OWN_PERMISSIONS
from visionbatch.errors import ConfigError, NotAuthorized, NotFound, ObjectChanged
from visionbatch.io.gcs_bucket import GcsBucket
from visionbatch.transfer.download import Download

LIST, GET = "storage.objects.list", "storage.objects.download"
CONTENT = bytes(range(256)) * 4096 + b"the rest"
SETTINGS = DownloadSettings(checkpoint_s=0.0, block_bytes=64 * 1024)


def fetch(bucket, name, target, **settings):
    remote = bucket.remote(bucket.look(name))
    chosen = DownloadSettings(**{"checkpoint_s": 0.0, "block_bytes": 64 * 1024, **settings})
    return Download(remote, target, settings=chosen, clock=HandClock()).run()


@pytest.mark.fault("EX2")
def test_all_pages_of_exactly_one_prefix_are_listed(bucket, owner, books, tenant):
    tenant.configure(list_page_items=50)
    names = [f"site1/day/{number:04}.jsonl" for number in range(260)]
    for name in [*names, "site10/day/0000.jsonl", "site1", "site1.jsonl", "site/x.jsonl"]:
        owner.put(name, name.encode())
    found = list(bucket.files("site1/"))
    assert [file.name for file in found] == names
    assert len(books.requests(LIST)) == 6
    assert found[0].crc32c == google_crc32c.value(names[0].encode())
    assert found[0].size == len(names[0])
    assert found[0].generation < found[-1].generation


def test_an_object_comes_whole_and_in_parts(bucket, owner, tmp_path, books):
    generation = owner.put("a folder/é export?.jsonl", CONTENT)
    done = fetch(bucket, "a folder/é export?.jsonl", tmp_path / "x", part_bytes=256 * 1024, connections=3)
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert done.version == str(generation)
    assert done.crc32c == google_crc32c.value(CONTENT)
    assert all(entry.authorization for entry in books.requests(GET))


@pytest.mark.fault("EX3")
@pytest.mark.parametrize("when", ["before", "while", "gone"])
def test_an_object_that_is_replaced_is_fetched_anew_and_never_mixed(bucket, owner, tmp_path, faults, when):
    owner.put("x.jsonl", CONTENT)
    remote = bucket.remote(bucket.look("x.jsonl"))
    other = CONTENT[::-1]
    replaced = []

    def replace(arrived: int, _: int) -> None:
        if not replaced:
            replaced.append(arrived)
            owner.delete("x.jsonl") if when == "gone" else owner.put("x.jsonl", other)

    if when == "before":
        replace(0, 0)
    else:
        # The first answer breaks off, so that a second request meets the new object.
        faults(GET, "return-broken-stream-after-256K")
    download = Download(remote, tmp_path / "x", settings=SETTINGS, clock=HandClock(), progress=replace)
    if when == "gone":
        with pytest.raises(ObjectChanged, match="deleted"):
            download.run()
        assert not (tmp_path / "x").exists()
        return
    done = download.run()
    assert (tmp_path / "x").read_bytes() == other
    assert done.crc32c == google_crc32c.value(other)
    assert replaced
    assert (replaced[0] > 0) == (when == "while")


def test_a_broken_download_goes_on_where_it_broke(bucket, owner, tmp_path, faults):
    owner.put("x.jsonl", CONTENT)
    file = bucket.look("x.jsonl")
    faults(GET, "return-broken-stream-after-256K", "return-503", "return-reset-connection")
    done = Download(bucket.remote(file), tmp_path / "x", settings=SETTINGS, clock=HandClock()).run()
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert done.fetched_bytes == len(CONTENT)


def test_a_bucket_that_is_not_ours_says_what_to_grant(bucket, owner, faults):
    faults(LIST, "return-403")
    with pytest.raises(NotAuthorized, match=r"gs://exports") as caught:
        list(bucket.files(""))
    assert "storage.objects.list" in str(caught.value)


@pytest.mark.parametrize("taken", ["storage.objects.list", "storage.objects.get"])
def test_the_permissions_that_we_lack_are_named(bucket, owner, tenant, taken):
    owner.put("x", b"x")
    held = {"storage.objects.list", "storage.objects.get", "storage.objects.create"} - {taken}
    tenant.configure(reader_permissions=sorted(held))
    assert bucket.missing_permissions(OWN_PERMISSIONS) == (taken,)


def test_an_object_that_is_not_there_is_not_found(bucket, owner):
    with pytest.raises(NotFound, match=r"gs://exports/nothing"):
        bucket.look("nothing")


def test_an_outage_is_waited_out(bucket, owner, faults):
    owner.put("x", b"x")
    faults(LIST, "return-503", "return-429")
    assert [file.name for file in bucket.files("")] == ["x"]


def test_without_any_credential_it_says_what_to_set(monkeypatch, tmp_path):
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nothing.json"))
    with GcsBucket("exports") as bucket, pytest.raises(ConfigError, match="GOOGLE_APPLICATION_CREDENTIALS"):
        list(bucket.files(""))


def test_a_credential_never_goes_over_plain_http(monkeypatch, bucket):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://store.example")
    for _ in range(2):
        with pytest.raises(ConfigError, match="plain http"):
            list(bucket.files(""))


def test_the_library_is_not_loaded_before_it_is_needed():
    program = "import sys, visionbatch.io.gcs_bucket as b; b.GcsBucket('x'); print('google.cloud' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "False"
