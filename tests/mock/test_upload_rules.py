"""What beginning an upload may say, and what the object keeps of it, by Google's pages on uploads."""

import json

import pytest

META_PLACE, PLACE = "x-goog-meta-place", "Łódź, Süd"
OBJECTS = "/upload/storage/v1/b/photos/o"
JSON = {"Content-Type": "application/json; charset=UTF-8"}
CONTENT = b"x--bound\r\n--boun\r\n-- "
"""Nearly a delimiter, again and again."""


def begin(tenant, told: object, query: str = "", **headers: str):
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    return tenant.post(f"{OBJECTS}?uploadType=resumable{query}", data=body, headers={**JSON, **headers})


def resource(tenant, name: str):
    return tenant.get(f"/storage/v1/b/photos/o/{name}")


@pytest.mark.parametrize("body", [b"[]", b"1", b"\xff", b"{", b'"x"', b"null", b"{}"])
def test_a_beginning_that_names_no_object_is_refused(tenant, body):
    assert begin(tenant, body).json()["error"]["code"] == 400
    assert tenant.effects() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"metadata": [1]},
        {"metadata": "s"},
        {"metadata": {"a": {}}},
        {"md5Hash": 5},
        {"contentType": 7},
        {"name": 5},
        {"cacheControl": "a\n"},
    ],
)
def test_a_field_of_another_type_is_refused(tenant, wrong):
    assert begin(tenant, {"name": "x", **wrong}).status_code == 400
    tenant.post(f"{OBJECTS}?uploadType=media&name=there", data=b"1")
    assert tenant.call("PATCH", "/storage/v1/b/photos/o/there", json=wrong).status_code == 400


@pytest.mark.parametrize("name", [".", "..", ".well-known/acme-challenge/x"])
def test_a_name_that_no_object_may_have_is_refused(tenant, name):
    assert begin(tenant, {"name": name}).status_code == 400


@pytest.mark.parametrize("length", ["-1", "many", ""])
def test_an_announced_length_is_a_number(tenant, length):
    assert begin(tenant, {"name": "x"}, **{"X-Upload-Content-Length": length}).status_code == 400


def test_the_name_in_the_query_is_the_one_that_counts(tenant, upload):
    upload.url = begin(tenant, {"name": "body"}, "&name=query").headers["Location"]
    assert upload.put(body=b"abc").json()["name"] == "query"
    assert resource(tenant, "body").status_code == 404


def test_the_object_is_described_as_its_beginning_said(tenant, upload):
    told = {
        "contentEncoding": "identity", "contentLanguage": "fr", "contentDisposition": "inline",
        "cacheControl": "no-cache", "storageClass": "NEARLINE", "customTime": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    begun = begin(
        tenant, {**told, "name": "a", "metadata": {"a": 1, "b": None}}, **{"X-Upload-Content-Type": "video/mp4"}
    )
    assert (begun.content, begun.headers["Content-Length"]) == (b"", "0")
    assert begun.headers["X-GUploader-UploadID"] in begun.headers["Location"]
    upload.url = begun.headers["Location"]
    assert resource(tenant, "a").status_code == 404, "an object is there when all of it is"
    made = upload.put(body=b"abc").json()
    assert made == resource(tenant, "a").json()
    assert {**told, "contentType": "video/mp4", "metadata": {"a": "1"}}.items() <= made.items()
    read = tenant.call("HEAD", "/photos/a").headers
    assert (read["x-goog-storage-class"], read["x-goog-custom-time"]) == (told["storageClass"], told["customTime"])


def test_a_description_beyond_latin_1_is_read_as_it_was_written(tenant, upload):
    told = {
        "contentDisposition": 'attachment; filename="a ł ü.jpg"',
        "metadata": {"place": PLACE, "two": "a\nb"},
    }
    upload.url = begin(tenant, {"name": "a", **told}).headers["Location"]
    assert upload.put(body=b"abc").status_code == 200
    read = tenant.get("/photos/a")
    shown = {
        name: read.headers.get(name, "").encode("latin-1").decode() for name in ("Content-Disposition", META_PLACE)
    }
    assert shown == {"Content-Disposition": told["contentDisposition"], META_PLACE: PLACE}
    assert "x-goog-meta-two" not in read.headers, "no header can carry it"
    assert tenant.get("/storage/v1/b/photos/o/a?alt=media").content == b"abc"
    copy = {META_PLACE: PLACE.encode()}
    tenant.call("PUT", "/photos/b", data=b"abc", headers=copy)
    assert resource(tenant, "b").json()["metadata"] == {"place": PLACE}


def test_a_page_that_began_a_session_may_read_its_answers(tenant, upload):
    page = {"Origin": "https://photos.example"}
    begun = begin(tenant, {"name": "a"}, **page)
    upload.url = begun.headers["Location"]
    asked = upload.put("bytes */*", **page)
    for answer in (begun, asked, upload.put(body=b"abc", **page)):
        assert answer.headers["Access-Control-Allow-Origin"] == page["Origin"]
    assert "Range" in asked.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in upload.put("bytes */*", Origin="https://other.example").headers


def test_of_two_sessions_of_one_name_the_last_to_end_is_read_and_both_keep_their_answers(tenant, upload):
    first, second = (begin(tenant, {"name": "a"}).headers["Location"] for _ in range(2))
    upload.url = second
    made = upload.put(body=b"second").json()
    upload.url = first
    last = upload.put(body=b"first").json()
    assert int(last["generation"]) > int(made["generation"])
    assert resource(tenant, "a").json() == last
    upload.url = second
    assert upload.probe().json() == made


@pytest.mark.parametrize("promised", ["crc32c", "crc32c=", "md5=nonsense"])
def test_a_checksum_that_is_none_fits_nothing(upload, promised):
    assert upload.put(body=b"abc", x_goog_hash=promised).status_code == 400
    assert upload.probe().status_code == 410


def test_a_checksum_before_the_end_is_not_looked_at_and_one_without_data_is(upload, data):
    quantum = 262_144
    assert upload.chunk(data, 0, quantum, x_goog_hash="crc32c=AAAAAA==").status_code == 308
    assert upload.put(f"bytes */{quantum}", x_goog_hash="crc32c=AAAAAA==").status_code == 400
    assert upload.probe().status_code == 410


# -- uploadType=multipart


def multipart(*parts: tuple[str | None, bytes], boundary: str = "bound", end: str = "--") -> bytes:
    heads = [b"" if kind is None else f"Content-Type: {kind}\r\n".encode() for kind, _ in parts]
    mark = f"--{boundary}".encode()
    body = b"".join(
        mark + b"\r\n" + head + b"\r\n" + content + b"\r\n" for head, (_, content) in zip(heads, parts, strict=True)
    )
    return body + mark + end.encode()


META = ("application/json", b'{"name": "m"}')


def insert(tenant, body: bytes, kind: str = "multipart/related; boundary=bound"):
    return tenant.post(f"{OBJECTS}?uploadType=multipart", data=body, headers={"Content-Type": kind})


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (multipart(META, ("image/png", CONTENT)), "multipart/related; boundary=bound"),
        (multipart(META, ("image/png", CONTENT), boundary="b: ="), 'multipart/related; boundary="b: ="'),
        (b"a preamble\r\n" + multipart(META, ("image/png", CONTENT)), "multipart/related; boundary=bound"),
        (multipart(META, ("image/png", CONTENT)) + b"\r\nan epilogue", "multipart/related; boundary=bound"),
    ],
)
def test_a_multipart_body_may_have_any_boundary_and_content_like_it(tenant, body, kind):
    made = insert(tenant, body, kind).json()
    assert (made["name"], made["size"], made["contentType"]) == ("m", str(len(CONTENT)), "image/png")
    assert tenant.get("/photos/m").content == CONTENT


def test_content_without_a_type_is_of_the_default_type_and_may_be_empty(tenant):
    made = insert(tenant, multipart(META, (None, b""))).json()
    assert (made["size"], made["contentType"]) == ("0", "application/octet-stream")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        multipart(META),
        multipart(META, ("a/b", CONTENT), ("a/b", b"third")),
        multipart(META, ("a/b", CONTENT))[:-12],
        multipart(("application/json", b"{"), ("a/b", CONTENT)),
        multipart(("application/json", b"{}"), ("a/b", CONTENT)),
        multipart(("application/json", b'{"name": "m", "md5Hash": "AAAA"}'), ("a/b", CONTENT)),
        multipart(("application/json", b'{"name": "m", "x": "' + b" " * 1024 * 1024 + b'"}'), ("a/b", CONTENT)),
    ],
    ids=["nothing", "no content", "three parts", "cut off", "no JSON", "no name", "wrong MD5", "too long"],
)
def test_a_multipart_body_that_is_none_makes_no_object(tenant, body):
    assert insert(tenant, body).json()["error"]["code"] == 400
    assert tenant.effects() == []
    # Nothing of it is in the way of the next request on the connection.
    assert insert(tenant, multipart(META, ("a/b", CONTENT))).status_code == 200
