"""Every fault of a download, a link and a listing, met over plain HTTP."""

import http.client
import json
import socket
import ssl
import time
from urllib.parse import urlsplit

import pytest
import requests
import trustme

from visionbatch_mock import MockConfig, MockServer
from visionbatch_mock.faults import UnknownInstruction

KIB = 1024
CONTENT = bytes(range(256)) * 1024
DOWNLOAD, GET, LIST, LINK = (
    "storage.objects.download",
    "storage.objects.get",
    "storage.objects.list",
    "exports.link",
)
DEADLINE_S = 20


@pytest.fixture
def bucket(tenant) -> str:
    name = f"faulty-{tenant.token}"
    tenant.inside.own_bucket(name)
    tenant.inside.store(name, "x", [CONTENT])
    return name


@pytest.fixture(params=["object", "link"])
def source(request, tenant, bucket) -> tuple[str, str]:
    """The same content behind both kinds of URL, with the operation that a plan names."""
    if request.param == "object":
        return DOWNLOAD, f"{tenant.mock.url}/download/storage/v1/b/{bucket}/o/x?alt=media"
    export = tenant.inside.exports.create(connector_type="email", emails=["ops@example.org"], interval="daily")
    export.run()
    mail = tenant.inside.exports.mails[0]
    tenant.inside.store(mail.link.bucket, mail.link.name, [CONTENT])
    return LINK, tenant.mock.url + mail.link.path


def fetch(tenant, url: str, span: str | None = None, **headers: str) -> requests.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if span is not None:
        sent["Range"] = f"bytes={span}"
    return tenant.http.get(url, headers=sent, timeout=DEADLINE_S)


def raw(url: str) -> bytes:
    """Everything that a server sends until it ends the connection, however it does that."""
    parts = urlsplit(url)
    head = f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n"
    received = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=DEADLINE_S) as connection:
        connection.sendall(head.encode())
        try:
            while data := connection.recv(65536):
                received += data
        except ConnectionResetError:
            received += b"<reset>"
    return received


def test_a_status_with_retry_after_comes_before_any_content(tenant, source):
    operation, url = source
    plan = tenant.plan(operation, {"fault": "return-429", "retry_after": 7}, "return-403", "html-502")
    assert [fetch(tenant, url).status_code for _ in range(4)] == [429, 403, 502, 200]
    assert plan.completed


def test_an_answer_is_reset_in_its_middle(tenant, source):
    operation, url = source
    plan = tenant.plan(operation, "reset-mid-answer-after-100K")
    head, _, body = raw(url).partition(b"\r\n\r\n")
    assert b"Content-Length: 262144" in head
    assert body == CONTENT[: 100 * KIB] + b"<reset>"
    assert plan.completed
    assert fetch(tenant, url, "102400-").content == CONTENT[100 * KIB :]


def test_an_answer_is_cut_against_its_length(tenant, source):
    operation, url = source
    tenant.plan(operation, "truncate-1000B")
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="1000 bytes read"):
        fetch(tenant, url)


def test_a_chunked_answer_is_cut_between_its_chunks(tenant, source):
    operation, url = source
    tenant.plan(operation, "truncate-chunked-1000B")
    head, _, body = raw(url).partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    assert b"Content-Length" not in head
    assert body == b"3e8\r\n" + CONTENT[:1000] + b"\r\n"


def test_an_answer_without_a_length_is_cut_and_nobody_can_tell(tenant, source):
    operation, url = source
    tenant.plan(operation, "truncate-close-1000B")
    answer = fetch(tenant, url)
    assert (answer.status_code, answer.content) == (200, CONTENT[:1000])
    assert "Content-Length" not in answer.headers


def test_a_cut_waits_for_an_answer_that_is_longer(tenant, source):
    operation, url = source
    plan = tenant.plan(operation, "truncate-1000B")
    assert fetch(tenant, url, "0-999").status_code == 206
    assert not plan.completed


def test_a_flipped_bit_is_in_its_place_and_the_hash_stays_true(tenant, source):
    operation, url = source
    plan = tenant.plan(operation, "flip-bit-at-5000B", "flip-bit-at-5000B")
    assert fetch(tenant, url, "0-4999").content == CONTENT[:5000]
    part = fetch(tenant, url, "4000-5999")
    assert [place for place in range(2000) if part.content[place] != CONTENT[4000 + place]] == [1000]
    whole = fetch(tenant, url)
    assert [place for place in range(len(CONTENT)) if whole.content[place] != CONTENT[place]] == [5000]
    assert plan.completed
    assert whole.headers["x-goog-hash"] == fetch(tenant, url).headers["x-goog-hash"]


def test_hashes_can_be_wrong_or_missing(tenant, source):
    operation, url = source
    tenant.plan(operation, "wrong-hash", "no-hash")
    wrong, none, right = (fetch(tenant, url) for _ in range(3))
    assert wrong.headers["x-goog-hash"] != right.headers["x-goog-hash"]
    assert "x-goog-hash" not in none.headers
    assert wrong.content == none.content == CONTENT


def test_a_range_can_be_ignored(tenant, source):
    operation, url = source
    plan = tenant.plan(operation, "ignore-range")
    fetch(tenant, url)
    assert not plan.completed, "nobody asked for a range"
    answer = fetch(tenant, url, "1000-")
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert plan.completed


def test_a_content_range_can_be_wrong(tenant, source):
    operation, url = source
    tenant.plan(operation, "wrong-content-range")
    answer = fetch(tenant, url, "1000-1999")
    assert (answer.status_code, answer.content) == (206, CONTENT[1000:2000])
    assert answer.headers["Content-Range"] == "bytes 1001-2000/262144"


def test_any_header_can_be_replaced_or_left_out(tenant, source):
    operation, url = source
    plan = tenant.plan(operation, {"fault": "replace-header-ETag", "value": '"other"'}, "omit-header-ETag")
    assert fetch(tenant, url).headers["ETag"] == '"other"'
    assert "ETag" not in fetch(tenant, url).headers
    assert plan.completed


def test_an_answer_can_be_slow(tenant, source):
    operation, url = source
    tenant.plan(operation, "throttle-512Kps")
    began = time.monotonic()
    assert fetch(tenant, url).content == CONTENT
    assert time.monotonic() - began >= 0.4


def test_an_answer_can_stall_after_its_first_bytes(tenant, source):
    operation, url = source
    tenant.plan(operation, "stall-for-30s-after-64K")
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    assert answer.read(64 * KIB) == CONTENT[: 64 * KIB]
    connection.sock.settimeout(0.2)
    with pytest.raises(TimeoutError):
        answer.read(1)
    connection.close()


def test_an_object_can_be_replaced_before_it_is_read(tenant, source):
    operation, url = source
    plan = tenant.plan(operation, {"fault": "replace-object", "body": "newer"}, "replace-object", "delete-object")
    etag = fetch(tenant, url, "0-0").headers["ETag"]
    assert plan.met[0].instruction == "replace-object"
    tags = [etag, *(fetch(tenant, url).headers.get("ETag") for _ in range(3))]
    assert tags[2] is None, "it is gone"
    assert len(set(tags[:2])) == 2, "each has an ETag of its own"
    assert plan.completed


def test_a_condition_finds_the_object_that_was_replaced(tenant, bucket):
    generation = tenant.inside.objects.get(bucket, "x").generation
    url = f"{tenant.mock.url}/download/storage/v1/b/{bucket}/o/x?alt=media"
    tenant.plan(DOWNLOAD, {"fault": "replace-object", "body": "newer"}, "replace-object")
    assert fetch(tenant, f"{url}&ifGenerationMatch={generation}").status_code == 412
    assert fetch(tenant, f"{url}&generation={generation}").status_code == 404
    assert fetch(tenant, url).content == b"newer"
    assert [entry["object"] for entry in tenant.effects("object.created")] == ["x", "x", "x"]


def test_a_link_can_expire_between_two_ranges_and_be_mailed_again(tenant):
    export = tenant.inside.exports.create(connector_type="email", emails=["ops@example.org"], interval="daily")
    export.seed({"generate": {"count": 50}})
    export.run()
    first = tenant.get("/_control/mails").json()[0]["link"]
    plan = tenant.plan(LINK, "pass", "expire-link")
    begun = fetch(tenant, first, "0-999")
    assert fetch(tenant, first, "1000-").status_code == 403
    assert fetch(tenant, first, "1000-").status_code == 403
    renewed = tenant.post(f"/_control/links/{first.rpartition('/')[2]}/renew")
    assert renewed.status_code == 201
    rest = fetch(tenant, renewed.json()["link"], "1000-", If_Range=begun.headers["ETag"])
    assert rest.status_code == 206
    assert len((begun.content + rest.content).splitlines()) == 50
    assert plan.completed
    assert tenant.post("/_control/links/nothing/renew").status_code == 404


# -- listings and descriptions


def test_a_page_token_can_expire(tenant, bucket):
    tenant.inside.configure(list_page_items=1)
    tenant.inside.store(bucket, "y", [b"1"])
    plan = tenant.plan(LIST, "expire-page-token")
    first = tenant.get(f"/storage/v1/b/{bucket}/o")
    assert (first.status_code, plan.completed) == (200, False)
    path = f"/storage/v1/b/{bucket}/o?pageToken={first.json()['nextPageToken']}"
    answer = tenant.get(path)
    assert (answer.status_code, answer.json()["error"]["errors"][0]["location"]) == (400, "pageToken")
    assert tenant.get(path).json()["items"][0]["name"] == "y"
    assert plan.completed


def test_a_page_token_can_come_again_and_again(tenant, bucket):
    tenant.plan(LIST, {"fault": "set-nextPageToken", "value": "again"})
    assert tenant.get(f"/storage/v1/b/{bucket}/o").json()["nextPageToken"] == "again"


@pytest.mark.parametrize(
    ("operation", "method", "path"),
    [
        (LIST, "GET", "/storage/v1/b/{}/o"),
        (GET, "GET", "/storage/v1/b/{}/o/x"),
        ("storage.objects.patch", "PATCH", "/storage/v1/b/{}/o/x"),
        ("storage.objects.rewrite", "POST", "/storage/v1/b/{0}/o/x/rewriteTo/b/{0}/o/y"),
        ("storage.objects.insert", "POST", "/upload/storage/v1/b/{}/o?uploadType=media&name=z"),
        ("storage.objects.delete", "DELETE", "/storage/v1/b/{}/o/x"),
        ("storage.buckets.get", "GET", "/storage/v1/b/{}"),
        (
            "storage.buckets.testIamPermissions",
            "GET",
            "/storage/v1/b/{}/iam/testPermissions?permissions=storage.objects.get",
        ),
        ("storage.buckets.list", "GET", "/storage/v1/b"),
        ("storage.buckets.insert", "POST", "/storage/v1/b"),
        ("storage.buckets.delete", "DELETE", "/storage/v1/b/{}"),
    ],
)
def test_every_operation_of_the_store_meets_faults(tenant, bucket, operation, method, path):
    plan = tenant.plan(operation, {"fault": "return-503", "retry_after": 1}, "return-reset-connection")
    answer = tenant.call(method, path.format(bucket))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json()["error"]["errors"][0]["reason"] == "backendError"
    with pytest.raises(requests.ConnectionError):
        tenant.call(method, path.format(bucket))
    assert plan.completed


def test_a_listing_can_be_reset_in_its_middle(tenant, bucket):
    plan = tenant.plan(LIST, "reset-mid-answer-after-20B", "truncate-5B")
    path = f"/storage/v1/b/{bucket}/o"
    for _ in range(2):
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            tenant.get(path)
    assert plan.completed


def test_a_key_of_a_description_waits_for_a_description(tenant, bucket):
    plan = tenant.plan(GET, "omit-crc32c", {"fault": "set-size", "value": "1"})
    path = f"/storage/v1/b/{bucket}/o/x"
    assert tenant.get(f"{path}?alt=media").content == CONTENT
    assert "crc32c" not in tenant.get(path).json()
    assert tenant.get(path).json()["size"] == "1"
    assert plan.completed


def test_a_content_of_json_is_not_taken_for_a_description(tenant, bucket):
    described = tenant.inside.objects.get(bucket, "x").description.changed({"contentType": "application/json"})
    content = json.dumps({"crc32c": "mine", "md5Hash": "mine", "size": "7"}).encode()
    tenant.inside.store(bucket, "record.json", [content], described)
    plan = tenant.plan(DOWNLOAD, "wrong-hash", "no-hash")
    path = f"/storage/v1/b/{bucket}/o/record.json?alt=media"
    assert tenant.get(path).content == tenant.get(path).content == content
    assert plan.completed


@pytest.mark.parametrize(
    ("operation", "told"),
    [
        (DOWNLOAD, "expire-link"),
        (DOWNLOAD, "expire-page-token"),
        (DOWNLOAD, "omit-size"),
        (LIST, "flip-bit-at-1B"),
        (LIST, "ignore-range"),
        (LINK, {"fault": "set-size", "value": 1}),
        (DOWNLOAD, "replace-header-ETag"),
        (DOWNLOAD, {"fault": "replace-object", "colour": 1}),
        ("storage.objects.insert", "truncate-close-5B"),
    ],
)
def test_a_word_that_could_never_be_met_is_refused(tenant, operation, told):
    with pytest.raises(UnknownInstruction):
        tenant.plan(operation, told)


# -- TLS


def test_the_mock_speaks_tls_with_a_certificate_of_the_tests(tmp_path):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with MockServer(MockConfig(), tls=context) as mock:
        mock.world.tenant().store("b", "x", [CONTENT])
        assert mock.url.startswith("https://")
        url = f"{mock.url}/b/x"
        assert requests.get(url, verify=str(tmp_path / "ca.pem"), timeout=DEADLINE_S).content == CONTENT
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(url, timeout=DEADLINE_S)
        mock.world.tenant().faults.plan({"instructions": {DOWNLOAD: ["reset-mid-answer-after-64K"]}})
        with pytest.raises(requests.exceptions.RequestException):
            requests.get(url, verify=str(tmp_path / "ca.pem"), timeout=DEADLINE_S)
