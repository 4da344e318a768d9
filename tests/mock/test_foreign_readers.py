"""Unmodified foreign clients read, list, copy and describe what is in the mock's buckets."""

import gzip
import warnings

import google_crc32c
import pytest
import requests

with warnings.catch_warnings():
    # Google's libraries warn at import when helpers for gRPC, which nobody asked for, are missing.
    warnings.simplefilter("ignore")
    import gcsfs
    from google.api_core.exceptions import Conflict, Forbidden, NotFound, PreconditionFailed
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage
    from google.cloud.storage import transfer_manager
    from google.resumable_media import common
    from google.resumable_media.requests import ChunkedDownload, Download, RawChunkedDownload, RawDownload

CONTENT = bytes(range(256)) * 1024 * 5 + b"the rest"
NAMES = [
    "a b.jsonl",
    "a%2Fb",
    "deep/er/x.json",
    "double//slash",
    "ends/with/",
    "/begins",
    "photo+é ü.jpg",
    "question?mark&and=more",
    "hash#tag",
    "emoji 🛠",
]
DEADLINE_S = 20


@pytest.fixture
def bucket_name(tenant) -> str:
    """A bucket that is the tenant's for callers without a token."""
    name = f"read-{tenant.token}"
    tenant.inside.own_bucket(name)
    return name


@pytest.fixture
def client(mock, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", mock.url)
    made = storage.Client(project="any", credentials=AnonymousCredentials())
    yield made
    made.close()


@pytest.fixture
def bucket(client, bucket_name):
    return client.bucket(bucket_name)


@pytest.fixture
def files(mock):
    gcsfs.GCSFileSystem.clear_instance_cache()
    return gcsfs.GCSFileSystem(endpoint_url=mock.url, token="anon", project="any", use_listings_cache=False)


@pytest.fixture
def transport():
    with requests.Session() as session:
        session.trust_env = False
        yield session


def put(tenant, bucket_name, name, content=b"x"):
    return tenant.inside.store(bucket_name, name, [content])


# -- google-cloud-storage


def test_every_name_survives_the_way_there_and_back(bucket, client):
    for name in NAMES:
        bucket.blob(name).upload_from_string(name.encode())
    assert [blob.name for blob in client.list_blobs(bucket)] == sorted(NAMES)
    for name in NAMES:
        assert bucket.blob(name).download_as_bytes() == name.encode()
        assert bucket.get_blob(name).size == len(name.encode())
        bucket.blob(name).delete()
    assert list(client.list_blobs(bucket)) == []


def test_a_listing_of_many_pages_is_complete_and_exact(tenant, client, bucket, bucket_name):
    tenant.inside.configure(list_page_items=7)
    wanted = [f"site1/file-{number:03}.jsonl" for number in range(40)]
    for name in [*wanted, "site10/file.jsonl", "site/file.jsonl"]:
        put(tenant, bucket_name, name)
    listing = client.list_blobs(bucket, prefix="site1/")
    assert [blob.name for page in listing.pages for blob in page] == wanted
    assert len(tenant.inside.journal.entries("storage.objects.list")) == 6
    folders = client.list_blobs(bucket, delimiter="/", page_size=1)
    assert list(folders) == []
    assert folders.prefixes == {"site/", "site1/", "site10/"}
    between = client.list_blobs(bucket, start_offset="site1/file-038", end_offset="site10/")
    assert [blob.name for blob in between] == wanted[38:]


def test_a_file_is_downloaded_whole_and_verified(bucket, tmp_path):
    bucket.blob("big").upload_from_string(CONTENT)
    bucket.blob("big").download_to_filename(str(tmp_path / "big"), checksum="crc32c")
    assert (tmp_path / "big").read_bytes() == CONTENT


def test_a_file_is_downloaded_in_parallel_ranges(tenant, bucket, tmp_path):
    bucket.blob("big").upload_from_string(CONTENT)
    blob = bucket.get_blob("big")
    transfer_manager.download_chunks_concurrently(
        blob, str(tmp_path / "big"), chunk_size=300_000, worker_type=transfer_manager.THREAD, max_workers=2
    )
    assert (tmp_path / "big").read_bytes() == CONTENT
    assert len(tenant.inside.journal.entries("storage.objects.download")) == 5


def test_a_pinned_generation_is_gone_once_it_is_overwritten(bucket):
    bucket.blob("x").upload_from_string(b"one")
    old = bucket.get_blob("x")
    bucket.blob("x").upload_from_string(b"two", if_generation_match=old.generation)
    # A blob that was described downloads by its media link, which names its generation.
    with pytest.raises(NotFound):
        old.download_as_bytes()
    with pytest.raises(PreconditionFailed):
        bucket.blob("x").download_as_bytes(if_generation_match=old.generation)
    with pytest.raises(NotFound):
        bucket.get_blob("x").bucket.blob("x", generation=old.generation).reload()
    assert bucket.blob("x").download_as_bytes() == b"two"


def test_conditions_on_the_metageneration_are_kept(bucket):
    bucket.blob("x").upload_from_string(b"one")
    blob = bucket.get_blob("x")
    blob.metadata = {"crew": "7"}
    blob.patch(if_metageneration_match=1)
    assert (blob.metageneration, bucket.get_blob("x").metadata) == (2, {"crew": "7"})
    with pytest.raises(PreconditionFailed):
        blob.patch(if_metageneration_match=1)
    assert bucket.get_blob("x", if_metageneration_match=2).metageneration == 2


def test_a_read_that_would_bring_nothing_new_is_304(tenant, bucket_name):
    stored = put(tenant, bucket_name, "x")
    path = f"/download/storage/v1/b/{bucket_name}/o/x?alt=media&ifGenerationNotMatch={stored.generation}"
    assert tenant.get(path).status_code == 304
    assert tenant.call("DELETE", path.replace("/download", "")).status_code == 412


@pytest.mark.parametrize(
    ("permission", "act"),
    [
        ("storage.objects.list", lambda bucket: list(bucket.client.list_blobs(bucket))),
        ("storage.objects.get", lambda bucket: bucket.blob("x").download_as_bytes()),
        ("storage.objects.get", lambda bucket: bucket.get_blob("x")),
        ("storage.objects.create", lambda bucket: bucket.blob("new").upload_from_string(b"1")),
        ("storage.objects.delete", lambda bucket: bucket.blob("x").delete()),
        ("storage.objects.delete", lambda bucket: bucket.blob("x").upload_from_string(b"over it")),
        ("storage.objects.update", lambda bucket: bucket.blob("x").patch()),
        ("storage.buckets.get", lambda bucket: bucket.reload()),
        ("storage.buckets.create", lambda bucket: bucket.client.create_bucket("another")),
        ("storage.buckets.list", lambda bucket: list(bucket.client.list_buckets())),
    ],
)
def test_a_permission_that_was_taken_away_is_google_s_403(tenant, bucket, bucket_name, permission, act):
    put(tenant, bucket_name, "x")
    everything = tenant.inside.behaviour.reader_permissions
    tenant.inside.configure(reader_permissions=[each for each in everything if each != permission])
    if permission in {"storage.buckets.create", "storage.buckets.list"}:
        # These are about no bucket of anybody: they take the caller's own token.
        bucket.client._http.headers["Authorization"] = f"Bearer {tenant.token}"
    with pytest.raises(Forbidden, match=permission):
        act(bucket)


def test_permissions_can_be_asked_after(tenant, bucket):
    asked = ["storage.objects.get", "storage.objects.list", "storage.objects.create", "storage.buckets.get"]
    assert bucket.test_iam_permissions(asked) == asked
    tenant.inside.configure(reader_permissions=["storage.objects.list"])
    assert bucket.test_iam_permissions(asked) == ["storage.objects.list"]
    tenant.inside.configure(reader_permissions=[])
    assert bucket.test_iam_permissions(asked) == []


def test_the_vendors_account_has_permissions_of_its_own(tenant, bucket_name):
    tenant.inside.configure(writer_permissions=["storage.objects.create"], reader_permissions=[])
    path = f"{tenant.mock.url}/storage/v1/b/{bucket_name}/iam/testPermissions?permissions=storage.objects.create"
    vendor = {"Authorization": f"Bearer {tenant.inside.behaviour.export_account}"}
    assert tenant.http.get(path, headers=vendor, timeout=DEADLINE_S).json()["permissions"]
    assert "permissions" not in tenant.http.get(path, timeout=DEADLINE_S).json()
    assert tenant.http.get(path.partition("?")[0], timeout=DEADLINE_S).status_code == 400


def test_buckets_are_made_described_listed_and_removed(client, tenant):
    name = f"made-by-{tenant.token}"
    client._http.headers["Authorization"] = f"Bearer {tenant.token}"
    assert client.lookup_bucket(name) is None
    made = client.create_bucket(name)
    with pytest.raises(Conflict):
        client.create_bucket(name)
    assert [each.name for each in client.list_buckets(prefix="made-by-")] == [name]
    made.blob("x").upload_from_string(b"1")
    with pytest.raises(Conflict):
        made.delete()
    made.blob("x").delete()
    made.delete()
    assert not made.exists()


def test_what_is_missing_is_googles_404(tenant, client, bucket):
    with pytest.raises(NotFound, match="No such object"):
        bucket.blob("nothing").download_as_bytes()
    with pytest.raises(NotFound, match="bucket does not exist"):
        list(client.list_blobs(f"nobodys-{tenant.token}"))
    tenant.inside.configure(implicit_buckets=False)
    strict = {"Authorization": f"Bearer {tenant.token}"}
    where = f"{tenant.mock.url}/upload/storage/v1/b/nobodys/o?uploadType=media&name=x"
    answer = tenant.http.post(where, data=b"1", headers=strict, timeout=DEADLINE_S)
    assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (404, "notFound")


def test_a_packed_object_is_unpacked_for_those_who_cannot(tenant, bucket, transport):
    packed = gzip.compress(CONTENT)
    blob = bucket.blob("packed.jsonl")
    blob.content_encoding = "gzip"
    blob.upload_from_string(packed, content_type="application/x-ndjson")
    assert bucket.blob("packed.jsonl").download_as_bytes(raw_download=True, checksum="crc32c") == packed
    assert bucket.blob("packed.jsonl").download_as_bytes(checksum="crc32c") == CONTENT
    url = f"{tenant.mock.url}/{bucket.name}/packed.jsonl"
    plain = transport.get(url, headers={"Accept-Encoding": "identity", "Range": "bytes=0-9"}, timeout=DEADLINE_S)
    assert (plain.status_code, plain.content) == (200, CONTENT), "no ranges of what is unpacked on the way"
    assert "Content-Length" not in plain.headers
    assert plain.headers["x-goog-stored-content-length"] == str(len(packed))
    blob.cache_control = "no-transform"
    blob.patch()
    raw = transport.get(url, headers={"Accept-Encoding": "identity"}, timeout=DEADLINE_S, stream=True)
    assert raw.raw.read(decode_content=False) == packed


def test_an_object_is_copied_and_renamed(tenant, bucket):
    bucket.blob("a/x y").upload_from_string(CONTENT, content_type="text/plain")
    copy = bucket.copy_blob(bucket.blob("a/x y"), bucket, "b/x y")
    assert (copy.size, copy.content_type) == (len(CONTENT), "text/plain")
    assert bucket.blob("b/x y").download_as_bytes() == CONTENT
    token, _, total = bucket.blob("c").rewrite(bucket.blob("a/x y"))
    assert (token, total) == (None, len(CONTENT))
    with pytest.raises(PreconditionFailed):
        bucket.blob("c").rewrite(bucket.blob("a/x y"), if_generation_match=0)
    assert [e["object"] for e in tenant.effects("object.created")] == ["a/x y", "b/x y", "c"]


def test_the_xml_path_gives_the_same_bytes_and_errors_in_xml(tenant, bucket_name, transport):
    put(tenant, bucket_name, "a b/ü", CONTENT)
    part = transport.get(
        f"{tenant.mock.url}/{bucket_name}/a%20b/%C3%BC", headers={"Range": "bytes=256-511"}, timeout=DEADLINE_S
    )
    assert (part.status_code, part.content) == (206, CONTENT[256:512])
    gone = transport.get(f"{tenant.mock.url}/{bucket_name}/nothing", timeout=DEADLINE_S)
    assert (gone.status_code, "<Code>NoSuchKey</Code>" in gone.text) == (404, True)
    nobody = transport.get(f"{tenant.mock.url}/nobodys-{tenant.token}/x", timeout=DEADLINE_S)
    assert (nobody.status_code, "<Code>NoSuchBucket</Code>" in nobody.text) == (404, True)
    tenant.inside.configure(reader_permissions=[])
    denied = transport.get(f"{tenant.mock.url}/{bucket_name}/x", timeout=DEADLINE_S)
    assert (denied.status_code, "<Code>AccessDenied</Code>" in denied.text) == (403, True)


@pytest.mark.parametrize("name", ["x" * 1025, "line%0Abreak"])
def test_a_name_that_google_refuses_is_refused(tenant, bucket_name, name):
    where = f"/upload/storage/v1/b/{bucket_name}/o?uploadType=media&name={name}"
    assert tenant.post(where, data=b"1").status_code == 400


@pytest.mark.parametrize("query", ["pageToken=nonsense", "pageToken=~%20", "matchGlob=*", "ifGenerationMatch=x"])
def test_a_parameter_that_means_nothing_is_400(tenant, bucket_name, query):
    put(tenant, bucket_name, "x")
    path = f"/storage/v1/b/{bucket_name}/o" + ("/x" if query.startswith("if") else "")
    answer = tenant.get(f"{path}?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 400)


# -- gcsfs


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # aiohttp's advice to gcsfs
def test_gcsfs_lists_reads_writes_copies_and_describes(tenant, files, bucket_name):
    tenant.inside.configure(list_page_items=3)
    names = [f"{bucket_name}/day/{number} ü.jsonl" for number in range(8)]
    for name in names:
        files.pipe_file(name, CONTENT)
    assert files.find(bucket_name) == names
    assert files.ls(bucket_name) == [f"{bucket_name}/day"]
    shown = files.info(names[0])
    assert (shown["size"], shown["type"]) == (len(CONTENT), "file")
    assert files.cat_file(names[0], start=1000, end=2000) == CONTENT[1000:2000]
    with files.open(names[1], "rb", block_size=2**18) as stream:
        stream.seek(len(CONTENT) - 8)
        assert stream.read() == b"the rest"
    files.cp_file(names[0], f"{bucket_name}/copy")
    assert files.cat_file(f"{bucket_name}/copy") == CONTENT
    assert not files.exists(f"{bucket_name}/nothing")
    with pytest.raises(FileNotFoundError):
        files.cat_file(f"{bucket_name}/nothing")


def test_gcsfs_downloads_and_uploads_files(files, bucket_name, tmp_path):
    (tmp_path / "there").write_bytes(CONTENT * 5)
    files.put_file(str(tmp_path / "there"), f"{bucket_name}/large", chunksize=2**20)
    with files.open(f"{bucket_name}/large", "rb") as stream:
        assert google_crc32c.value(stream.read()) == google_crc32c.value(CONTENT * 5)
    files.get_file(f"{bucket_name}/large", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == CONTENT * 5


def test_gcsfs_removes_many_files_in_one_request_and_moves_one(tenant, files, bucket_name):
    names = [f"{bucket_name}/day/{number} ü.jsonl" for number in range(3)]
    for name in names:
        files.pipe_file(name, b"1")
    files.mv(names[0], f"{bucket_name}/moved")
    files.rm(names[1:])
    assert files.find(bucket_name) == [f"{bucket_name}/moved"]
    assert len(tenant.effects("object.deleted")) == 3


def delete_together(client, blobs) -> None:
    with client.batch():
        for blob in blobs:
            blob.delete()


def test_google_batches_are_served_call_by_call(tenant, client, bucket, bucket_name):
    for name in ("a", "b"):
        put(tenant, bucket_name, name)
    with client.batch():
        bucket.blob("a").delete()
        bucket.blob("b").patch()
    # Both calls are served, and the one that fails is what the client reports.
    with pytest.raises(NotFound):
        delete_together(client, [bucket.blob("a"), bucket.blob("b")])
    assert [entry["object"] for entry in tenant.effects("object.deleted")] == ["a", "b"]
    assert tenant.post("/batch/storage/v1", data=b"").status_code == 400


def test_gcsfs_takes_a_lost_permission_for_what_it_is(tenant, files, bucket_name):
    put(tenant, bucket_name, "x")
    tenant.inside.configure(reader_permissions=["storage.objects.list"])
    with pytest.raises(OSError, match=r"storage\.objects\.get"):
        files.cat_file(f"{bucket_name}/x")


# -- google-resumable-media


@pytest.mark.parametrize("kind", [Download, RawDownload])
@pytest.mark.parametrize("checksum", ["md5", "crc32c"])
def test_resumable_media_downloads_and_verifies(tenant, bucket_name, transport, tmp_path, kind, checksum):
    put(tenant, bucket_name, "x", CONTENT)
    with (tmp_path / "x").open("wb") as stream:
        kind(url_of(tenant, bucket_name), stream=stream, checksum=checksum).consume(transport, timeout=DEADLINE_S)
    assert (tmp_path / "x").read_bytes() == CONTENT


@pytest.mark.parametrize("kind", [ChunkedDownload, RawChunkedDownload])
def test_resumable_media_downloads_chunk_by_chunk(tenant, bucket_name, transport, tmp_path, kind):
    put(tenant, bucket_name, "x", CONTENT)
    with (tmp_path / "x").open("wb") as stream:
        download = kind(url_of(tenant, bucket_name), 300_000, stream)
        while not download.finished:
            download.consume_next_chunk(transport, timeout=DEADLINE_S)
    assert (tmp_path / "x").read_bytes() == CONTENT


@pytest.mark.parametrize("instruction", ["flip-bit-at-1000B", "wrong-hash"])
def test_resumable_media_finds_a_corrupt_download(tenant, bucket_name, transport, tmp_path, instruction):
    put(tenant, bucket_name, "x", CONTENT)
    plan = tenant.plan("storage.objects.download", instruction)
    with (tmp_path / "x").open("wb") as stream, pytest.raises(common.DataCorruption):
        Download(url_of(tenant, bucket_name), stream=stream).consume(transport, timeout=DEADLINE_S)
    assert plan.completed


def url_of(tenant, bucket_name: str) -> str:
    return f"{tenant.mock.url}/download/storage/v1/b/{bucket_name}/o/x?alt=media"
