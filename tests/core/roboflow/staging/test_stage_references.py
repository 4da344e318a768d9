"""Batches that the service fills itself, from addresses: the rules they follow, the chunks they go in."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from support.listener import Listener, Silent
from support.runs import MemoryStore
from visionbatch.errors import (
    InputChanged,
    InputMissing,
    InvalidInput,
    Redirected,
    ServiceError,
    UnsafeUrl,
    UploadStalled,
)
from visionbatch.pipelines.reference_sources import references_at
from visionbatch.roboflow.references import Reference, references_of

REFER, REFER_VIDEOS = "roboflow.images.refer", "roboflow.videos.refer"
STORE = "https://photos.s3.eu-west-1.amazonaws.com"


def lines(count: int, signature: str = "one") -> list[str]:
    return [
        json.dumps({"name": f"{number:05}.jpg", "url": f"{STORE}/{number:05}.jpg?X-Amz-Signature={signature}"})
        for number in range(count)
    ]


@pytest.mark.parametrize("form", ["lines", "objects", "references", "file"])
def test_references_come_from_wherever_they_are(workspace: Any, tmp_path: Path, form: str) -> None:
    listed = lines(30)
    objects = [json.loads(line) for line in listed]
    if form == "file":
        (tmp_path / "list.jsonl").write_text("\n".join([*listed, "", ""]))
        with references_at(str(tmp_path / "list.jsonl")) as found:
            manifest = workspace.run().references(found, "referred")
    else:
        forms = {"lines": listed, "objects": objects, "references": [Reference(**each) for each in objects]}
        manifest = workspace.run().references(references_of(iter(forms[form]), "here"), "referred")

    assert (manifest.kind, manifest.expected, manifest.parts) == ("image-references", 30, 1)
    assert workspace.indexed()["ok"] == 30


def test_a_long_list_goes_in_chunks_each_with_an_id_that_is_always_the_same(workspace: Any) -> None:
    listed = references_of(lines(45_000), "long")

    manifest = workspace.run().references(listed, "long")

    assert (manifest.parts, manifest.expected, manifest.duplicated) == (3, 45_000, 0)
    taken = workspace.effects("references_taken")
    assert sorted(entry["ingest_id"] for entry in taken) == ["long-1-0", "long-1-1", "long-1-2"]


def test_videos_are_referred_to_in_chunks_of_their_own_size(workspace: Any) -> None:
    manifest = workspace.run().references(references_of(lines(6_000), "films"), "films", videos=True)

    assert (manifest.kind, manifest.parts) == ("video-references", 2)
    assert len(workspace.requests(REFER_VIDEOS)) == 2


def test_a_chunk_whose_answer_was_lost_is_known_by_its_id(workspace: Any, faults: Any) -> None:
    faults(REFER, "drop-response")

    manifest = workspace.run().references(references_of(lines(10), "list"), "twice")

    assert manifest.duplicated == 1
    assert len(workspace.requests(REFER)) == 2
    assert workspace.indexed()["ok"] == 10


def test_a_later_try_with_fresh_signatures_is_the_same_input(workspace: Any, faults: Any, silence: Any) -> None:
    store = MemoryStore()
    faults(REFER, "return-503")
    with silence.raises(UploadStalled):
        workspace.run(store, transfer={"patience": 1}).references(references_of(lines(10), "list"), "again")

    manifest = workspace.run(store).references(references_of(lines(10, "two"), "list"), "again")

    assert (manifest.expected, manifest.generation) == (10, 1)
    with pytest.raises(InputChanged, match="not again-more"):
        workspace.run(store).references(references_of(lines(10), "list"), "again-more")


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("not json", "reference-line"),
        ('["a"]', "reference-line"),
        ('{"name": "a.jpg"}', "reference-line"),
        ('{"name": "a.jpg", "url": "https://a.example/x", "more": 1}', "reference-line"),
        ('{"name": 3, "url": "https://a.example/x"}', "reference-line"),
        ('{"name": "", "url": "https://a.example/x"}', "reference-name"),
        ('{"name": "a\\nb.jpg", "url": "https://a.example/x"}', "reference-name"),
        ('{"name": "00000.jpg", "url": "https://a.example/x"}', "reference-name-twice"),
        ('{"name": "a.jpg", "url": "http://a.example/x"}', "reference-url"),
        ('{"name": "a.jpg", "url": "file:///etc/passwd"}', "reference-url"),
        ('{"name": "a.jpg", "url": "https://u:p@a.example/x"}', "reference-url"),
    ],
)
def test_a_reference_that_breaks_a_rule_is_named_before_the_first_request(workspace: Any, line: str, rule: str) -> None:
    with pytest.raises(InvalidInput, match=rf"list:2: .*\[{rule}\]"):
        references_of([lines(1)[0], line], "list")
    assert not workspace.requests()


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "[::1]", "0x7f.1", "2130706433", "127.1", "10.0.0.7", "metadata.google.internal", "localhost"],
)
def test_a_reference_that_leads_inside_is_refused(host: str) -> None:
    with pytest.raises(InvalidInput, match="reference-url"):
        references_of([json.dumps({"name": "a.jpg", "url": f"https://{host}/latest/meta-data"})], "list")


def test_signatures_are_not_in_what_a_refusal_says(silence: Any) -> None:
    secret = "s3cr3t" + "-signature"
    line = json.dumps({"name": "a.jpg", "url": f"http://a.example/x?sig={secret}"})
    silence.guard(secret)
    with silence.raises(InvalidInput):
        references_of([line, line], "list")


def test_an_empty_list_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no reference"):
        references_of(["", "  "], "nothing")
    with pytest.raises(InputMissing), references_at(str(tmp_path / "gone.jsonl")):
        pass


class ListServer(Listener):
    """Answers any request with a list of references, and counts."""

    def __init__(self, tls: ssl.SSLContext | None, body: bytes, status: str = "200 OK") -> None:
        super().__init__(tls)
        self._answer = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
        self.asked = 0

    def serve(self, peer: socket.socket) -> None:
        if peer.recv(65536):
            self.asked += 1
            peer.sendall(self._answer)


@pytest.fixture
def list_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ListServer]:
    """A server with a good certificate for a name of the Internet, whose address is on this machine."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("lists.example.com", "localhost").configure_cert(context)
    resolve = socket.getaddrinfo

    def answered(host: str, *args: Any, **kwargs: Any) -> Any:
        return resolve("127.0.0.1" if host == "lists.example.com" else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", answered)
    with ListServer(context, "\n".join(lines(3)).encode()) as server:
        yield server


def test_a_list_is_fetched_from_an_address(list_server: ListServer, workspace: Any) -> None:
    with references_at(f"https://lists.example.com:{list_server.port}/list", allow_inside=True) as found:
        manifest = workspace.run().references(found, "fetched")

    assert (manifest.expected, list_server.asked) == (3, 1)


@pytest.mark.fault("SC4")
def test_a_name_that_resolves_to_the_inside_is_found_out_where_the_connection_is_made(
    list_server: ListServer, silence: Any, workspace: Any, faults: Any, photos: Callable[..., Path]
) -> None:
    address = f"https://lists.example.com:{list_server.port}/list?sig=0123456789abcdef"
    silence.guard("0123456789abcdef")
    with silence.raises(UnsafeUrl, match="loopback"), references_at(address):
        pass
    assert list_server.asked == 0
    for host in ("169.254.169.254", "[::1]", "0x7f.1"):
        with silence.raises(UnsafeUrl), references_at(f"https://{host}/list"):
            pass
    # What the service answers with leads nowhere but to the hosts that the connection allows.
    client = workspace.client()
    listed = {"fileName": "a.tar", "downloadURL": "https://169.254.169.254/a.tar?sig=1", "contentType": "archives"}
    faults("roboflow.batches.content", {"fault": "answer", "body": json.dumps({"filesMetadata": [listed]})})
    with silence.raises(UnsafeUrl, match="169.254.169.254"):
        client.perform(client.api.staging.each_file("results", lambda _: None))
    with Silent() as inside:
        elsewhere = f"http://127.0.0.1:{inside.port}/latest/meta-data"
        faults("roboflow.files.put", {"fault": "redirect-307", "location": elsewhere})
        with silence.raises(Redirected):
            workspace.run(kind="shards").images(photos(2), "redirected")
        assert inside.connections == 0


def test_a_refused_list_is_an_error_and_a_redirect_is_not_followed() -> None:
    with ListServer(None, b"", "302 Found") as server:
        with (
            pytest.raises(ServiceError, match="302"),
            references_at(f"http://127.0.0.1:{server.port}/list", allow_inside=True),
        ):
            pass
        assert server.asked == 1
