"""Google's own clients, pyarrow's and curl, unmodified, against the mock."""

import base64
import io
import subprocess
import warnings
from datetime import timedelta
from urllib.parse import urlsplit

import google_crc32c
import pytest
import requests
from pyarrow import fs

from support.served import Served

with warnings.catch_warnings():
    # Google's core library warns at import when helpers for gRPC, which nobody asked for, are missing.
    warnings.simplefilter("ignore", ImportWarning)
    from gcsfs.core import GCSFileSystem
    from google.api_core.exceptions import NotFound, PreconditionFailed
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage
    from google.resumable_media import common
    from google.resumable_media.requests import ResumableUpload

Q = 262_144
CONTENT = bytes(range(256)) * 1024 * 5 + b"the rest"
"""Five chunks of 256 KiB and a short one."""


@pytest.fixture
def client(mock, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", mock.url)
    made = storage.Client(project="any", credentials=AnonymousCredentials())
    yield made
    made.close()


@pytest.fixture
def bucket(client, request):
    return client.bucket(f"bucket-{abs(hash(request.node.name)) % 10**8}")


@pytest.fixture
def transport():
    with requests.Session() as session:
        yield session


def crc32c(content: bytes) -> str:
    return base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode()


@pytest.mark.parametrize("size", [0, 1, 1000, len(CONTENT)])
@pytest.mark.parametrize("way", ["multipart", "resumable"])
def test_a_file_goes_up_and_comes_back(bucket, tmp_path, way, size):
    source = tmp_path / "photo.jpg"
    source.write_bytes(CONTENT[:size])
    blob = bucket.blob("folder/a photo.jpg", chunk_size=Q if way == "resumable" else None)
    if way == "resumable":
        with source.open("rb") as file:
            blob.upload_from_file(file, checksum="crc32c", content_type="image/jpeg")
    else:
        blob.upload_from_filename(str(source), checksum="crc32c")
    assert (blob.size, blob.crc32c) == (size, crc32c(CONTENT[:size]))
    assert blob.content_type == "image/jpeg"
    assert bucket.blob("folder/a photo.jpg").download_as_bytes(checksum="crc32c") == CONTENT[:size]
    target = tmp_path / "back"
    bucket.blob("folder/a photo.jpg").download_to_filename(str(target), checksum="md5")
    assert target.read_bytes() == CONTENT[:size]


def test_a_large_file_is_resumable_by_itself(bucket, tmp_path):
    source = tmp_path / "large.bin"
    source.write_bytes(CONTENT * 8)
    blob = bucket.blob("large.bin")
    blob.upload_from_filename(str(source), checksum="crc32c")
    assert blob.size == len(CONTENT) * 8
    assert blob.download_as_bytes(start=100, end=199) == CONTENT[100:200]


def test_objects_are_listed_and_deleted(client, bucket):
    for name in ("a/1", "a/2", "b/1"):
        bucket.blob(name).upload_from_string(b"x", checksum="md5")
    assert [b.name for b in client.list_blobs(bucket, prefix="a/", page_size=1)] == ["a/1", "a/2"]
    listing = client.list_blobs(bucket, delimiter="/")
    assert [b.name for b in listing] == []
    assert listing.prefixes == {"a/", "b/"}
    bucket.blob("a/1").delete()
    assert not bucket.blob("a/1").exists()
    with pytest.raises(NotFound):
        bucket.blob("a/1").delete()
    assert client.get_bucket(bucket.name).name == bucket.name


def test_preconditions_are_kept(bucket):
    bucket.blob("once").upload_from_string(b"1", if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        bucket.blob("once").upload_from_string(b"2", if_generation_match=0)


def test_a_client_may_be_pointed_by_its_options(mock):
    options = {"api_endpoint": mock.url}
    client = storage.Client("any", AnonymousCredentials(), client_options=options)
    blob = client.bucket("optional").blob("x")
    blob.upload_from_string(b"abc")
    assert blob.download_as_bytes() == b"abc"
    client.close()


def test_a_session_url_that_the_client_made_is_one_of_the_mocks(bucket, transport):
    url = bucket.blob("by-hand").create_resumable_upload_session(size=len(CONTENT))
    answer = transport.put(url, data=CONTENT, timeout=20)
    assert answer.status_code == 200
    assert bucket.blob("by-hand").download_as_bytes() == CONTENT


# -- google-resumable-media


def begin(mock, transport, stream, total=None, name="media", checksum="crc32c"):
    url = f"{mock.url}/upload/storage/v1/b/media/o?uploadType=resumable"
    upload = ResumableUpload(url, Q, checksum=checksum)
    upload.initiate(
        transport,
        stream,
        {"name": name},
        "application/octet-stream",
        total_bytes=total,
        stream_final=False,
    )
    return upload


def transmit_all(upload, transport) -> None:
    while not upload.finished:
        upload.transmit_next_chunk(transport)


def stored(mock, name="media") -> bytes:
    found = mock.world.tenant("anonymous").objects.get("media", name)
    assert found is not None
    return found.path.read_bytes()


@pytest.mark.parametrize("total", [None, "known"])
@pytest.mark.parametrize("content", [CONTENT, CONTENT[: 2 * Q], b"short"])
def test_resumable_media_uploads_chunk_by_chunk(mock, transport, content, total):
    upload = begin(mock, transport, io.BytesIO(content), len(content) if total else None)
    while not upload.finished:
        answer = upload.transmit_next_chunk(transport)
    assert answer.json()["crc32c"] == crc32c(content)
    assert stored(mock) == content


def test_resumable_media_recovers_from_a_partial_chunk(mock, transport, request):
    plan = mock.world.tenant("anonymous").faults.plan(
        {"instructions": {"storage.sessions.chunk": ["pass", "partial-persist-64K"]}}
    )
    stream = io.BytesIO(CONTENT)
    upload = begin(mock, transport, stream, len(CONTENT), name="recovered", checksum=None)
    upload.transmit_next_chunk(transport)
    # This client cannot go on after a chunk that was kept in part, until it is told to ask.
    with pytest.raises(ValueError, match="bytes"):
        transmit_all(upload, transport)
    upload._make_invalid()
    upload.recover(transport)
    assert upload.bytes_uploaded == Q + 64 * 1024
    while not upload.finished:
        upload.transmit_next_chunk(transport)
    assert stored(mock, "recovered") == CONTENT
    assert plan.completed


def test_resumable_media_retries_the_same_chunk_after_a_503(mock, transport):
    plan = mock.world.tenant("anonymous").faults.plan(
        {"instructions": {"storage.sessions.chunk": ["pass", "return-503", "drop-response"]}}
    )
    upload = begin(mock, transport, io.BytesIO(CONTENT), len(CONTENT), name="retried")
    upload._retry_strategy = common.RetryStrategy(initial_delay=0.01, max_retries=5)
    while not upload.finished:
        upload.transmit_next_chunk(transport)
    assert stored(mock, "retried") == CONTENT
    assert plan.completed


def test_resumable_media_takes_a_wrong_checksum_for_corruption(mock, transport):
    mock.world.tenant("anonymous").faults.plan({"instructions": {"storage.sessions.chunk": ["wrong-hash"]}})
    upload = begin(mock, transport, io.BytesIO(CONTENT), len(CONTENT), name="corrupt")
    with pytest.raises(common.DataCorruption):
        transmit_all(upload, transport)


@pytest.fixture
def filesystem(mock):
    made = GCSFileSystem(token="anon", endpoint_url=mock.url, skip_instance_cache=True, use_listings_cache=False)
    yield made
    made.close_session(made.loop, made._session)


@pytest.mark.parametrize("size", [0, 1, 600_001])
def test_gcsfs_writes_lists_reads_and_removes(filesystem, size):
    place = f"bucket-of-gcsfs/{size}"
    filesystem.pipe_file(f"{place}/a photo.jpg", CONTENT[:size])
    with filesystem.open(f"{place}/deep/large.bin", "wb", block_size=Q) as file:
        file.write(CONTENT[:size])
    assert filesystem.isdir(place)
    assert sorted(filesystem.find(place)) == [f"{place}/a photo.jpg", f"{place}/deep/large.bin"]
    assert {entry["name"]: entry["type"] for entry in filesystem.ls(place, detail=True)} == {
        f"{place}/a photo.jpg": "file",
        f"{place}/deep": "directory",
    }
    for name in ("a photo.jpg", "deep/large.bin"):
        assert filesystem.cat_file(f"{place}/{name}") == CONTENT[:size]
    if size > 10:
        assert filesystem.cat_file(f"{place}/a photo.jpg", start=3, end=size - 4) == CONTENT[3 : size - 4]
    filesystem.rm(place, recursive=True)
    assert not filesystem.exists(place)


# -- pyarrow, whose file system is Google's client for C++


@pytest.fixture
def arrow():
    # In a process of its own: pyarrow waits for answers with the interpreter's lock in hand.
    with Served() as served:
        patience = timedelta(seconds=10)
        where = urlsplit(served.url).netloc
        yield fs.GcsFileSystem(
            anonymous=True, endpoint_override=where, scheme="http", project_id="any", retry_time_limit=patience
        )


def test_pyarrow_writes_reads_lists_copies_and_removes(arrow):
    arrow.create_dir("arrows/folder")
    with arrow.open_output_stream("arrows/folder/large.bin") as file:
        file.write(CONTENT)
    with arrow.open_input_file("arrows/folder/large.bin") as file:
        assert file.size() == len(CONTENT)
        assert file.read_at(100, Q) == CONTENT[Q : Q + 100]
        assert file.read() == CONTENT
    listed = {each.path: each.type for each in arrow.get_file_info(fs.FileSelector("arrows", recursive=True))}
    assert listed == {"arrows/folder": fs.FileType.Directory, "arrows/folder/large.bin": fs.FileType.File}
    arrow.copy_file("arrows/folder/large.bin", "arrows/copy.bin")
    arrow.move("arrows/copy.bin", "arrows/moved.bin")
    with arrow.open_input_stream("arrows/moved.bin") as file:
        assert file.read() == CONTENT
    arrow.delete_file("arrows/moved.bin")
    arrow.delete_dir("arrows/folder")
    assert arrow.get_file_info(fs.FileSelector("arrows", recursive=True)) == []


@pytest.mark.parametrize(("asked", "items"), [(None, []), ("false", []), ("true", ["a/"])])
def test_an_object_named_as_a_prefix_is_listed_where_that_is_asked_for(mock, transport, asked, items):
    place = f"{mock.url}/upload/storage/v1/b/trailing/o"
    for name in ("a/", "a/b"):
        transport.post(place, params={"uploadType": "media", "name": name}, data=b"x", timeout=20)
    query = {"delimiter": "/", "includeTrailingDelimiter": asked}
    page = transport.get(f"{mock.url}/storage/v1/b/trailing/o", params=query, timeout=20).json()
    assert page["prefixes"] == ["a/"]
    assert [item["name"] for item in page.get("items", [])] == items


# -- curl, as a script has it


def curl(*arguments: str, to: str = "/dev/null") -> list[str]:
    """The lines of an answer: status, Location and Range."""
    shown = "%{http_code}\\n%header{location}\\n%header{range}"
    command = ["curl", "--silent", "--show-error", "--max-time", "20", "--noproxy", "*", "--output", to]
    command += ["--write-out", shown, *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return ran.stdout.splitlines() + [""] * 2


def test_curl_uploads_in_chunks_asks_and_resumes(mock, tmp_path):
    first, rest, back = tmp_path / "first", tmp_path / "rest", tmp_path / "back"
    first.write_bytes(CONTENT[: 2 * Q])
    rest.write_bytes(CONTENT[2 * Q :])
    size, key = len(CONTENT), f"Authorization: Bearer {tmp_path.name}"
    begin = f"{mock.url}/upload/storage/v1/b/curls/o?uploadType=resumable&name=whole"
    status, session, _, *_ = curl("--request", "POST", "--header", key, "--data", "", begin)
    assert status == "200"
    sent = curl("--upload-file", str(first), "--header", f"Content-Range: bytes 0-{2 * Q - 1}/{size}", session)
    assert (sent[0], sent[2]) == ("308", f"bytes=0-{2 * Q - 1}")
    asked = curl("--request", "PUT", "--header", f"Content-Range: bytes */{size}", "--data", "", session)
    assert (asked[0], asked[2]) == ("308", f"bytes=0-{2 * Q - 1}")
    sent = curl("--upload-file", str(rest), "--header", f"Content-Range: bytes {2 * Q}-{size - 1}/{size}", session)
    assert sent[0] == "200"
    got = curl("--header", key, f"{mock.url}/storage/v1/b/curls/o/whole?alt=media", to=str(back))
    assert got[0] == "200"
    assert back.read_bytes() == CONTENT
