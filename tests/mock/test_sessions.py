"""Upload sessions, row by row of Google's resumable upload documentation."""

import base64
import hashlib

import google_crc32c
import pytest

Q = 262_144


def crc32c(data: bytes) -> str:
    return base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def assert_final(answer, kind: str, data: bytes) -> None:
    assert answer.status_code == 200
    if kind == "json":
        body = answer.json()
        assert body["kind"] == "storage#object"
        assert body["size"] == str(len(data))
        assert (body["crc32c"], body["md5Hash"]) == (crc32c(data), md5(data))
        wanted = {"name", "bucket", "generation", "metageneration", "contentType"}
        assert wanted | {"timeCreated", "updated"} <= set(body)
    else:
        assert answer.content == b""
        assert answer.headers["Content-Length"] == "0"
        assert answer.headers["x-goog-stored-content-length"] == str(len(data))
        assert answer.headers["x-goog-hash"] == f"crc32c={crc32c(data)},md5={md5(data)}"
        assert answer.headers["x-goog-generation"].isdecimal()


def assert_308(answer, persisted: int) -> None:
    assert answer.status_code == 308
    assert answer.reason == "Resume Incomplete"
    assert answer.content == b""
    assert "Location" not in answer.headers
    assert answer.headers.get("Range") == (f"bytes=0-{persisted - 1}" if persisted else None)


# -- forms of section "sending data"


def test_a_whole_object_needs_no_content_range(upload, kind, data):
    assert_final(upload.put(body=data), kind, data)


def test_chunks_with_a_known_total_complete_with_the_last(upload, kind, data):
    total = len(data)
    assert_308(upload.chunk(data, 0, 2 * Q, total), 2 * Q)
    assert_308(upload.chunk(data, 2 * Q, 3 * Q, total), 3 * Q)
    assert_final(upload.chunk(data, 3 * Q, total, total), kind, data)


def test_a_stream_names_its_total_with_the_last_chunk(upload, kind, data):
    assert_308(upload.chunk(data, 0, 2 * Q), 2 * Q)
    assert_final(upload.chunk(data, 2 * Q, len(data), len(data)), kind, data)


def test_a_stream_may_finish_without_data(upload, kind, data):
    assert_308(upload.chunk(data, 0, 2 * Q), 2 * Q)
    assert_final(upload.probe(2 * Q), kind, data[: 2 * Q])


def test_an_empty_object_is_finished_by_a_total_of_zero(upload, kind):
    assert_final(upload.probe(0), kind, b"")


def test_resuming_in_one_request_sends_the_rest(upload, kind, data):
    upload.chunk(data, 0, Q, len(data))
    assert_final(upload.chunk(data, Q, len(data), len(data)), kind, data)


@pytest.mark.parametrize("total", ["known", "unknown"])
def test_an_open_ended_request_ends_with_its_body(upload, kind, data, total):
    end = len(data) if total == "known" else "*"
    assert_final(upload.put(f"bytes 0-*/{end}", data), kind, data)


def test_an_open_ended_request_can_resume(upload, kind, data):
    upload.chunk(data, 0, Q, len(data))
    assert_final(upload.put(f"bytes {Q}-*/{len(data)}", data[Q:]), kind, data)


def test_a_body_in_chunked_transfer_coding_is_taken(upload, kind, data):
    answer = upload.put(f"bytes 0-*/{len(data)}", iter([data[:1000], data[1000:]]))
    assert_final(answer, kind, data)


def test_post_works_on_a_url_with_an_upload_type_only(upload, kind, data):
    answer = upload.put(f"bytes 0-{len(data) - 1}/{len(data)}", data, method="POST")
    if kind == "json":
        assert_final(answer, kind, data)
    else:
        assert answer.status_code == 405


def test_a_client_may_ask_for_200_instead_of_308(upload, data):
    answer = upload.chunk(data, 0, Q, len(data), X_GUploader_No_308="yes")
    assert answer.status_code == 200
    assert answer.headers["X-HTTP-Status-Code-Override"] == "308"
    assert answer.headers["Range"] == f"bytes=0-{Q - 1}"


@pytest.mark.parametrize(
    "header",
    ["bytes=0-10/11", "0-10/11", "bytes 10-0/11", "bytes 0-10", "bytes a-b/c", "", "bytes -1-2/3"],
)
def test_a_malformed_content_range_is_refused(upload, header):
    assert upload.put(header, b"x" * 11).status_code == 400
    assert_308(upload.probe(), 0)


# -- sizes of chunks


def test_a_short_chunk_that_is_not_the_last_is_refused_by_size(upload, data):
    answer = upload.chunk(data, 0, 100_000, len(data))
    assert answer.status_code == 400
    assert "262144" in answer.text
    assert "100000" in answer.text
    assert_308(upload.probe(), 0)


def test_of_an_uneven_chunk_only_whole_blocks_are_kept(upload, data):
    assert_308(upload.chunk(data, 0, 300_000, len(data)), Q)


def test_2_500_000_bytes_leave_2_359_296(upload):
    big = bytes(3_000_000)
    assert_308(upload.chunk(big, 0, 2_500_000, len(big)), 2_359_296)


def test_loose_chunks_keep_everything(tenant, upload, data):
    tenant.inside.configure(strict_chunks=False)
    assert_308(upload.chunk(data, 0, 100_000, len(data)), 100_000)
    assert_308(upload.chunk(data, 100_000, 400_001, len(data)), 400_001)


# -- status probe


@pytest.mark.parametrize("total", ["*", 917_504])
def test_a_probe_before_any_byte_has_no_range(upload, total):
    assert_308(upload.probe(total), 0)


@pytest.mark.parametrize("total", ["*", 917_504])
def test_a_probe_tells_what_is_persisted(upload, data, total):
    upload.chunk(data, 0, 2 * Q, len(data))
    assert_308(upload.probe(total), 2 * Q)


@pytest.mark.parametrize("total", [1, 2 * Q - 1, 2 * Q + 1, 10**12])
def test_a_probe_with_another_total_changes_nothing(upload, data, total):
    upload.chunk(data, 0, 2 * Q)
    assert_308(upload.probe(total), 2 * Q)
    assert_308(upload.probe(), 2 * Q)


def test_a_probe_does_not_complete_an_upload_of_another_announced_total(upload, data):
    upload.chunk(data, 0, 2 * Q, len(data))
    assert_308(upload.probe(2 * Q), 2 * Q)


def test_a_probe_may_not_have_a_body(upload):
    assert upload.put("bytes */100", b"x").status_code == 400


@pytest.mark.parametrize("asked", ["bytes */*", "bytes */917504", "bytes */5", "bytes 0-9/10"])
def test_a_complete_session_answers_200_whatever_is_asked(upload, kind, data, asked):
    upload.put(body=data)
    body = b"0123456789" if asked.startswith("bytes 0") else b""
    assert_final(upload.put(asked, body), kind, data)


def test_an_unknown_session_is_404(upload):
    upload.url = upload.url[:-6] + "000000"
    assert upload.probe().status_code == 404


def test_an_expired_session_is_404(tenant, upload, data):
    upload.chunk(data, 0, Q, len(data))
    tenant.inside.clock.advance(7 * 24 * 3600 + 1)
    assert upload.probe().status_code == 404
    assert upload.chunk(data, Q, 2 * Q, len(data)).status_code == 404


def test_cancelling_succeeds_with_499_and_stays(tenant, upload, data):
    upload.chunk(data, 0, Q, len(data))
    assert upload.cancel().status_code == 499
    assert upload.probe().status_code == 499
    assert upload.chunk(data, Q, 2 * Q, len(data)).status_code == 499
    assert upload.cancel().status_code == 499
    assert len(tenant.effects("session.cancelled")) == 1


def test_cancelling_a_complete_session_leaves_the_object(tenant, upload, kind, data):
    upload.put(body=data)
    assert_final(upload.cancel(), kind, data)
    assert_final(upload.probe(), kind, data)


# -- overlap, resend, gap


def test_a_resent_chunk_is_ignored(tenant, upload, data):
    upload.chunk(data, 0, Q, len(data))
    assert_308(upload.chunk(data, 0, Q, len(data)), Q)
    assert [(e["start"], e["stop"]) for e in tenant.effects("bytes.persisted")] == [(0, Q)]


def test_an_overlapping_chunk_adds_only_its_new_part(upload, kind, data):
    total = len(data)
    upload.chunk(data, 0, Q, total)
    assert_308(upload.chunk(data, 0, 2 * Q, total), 2 * Q)
    assert_final(upload.chunk(data, Q // 2, total, total), kind, data)


def test_bytes_that_are_persisted_cannot_be_changed(upload, kind, data):
    upload.chunk(data, 0, Q, len(data))
    other = b"z" * Q + data[Q:]
    assert_final(upload.chunk(other, 0, len(other), len(other)), kind, data)


@pytest.mark.parametrize("last", [False, True])
def test_a_gap_is_refused_with_a_503_that_names_both_offsets(upload, data, last):
    total = len(data)
    upload.chunk(data, 0, Q, total)
    answer = upload.chunk(data, 2 * Q, total if last else 3 * Q, total)
    assert answer.status_code == 503
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "Content-Range" in answer.text
    assert str(2 * Q) in answer.text
    assert str(Q) in answer.text
    assert_308(upload.probe(), Q)


@pytest.mark.parametrize("header", ["bytes 0-262143/262143", "bytes 0-262143/100"])
def test_a_chunk_beyond_the_total_is_refused(upload, data, header):
    assert upload.put(header, data[:Q]).status_code == 400


def test_a_total_that_changes_is_refused(upload, data):
    upload.chunk(data, 0, Q, len(data))
    assert upload.chunk(data, Q, 2 * Q, len(data) + 1).status_code == 400
    assert_308(upload.probe(), Q)


@pytest.mark.parametrize("length", [0, 5, Q - 1])
def test_a_body_that_is_not_as_long_as_its_range_is_refused(upload, data, length):
    answer = upload.put(f"bytes 0-{Q - 1}/{len(data)}", data[:length])
    assert answer.status_code == 400
    assert_308(upload.probe(), 0)


def test_a_finishing_chunk_that_arrives_in_part_leaves_the_upload_open(tenant, upload, kind, data):
    tenant.plan("storage.sessions.chunk", "partial-persist-256K")
    assert_308(upload.chunk(data, 0, len(data), len(data)), Q)
    assert_final(upload.chunk(data, Q, len(data), len(data)), kind, data)


# -- checksums


def test_checksums_with_the_last_request_are_accepted(upload, kind, data):
    upload.chunk(data, 0, Q, len(data))
    promised = f"crc32c={crc32c(data)},md5={md5(data)}"
    answer = upload.chunk(data, Q, len(data), len(data), x_goog_hash=promised)
    assert_final(answer, kind, data)


@pytest.mark.parametrize("promised", ["crc32c=AAAAAA==", "md5=AAAAAAAAAAAAAAAAAAAAAA=="])
def test_a_wrong_checksum_terminates_the_session_without_an_object(tenant, upload, data, promised):
    answer = upload.put(body=data, x_goog_hash=promised)
    assert answer.status_code == 400
    assert upload.probe().status_code == 410
    assert tenant.effects("archive.committed") == []


# -- initiation by clients themselves


def test_initiation_without_a_name_is_refused(tenant):
    answer = tenant.post("/upload/storage/v1/b/photos/o?uploadType=resumable")
    assert answer.status_code == 400


def test_initiation_needs_valid_json(tenant):
    answer = tenant.post(
        "/upload/storage/v1/b/photos/o?uploadType=resumable&name=a",
        data=b"{",
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 400


def test_json_initiation_gives_200_and_a_session_url(tenant, upload, data):
    answer = tenant.post("/upload/storage/v1/b/photos/o?uploadType=resumable", json={"name": "a/b"})
    assert answer.status_code == 200
    assert answer.content == b""
    upload.url = answer.headers["Location"]
    assert_final(upload.put(body=data), "json", data)
    made = tenant.effects("object.created")[0]
    assert (made["bucket"], made["object"], made["size"]) == ("photos", "a/b", len(data))


def test_xml_initiation_gives_201_and_a_session_url(tenant, upload, data):
    answer = tenant.post("/photos/a/b.bin", headers={"x-goog-resumable": "start"})
    assert answer.status_code == 201
    upload.url = answer.headers["Location"]
    assert "/photos/a/b.bin?upload_id=" in upload.url
    assert_final(upload.put(body=data), "xml", data)


def test_an_announced_length_fixes_the_total(tenant, upload, data):
    answer = tenant.post(
        "/upload/storage/v1/b/photos/o?uploadType=resumable&name=a",
        headers={"X-Upload-Content-Length": str(len(data))},
    )
    upload.url = answer.headers["Location"]
    assert upload.chunk(data, 0, Q, len(data) + 1).status_code == 400
    assert upload.put(body=data[:-1]).status_code == 400
    assert_final(upload.put(body=data), "json", data)


def test_checksums_of_the_initiation_are_checked_at_the_end(tenant, upload, data):
    answer = tenant.post(
        "/upload/storage/v1/b/photos/o?uploadType=resumable",
        json={"name": "a", "md5Hash": md5(data + b"!")},
    )
    upload.url = answer.headers["Location"]
    assert upload.put(body=data).status_code == 400
    assert tenant.get("/storage/v1/b/photos/o/a").status_code == 404


def test_a_precondition_fails_at_the_end(tenant, upload, data):
    where = "/upload/storage/v1/b/photos/o?uploadType=resumable&name=a&ifGenerationMatch=0"
    first, second = (tenant.post(where).headers["Location"] for _ in range(2))
    upload.url = first
    assert upload.put(body=data).status_code == 200
    upload.url = second
    assert upload.put(body=data).status_code == 412
