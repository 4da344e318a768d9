"""The command `visionbatch-mock serve`: what it refuses, what it says, and how it ends."""

import http.client
import io
import logging
import os
import re
import signal
import socket
import ssl
import threading
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests
import trustme
from prometheus_client.parser import text_string_to_metric_families

from support.patience import wait_until
from support.served import Served, refused
from visionbatch_mock.cli import main
from visionbatch_mock.faults.presets import PRESETS
from visionbatch_mock.logs import OneLine

TOKEN = {"Authorization": "Token t"}
MIB = 1024 * 1024
HOSTILE = "a\nERROR forged\x1b[2J\u202e"


# -- refusing and starting


@pytest.mark.fault("MK1")
def test_a_taken_port_is_a_clear_message_and_exit_code_2(mock):
    ended = refused("--port", str(mock.port))
    assert ended.returncode == 2
    assert f"port {mock.port}" in ended.stderr
    assert "--port" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
    with Served("--port", "0") as served:
        assert urlsplit(served.url).port not in {0, mock.port}


@pytest.mark.fault("MK5")
def test_only_loopback_is_listened_on_unless_more_is_meant():
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.com"):
        ended = refused("--host", host)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert "--expose" in ended.stderr
    with Served() as served:
        (listening,) = [c for c in psutil.Process(served.process.pid).net_connections() if c.status == "LISTEN"]
        assert listening.laddr.ip == "127.0.0.1"
        page = requests.get(f"{served.url}/console", params={"__debugger__": "yes"}, timeout=20)
        assert (page.status_code, "Traceback" in page.text) == (404, False)
        _, errors = served.end()
        assert "not the real service" in errors
        assert "EXPOSED" not in errors


def test_an_exposed_mock_says_so(tmp_path):
    with Served("--host", "0.0.0.0", "--expose") as served:
        port = urlsplit(served.url).port
        assert requests.get(f"http://127.0.0.1:{port}/ready", timeout=20).status_code == 200
        _, errors = served.end()
    assert "not the real service" in errors
    assert "EXPOSED" in errors
    assert "--control-token" in errors


def test_the_settings_of_the_command_hold():
    with Served("--profile", "rich", "--session-kind", "xml", "--speed", "50") as served:
        settings = requests.get(f"{served.url}/_control/settings", timeout=20).json()
        clock = requests.get(f"{served.url}/_control/clock", timeout=20).json()
    assert (settings["profile"], settings["session_kind"], clock["speed"]) == ("rich", "xml", 50)


# -- TLS


def test_tls_comes_with_an_authority_to_trust():
    with Served("--tls") as served:
        assert served.url.startswith("https://")
        said = served.process.stderr.readline()
        authority = re.search(r"trust (\S+)", said)[1]
        made = requests.post(f"{served.url}/v0.2/batches", headers=TOKEN, verify=authority, timeout=20).json()
        assert made["upload_url"].startswith(served.url)
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{served.url}/ready", timeout=20)
        assert served.end()[0] == 0


def test_tls_takes_a_certificate_of_the_callers(tmp_path):
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    with Served("--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem")) as served:
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        connection = http.client.HTTPSConnection("127.0.0.1", urlsplit(served.url).port, timeout=20, context=context)
        connection.request("GET", "/ready")
        assert connection.getresponse().status == 200
        connection.close()
    missing = refused("--tls-cert", str(tmp_path / "nothing.pem"))
    assert (missing.returncode, "nothing.pem" in missing.stderr) == (2, True)


# -- readiness, health, metrics


def test_probes_and_metrics_need_no_token_where_control_does():
    with Served("--control-token", "secret") as served:
        for path in ("/health", "/ready", "/metrics"):
            assert requests.get(served.url + path, timeout=20).status_code == 200
        assert requests.get(f"{served.url}/_control/health", timeout=20).status_code == 403
        assert served.end()[0] == 0


def test_metrics_are_read_by_prometheus_own_parser_and_true(tenant, data):
    before = metrics(tenant.mock.url)
    tenant.plan("storage.sessions.chunk", "return-503", "drop-response", "pass")
    upload = tenant.new_upload()
    assert upload.put(body=data).status_code == 503
    with pytest.raises(requests.ConnectionError):
        upload.put(body=data)
    tenant.get(f"/no/such-{tenant.token}")
    after = metrics(tenant.mock.url)

    def grown(name: str, **labels: str) -> float:
        key = (f"visionbatch_mock_{name}", frozenset(labels.items()))
        return after[key] - before.get(key, 0)

    chunk = {"operation": "storage.sessions.chunk"}
    assert grown("requests_total", operation="deepomatic.batches.create", status="201") == 1
    assert grown("requests_total", **chunk, status="503") == 1
    assert grown("requests_total", **chunk, status="reset") == 1
    assert grown("request_seconds_count", **chunk) == 2
    assert grown("request_seconds_bucket", **chunk, le="+Inf") == 2
    assert grown("faults_met_total", fault="return-X") == 1
    assert grown("faults_waiting") == 1
    assert grown("received_bytes_total") == 2 * len(data)
    assert grown("unmatched_requests_total") == 1
    assert grown("upload_sessions", state="complete") == 1
    assert after["visionbatch_mock_ready", frozenset()] == 1


def metrics(url: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = requests.get(f"{url}/metrics", timeout=20)
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    assert len(samples) == len({(s.name, frozenset(s.labels.items())) for s in samples})
    return {(s.name, frozenset(s.labels.items())): s.value for s in samples}


def test_what_clients_send_does_not_make_the_metrics_grow(mock):
    for number in range(3):
        requests.get(f"{mock.url}/nowhere-{number}", timeout=20)
    before = len(metrics(mock.url))
    for number in range(3, 30):
        requests.get(f"{mock.url}/nowhere-{number}", timeout=20)
    assert len(metrics(mock.url)) == before


# -- stopping


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_running_upload_end_and_then_ends_the_process(number):
    with Served("--grace", "15") as served:
        session = requests.post(f"{served.url}/v0.2/batches", headers=TOKEN, timeout=20).json()["upload_url"]
        split = urlsplit(session)
        with (
            socket.create_connection(("127.0.0.1", split.port), timeout=20) as running,
            socket.create_connection(("127.0.0.1", split.port), timeout=20) as idle,
        ):
            head = f"PUT {split.path}?{split.query} HTTP/1.1\r\nHost: x\r\nContent-Length: {2 * MIB}\r\n\r\n"
            running.sendall(head.encode() + bytes(MIB))
            make_known(idle)
            wait_until(lambda: progress(served.url))
            served.process.send_signal(number)
            assert idle.recv(1) == b"", "an idle connection is closed at once"
            running.sendall(bytes(MIB))
            answer = b"".join(iter(lambda: running.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200")
        _, errors = served.process.communicate(timeout=20)
    assert served.process.returncode == 0
    assert "Traceback" not in errors


def make_known(connection: socket.socket) -> None:
    """Have the connection accepted, by a first request."""
    connection.sendall(b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.recv(4096).endswith(b'{"status": "ready"}')


def progress(url: str) -> bool:
    ledger = requests.get(f"{url}/_control/journal?operation=storage.sessions.chunk", headers=TOKEN, timeout=20)
    return bool(ledger.json())


def test_a_second_signal_does_not_wait():
    with Served("--grace", "600") as served:
        session = requests.post(f"{served.url}/v0.2/batches", headers=TOKEN, timeout=20).json()["upload_url"]
        split = urlsplit(session)
        with socket.create_connection(("127.0.0.1", split.port), timeout=20) as running:
            head = f"PUT {split.path}?{split.query} HTTP/1.1\r\nHost: x\r\nContent-Length: {MIB}\r\n\r\n"
            running.sendall(head.encode())
            wait_until(lambda: progress(served.url))
            with socket.create_connection(("127.0.0.1", split.port), timeout=20) as idle:
                make_known(idle)
                served.process.send_signal(signal.SIGTERM)
                assert idle.recv(1) == b""
            served.process.send_signal(signal.SIGTERM)
            assert served.process.wait(20) == -signal.SIGTERM


# -- logging


def test_a_client_cannot_forge_a_line_of_the_log():
    with Served("--access-log") as served:
        port = urlsplit(served.url).port
        for path in ("/v0.2/%0aERROR%20forged%1b[2J%e2%80%ae", "/b/%0d%0aERROR", "/v0.2/batches"):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", path, headers={"User-Agent": "x\x1b[2J", **TOKEN})
            connection.getresponse().read()
            connection.close()
        _, errors = served.end()
    lines = errors.splitlines()
    assert errors.replace("\n", "").isprintable()
    assert [line for line in lines if line.startswith("ERROR")] == []
    assert any(r"/v0.2/\nERROR forged\x1b[2J\u202e" in line for line in lines)
    assert any("deepomatic.batches.list" in line for line in lines)


def test_a_failure_of_the_mock_itself_is_logged_in_marked_lines():
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    handler.setFormatter(OneLine())
    logger = logging.getLogger("visionbatch_mock.test")
    logger.addHandler(handler)
    try:
        int(HOSTILE)
    except ValueError:
        logger.exception("serving %s failed", HOSTILE)
    finally:
        logger.removeHandler(handler)
    first, *others = said.getvalue().splitlines()
    assert r"serving a\nERROR forged\x1b[2J\u202e failed" in first
    assert all(line.startswith("  | ") and line.isprintable() for line in others)
    assert any("test_serve.py" in line for line in others)


def test_resets_leave_nothing_on_standard_error():
    with Served() as served, requests.Session() as session:
        session.headers.update(TOKEN)
        told = {"instructions": {"deepomatic.batches.create": ["return-reset-connection"] * 3}}
        session.post(f"{served.url}/_control/faults", json=told, timeout=20)
        for _ in range(3):
            with pytest.raises(requests.ConnectionError):
                session.post(f"{served.url}/v0.2/batches", timeout=20)
        assert session.post(f"{served.url}/v0.2/batches", timeout=20).status_code == 201
        _, errors = served.end()
    assert errors.count("\n") == 1, errors


# -- memory


@pytest.mark.fault("MK4")
@pytest.mark.parametrize(
    "size", [400 * MIB, pytest.param(2_000 * MIB, marks=[pytest.mark.slow, pytest.mark.readers])], ids=["", "2 GB"]
)
def test_memory_stays_flat_however_large_an_upload_is(tmp_path: Path, size: int):
    source = tmp_path / "sparse"
    source.touch()
    os.truncate(source, size)
    with Served("--speed", "0") as served:
        process = psutil.Process(served.process.pid)
        send(served.url, bytes(MIB))
        before, peak, done = process.memory_info().rss, [0], threading.Event()

        def watch() -> None:
            while not done.wait(0.02):
                peak.append(process.memory_info().rss)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            with source.open("rb") as body:
                send(served.url, body)
        finally:
            done.set()
            watcher.join(20)
        ledger = requests.get(f"{served.url}/_control/ledger?effect=archive.committed", headers=TOKEN, timeout=20)
    assert [entry["size"] for entry in ledger.json()] == [MIB, size]
    grown = max(peak) - before
    assert grown < 16 * MIB, f"grew by {grown // 1024} KiB"


def send(url: str, body: object) -> None:
    made = requests.post(f"{url}/v0.2/batches", headers=TOKEN, timeout=20).json()
    assert requests.put(made["upload_url"], data=body, timeout=250).status_code == 200


def test_the_presets_are_listed_with_what_happens_in_each(capsys):
    assert main(["presets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(PRESETS)
    assert all(line.endswith(preset.text) for line, preset in zip(lines, PRESETS.values(), strict=True))
