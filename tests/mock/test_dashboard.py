"""The dashboard over real sockets: what it shows, to whom, what its buttons do, and what it never gives away."""

import http.client
import io
import logging
import re
import secrets
from urllib.parse import urlsplit

import html5lib
import pytest
import requests
from PIL import Image

from support.chromium import COMMAND, Chromium
from support.leaks import header_canary, places_of
from support.receiver import Receiver
from support.roboflow_wire import JOBS, STAGING, definition, tar_of
from visionbatch_mock import MockConfig, MockServer
from visionbatch_mock.dashboard.live import EXTENSION, MOST_VIEWERS
from visionbatch_mock.dashboard.picking import name_of
from visionbatch_mock.logs import ACCESS, LOGGER

DEADLINE_S = 20
Q = 262_144
EVIL = "<script>alert(1)</script>\"'&"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
ALLOWED = {
    "default-src 'none'", "style-src 'self'", "script-src 'self'", "img-src 'self'", "connect-src 'self'",
    "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
}  # fmt: skip


class Reader:
    """A browser without scripts, at the pages of one customer."""

    def __init__(self, customer) -> None:
        self.customer = customer
        self.name = name_of(customer.inside)
        self.http = requests.Session()
        self.http.trust_env = False

    def get(self, path: str = "/", **query: str) -> requests.Response:
        url = f"{self.customer.mock.url}/_dashboard{path}"
        return self.http.get(url, params={"tenant": self.name, **query}, headers=HTML, timeout=DEADLINE_S)

    def text(self, path: str = "/", **query: str) -> str:
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return " ".join("".join(tree(answer.text).itertext()).split())

    def press(self, path: str, headers: dict[str, str | None] | None = None, **form: object) -> requests.Response:
        """A form of these pages, sent as a browser does."""
        url = f"{self.customer.mock.url}/_dashboard/act{path}"
        sent = {"Origin": self.customer.mock.url, "Sec-Fetch-Site": "same-origin", **(headers or {})}
        told = {"tenant": self.name, "back": "/_dashboard/faults", **form}
        return self.http.post(url, data=told, headers=sent, timeout=DEADLINE_S, allow_redirects=False)

    def pages(self) -> dict[str, requests.Response]:
        """Every page that a link leads to; the services' documents are there too, but no pages."""
        seen: dict[str, requests.Response] = {}
        waiting = [f"/_dashboard/?tenant={self.name}"]
        while waiting:
            path = waiting.pop()
            answer = self.http.get(self.customer.mock.url + path, headers=HTML, timeout=DEADLINE_S)
            assert answer.status_code == 200, (path, answer.text)
            seen[path] = answer
            if answer.headers["Content-Type"].startswith("text/html"):
                hrefs = {one.get("href") or one.get("src") for one in tree(answer.text).iter()} - {None}
                waiting += [each for each in hrefs - set(seen) if each.startswith("/") and each not in waiting]
        return {path: answer for path, answer in seen.items() if not path.startswith("/_control/openapi/")}


def tree(source: str):
    """A page's elements; whatever a browser would have to repair is an error."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(source)


@pytest.fixture
def reader(tenant):
    return Reader(tenant)


@pytest.fixture
def busy(mock, customer_of, photo, zipped):
    """A customer with something of everything, under names that mean harm."""
    tenant = customer_of(header_canary("key"))
    hook, field, config = (f"{name}-{secrets.token_hex(12)}" for name in ("hook", "field", "config"))
    tenant.post("/v0.2/batches", json={"filename": EVIL}, headers={"User-Agent": EVIL})
    tenant.send(zipped({f"{EVIL.replace('/', '')}/a.jpg": photo(), "WO_2/a.jpg": b"none"}))
    tenant.inside.exports.create(storage_uri=f"gs://b-{secrets.token_hex(8)}/p/", interval="daily", export_images=True)
    tenant.inside.exports.create(interval="once", connector_type="email", emails=["a@b.cd"])
    tenant.inside.clock.advance(3600)
    for export in tenant.inside.exports.all():
        export.run(since=0.0)
    archive = tar_of({"a.jpg": photo()})
    headers = {"Authorization": f"Bearer {tenant.token}"}
    signed = tenant.post(f"{STAGING}/poles/bulk-upload/image-files", headers=headers).json()["signedURLDetails"]
    tenant.http.put(signed["uploadURL"], data=archive, headers=signed["extensionHeaders"], timeout=DEADLINE_S)
    tenant.inside.clock.advance(60)
    job = definition("poles", notificationsURL=f"http://127.0.0.1:9/{hook}?token={hook}")
    assert tenant.post(f"{JOBS}/job-1", json=job, headers=headers).status_code == 200
    tenant.inside.clock.advance(60)
    tenant.plan("deepomatic.batches.get", "return-503")
    tenant.get(f"/v0.3/{EVIL}")
    book = tenant.inside.vias
    told = {
        "name": EVIL,
        "service_name": EVIL,
        "service_version": "1",
        "output": {"webhook": {"url": f"http://127.0.0.1:9/{hook}", "headers": {"x": field}}},
    }
    with book.lock:
        source = book.places.add_source(EVIL, "obs", config)
        group = book.places.add_group("g")
        source.group_ids.add(group.id)
        asked = [{"video_source_group_id": group.id, "video_source_list": []}]
        book.create_batch(told, book.places.chosen_of(asked))
    tenant.inside.clock.advance(60)
    tenant.inside.settle()
    tenant.secrets = {tenant.token, signed["uploadURL"].rpartition("/")[2].partition("?")[0], hook, field, config}
    tenant.secrets |= {session.id for session in tenant.mock.world.sessions(tenant.inside)}
    tenant.secrets |= {mail.link.token for mail in tenant.inside.exports.mails}
    return tenant


# -- what is shown


def test_every_page_is_sound_html_that_runs_nothing_of_others(busy):
    pages = Reader(busy).pages()
    assert len([page for page in pages if "/batches/" in page or "/jobs/" in page or "/vias/" in page]) >= 4
    for path, answer in pages.items():
        assert set(answer.headers["Content-Security-Policy"].split("; ")) == ALLOWED, path
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        if not answer.headers["Content-Type"].startswith("text/html"):
            continue
        page = tree(answer.text)
        for one in page.iter():
            if not isinstance(one.tag, str):
                continue
            assert one.tag != "style"
            assert one.tag.rpartition("}")[2] != "script" or (one.get("src") and not (one.text or "").strip())
            assert not [name for name in one.attrib if name.startswith("on") or name == "style"], path
            assert all(one.get(name, "/").startswith(("/", "#")) for name in ("src", "href", "action")), path
    everything = " ".join("".join(tree(a.text).itertext()) for a in pages.values() if a.text.startswith("<!DOCTYPE"))
    assert everything.count("<script>alert(1)</script>") >= 4


def test_nothing_that_the_mock_shows_or_logs_gives_a_secret_away(busy, caplog):
    """Of its own interface the ledger, the mails and the settings are left out: a test has to see what is in them."""
    caplog.set_level(logging.INFO, logger=LOGGER)
    inside = busy.inside
    given = {*busy.mock.world.names.of(inside)[1], *(session.id for session in busy.mock.world.sessions(inside))}
    assert len(given & busy.secrets) >= 3
    for secret in sorted(given):
        # As it is meant, with something behind it, and in the place of something else.
        for path in (f"/exports/{secret}", f"/exports/{secret}/more", f"/v0.2/{secret}/batches"):
            busy.get(path)
    busy.get("/v0.2/nowhere", params={"api_key": busy.token, "upload_id": busy.token})
    texts = [(path, answer.content) for path, answer in Reader(busy).pages().items()]
    busy.post("/_control/snapshots")
    control = ("journal", "snapshots", "faults", "faults/presets", "clock", "openapi.json", "nowhere")
    paths = [*(f"/_control/{path}" for path in control), "/metrics", "/health", "/ready"]
    texts += [(path, busy.get(path).content) for path in paths]
    texts += [(record.name, record.getMessage().encode()) for record in caplog.records]
    assert b"curl -i -X GET" in dict(texts)["/_control/journal"]
    assert b"the nearest is" in dict(texts)["/_dashboard/journal?tenant=" + name_of(busy.inside)]
    assert any(place == ACCESS for place, _ in texts)
    assert places_of(sorted(busy.secrets | given), texts) == []


def test_the_root_is_a_page_for_browsers_and_an_api_for_keys_and_looking_leaves_no_trace(tenant, reader):
    batch_id = tenant.new_batch()[0]
    tenant.inside.configure(lifecycle={"mode": "looks", "looks": 0})
    before = len(tenant.inside.journal.entries()), len(tenant.effects()), len(tenant.mock.world.tenants())
    page = reader.http.get(f"{tenant.mock.url}/", headers=HTML, timeout=DEADLINE_S)
    assert "Deepomatic" in page.text
    assert reader.http.get(f"{tenant.mock.url}/", timeout=DEADLINE_S).status_code == 401
    assert batch_id in reader.text(f"/batches/{batch_id}")
    for _ in range(3):
        reader.pages()
    after = len(tenant.inside.journal.entries()), len(tenant.effects()), len(tenant.mock.world.tenants())
    assert after[:2] == before[:2]
    answer = tenant.http.get(f"{tenant.mock.url}/", params={"api_key": tenant.token}, headers=HTML, timeout=DEADLINE_S)
    assert answer.json()["workspace"] == "mock-workspace"


def test_the_upload_map_shows_what_was_kept_and_what_came_twice(tenant, reader):
    batch_id, upload = tenant.new_batch()
    data = bytes(4 * Q)
    tenant.plan("storage.sessions.chunk", "pass", "return-503")
    for start, stop in ((0, Q), (Q, 3 * Q), (Q, 3 * Q), (3 * Q, 4 * Q)):
        upload.chunk(data, start, stop, 4 * Q)
    text = reader.text(f"/batches/{batch_id}")
    assert "Kept1 MiB of 1 MiB" in text.replace("Kept ", "Kept")
    assert "1.5 MiB in 4 requests" in text
    assert "512 KiB from 256 KiB, answered 503, return-503" in text
    assert "512 KiB from 256 KiB arrived 2 times" in text
    again = next(one for one in tree(reader.get(f"/batches/{batch_id}").text).iter("dd") if one.get("class"))
    assert again.text == "512 KiB"


def test_the_journal_is_searched_and_gives_commands_without_secrets(tenant, reader):
    tenant.new_batch()
    tenant.get("/v0.2/batches/nobody")
    tenant.get("/v0.3/batches")
    assert "2 of 3 requests" in reader.text("/journal", only="refused")
    assert "1 of 3 requests" in reader.text("/journal", q="deepomatic POST")
    assert "No route takes this; the nearest is" in reader.text("/journal", only="stray")
    assert '"Authorization: Token $VISION_KEY"' in reader.text("/journal", q="POST")
    assert "1 of 2 effects" in reader.text("/ledger", q="batch.created")


def test_only_real_pictures_are_served_as_pictures(tenant, reader, photo):
    tenant.inside.store("b", "a.png", [photo("PNG")])
    tenant.inside.store("b", "page.jpg", [b"<html><script>alert(1)</script>"])
    shown = reader.get("/picture", bucket="b", name="a.png")
    assert shown.headers["Content-Type"] == "image/png"
    assert Image.open(io.BytesIO(shown.content)).format == "PNG"
    assert reader.get("/picture", bucket="b", name="page.jpg").status_code == 404
    assert reader.get("/picture", bucket="nobody", name="a.png").status_code == 404


# -- what the buttons do


@pytest.mark.parametrize(
    ("act", "state", "outcomes"),
    [("advance", "processing", []), ("fail", "error", ["error"]), ("succeed", "success", ["success"])],
)
def test_buttons_move_a_batch_and_the_ledger_has_it(tenant, reader, photo, zipped, act, state, outcomes):
    batch_id = tenant.send(zipped({"WO/a.jpg": photo()}))
    answer = reader.press(f"/batch/{batch_id}/{act}")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/_dashboard/faults")
    assert tenant.inside.batches.get(batch_id).state == state
    assert [entry["outcome"] for entry in tenant.effects("batch.processed")] == outcomes


def test_a_stalled_batch_stays_until_it_is_let_go(tenant, reader, photo, zipped):
    batch_id = tenant.send(zipped({"WO/a.jpg": photo()}))
    reader.press(f"/batch/{batch_id}/stall")
    tenant.inside.clock.advance(3600)
    assert not tenant.effects("batch.processed")
    assert "stalled" in reader.text(f"/batches/{batch_id}")
    reader.press(f"/batch/{batch_id}/go-on")
    assert len(tenant.effects("batch.processed")) == 1


def test_jobs_and_tasks_are_moved_stalled_and_failed(busy):
    reader, room, book = Reader(busy), busy.inside.roboflow, busy.inside.vias
    busy.post(f"{JOBS}/job-2", json=definition("poles"), headers={"Authorization": f"Bearer {busy.token}"})
    reader.press("/job/job-2/stall")
    busy.inside.clock.advance(3600)
    busy.inside.settle()
    assert room.jobs.get("job-2").state == "queued"
    reader.press("/job/job-2/advance")
    reader.press("/job/job-2/fail")
    assert busy.effects("roboflow.job_ended")[-1].facts["state"] == "failed"
    (task,) = book.tasks()
    reader.press(f"/task/{task.id}/fail")
    assert busy.effects("vias.task_ended")[-1].facts["state"] == "FAILED"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": None},
        {"Origin": "null"},
        {"Origin": None, "Sec-Fetch-Site": None},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_form_of_another_page_does_nothing(tenant, reader, headers):
    batch_id = tenant.new_batch()[0]
    assert reader.press(f"/batch/{batch_id}/fail", headers).status_code == 403
    assert reader.press("/clock/freeze", headers).status_code == 403
    assert not tenant.effects("batch.processed")


def test_a_name_that_could_be_anybodys_opens_nothing_and_an_answer_leads_nowhere_else(tenant, reader):
    port = urlsplit(tenant.mock.url).port
    for host in (f"attacker.example:{port}", "rebound.127.0.0.1.example"):
        answer = reader.http.get(f"{tenant.mock.url}/_dashboard/", headers={"Host": host, **HTML}, timeout=DEADLINE_S)
        assert answer.status_code == 403
        assert reader.name not in answer.text
    for back in ("https://elsewhere.example/", "//elsewhere.example", "/_dashboard/\\..//x", "javascript:alert(1)"):
        answer = reader.press("/clock/freeze", back=back)
        assert answer.headers["Location"] == "/_dashboard/"


def test_faults_are_planned_met_and_removed_and_one_that_nobody_met_is_red(tenant, reader):
    reader.press("/faults", preset="UP6")
    reader.press("/faults", operation="deepomatic.batches.create", instructions="return-503\n\ndrop-response")
    assert tenant.post("/v0.2/batches").status_code == 503
    text = reader.text("/faults")
    assert "never met" in text
    assert "partly met" in text
    red = [one for one in tree(reader.get("/faults").text).iter("tr") if one.get("class") == "alarm"]
    assert len(red) == 2
    for plan in tenant.inside.faults.all():
        reader.press(f"/faults/{plan.id}/remove")
    assert not tenant.inside.faults.all()
    refused = reader.press("/faults", operation="deepomatic.batches.create", instructions="explode")
    assert refused.status_code == 400
    assert "not an instruction" in refused.text
    assert not tenant.inside.faults.all()


def test_the_clock_stands_jumps_and_runs_faster(tenant, reader):
    before = tenant.inside.clock.now()
    reader.press("/clock/advance", seconds="90")
    assert tenant.inside.clock.now() == before + 90
    reader.press("/clock/speed", factor="60")
    assert tenant.inside.clock.as_json()["speed"] == 60
    reader.press("/clock/freeze")
    assert tenant.inside.clock.as_json()["frozen"]
    assert "frozen" in reader.text("/clock")
    for wrong in ("nan", "inf", "soon", ""):
        assert reader.press("/clock/advance", seconds=wrong).status_code == 400


def test_a_webhook_is_sent_again_with_the_same_id(tenant, reader, photo):
    headers = {"Authorization": f"Bearer {tenant.token}"}
    with Receiver() as receiver:
        image = {"file": ("a.jpg", photo())}
        tenant.post(f"{STAGING}/s/upload/image?fileName=a.jpg", files=image, headers=headers)
        job = definition("s", notificationsURL=f"{receiver.url}/s3cret")
        assert tenant.post(f"{JOBS}/job-3", json=job, headers=headers).status_code == 200
        tenant.inside.clock.advance(60)
        (first,) = receiver.wait_for(1)
        assert reader.press(f"/webhook/roboflow/{first['event_id']}").status_code == 303
        assert receiver.wait_for(2)[1]["event_id"] == first["event_id"]
    assert len(tenant.effects("roboflow.webhook_delivered")) == 2
    assert "delivered" in reader.text("/webhooks")


def test_staging_exports_and_mails_have_buttons_too(busy):
    reader, inside = Reader(busy), busy.inside
    stored, mailed = inside.exports.all()
    reader.press(f"/export/{stored.id}/run")
    assert len(stored.runs) == 2
    number = len(inside.exports.mails) - 1
    reader.press(f"/mail/{number}/expire")
    assert inside.exports.mails[number].link.expires <= inside.clock.now()
    reader.press(f"/mail/{number}/renew")
    assert len(inside.exports.mails) == number + 2
    assert len(busy.effects("export.mailed")) == number + 2
    reader.press("/staged/poles/expire")
    assert "poles" in [entry["batch_id"] for entry in busy.effects("roboflow.batch_expired")]
    for path in (
        "/staged/poles/expire",
        "/job/nobody/fail",
        f"/export/{mailed.id}/explode",
        "/webhook/roboflow/nobody",
    ):
        assert reader.press(path).status_code == 404


# -- who may come in


def test_a_control_token_is_asked_for_once_and_its_cookie_is_not_the_token():
    with MockServer(MockConfig(control_token="s3cret-token")) as mock, requests.Session() as browser:
        browser.trust_env = False
        here = {"Origin": mock.url}
        tenant = mock.world.tenant("k")
        for path in ("/", "/_dashboard/", "/_dashboard/journal", "/_dashboard/events"):
            answer = browser.get(mock.url + path, headers=HTML, timeout=DEADLINE_S)
            assert answer.status_code == 403
            assert "Control token" in answer.text
        act, told = f"{mock.url}/_dashboard/act/clock/advance", {"seconds": "9", "tenant": name_of(tenant)}
        assert browser.post(act, data=told, headers=here, timeout=DEADLINE_S).status_code == 403
        login = f"{mock.url}/_dashboard/login"
        assert browser.post(login, data={"token": "wrong"}, headers=here, timeout=DEADLINE_S).status_code == 403
        assert not browser.cookies
        answer = browser.post(login, data={"token": "s3cret-token"}, headers=here, timeout=DEADLINE_S)
        assert "Deepomatic" in answer.text
        cookie = answer.history[0].headers["Set-Cookie"]
        assert {"HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))
        assert "s3cret" not in cookie + answer.text
        before = tenant.clock.now()
        assert browser.post(act, data=told, headers=here, timeout=DEADLINE_S).status_code == 200
        assert tenant.clock.now() >= before + 9


# -- live


class Stream:
    """One viewer."""

    def __init__(self, mock: MockServer, name: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", mock.port, timeout=DEADLINE_S)
        self.connection.request("GET", f"/_dashboard/events?tenant={name}")
        self.answer = self.connection.getresponse()
        assert self.answer.headers["Content-Type"].startswith("text/event-stream")

    def event(self) -> str:
        """The next event's data; empty when the stream has ended."""
        beats = 0
        while (line := self.answer.readline()) and beats < 3:
            if line.startswith(b"data:"):
                return line.decode()
            beats += line.startswith(b":")
        assert beats < 3, "nothing happens"
        return ""

    def close(self) -> None:
        self.connection.close()


def test_viewers_hear_of_changes_keep_nobody_waiting_and_leave_with_the_mock():
    with MockServer() as mock:
        tenant = mock.world.tenant("k")
        name = name_of(tenant)
        streams = [Stream(mock, name) for _ in range(MOST_VIEWERS)]
        assert all(stream.event() for stream in streams)
        key = {"Authorization": "Token k"}
        assert requests.post(f"{mock.url}/v0.2/batches", headers=key, timeout=DEADLINE_S).status_code == 201
        assert all('"requests": 1' in stream.event() for stream in streams)
        late = Stream(mock, name)
        assert late.event()
        while streams[0].event():
            pass
        assert len(mock.app.extensions[EXTENSION]) == MOST_VIEWERS
        # Who only looks is in nobody's way: neither of a moment of the customer, nor of the state of all.
        assert requests.post(f"{mock.url}/_control/snapshots", headers=key, timeout=DEADLINE_S).status_code == 201
        with mock.world.gate.closed(DEADLINE_S) as empty:
            assert empty
        while late.event():
            pass
        again = Stream(mock, name)
        assert again.event()
    while again.event():
        pass
    for stream in (*streams, late, again):
        stream.close()


@pytest.mark.skipif(COMMAND is None, reason="needs Chromium")
def test_a_browser_shows_changes_by_themselves_and_is_led_by_keys(tenant, reader):
    tenant.new_batch()
    with Chromium() as browser:
        browser.go(f"{tenant.mock.url}/_dashboard/?tenant={reader.name}")
        browser.wait_for("document.getElementById('live').classList.contains('on')")
        tenant.new_batch()
        browser.wait_for("document.querySelectorAll('#deepomatic [data-row]').length === 2")
        for key in "jj":
            browser.press(key)
        assert browser.value("document.activeElement.closest('tr') === document.querySelectorAll('[data-row]')[1]")
        browser.press("k")
        assert browser.value("document.activeElement.closest('tr') === document.querySelectorAll('[data-row]')[0]")
        browser.press("?")
        assert browser.value("document.getElementById('keys').open")
        browser.value("document.getElementById('keys').close()")
        browser.press("/")
        browser.wait_for("location.pathname === '/_dashboard/journal' && document.readyState === 'complete'")
        browser.wait_for("document.getElementById('live').classList.contains('on')")
        assert browser.value("document.querySelectorAll('.journal [data-row]').length") == 2
        browser.call("Emulation.setDeviceMetricsOverride", width=360, height=700, deviceScaleFactor=1, mobile=True)
        for page in ("", "faults", "journal", "ledger", "webhooks", "clock"):
            browser.go(f"{tenant.mock.url}/_dashboard/{page}?tenant={reader.name}")
            assert browser.value("document.documentElement.scrollWidth") <= 360, page
        assert not browser.problems
    assert not re.search("_dashboard", " ".join(entry.path for entry in tenant.inside.journal.entries()))
