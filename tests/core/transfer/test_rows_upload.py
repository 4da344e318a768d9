"""Slow peers, long requests to stay away, certificates, names, and two senders on one session."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from support.books import CHUNKS, At, Books, BytesSource
from support.clocks import AsyncHandClock, HandClock, TenantClock
from support.listener import PATIENCE_S, Scripted, Sink, read_head
from support.orders import CHUNK
from support.runs import MemoryStore, submit
from support.silence import Silence
from visionbatch import Deepomatic, RunRecord, Secret, token_header
from visionbatch.errors import (
    SessionRejected,
    Superseded,
    Throttled,
    TlsRefused,
    Unreachable,
    UploadStalled,
    VisionBatchError,
)
from visionbatch.flow.call import call
from visionbatch.flow.effects import Flow, Request
from visionbatch.flow.retry import RetryPolicy
from visionbatch.io.control import Origin
from visionbatch.io.control_async import AsyncControlPlane, shared_session
from visionbatch.io.control_sync import ControlPlane
from visionbatch.io.drive import adrive, drive
from visionbatch.io.gcs_bucket import GcsBucket
from visionbatch.io.s3_bucket import S3Bucket, S3Keys, S3Place
from visionbatch.transfer.download import Download
from visionbatch.transfer.link import Link
from visionbatch.transfer.upload import Checkpoint

LOOK = Request("GET", "/v0.2/batches/some-batch", (("api_key", "secret-in-the-query"),))
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
NOTHING = b"HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n<ListBucketResult/>"

SESSION = "address-of-the-sink"

Outcome = list[VisionBatchError | None]


def in_a_thread(url: str, flow: Flow[Any], clock: HandClock) -> Any:
    with ControlPlane(Origin(url), lambda: token_header(Secret("key"))) as plane:
        return drive(flow, plane, clock)


def on_a_loop(url: str, flow: Flow[Any], clock: HandClock) -> Any:
    async def credentials() -> Mapping[str, Secret]:
        return token_header(Secret("key"))

    async def perform() -> Any:
        async with shared_session() as session:
            plane = AsyncControlPlane(Origin(url), credentials, session)
            return await adrive(flow, plane, clock)  # type: ignore[arg-type]  # the clock of a loop

    return asyncio.run(perform())


def clock_for(perform: Callable[..., Any]) -> HandClock:
    return HandClock() if perform is in_a_thread else AsyncHandClock()


PLANES = ("data", "control-in-a-thread", "control-on-a-loop")


@pytest.fixture(params=PLANES)
def plane(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def send_on(plane: str, url: str, site: Any, clock: Any = None) -> None:
    """One upload of three chunks to a sink, or one look on a control plane."""
    if plane == "data":
        client = site(settings={"upload_hosts": (url,)})
        client.upload(BytesSource(bytes(3 * CHUNK)), client.api.admit(f"{url}/session?upload_id={SESSION}"))
        return
    if plane == "download":
        with tempfile.TemporaryDirectory() as folder, Link(f"{url}/file", hosts=(url,)) as link:
            Download(link, Path(folder) / "file", clock=clock or HandClock()).run()
        return
    if plane == "google-bucket":
        with GcsBucket("prod") as bucket:
            list(bucket.files("x"))
        return
    if plane == "s3-bucket":
        with S3Bucket("prod", S3Place(url, "eu-1", "path"), lambda: S3Keys("id", Secret("key"))) as bucket:
            list(bucket.files("x"))
        return
    perform = in_a_thread if plane == "control-in-a-thread" else on_a_loop
    perform(url, call(LOOK, RetryPolicy()), clock or clock_for(perform))


def server_on(plane: str, tls: ssl.SSLContext | None = None) -> Sink | Scripted:
    return Sink(tls) if plane == "data" else Scripted(NOTHING if plane == "s3-bucket" else EMPTY, tls)


LONG, SHORT = "999999", "90"


@pytest.mark.fault("UP10")
@pytest.mark.parametrize("where", ["session", "control"])
@pytest.mark.parametrize("asked", [SHORT, "a date", "-5", "soon", LONG, "a date far away"])
def test_a_429_is_obeyed_up_to_a_cap_and_garbage_is_not(
    site: Any,
    orders: Path,
    archive: bytes,
    books: Books,
    clock: TenantClock,
    faults: Any,
    silence: Silence,
    where: str,
    asked: str,
) -> None:
    moment = datetime.fromtimestamp(clock.now(), UTC)
    dates = {"a date": moment + timedelta(seconds=90), "a date far away": moment + timedelta(days=3)}
    value = format_datetime(dates[asked], usegmt=True) if asked in dates else asked
    operation = CHUNKS if where == "session" else "deepomatic.batches.create"
    faults(operation, {"fault": "return-429", "retry_after": value})

    if asked in (LONG, "a date far away"):
        with silence.raises((UploadStalled, Throttled)) as caught:
            submit(site(), orders)
        assert isinstance(caught.value, UploadStalled if where == "session" else Throttled)
        assert caught.value.retry_after_s > 250_000  # type: ignore[attr-defined]  # both have it
        assert caught.value.retry_safe
        assert not clock.pauses, "the worker's place is given back at once"
        return
    submit(site(), orders)
    (pause,) = clock.pauses
    if asked in (SHORT, "a date"):
        assert 89 <= pause.at_least <= 90, "a date has no fractions of a second"
        assert pause.at_most < 120
    else:
        assert 0 < pause.at_least <= pause.at_most <= 1
    books.processed_once(archive)


class SlowSink(Sink):
    """Takes one chunk of the first request at full speed and then hardly anything more of it.

    :ivar took: bytes of that chunk: fewer when the other side lost its patience sooner.
    """

    def __init__(self, piece: int, every_s: float) -> None:
        super().__init__()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CHUNK)
        self.took = 0
        self._pace = piece, every_s
        self._first = threading.Lock()
        self._taken = threading.Event()

    def serve(self, peer: socket.socket) -> None:
        if not self._first.acquire(blocking=False):
            self._taken.wait(PATIENCE_S)
            super().serve(peer)
            return
        try:
            _, rest = read_head(peer)
            self.took = len(rest)
            while self.took < CHUNK and (block := peer.recv(min(CHUNK - self.took, 1 << 16))):
                self.took += len(block)
            self.persisted = self.took
        finally:
            self._taken.set()
        piece, every_s = self._pace
        while not self._stop.wait(every_s) and peer.recv(piece):
            pass


@pytest.mark.fault("UP13")
@pytest.mark.parametrize(
    ("piece", "every_s", "window_s", "silence_s", "reason"),
    [(4096, 0.01, 0.2, 20.0, "too slow to go on"), (1, 0.5, 60.0, 1.0, "no progress in time")],
    ids=["slow", "one-byte-now-and-then"],
)
def test_a_peer_that_reads_too_slowly_is_left_and_asked_where_it_stands(
    site: Any,
    clock: TenantClock,
    caplog: pytest.LogCaptureFixture,
    piece: int,
    every_s: float,
    window_s: float,
    silence_s: float,
    reason: str,
) -> None:
    # More than the buffers of a connection hold, so that the sender feels the slow reader.
    content = bytes(64 * CHUNK)
    with SlowSink(piece, every_s) as sink:
        client = site(
            settings={"upload_hosts": (f"http://localhost:{sink.port}",)},
            chunk_bytes=0,
            min_bytes_per_s=4 << 20,
            slow_after_s=window_s,
            read_timeout_s=silence_s,
        )
        uploaded = client.upload(BytesSource(content), client.api.admit(sink.url))

    assert sink.persisted == uploaded.size == len(content)
    assert [record for record in caplog.records if reason in record.getMessage()]
    asked, sent = (request.headers["content-range"] for request in sink.requests[:2])
    assert asked == f"bytes */{len(content)}"
    assert sent.startswith(f"bytes {sink.took}-")
    assert clock.pauses


@pytest.mark.fault("UP18")
@pytest.mark.parametrize("plane", [*PLANES, "download", "google-bucket", "s3-bucket"])
@pytest.mark.parametrize("flaw", ["expired", "wrong-name", "self-signed", None])
def test_a_certificate_that_does_not_fit_ends_it_at_once_on_every_plane(
    site: Any, clock: TenantClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plane: str, flaw: str | None
) -> None:
    authority = trustme.CA()
    yesterday = datetime.now(UTC) - timedelta(days=1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(
        "elsewhere.example" if flaw == "wrong-name" else "localhost", not_after=yesterday if flaw == "expired" else None
    ).configure_cert(context)
    if flaw != "self-signed":
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with server_on(plane, context) as server:
        url = f"https://localhost:{server.port}"
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        if flaw is None:
            send_on(plane, url, site)
            return
        own = HandClock() if plane != "control-on-a-loop" else AsyncHandClock()
        with pytest.raises(TlsRefused, match="the certificate was refused") as caught:
            send_on(plane, url, site, own)
        # Google's library asks for the bucket itself meanwhile, in a thread of its own.
        assert server.connections in ((1, 2) if plane == "google-bucket" else (1,)), "never tried again"

    assert not getattr(server, "requests", [])
    assert not any(getattr(server, "heads", []))
    assert not clock.pauses
    assert not own.pauses
    assert not caught.value.retry_safe
    assert "SSL_CERT_FILE" in str(caught.value)
    assert "REQUESTS_CA_BUNDLE" in str(caught.value)


class NoSuchName:
    """A resolver that does not know ``localhost`` the first few times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failures: int) -> None:
        self.left = failures
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host: Any, *arguments: Any, **options: Any) -> Any:
        if host in ("localhost", b"localhost") and self.left:
            self.left -= 1
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self._real(host, *arguments, **options)


@pytest.mark.fault("UP19")
@pytest.mark.parametrize("failures", [3, 1000], ids=["recovers", "stays-away"])
def test_a_name_that_is_unknown_for_a_while_is_asked_for_again(
    site: Any, silence: Silence, clock: TenantClock, monkeypatch: pytest.MonkeyPatch, plane: str, failures: int
) -> None:
    silence.guard(SESSION)
    with server_on(plane) as server:
        url = f"http://localhost:{server.port}"
        names = NoSuchName(monkeypatch, failures)
        own = HandClock() if plane != "control-on-a-loop" else AsyncHandClock()
        if failures == 3:
            send_on(plane, url, site, own)
            assert names.left == 0
            assert len(clock.pauses if plane == "data" else own.pauses) == 3
            return
        # A query is no secret to urllib3, which prints it when asked to; our errors leave it out all the same.
        silence.guard("secret-in-the-query")
        with silence.raises((Unreachable, UploadStalled), match="localhost") as caught:
            send_on(plane, url, site, own)
        assert server.connections == 0

    assert failures - names.left == (8 if plane == "data" else RetryPolicy().attempts)
    assert caught.value.retry_safe  # type: ignore[attr-defined]  # it is one of ours


def together(*work: Callable[[], object]) -> Outcome:
    """Do all of it at once, each in a thread; what each ended with."""
    gate = threading.Barrier(len(work))
    ends: Outcome = [None] * len(work)

    def one(number: int) -> None:
        gate.wait(20)
        try:
            work[number]()
        except VisionBatchError as error:
            ends[number] = error

    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return ends


@pytest.mark.fault("UP23")
@pytest.mark.parametrize("ahead", [0, 1, 3], ids=lambda chunks: f"{chunks}-chunks-ahead")
def test_two_senders_on_one_session_store_the_archive_once(
    site: Any, books: Books, faults: Any, silence: Silence, orders: Path, archive: bytes, ahead: int
) -> None:
    """Both know that the session was used before, as whoever takes a run over does."""
    first, second = site(), site()
    batch = first.create("both")
    assert batch.upload_url is not None
    if ahead:
        faults(CHUNKS, *["pass"] * ahead, "return-401")
        with silence.raises(SessionRejected):
            first.upload(BytesSource(archive), batch.upload_url)

    def send(client: Deepomatic) -> Callable[[], object]:
        return lambda: client.upload(BytesSource(archive), batch.upload_url, resume=Checkpoint())

    ends = together(send(first), send(second))

    assert ends == [None, None], "the other one learns that it is done"
    books.processed_once(archive)
    assert len(books.effects("session.opened")) == 1
    assert not books.effects("batch.deleted")


class FencedStore(MemoryStore):
    """Refuses whoever has been replaced, as Airflow does."""

    def __init__(self) -> None:
        super().__init__()
        self.replaced = False

    def save(self, record: RunRecord) -> None:
        if self.replaced:
            raise Superseded("another try has begun")
        super().save(record)


def test_who_was_replaced_does_not_take_the_other_ones_bytes_for_damage(
    site: Any, books: Books, faults: Any, orders: Path, archive: bytes
) -> None:
    """It sees more bytes at the server than it has sent; the batch is not its own to delete any more."""
    faults(CHUNKS, "pass", "pass", "pass", "return-401")
    store, second = FencedStore(), site()

    def overtaken() -> None:
        store.replaced = True
        record = store.load()
        assert record is not None
        url = second.get(record.ref).upload_url
        with pytest.raises(SessionRejected):
            second.upload(BytesSource(archive), url, resume=Checkpoint())

    # Its first chunk has been acknowledged, and the beginning of its second is on the way.
    at = At(CHUNK, overtaken)
    with pytest.raises(Superseded):
        submit(site(checkpoint_s=3600), orders, store, progress=at)

    assert at.happened
    assert not books.effects("batch.deleted")
    (batch,) = books.effects("batch.created")
    second.upload(BytesSource(archive), second.get(batch["batch_id"]).upload_url, resume=Checkpoint())
    books.processed_once(archive)
