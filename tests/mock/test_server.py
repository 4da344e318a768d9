"""The server around the mock: connections, threads, memory, and the command line."""

import contextlib
import gc
import http.client
import re
import socket
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

import visionbatch_mock
from support.patience import wait_until
from visionbatch_mock import MockConfig, MockServer, create_app

Q = 262_144
MIB = 1024 * 1024


def connect(server: MockServer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)


def ask(connection: http.client.HTTPConnection, method: str, url: str, **options) -> tuple[int, bytes]:
    connection.request(method, url, **options)
    answer = connection.getresponse()
    return answer.status, answer.read()


# -- connections


def test_one_connection_carries_many_requests(tenant, data):
    upload = tenant.new_upload()
    connection = connect(tenant.mock)
    connection.connect()
    port = connection.sock.getsockname()[1]
    for start in range(0, 3 * Q, Q):
        headers = {"Content-Range": f"bytes {start}-{start + Q - 1}/{len(data)}"}
        status, _ = ask(connection, "PUT", upload.url, body=data[start : start + Q], headers=headers)
        assert status == 308
    assert connection.sock.getsockname()[1] == port
    connection.close()


@pytest.mark.parametrize(("path", "refusal"), [("/v0.2/batches", 403), ("/_control/health", 405)])
def test_a_refused_body_does_not_spoil_the_next_request(mock, path, refusal):
    connection = connect(mock)
    connection.connect()
    used = connection.sock
    body = b"POST /v0.2/batches HTTP/1.1\r\nHost: x\r\n\r\n" * 20_000
    status, _ = ask(connection, "POST", path, body=body)
    assert status == refusal
    assert ask(connection, "GET", "/_control/health") == (200, b'{"status": "ok"}')
    assert connection.sock is used
    connection.close()


def test_pipelined_requests_are_answered_in_order(mock):
    with socket.create_connection(("127.0.0.1", mock.port), timeout=20) as connection:
        one = b"GET /_control/health HTTP/1.1\r\nHost: x\r\n\r\n"
        last = b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        connection.sendall(one * 3 + last)
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200", b"200", b"200", b"404"]


@pytest.mark.parametrize(
    ("head", "refusal"),
    [
        (b"GET /health", 400),
        (b"GET /a b HTTP/1.1", 400),
        (b"G\xc3T /health HTTP/1.1", 400),
        (b"GET /health HTTP/2.0", 505),
        (b"GET /health HTTP/1.1\r\nnothing", 400),
        (b"GET /health HTTP/1.1\r\nName : spaced", 400),
        (b"GET /health HTTP/1.1\r\nName: a\r\n continued", 400),
        (b"GET /health HTTP/1.1\r\nName: a\rb", 400),
        (b"GET /health HTTP/1.1\r\nContent-Length: 0\r\ncontent-length: 9", 400),
        (b"GET /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip", 400),
        (b"GET /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 9", 400),
        (b"GET /health HTTP/1.0\r\nTransfer-Encoding: chunked", 400),
        (b"GET /health HTTP/1.1\r\nHost: x\r\nhost: y", 400),
        (b"GET /health HTTP/1.1\r\nAccept: */*", 400),
        (b"GET /health HTTP/1.1" + b"\r\nName: a" * 101, 431),
        (b"GET /health HTTP/1.1\r\nName: " + b"a" * 65_536, 431),
        (b"GET /" + b"a" * 65_536 + b" HTTP/1.1", 414),
    ],
)
def test_a_head_that_is_none_is_refused_and_nothing_after_it_is_read(mock, head, refusal):
    with socket.create_connection(("127.0.0.1", mock.port), timeout=20) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(head + b"\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = until_closed(connection)
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"%d" % refusal]


def test_a_head_that_does_not_end_is_not_served(tenant):
    with socket.create_connection(("127.0.0.1", tenant.mock.port), timeout=20) as connection:
        connection.sendall(b"POST /v0.2/batches HTTP/1.1\r\nAuthorization: Token " + tenant.token.encode() + b"\r\n")
        connection.shutdown(socket.SHUT_WR)
        assert until_closed(connection) == b""
    assert tenant.inside.journal.entries() == []


def until_closed(connection: socket.socket) -> bytes:
    """All that comes; a connection that ends with something unread is reset."""
    held = b""
    with contextlib.suppress(ConnectionResetError):
        while data := connection.recv(65536):
            held += data
    return held


def test_an_early_answer_closes_its_connection(tenant):
    upload = tenant.new_upload()
    tenant.plan("storage.sessions.chunk", "early-413")
    with socket.create_connection(("127.0.0.1", tenant.mock.port), timeout=20) as connection:
        path = upload.url.removeprefix(tenant.mock.url)
        head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"
        connection.sendall(head.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b"HTTP/1.1 413" in answer
    assert b"Connection: close" in answer


def test_a_client_that_waits_for_100_continue_gets_it_before_its_body(tenant):
    upload = tenant.new_upload()
    with socket.create_connection(("127.0.0.1", tenant.mock.port), timeout=20) as connection:
        path = upload.url.removeprefix(tenant.mock.url)
        head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_http_1_0_connections_are_closed(mock):
    with socket.create_connection(("127.0.0.1", mock.port), timeout=20) as connection:
        connection.sendall(b"GET /_control/health HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.endswith(b'{"status": "ok"}')


def test_the_blocks_of_a_broken_request_are_kept(tenant, data):
    upload = tenant.new_upload()
    send_part(tenant, upload, data, 2 * Q + 1000)
    wait_until(lambda: upload.probe().headers.get("Range") == f"bytes=0-{2 * Q - 1}")


def test_nothing_of_a_broken_request_is_kept_if_so_set(tenant, data):
    tenant.inside.configure(persist_broken=False)
    upload = tenant.new_upload()
    send_part(tenant, upload, data, 2 * Q + 1000)
    journal = tenant.inside.journal
    wait_until(lambda: [e.received for e in journal.entries()][-1] == 2 * Q + 1000)
    assert "Range" not in upload.probe().headers
    assert upload.put(body=data).status_code == 200


def send_part(tenant, upload, data: bytes, count: int) -> None:
    """Begin a request for all of `data` and hang up after `count` bytes."""
    with socket.create_connection(("127.0.0.1", tenant.mock.port), timeout=20) as connection:
        path = upload.url.removeprefix(tenant.mock.url)
        span = f"Content-Range: bytes 0-{len(data) - 1}/{len(data)}\r\n"
        head = f"PUT {path} HTTP/1.1\r\nHost: x\r\n{span}Content-Length: {len(data)}\r\n\r\n"
        connection.sendall(head.encode() + data[:count])


# -- races


def test_two_clients_that_send_the_same_chunks_leave_one_copy(tenant, archive, data):
    big = data * 8
    upload = tenant.new_upload()
    start = threading.Barrier(4)

    def send() -> set[int]:
        connection = connect(tenant.mock)
        seen = set()
        start.wait(20)
        for at in range(0, len(big), 2 * Q):
            stop = min(at + 2 * Q, len(big))
            headers = {"Content-Range": f"bytes {at}-{stop - 1}/{len(big)}"}
            seen.add(ask(connection, "PUT", upload.url, body=big[at:stop], headers=headers)[0])
        connection.close()
        return seen

    with ThreadPoolExecutor(4) as pool:
        statuses = set().union(*[f.result(60) for f in [pool.submit(send) for _ in range(4)]])
    assert statuses <= {200, 308}
    (committed,) = tenant.effects("archive.committed")
    stored = tenant.inside.objects.listing("site-batches")[0]
    assert committed["size"] == len(big)
    assert stored.path.read_bytes() == big
    runs = sorted((e["start"], e["stop"]) for e in tenant.effects("bytes.persisted"))
    assert [stop for _, stop in runs[:-1]] == [start for start, _ in runs[1:]]


@pytest.mark.parametrize("length", [2 * Q, 3 * Q + Q // 2])
def test_a_chunk_that_is_sent_again_while_the_first_try_still_runs_leaves_one_copy(tenant, data, length):
    upload = tenant.new_upload()
    span = {"Content-Range": f"bytes 0-{length - 1}/{len(data)}", "Content-Length": str(length)}
    path = upload.url.removeprefix(tenant.mock.url)
    slow = connect(tenant.mock)
    slow.putrequest("PUT", path)
    for name, value in span.items():
        slow.putheader(name, value)
    slow.endheaders(data[: Q + 1000])
    wait_until(lambda: tenant.effects("session.opened") and upload.probe().headers.get("Range") == f"bytes=0-{Q - 1}")
    again = upload.chunk(data, 0, length, len(data))
    assert again.status_code == (200 if length == len(data) else 308)
    slow.send(data[Q + 1000 : length])
    assert slow.getresponse().status == again.status_code
    slow.close()
    if length < len(data):
        assert upload.chunk(data, length, len(data), len(data)).status_code == 200
    (stored,) = tenant.inside.objects.listing("site-batches")
    assert stored.path.read_bytes() == data
    runs = sorted((e["start"], e["stop"]) for e in tenant.effects("bytes.persisted"))
    assert [stop for _, stop in runs] == [*(start for start, _ in runs[1:]), len(data)]


def test_two_servers_in_one_process_share_nothing():
    with MockServer(MockConfig(seed=1)) as one, MockServer(MockConfig(seed=1)) as two:
        headers = {"Authorization": "Token t"}
        first = requests.post(f"{one.url}/v0.2/batches", headers=headers, timeout=20).json()
        path = f"/v0.2/batches/{first['batch_id']}"
        assert requests.get(two.url + path, headers=headers, timeout=20).status_code == 404
        session = first["upload_url"].replace(one.url, two.url)
        assert requests.put(session, data=b"x", timeout=20).status_code == 404
        second = requests.post(f"{two.url}/v0.2/batches", headers=headers, timeout=20).json()
        assert second["batch_id"] == first["batch_id"], "ids follow from the seed"


# -- start and stop


def test_stopping_leaves_no_thread_no_socket_and_no_file():
    threads = set(threading.enumerate())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        server = MockServer().start()
        idle = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(5)]
        connection = connect(server)
        assert ask(connection, "GET", "/_control/health")[0] == 200
        directory = server.world.directory
        assert directory.exists()
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 15, "it waited for connections on which nobody speaks"
        assert not directory.exists()
        assert set(threading.enumerate()) <= threads
        for each in idle:
            assert each.recv(1) == b""
            each.close()
        connection.close()
        del server
        gc.collect()


def test_stopping_does_not_wait_for_a_stalled_request():
    with MockServer() as server:
        server.world.tenant("t").faults.plan({"instructions": {"deepomatic.batches.create": ["delay-for-300s"]}})
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        connection.sendall(b"POST /v0.2/batches HTTP/1.1\r\nHost: x\r\nAuthorization: Token t\r\n\r\n")
        plan = server.world.tenant("t").faults.plans()[0]
        wait_until(lambda: plan.completed)
        began = time.monotonic()
    assert time.monotonic() - began < 60
    connection.close()


def test_a_server_that_was_never_started_can_be_stopped():
    server = MockServer()
    with pytest.raises(RuntimeError, match="port"):
        assert server.url
    server.stop()


def test_the_application_works_without_a_server():
    client = create_app(MockConfig(seed=3)).test_client()
    made = client.post("/v0.2/batches", headers={"Authorization": "Token t"})
    assert made.status_code == 201
    path = made.get_json()["upload_url"].removeprefix("http://localhost")
    assert client.put(path, data=b"abc").status_code == 200


def test_importing_the_package_is_cheap():
    code = "import sys, visionbatch_mock; sys.exit('flask' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
    assert visionbatch_mock.__all__ == sorted(visionbatch_mock.__all__)
    for name in visionbatch_mock.__all__:
        assert getattr(visionbatch_mock, name).__name__ == name


def test_a_route_is_written_as_a_url_when_somebody_asks(mock):
    urls = mock.app.url_map.bind("mock.example")
    assert urls.build("deepomatic_batches.get", {"batch_id": "a b", "page": 2}) == "/v0.2/batches/a%20b?page=2"
    assert urls.build("probes.health") == "/health"


def test_a_header_beyond_latin_1_leaves_as_utf_8_and_one_of_two_lines_is_refused(tenant):
    path = "/storage/v1/b/named/o/x"
    tenant.post("/upload/storage/v1/b/named/o?uploadType=media&name=x", data=b"content")
    assert tenant.call("PATCH", path, json={"contentDisposition": "inline; filename=Zähler-№1"}).status_code == 200
    found = tenant.get(f"{path}?alt=media")
    assert (found.status_code, found.content) == (200, b"content")
    assert found.headers["Content-Disposition"].encode("latin-1").decode() == "inline; filename=Zähler-№1"
    assert tenant.call("PATCH", path, json={"contentType": "text/plain\r\nx-made-up: 1"}).status_code == 400
