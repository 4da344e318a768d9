"""The requests that the vendor's documented upload script sends, one connection for each.

The script reads half a megabyte at a time, numbers the bytes by what it read and never looks at what
the service answered. So it succeeds on a healthy service and cannot survive a single failed chunk.
"""

import requests

CHUNK = 524_288


def run(mock, token: str, archive: bytes) -> list[requests.Response]:
    headers = {"Authorization": f"Token {token}", "content-type": "application/json"}
    made = requests.post(f"{mock.url}/v0.2/batches", headers=headers, timeout=20)
    url, answers = made.json()["upload_url"], [made]
    for start in range(0, len(archive), CHUNK):
        chunk = archive[start : start + CHUNK]
        headers = {
            "content-type": "application/octet-stream",
            "Content-Range": f"bytes {start}-{start + len(chunk) - 1}/{len(archive)}",
        }
        answers.append(requests.put(url, data=chunk, headers=headers, timeout=20))
    return answers


def padded(archive: bytes, size: int) -> bytes:
    """The archive with bytes in front of it, which the format allows."""
    return bytes(size - len(archive)) + archive


def test_it_succeeds_on_a_healthy_service(mock, tenant, archive):
    content = padded(archive, 4 * CHUNK + 77)
    answers = run(mock, tenant.token, content)
    assert [a.status_code for a in answers] == [201, 308, 308, 308, 308, 200]
    tenant.inside.clock.advance(60)
    assert [e["outcome"] for e in tenant.effects("batch.processed")] == ["success"]


def test_it_succeeds_with_a_size_that_is_a_multiple_of_its_chunk(mock, tenant, archive):
    answers = run(mock, tenant.token, padded(archive, 3 * CHUNK))
    assert [a.status_code for a in answers] == [201, 308, 308, 200]


def test_one_failed_chunk_is_never_made_good(mock, tenant, archive):
    tenant.plan("storage.sessions.chunk", "pass", "return-502")
    answers = run(mock, tenant.token, padded(archive, 4 * CHUNK + 77))
    assert [a.status_code for a in answers] == [201, 308, 502, 503, 503, 503]
    assert str(2 * CHUNK) in answers[3].text
    assert str(CHUNK) in answers[3].text
    assert "Content-Range" in answers[3].text
    tenant.inside.clock.advance(10**6)
    assert tenant.effects("archive.committed") == []


def test_the_command_lines_probe_then_chunks_succeed_and_resume(tenant, archive):
    content, step = padded(archive, 7_000_000), 2_621_440
    batch_id, upload = tenant.new_batch()
    tenant.plan("storage.sessions.chunk", "pass", "return-500")
    for run_number in range(2):
        told = upload.probe(len(content)).headers.get("Range")
        start = int(told.split("-")[1]) + 1 if told else 0
        while start < len(content):
            stop = min(start + step, len(content))
            answer = upload.chunk(content, start, stop, len(content))
            if answer.status_code not in {200, 308}:
                break
            start = stop
        assert (answer.status_code == 200) == (run_number == 1)
    assert [e["batch_id"] for e in tenant.effects("archive.committed")] == [batch_id]
