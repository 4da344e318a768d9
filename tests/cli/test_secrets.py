"""What the command line prints and writes, searched for every secret that it was given or came by."""

from __future__ import annotations

import http.client
import json
import logging
import ssl
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme

from support.command_line import CommandLine
from support.echo import WAYS, Echo
from support.leaks import canary, files_below, header_canary, places_of, written
from support.listener import Scripted
from support.orders import photo
from visionbatch.cli import main
from visionbatch_mock import MockServer
from visionbatch_mock.tenant import Tenant

PLACES = ("stdout", "stderr", "log")
STATUSES = (200, 400, 401, 500, 302)
CREATION = (400, 401)
"""After any other answer a creation is looked for, which takes its time."""
HOOK = "https://hooks.example.com/"


def test_the_search_finds_a_secret_in_every_way_of_writing_it() -> None:
    secret = canary("needle")
    assert len(written(secret)) == 19
    for way, form in written(secret).items():
        assert places_of([secret], [(way, b"<" + form + b">")])
    assert places_of([secret], [("all else", b"needle-%/+= and " + secret[:-12].encode())]) == []


class Printed:
    """Runs the command in this process with everything that can be switched on, and keeps what comes of it."""

    def __init__(self, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, folder: Path) -> None:
        self._capfd = capfd
        self._caplog = caplog
        self.folder = folder
        self.texts: list[tuple[str, bytes]] = []
        self.codes: set[int] = set()

    def __call__(self, *arguments: object) -> None:
        junit = self.folder / "written" / "junit.xml"
        junit.parent.mkdir(exist_ok=True)
        self.codes.add(main([str(argument).replace("JUNIT", str(junit)) for argument in arguments]))
        logged = "\n".join(self._caplog.handler.format(record) for record in self._caplog.records)
        self._caplog.clear()
        self.texts += [
            (place, text.encode()) for place, text in zip(PLACES, (*self._capfd.readouterr(), logged), strict=True)
        ]
        self.texts += files_below(self.folder / "written")


@pytest.fixture
def printed(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Printed:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 2)
    monkeypatch.setenv("VISIONBATCH_STATE_DIR", str(tmp_path / "written"))
    return Printed(capfd, caplog, tmp_path)


def vias_body(folder: Path, hook: str, key: str) -> Path:
    """A batch task whose results go to a webhook."""
    source = {"video_source_group_id": "group-0001", "video_source_list": [{"video_source_id": "source-0001"}]}
    told = {
        "name": "nightly",
        "service_name": "fire",
        "service_version": "1.0",
        "batch_input": {"video_source_group": [source]},
        "output": {"webhook": {"url": hook, "headers": {"x-key": key}, "allow_inside": True}},
    }
    (folder / "body.json").write_text(json.dumps(told))
    return folder / "body.json"


@pytest.mark.parametrize("service", ["deepomatic", "roboflow", "vias"])
def test_a_server_that_says_back_what_it_was_sent_brings_no_secret_out(
    service: str, printed: Printed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Gateways and proxies do that, in pages that they escape in one way or another."""
    key, secret, token, password, proxy = (header_canary(name) for name in ("key", "sk", "token", "password", "proxy"))
    hook = f"{HOOK}{header_canary('hook').replace('%', '')}"
    # An access key is a name, and stands on the command line; what signs is the secret key.
    guarded = [secret, token, password, proxy, hook.removeprefix(HOOK), *([] if service == "vias" else [key])]
    for name, value in {
        "DEEPOMATIC_API_KEY": key,
        "ROBOFLOW_API_KEY": key,
        "VIAS_SECRET_KEY": secret,
        "VIAS_SECURITY_TOKEN": token,
        "VIAS_PASSWORD": password,
    }.items():
        monkeypatch.setenv(f"VISIONBATCH_{name}", value)
    (tmp_path / "hook").write_text(hook)
    body = vias_body(tmp_path, hook, secret)
    nothing = {"GET": (404 if service == "roboflow" else 200, b'{"count": 0, "batch_task_list": []}')}
    with Echo() as echo, Echo(nothing, b"notificationsURL" if service == "roboflow" else b"webhook") as making:
        site = ("deepomatic", "--url", echo.url)
        workspace = ("--json", "roboflow", "--workspace", "ws", "--url")
        project = ("vias", "--project-id", "0" * 32, "--iam-url", echo.url, "--url")
        job = ("run", "a-batch", "--workflow", "w", "--junit", "JUNIT", "--notify-file", tmp_path / "hook", "--run-id")
        batch = ("--access-key", key, "create", body, "--junit", "JUNIT", "--run-id")
        asking: dict[str, list[tuple[object, ...]]] = {
            "deepomatic": [(*site, "status", "any"), ("--json", *site, "create", "any")],
            "roboflow": [(*workspace, echo.url, "jobs"), (*workspace, echo.url, "--key-in", "query", "jobs")],
            "vias": [
                (*project, echo.url, "--access-key", key, "status", "any-batch"),
                (*project, echo.url, "--user", "someone", "--domain", "firm", "list"),
            ],
        }
        creation = {"roboflow": (*workspace, making.url, *job), "vias": (*project, making.url, *batch)}
        through = f"http://someone:{quote(proxy, safe='')}@127.0.0.1:{echo.port}"
        for number, way in enumerate(WAYS):
            echo.way = making.way = way
            making.body_first = True
            for status in STATUSES:
                echo.status = making.status = status
                echo.body_first = not echo.body_first
                for command in asking[service]:
                    printed(*command)
                if service in creation and status in CREATION:
                    printed(*creation[service], f"{number}-{status}")
            with monkeypatch.context() as surroundings:
                surroundings.setenv("HTTP_PROXY", through)
                printed(*asking[service][0])
        assert echo.told >= len(WAYS) * (len(STATUSES) + 1) * len(asking[service]) - len(WAYS)
        assert making.told == (len(WAYS) * len(CREATION) if service in creation else 0)
    assert printed.codes >= {4, 5}
    assert any(b"was answered 400" in text for _, text in printed.texts)
    assert places_of(guarded, printed.texts) == []


def test_a_session_that_says_back_its_address_brings_nothing_of_it_out(
    printed: Printed, orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, session, signature = (header_canary(name) for name in ("path", "session", "signature"))
    monkeypatch.setenv("VISIONBATCH_DEEPOMATIC_API_KEY", key := header_canary("key"))
    with Echo() as echo:
        query = f"upload_id={quote(session, safe='')}&X-Goog-Signature={quote(signature, safe='')}"
        address = tmp_path / "address"
        address.write_text(f"{echo.url}/{quote(path)}?{query}")
        site = ("deepomatic", "--url", echo.url, "--upload-host", echo.url, "work-order", "batch", "upload")
        for echo.way in WAYS:
            for echo.status in (400, 401):
                printed(*site, "-u", f"@{address}", "-f", orders)
    assert printed.codes == {4, 6}
    assert any(b"the session answered 400" in text for _, text in printed.texts)
    assert places_of([path, session, signature, key], printed.texts) == []


VERBOSE = """
import http.client, logging
logging.basicConfig(level=1)
http.client.HTTPConnection.debuglevel = 2
"""


@pytest.fixture
def loud(mock: MockServer, tenant: Tenant, vb: CommandLine, tmp_path: Path) -> CommandLine:
    """The command as a process in which everything that can be switched on is."""
    (tmp_path / "loud").mkdir()
    (tmp_path / "loud" / "sitecustomize.py").write_text(VERBOSE)
    given = {
        "PYTHONPATH": str(tmp_path / "loud"),
        "ROBOFLOW_URL": mock.url,
        "ROBOFLOW_HOSTS": mock.url,
        "ROBOFLOW_API_KEY": tenant.token,
        "ROBOFLOW_ALLOW_INSIDE": "1",
        "VIAS_URL": mock.url,
        "VIAS_IAM_URL": mock.url,
        "VIAS_ACCESS_KEY": tenant.token,
    }
    vb.environment |= {name if name == "PYTHONPATH" else f"VISIONBATCH_{name}": text for name, text in given.items()}
    return vb


def came_by(tenant: Tenant, mock: MockServer) -> list[str]:
    """What the service gave this customer: sessions, tokens, and what stands in signed addresses."""
    return [*(session.id for session in mock.world.sessions(tenant)), *mock.world.names.of(tenant)[1]]


def test_a_day_of_each_service_leaves_no_secret_behind(
    loud: CommandLine, mock: MockServer, tenant: Tenant, orders: Path, tmp_path: Path
) -> None:
    """Processes at full verbosity, so it takes its seconds: runs that succeed, and runs that are refused."""
    out, hook = tmp_path / "out", f"{mock.url}/{header_canary('hook').replace('%', '')}"
    key, password, wrong = header_canary("sk"), header_canary("password"), header_canary("invalid")
    at_once = dict.fromkeys(["PENDING", "STARTING", "RUNNING"], 0)
    tenant.configure(vias_secret_key=key, vias_password=password, vias_open_sources=True, vias_durations=at_once)
    tenant.configure(roboflow_queued_s=0.0, roboflow_processing_s=0.0, roboflow_export_s=0.0, roboflow_indexing_s=0.0)
    storm = {"storage.sessions.chunk": ["return-503"], "roboflow.jobs.create": ["return-502"]}
    plan = tenant.faults.plan({"instructions": storm})
    (tmp_path / "hook").write_text(hook)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.jpg").write_bytes(photo(1, 16))
    body, files = vias_body(tmp_path, hook, key), ("--report-dir", out, "--junit", out / "junit.xml")
    notify = ("--notify-file", tmp_path / "hook")
    user = ("--access-key", "", "--user", tenant.token, "--domain", "firm")

    def command(code: int, *arguments: object, **secrets: str) -> None:
        ended = loud(*arguments, **{f"VISIONBATCH_{name.upper()}": secret for name, secret in secrets.items()})
        assert ended.code == code, (arguments, ended.err)

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
    with Scripted(b"", tls) as untrusted:
        command(0, "deepomatic", "run", orders, *files)
        command(0, "runs", "list")
        command(4, "deepomatic", "run", orders, "--run-id", "refused", *files, deepomatic_api_key=wrong)
        command(2, "deepomatic", "--url", f"https://127.0.0.1:{untrusted.port}", "status", "any")
    command(0, "roboflow", "stage", tmp_path / "photos", "--batch-id", "photos", "--kind", "shards", *notify)
    command(0, "roboflow", "run", "photos", "--workflow", "inspect", *notify, *files)
    command(0, "roboflow", "fetch", "--batch", "photos", out / "results")
    command(4, "roboflow", "jobs", roboflow_api_key=wrong)
    command(0, "vias", "create", body, *files, vias_secret_key=key)
    command(4, "vias", "list", vias_secret_key=wrong)
    command(0, "vias", *user, "list", vias_password=password)
    assert plan.completed
    assert any(b"DEBUG" in text for _, text in loud.printed), "they do talk"
    came, kept = came_by(tenant, mock), [*files_below(out, tmp_path / "home"), *loud.printed]
    assert len(came) > 3
    assert {".json", ".xml"} <= {Path(place).suffix for place, _ in kept}
    assert places_of([tenant.token, key, password, wrong, hook.rpartition("/")[2], *came], kept) == []
