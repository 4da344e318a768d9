"""One body to one signed address: what leaves, what is refused, and what a failure costs."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.books import BytesSource
from support.listener import Scripted
from visionbatch.config import TransferSettings
from visionbatch.errors import (
    InvalidInput,
    ProtocolError,
    Redirected,
    SessionRejected,
    UploadRefused,
    UploadStalled,
)
from visionbatch.io.wire import Wire, WireLimits
from visionbatch.model.secret import SecretUrl
from visionbatch.transfer.signed_put import SignedPut, SignedUpload, admitted
from visionbatch.transfer.source import FileSource
from visionbatch_mock import MockServer

PUT = "roboflow.files.put"


@dataclass(frozen=True)
class Address:
    url: SecretUrl
    headers: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def put(workspace: Any, clock: Any) -> Any:
    """Sends a body as a video of this workspace."""

    def sent(
        source: Any, *, headers: dict[str, str] | None = None, renew: bool = True, **settings: Any
    ) -> SignedUpload:
        client = workspace.client()

        def ask() -> Address:
            slot = client.perform(client.api.staging.video_slot("batch", "film.mp4"))
            return Address(slot.url, dict(slot.headers) if headers is None else headers)

        transfer = TransferSettings(**settings)
        with Wire(WireLimits.of(transfer)) as wire:
            return SignedPut(
                source, ask(), wire=wire, clock=clock, settings=transfer, renew=ask if renew else None, repeatable=True
            ).run()

    return sent


def test_a_body_arrives_whole_and_once(put: Any, workspace: Any, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(os.urandom(3_000_000))
    with FileSource(film) as source:
        done = put(source, block_bytes=1 << 20)

    (stored,) = workspace.effects("video_stored")
    assert (stored["size"], done.size, done.sent_bytes, done.requests) == (3_000_000, 3_000_000, 3_000_000, 1)


def test_the_signed_headers_leave_and_no_credential_does(workspace: Any, clock: Any) -> None:
    settings = TransferSettings()
    with Scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as store, Wire(WireLimits.of(settings)) as wire:
        address = Address(SecretUrl(f"http://127.0.0.1:{store.port}/film?sig=1"), {"x-goog-acl": "private"})
        SignedPut(BytesSource(b"film"), address, wire=wire, clock=clock, settings=settings).run()

    line, *headers = store.heads[0].split("\r\n")
    assert line == "PUT /film?sig=1 HTTP/1.1"
    sent = dict(header.lower().split(": ", 1) for header in headers)
    assert sent.keys() == {"host", "user-agent", "content-length", "x-goog-acl"}
    assert (sent["content-length"], sent["x-goog-acl"]) == ("4", "private")


@pytest.mark.fault("UP28")
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Authorization": "Bearer x"},
        {"Proxy-Authorization": "Basic x"},
        {"Cookie": "a=b"},
        {"Content-Length": "5"},
        {"Transfer-Encoding": "chunked"},
        {"x-goog-acl": "private\r\nX-Injected: 1"},
        {"x-goog-acl\r\nX-Injected": "1"},
        {"x-goog-acl": "private\nX-Injected: 1"},
        {"x-goog- acl": "private"},
        {"x-goog-acl": "priv\u00e9"},
        {"x-goog-acl": "a" * 5000},
        {f"x-goog-{number}": "1" for number in range(33)},
    ],
)
def test_headers_that_no_signature_needs_are_refused_and_nothing_is_sent(
    put: Any, workspace: Any, mock: MockServer, faults: Any, silence: Any, headers: dict[str, str]
) -> None:
    # As the service's answer has them, and so through everything that reads it.
    details = {"uploadURL": f"{mock.url}/staged/film?sig=1", "extensionHeaders": headers}
    faults("roboflow.videos.sign", {"fault": "set-signedURLDetails", "value": details})
    with silence.raises(ProtocolError, match="a signed address asks for"):
        put(BytesSource(b"film"))
    assert not workspace.requests(PUT)


@given(st.dictionaries(st.text(max_size=40), st.text(max_size=60), max_size=5))
def test_whatever_is_admitted_is_one_line_of_an_allowed_family(headers: dict[str, str]) -> None:
    try:
        sent = admitted(headers)
    except ProtocolError:
        return
    for name, value in sent.items():
        assert name.lower().startswith(("x-goog-", "x-amz-", "x-ms-", "content-", "cache-control"))
        assert not set(name + value) & set("\r\n\0")


def test_the_families_of_all_three_stores_are_admitted() -> None:
    headers = {"x-goog-acl": "private", "x-amz-meta-a": "b", "x-ms-blob-type": "BlockBlob", "Content-Type": "video/mp4"}
    assert admitted(headers) == headers


def test_a_broken_line_sends_the_body_again_from_its_beginning(
    put: Any, workspace: Any, faults: Any, clock: Any
) -> None:
    faults(PUT, "reset-mid-body-after-100K", "return-503")

    done = put(BytesSource(b"f" * 1_000_000))

    (stored,) = workspace.effects("video_stored")
    assert stored["size"] == 1_000_000
    assert (done.requests, len(clock.pauses)) == (3, 2)
    assert done.sent_bytes > 1_000_000


def test_attempts_that_are_spent_end_it_and_the_message_says_that_it_begins_anew(
    put: Any, faults: Any, silence: Any, clock: Any
) -> None:
    faults(PUT, *["return-503"] * 3)

    with silence.raises(UploadStalled, match="cannot resume") as caught:
        put(BytesSource(b"film"), attempts=3)
    assert caught.value.retry_safe
    assert len(clock.pauses) == 2


@pytest.mark.parametrize(
    ("instruction", "error"),
    [
        ("return-400", UploadRefused),
        ("return-413", UploadRefused),
        ("redirect-307", Redirected),
        ("return-404", UploadRefused),
    ],
)
def test_a_refusal_is_not_repeated(
    put: Any, workspace: Any, faults: Any, silence: Any, instruction: str, error: Any
) -> None:
    faults(PUT, instruction)

    with silence.raises(error):
        put(BytesSource(b"film"))
    assert len(workspace.requests(PUT)) == 1


def test_an_address_without_renewal_that_expired_is_said_to_be_refused(put: Any, faults: Any, silence: Any) -> None:
    faults(PUT, "expire-link")

    with silence.raises(SessionRejected):
        put(BytesSource(b"film"), renew=False)


def test_no_bytes_at_all_are_not_sent(put: Any, workspace: Any) -> None:
    with pytest.raises(InvalidInput):
        put(BytesSource(b""))
    assert not workspace.requests(PUT)


def test_a_store_that_takes_nothing_is_left(put: Any, workspace: Any, faults: Any, silence: Any) -> None:
    faults(PUT, "stall-for-30s-after-256K")

    with silence.raises(UploadStalled):
        put(BytesSource(b"f" * 40_000_000), attempts=1, read_timeout_s=0.5)


SENDING = """
import resource, sys
sys.path[:0] = {path!r}
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
from pathlib import Path
from visionbatch.io.run_files import FileRunStore
from visionbatch.model.secret import Secret
from visionbatch.pipelines.roboflow import Roboflow, roboflow_key
from visionbatch.pipelines.roboflow_stage import RoboflowStageRun
from visionbatch.roboflow.settings import RoboflowSettings
from visionbatch.roboflow.stage_settings import StageSettings
url, token, place, state = sys.argv[1:]
settings = RoboflowSettings(url, upload_hosts=(url,))
with Roboflow(settings, lambda: roboflow_key(Secret(token))) as site:
    run = RoboflowStageRun(site, FileRunStore(Path(state), "a run"), StageSettings(images_per_shard=20))
    print(run.images(place, "diskless").parts)
"""


@pytest.mark.fault("UP29")
def test_a_full_disk_does_not_matter_because_no_archive_is_ever_written(
    mock: Any, workspace: Any, photos: Any, tmp_path: Path
) -> None:
    """The process may not write more than its record to any file: no archive has room on this disk."""
    place = photos(50)
    script = SENDING.format(path=[path for path in sys.path if path])
    command = [
        sys.executable,
        "-B",
        "-c",
        script,
        mock.url,
        workspace.tenant.token,
        str(place),
        str(tmp_path / "state"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)

    assert (done.returncode, done.stdout.strip()) == (0, "3"), done.stderr
    assert workspace.indexed() == {"ok": 50, "rejected": 0}
