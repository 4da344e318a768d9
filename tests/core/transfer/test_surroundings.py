"""What the worker's environment says: proxies and authorities count, a ``.netrc`` does not."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from support.books import CREATE, Books, BytesSource
from support.clocks import TenantClock
from support.listener import ForwardProxy, Sink
from support.orders import CHUNK
from support.runs import run_through
from support.silence import Silence
from visionbatch.config import AllowedHosts
from visionbatch.errors import ConfigError, TlsRefused, UnsafeUrl
from visionbatch.io.network import ca_place, proxy_for


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_sink(authority: trustme.CA) -> Iterator[Sink]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with Sink(context) as sink:
        yield sink


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    return tmp_path / "authority.pem"


def send_to(sink: Sink, site: Any, chunks: int = 3) -> None:
    client = site(settings={"upload_hosts": (f"localhost:{sink.port}", f"http://localhost:{sink.port}")})
    client.upload(BytesSource(bytes(chunks * CHUNK)), client.api.admit(sink.url))
    assert sink.persisted == chunks * CHUNK


@pytest.mark.fault("UP17")
@pytest.mark.parametrize("case", ["netrc", "http-proxy", "https-proxy", "ca-file"])
def test_proxies_and_authorities_of_the_environment_count_and_a_netrc_does_not(
    *,
    case: str,
    site: Any,
    orders: Path,
    archive: bytes,
    books: Books,
    tls_sink: Sink,
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    silence: Silence,
) -> None:
    silence.guard("address-of-the-sink")
    if case == "netrc":
        netrc = tmp_path / ".netrc"
        netrc.write_text("machine 127.0.0.1 login thief password gold\nmachine localhost login thief password gold\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(netrc))
        run_through(site(), orders)
        # The key decides whose batch it is: with the password in its place it would be nobody's.
        books.processed_once(archive)
        books.sent_no_key_on_the_data_plane()
        return
    with ForwardProxy() as proxy:
        if case == "http-proxy":
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            run_through(site(), orders)
            books.processed_once(archive)
            books.sent_no_key_on_the_data_plane()
            assert {"POST 127.0.0.1", "PUT 127.0.0.1", "GET 127.0.0.1"} <= set(proxy.asked)
            return
        monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
        if case == "https-proxy":
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        send_to(tls_sink, site)
        assert proxy.asked == (["CONNECT localhost"] if case == "https-proxy" else [])
    sent = [request.headers for request in tls_sink.requests]
    assert not [headers for headers in sent if "authorization" in headers or "proxy-authorization" in headers]
    assert all(headers["user-agent"].startswith("visionbatch/") for headers in sent)


@pytest.mark.parametrize("trusted", [False, True], ids=["unknown-authority", "wrong-name"])
def test_a_certificate_that_does_not_fit_is_refused_at_once(
    site: Any,
    trusted: bool,
    authority: trustme.CA,
    bundle: Path,
    clock: TenantClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.example").configure_cert(context)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    with Sink(context) as sink, pytest.raises(TlsRefused, match="the certificate was refused") as caught:
        send_to(sink, site)

    assert "SSL_CERT_FILE" in str(caught.value)
    assert not caught.value.retry_safe
    assert not clock.pauses, "waiting does not mend a certificate"
    assert not sink.requests


def test_a_proxys_password_goes_to_the_proxy_only(
    site: Any, tls_sink: Sink, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ForwardProxy() as proxy:
        monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("http://", "http://user:word@"))
        send_to(tls_sink, site)
        assert proxy.asked == ["CONNECT localhost"]
    assert not [request for request in tls_sink.requests if "proxy-authorization" in request.headers]


@pytest.mark.parametrize(
    ("environment", "url", "expected"),
    [
        ({}, "https://a.example/x", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https://a.example/x", "http://p:1"),
        ({"https_proxy": "p:1"}, "https://a.example/x", "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, "https://a.example/x", None),
        ({"ALL_PROXY": "http://p:1"}, "https://a.example/x", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a.example"}, "https://a.example/x", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".example"}, "https://a.example/x", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, "https://a.example/x", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "b.example"}, "https://a.example/x", "http://p:1"),
    ],
)
def test_the_proxy_of_a_url_is_the_environments(
    environment: dict[str, str], url: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(url) == expected


@pytest.mark.parametrize("proxy", ["socks5://p:1", "https://p:1"])
def test_a_proxy_of_another_kind_is_a_setting_error(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(ConfigError, match="only those are supported"):
        proxy_for("https://a.example/x")


def test_the_first_authority_variable_wins_and_a_missing_file_is_named(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ca_place() is None
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert ca_place() == str(bundle)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file.pem")
    with pytest.raises(ConfigError, match=r"REQUESTS_CA_BUNDLE names /no/such/file\.pem"):
        ca_place()


def test_the_key_stays_on_the_control_plane(site: Any, orders: Path, books: Books) -> None:
    run_through(site(), orders)

    books.sent_no_key_on_the_data_plane()
    assert all(entry.authorization for entry in books.requests(CREATE))


GOOGLE = ("storage.googleapis.com", "*.storage.googleapis.com")


@pytest.mark.fault("UP16")
@pytest.mark.parametrize(
    ("patterns", "url", "admitted"),
    [
        (GOOGLE, "https://storage.googleapis.com/b/o?upload_id=x", True),
        (GOOGLE, "https://STORAGE.googleapis.com/b/o", True),
        (GOOGLE, "https://storage.googleapis.com:443/b/o", True),
        (GOOGLE, "https://bucket.storage.googleapis.com/o", True),
        (GOOGLE, "http://storage.googleapis.com/b/o", False),
        (GOOGLE, "https://storage.googleapis.com:8443/b/o", False),
        (GOOGLE, "https://storage.googleapis.com:0/b/o", False),
        (GOOGLE, "https://storage.googleapis.com:99999/b/o", False),
        (GOOGLE, "https://storage.googleapis.com.evil.example/b/o", False),
        (GOOGLE, "https://evilstorage.googleapis.com/b/o", False),
        (GOOGLE, "https://storage.googleapis.com./b/o", False),
        (GOOGLE, "https://user@storage.googleapis.com/b/o", False),
        (GOOGLE, "https://storage.googleapis.com@evil.example/b/o", False),
        (GOOGLE, "https://evil.example\\@storage.googleapis.com/b/o", False),
        (GOOGLE, "https://evil.example#@storage.googleapis.com/", False),
        (GOOGLE, "https://142.250.0.1/b/o", False),
        (GOOGLE, "https://[::1]/b/o", False),
        (GOOGLE, "https://169.254.169.254/latest", False),
        (GOOGLE, "https://0x7f.1/b/o", False),
        (GOOGLE, "file:///etc/passwd", False),
        (GOOGLE, "ftp://storage.googleapis.com/b/o", False),
        (GOOGLE, "//storage.googleapis.com/b/o", False),
        (GOOGLE, "storage.googleapis.com/b/o", False),
        (GOOGLE, "https://", False),
        (GOOGLE, "", False),
        (GOOGLE, "https://storage.googleapis.com/b o", False),
        (GOOGLE, "https://storage.googleapis.com/b\r\nX: y", False),
        (GOOGLE, "https://storage.googleapis.com/\N{LATIN SMALL LETTER E WITH ACUTE}", False),
        (GOOGLE, "https://stor\N{CYRILLIC SMALL LETTER A}ge.googleapis.com/b", False),
        (GOOGLE, "https://[broken/b/o", False),
        ((), "https://storage.googleapis.com/b/o", False),
        (("http://127.0.0.1:8080",), "http://127.0.0.1:8080/b/o", True),
        (("http://127.0.0.1:8080",), "http://127.0.0.1:8081/b/o", False),
        (("http://127.0.0.1:8080",), "https://127.0.0.1:8080/b/o", False),
        (("http://127.0.0.1:8080",), "http://localhost:8080/b/o", False),
        (("http://127.0.0.1:*",), "http://127.0.0.1:9/b/o", True),
        (("127.0.0.1",), "https://127.0.0.1/b/o", True),
        (("*.0.0.1",), "https://127.0.0.1/b/o", False),
        (("http://[::1]:80",), "http://[::1]/b/o", True),
    ],
)
def test_only_an_allowed_host_is_sent_to(patterns: tuple[str, ...], url: str, admitted: bool) -> None:
    hosts = AllowedHosts(patterns)
    if admitted:
        assert hosts.admit(url).reveal() == url
    else:
        with pytest.raises(UnsafeUrl) as caught:
            hosts.admit(url)
        assert "upload_id" not in str(caught.value)


@pytest.mark.parametrize("url", [None, 7, b"https://storage.googleapis.com/", ["https://storage.googleapis.com/"]])
def test_what_is_no_string_is_no_upload_url(url: object) -> None:
    with pytest.raises(UnsafeUrl):
        AllowedHosts(GOOGLE).admit(url)


@pytest.mark.parametrize("pattern", ["", "*", "a b", "https://a/path", "ftp://a", "a:b", "user@a", "*.", "a?x"])
def test_a_pattern_that_is_none_is_a_setting_error(pattern: str) -> None:
    with pytest.raises(ConfigError, match="allowed host"):
        AllowedHosts([pattern])
