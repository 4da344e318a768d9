"""`--state`: what a mock knows after a restart, and after a kill."""

import hashlib
import io
import signal
import stat
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from PIL import Image

from support.patience import wait_until
from support.served import Served, refused
from visionbatch_mock import MockConfig, MockServer
from visionbatch_mock.state import StateUnusable

Q = 262_144
TOKEN = {"Authorization": "Token t"}


def call(url: str, method: str, path: str, **options) -> requests.Response:
    return requests.request(method, url + path, headers={**TOKEN, **options.pop("headers", {})}, timeout=20, **options)


def put(session: str, data: bytes, start: int, stop: int) -> requests.Response:
    span = f"bytes {start}-{stop - 1}/{len(data)}"
    return requests.put(session, data=data[start:stop], headers={"Content-Range": span}, timeout=20)


def moved(session: str, before: str, after: str) -> str:
    """A session's URL at the same mock on another port."""
    return session.replace(before, after)


@pytest.fixture
def archive() -> bytes:
    """A sound archive of three and a half blocks."""
    held, photo = io.BytesIO(), io.BytesIO()
    Image.effect_noise((900, 900), 90).convert("RGB").save(photo, "PNG")
    with zipfile.ZipFile(held, "w") as file:
        file.writestr("WO_1/cabinet-0.png", photo.getvalue())
    assert len(held.getvalue()) > 3 * Q
    return held.getvalue()


@pytest.mark.fault("MK6")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_goes_on_with_a_half_finished_upload_and_without_state_forgets_it(tmp_path, archive, number):
    where = ("--state", str(tmp_path / "state"))
    with Served(*where) as served:
        made = call(served.url, "POST", "/v0.2/batches").json()
        assert put(made["upload_url"], archive, 0, 2 * Q).headers["Range"] == f"bytes=0-{2 * Q - 1}"
        if number == signal.SIGKILL:
            saved = tmp_path / "state" / "world"
            wait_until(lambda: saved.exists() and made["batch_id"].encode() in saved.read_bytes())
        served.end(number)
    with Served(*where) as again:
        session = moved(made["upload_url"], served.url, again.url)
        probe = requests.put(session, headers={"Content-Range": f"bytes */{len(archive)}"}, timeout=20)
        assert (probe.status_code, probe.headers["Range"]) == (308, f"bytes=0-{2 * Q - 1}")
        assert put(session, archive, 2 * Q, len(archive)).status_code == 200
        call(again.url, "POST", "/_control/clock", json={"advance": 3600})
        ledger = call(again.url, "GET", "/_control/ledger").json()
        (committed,) = [entry for entry in ledger if entry["effect"] == "archive.committed"]
        assert committed["sha256"] == hashlib.sha256(archive).hexdigest()
        assert (ledger[-1]["effect"], ledger[-1]["outcome"]) == ("batch.processed", "success")
        stored = [(entry["start"], entry["stop"]) for entry in ledger if entry["effect"] == "bytes.persisted"]
        assert stored == [(0, 2 * Q), (2 * Q, len(archive))]
        again.end()
    with Served() as forgetful:
        lost = call(forgetful.url, "POST", "/v0.2/batches").json()
        assert put(lost["upload_url"], archive, 0, Q).headers["Range"] == f"bytes=0-{Q - 1}"
        first = forgetful.url
        forgetful.end(number)
    with Served() as forgetful:
        for batch in (made, lost):
            assert call(forgetful.url, "GET", f"/v0.2/batches/{batch['batch_id']}").status_code == 404
        session = moved(lost["upload_url"], first, forgetful.url)
        assert put(session, archive, Q, 2 * Q).status_code == 404
        assert call(forgetful.url, "GET", "/_control/ledger").json() == []
    with Served(*where) as third:
        assert call(third.url, "GET", f"/v0.2/batches/{made['batch_id']}").json()["status"] == "success"


def test_bytes_that_came_after_the_last_save_count_in_whole_blocks(tmp_path, archive):
    with MockServer(state=tmp_path) as mock:
        made = call(mock.url, "POST", "/v0.2/batches").json()
        assert put(made["upload_url"], archive, 0, Q).status_code == 308
        saved = (tmp_path / "world").read_bytes() if mock.save() else b""
        assert put(made["upload_url"], archive, Q, 3 * Q).status_code == 308
        url = mock.url
        (spool,) = (tmp_path / "files").iterdir()
        with spool.open("ab") as file:
            file.write(b"half a block that nobody has acknowledged")
    (tmp_path / "world").write_bytes(saved)
    with MockServer(state=tmp_path) as again:
        session = moved(made["upload_url"], url, again.url)
        probe = requests.put(session, headers={"Content-Range": f"bytes */{len(archive)}"}, timeout=20)
        assert probe.headers["Range"] == f"bytes=0-{3 * Q - 1}"
        assert put(session, archive, 3 * Q, len(archive)).status_code == 200
        (committed,) = again.world.tenant("t").ledger.entries("archive.committed")
        assert committed["sha256"] == hashlib.sha256(archive).hexdigest()


def test_saves_that_meet_leave_a_whole_file_each(tmp_path):
    with MockServer(state=tmp_path) as mock, ThreadPoolExecutor(4) as savers:
        call(mock.url, "POST", "/v0.2/batches")
        assert all(savers.map(lambda _: mock.save(), range(40)))


def test_everything_that_a_tenant_has_is_there_after_a_restart(tmp_path, archive):
    with MockServer(MockConfig(seed=3), state=tmp_path) as mock:
        tenant = mock.world.tenant("t")
        tenant.clock.freeze()
        tenant.configure(profile="rich", queued_s=10, processing_s=10, export_spread_s=60)
        plan = tenant.faults.plan({"instructions": {"deepomatic.batches.create": ["pass", "return-503"]}})
        made = call(mock.url, "POST", "/v0.2/batches", json={"filename": "a.zip"}).json()
        requests.put(made["upload_url"], data=archive, timeout=20)
        name = {"name": "direct", "task_group_names": ["cabinet"]}
        direct = call(mock.url, "POST", "/v0.2/work-orders", json=name)
        export = tenant.exports.create(storage_uri="gs://mine/prod", interval="once", export_images=True)
        tenant.clock.advance(20)
        export.seed({"generate": {"count": 3}})
        export.run()
        call(mock.url, "POST", "/upload/storage/v1/b/own/o?uploadType=media&name=x", data=b"content")
        before = everything(mock, made["batch_id"])
        rest = tenant.clock.as_json()
        other = mock.world.tenant("other")
        other.revoke()
    with MockServer(MockConfig(seed=3), state=tmp_path) as again:
        assert everything(again, made["batch_id"]) == before
        tenant = again.world.tenant("t")
        assert tenant.clock.as_json() == rest
        assert tenant.behaviour.profile == "rich"
        assert tenant.faults.get(plan.id).remaining == {"deepomatic.batches.create": ["return-503"]}
        assert call(again.url, "POST", "/v0.2/batches").status_code == 503
        assert call(again.url, "GET", "/storage/v1/b/own/o/x?alt=media").content == b"content"
        assert direct.status_code == 201
        assert (
            requests.get(f"{again.url}/v0.2/batches", headers={"Authorization": "Token other"}, timeout=20).ok is False
        )
        waiting = again.world.tenant("t").exports.all()[0].as_json()["runs"][0]["waiting"]
        assert waiting > 0
        tenant.clock.advance(3600)
        images = tenant.ledger.entries("export.image_written")
        assert len(images) == len({entry["object"] for entry in images}) >= waiting


def everything(mock: MockServer, batch_id: str) -> dict[str, object]:
    paths = ("ledger", "settings", "faults", "exports", f"batches/{batch_id}")
    return {path: call(mock.url, "GET", f"/_control/{path}").json() for path in paths}


def test_what_is_no_longer_needed_is_not_kept(tmp_path):
    with MockServer(state=tmp_path) as mock:
        for name in ("a", "b"):
            call(mock.url, "POST", f"/upload/storage/v1/b/own/o?uploadType=media&name={name}", data=name.encode())
        assert call(mock.url, "DELETE", "/storage/v1/b/own/o/a").status_code == 204
    with MockServer(state=tmp_path) as again:
        assert [path.read_bytes() for path in (tmp_path / "files").iterdir()] == [b"b"]
        assert call(again.url, "GET", "/storage/v1/b/own/o/b?alt=media").content == b"b"


def test_a_state_is_refused_in_words_when_it_cannot_be_used(tmp_path):
    folder = tmp_path / "state"
    with MockServer(state=folder):
        assert "another mock runs" in refused("--state", str(folder)).stderr
    kept = (folder / "world").read_bytes()
    for damaged in (kept[:-20], kept.replace(b" state 1\n", b" state 0\n"), kept.split(b"\n")[0] + b"\ncos\nsystem\n."):
        (folder / "world").write_bytes(damaged)
        ended = refused("--state", str(folder))
        assert (ended.returncode, ended.stdout) == (2, "")
        assert "remove it" in ended.stderr
        assert "Traceback" not in ended.stderr
    folder.chmod(folder.stat().st_mode | stat.S_IWOTH)
    with pytest.raises(StateUnusable, match="chmod 700"):
        MockServer(state=folder)
    (tmp_path / "file").touch()
    assert "cannot be used" in refused("--state", str(tmp_path / "file")).stderr


def test_saving_waits_for_no_long_request_and_loses_none(tmp_path, archive):
    with MockServer(state=tmp_path) as mock:
        mock.world.tenant("t").faults.plan({"instructions": {"deepomatic.batches.create": ["delay-for-300s"]}})
        running = threading.Thread(target=call, args=(mock.url, "POST", "/v0.2/batches"))
        running.start()
        plan = mock.world.tenant("t").faults.plans()[0]
        wait_until(lambda: plan.completed)
        assert not mock.save(0.01), "a request is being served"
        assert call(mock.url, "GET", "/_control/health").status_code == 200
        mock.stop(10)
        running.join(20)
    with MockServer(state=tmp_path) as again:
        assert len(again.world.tenant("t").ledger.entries("batch.created")) == 1


def test_tls_of_a_state_stays_trusted(tmp_path):
    for _ in range(2):
        with Served("--tls", "--state", str(tmp_path / "state")) as served:
            authority = tmp_path / "state" / "tls" / "ca.pem"
            kept = authority.read_bytes()
            (tmp_path / "first").write_bytes(kept) if not (tmp_path / "first").exists() else None
            assert requests.get(f"{served.url}/ready", verify=str(tmp_path / "first"), timeout=20).status_code == 200
            served.end()
