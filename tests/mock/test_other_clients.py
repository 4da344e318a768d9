"""Clients that Google did not write, unmodified, against the object store: obstore and rclone.

Both meet faults in the middle of an upload and bring the whole file over.
"""

import hashlib
import os
import subprocess
from datetime import timedelta
from pathlib import Path

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError, PermissionDeniedError, PreconditionError
from obstore.store import GCSStore

from support.readers import program

MIB = 1 << 20
LARGE = b"".join(hashlib.sha256(bytes([n])).digest() * (MIB // 32) for n in range(21)) + b"the rest"
"""More than rclone's chunk of 16 MiB; no two of its MiB are alike."""
DEADLINE_S = 60


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# -- obstore, which is Rust's object_store and speaks the XML API


@pytest.fixture
def store(tenant) -> GCSStore:
    quick = {"init_backoff": timedelta(milliseconds=1), "max_backoff": timedelta(milliseconds=2), "base": 2}
    return GCSStore(
        "photos",
        base_url=tenant.mock.url,
        bearer_token=tenant.token,
        client_options={"allow_http": True},
        retry_config={"max_retries": 4, "backoff": quick, "retry_timeout": timedelta(seconds=DEADLINE_S)},
    )


def test_obstore_writes_lists_reads_copies_and_removes(tenant, store):
    tenant.inside.configure(list_page_items=2)
    names = [f"day/{number} ü.jpg" for number in range(5)]
    for name in names:
        store.put(name, name.encode(), attributes={"Content-Type": "image/jpeg", "crew": "7"})
    store.put("other", b"x")
    assert [each["path"] for page in store.list("day") for each in page] == names
    assert [each["path"] for page in store.list(offset=names[2]) for each in page] == [*names[3:], "other"]
    top = store.list_with_delimiter()
    assert (top["common_prefixes"], [each["path"] for each in top["objects"]]) == (["day"], ["other"])
    found = store.get(names[0])
    assert (bytes(found.bytes()), found.attributes) == (
        names[0].encode(),
        {"Content-Type": "image/jpeg", "crew": "7"},
    )
    store.rename(names[0], "moved")
    store.delete(names[1:])
    assert [each["path"] for page in store.list() for each in page] == ["moved", "other"]
    with pytest.raises(FileNotFoundError):
        store.head(names[0])
    assert len(tenant.effects("object.deleted")) == len(names)


def test_obstore_keeps_to_conditions(tenant, store):
    first = store.put("x", b"one", mode="create")
    with pytest.raises(AlreadyExistsError):
        store.put("x", b"two", mode="create")
    second = store.put("x", b"two", mode=first)
    with pytest.raises(PreconditionError):
        store.put("x", b"three", mode=first)
    assert store.head("x")["e_tag"] == second["e_tag"]
    with pytest.raises(PreconditionError):
        store.get("x", options={"if_match": first["e_tag"]})
    store.copy("x", "y", overwrite=False)
    with pytest.raises(AlreadyExistsError):
        store.copy("x", "y", overwrite=False)
    made = [sha256(content) for content in (b"one", b"two", b"two")]
    assert [entry["sha256"] for entry in tenant.effects("object.created")] == made


def test_obstore_survives_faults_in_the_middle_of_an_upload_in_parts(tenant, store):
    instructions = ["pass", "return-503", "drop-response", "reset-mid-body-after-1024K"]
    plan = tenant.inside.faults.plan(
        {"instructions": {"storage.parts.put": instructions, "storage.parts.complete": ["drop-response", "return-503"]}}
    )
    store.put("large.bin", LARGE, max_concurrency=2)
    assert plan.completed
    (made,) = tenant.effects("object.created")
    assert (made["size"], made["sha256"]) == (len(LARGE), sha256(LARGE))
    assert bytes(store.get_range("large.bin", start=MIB - 5, end=MIB + 5)) == LARGE[MIB - 5 : MIB + 5]
    tenant.plan("storage.objects.download", "reset-mid-answer-after-3000K")
    assert sha256(bytes(store.get("large.bin").bytes())) == sha256(LARGE)


def test_obstore_gives_an_upload_up_that_it_cannot_finish(tenant, store):
    tenant.plan("storage.parts.put", "return-403")
    with pytest.raises(PermissionDeniedError):
        obstore.put(store, "large.bin", LARGE)
    assert len(tenant.effects("parts.aborted")) == 1
    assert tenant.effects("object.created") == []


# -- rclone, whose backend is Google's client for Go


@pytest.fixture
def rclone(tenant, tmp_path):
    found, bucket = program("rclone", "rclone"), f"rclones-{tenant.token}"
    # It comes without a token, so the bucket has to say whose it is.
    tenant.inside.own_bucket(bucket)
    settings = {
        "TYPE": "google cloud storage",
        "ANONYMOUS": "true",
        "ENDPOINT": f"{tenant.mock.url}/storage/v1/",
        "BUCKET_POLICY_ONLY": "true",
    }
    environment = {f"RCLONE_CONFIG_MOCK_{name}": value for name, value in settings.items()}
    own = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "RCLONE_CONFIG": "/dev/null", "RCLONE_RETRIES": "1"}

    def run(command: str, *arguments: str | Path) -> bytes:
        told = [str(each).replace("mock:", f"mock:{bucket}/") for each in arguments]
        ran = subprocess.run(
            [found, command, *told], env={**own, **environment}, capture_output=True, timeout=DEADLINE_S, check=False
        )
        assert ran.returncode == 0, ran.stderr.decode()
        return ran.stdout

    return run


def test_rclone_syncs_lists_checks_reads_moves_and_removes(tenant, rclone, tmp_path):
    tenant.inside.configure(list_page_items=2)
    (tmp_path / "there" / "day").mkdir(parents=True)
    for number in range(5):
        (tmp_path / "there" / "day" / f"{number} ü.jpg").write_bytes(bytes([number]) * 1000)
    rclone("sync", tmp_path / "there", "mock:photos")
    listed = rclone("lsf", "-R", "mock:photos").decode().splitlines()
    assert sorted(listed) == ["day/", *(f"day/{number} ü.jpg" for number in range(5))]
    assert rclone("cat", "mock:photos/day/3 ü.jpg", "--offset", "990") == b"\3" * 10
    (tmp_path / "there" / "day" / "0 ü.jpg").write_bytes(b"another")
    rclone("sync", tmp_path / "there", "mock:photos")
    rclone("copy", "mock:photos", tmp_path / "back")
    rclone("check", tmp_path / "there", tmp_path / "back")
    rclone("check", tmp_path / "back", "mock:photos")
    rclone("moveto", "mock:photos/day/4 ü.jpg", "mock:moved.jpg")
    rclone("purge", "mock:photos")
    assert rclone("lsf", "-R", "mock:") == b"moved.jpg\n"
    assert len(tenant.effects("object.created")) == 5 + 1 + 1
    assert len(tenant.effects("object.deleted")) == 5


def test_rclone_survives_faults_in_the_middle_of_a_resumable_upload(tenant, rclone, tmp_path):
    (tmp_path / "large.bin").write_bytes(LARGE)
    plan = tenant.plan("storage.sessions.chunk", "pass", "return-503", "drop-response")
    rclone("copyto", tmp_path / "large.bin", "mock:large.bin")
    assert plan.completed
    (made,) = tenant.effects("object.created")
    assert (made["size"], made["sha256"]) == (len(LARGE), sha256(LARGE))
    pieces = [(entry["start"], entry["stop"]) for entry in tenant.effects("bytes.persisted")]
    assert pieces == [(0, 16 * MIB), (16 * MIB, len(LARGE))]
    tenant.plan("storage.objects.download", "reset-mid-answer-after-3000K")
    rclone("copyto", "mock:large.bin", tmp_path / "back.bin")
    assert sha256((tmp_path / "back.bin").read_bytes()) == sha256(LARGE)
