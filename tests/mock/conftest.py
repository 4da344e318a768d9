"""A mock for the whole run, a fresh customer for each test, and plain HTTP to speak to it."""

import io
import itertools
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from PIL import Image

from support.huawei import Account
from support.roboflow_wire import Workspace
from visionbatch_mock import MockConfig, MockServer

# Read when gcsfs is imported, by whichever test comes first: else it asks Google's gRPC service about every bucket
# before it speaks to the endpoint that it was given.
os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"

Q = 262_144
DEADLINE_S = 20


@dataclass
class Upload:
    """An upload session, spoken to the way a client would."""

    http: requests.Session
    url: str

    def put(
        self, content_range: str | None = None, body: bytes = b"", method: str = "PUT", **headers: str
    ) -> requests.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if content_range is not None:
            sent["Content-Range"] = content_range
        return self.http.request(method, self.url, data=body, headers=sent, timeout=DEADLINE_S, allow_redirects=False)

    def chunk(self, data: bytes, start: int, stop: int, total: int | None = None, **headers: str):
        end = "*" if total is None else total
        return self.put(f"bytes {start}-{stop - 1}/{end}", data[start:stop], **headers)

    def probe(self, total: int | str = "*") -> requests.Response:
        return self.put(f"bytes */{total}")

    def cancel(self) -> requests.Response:
        return self.http.delete(self.url, timeout=DEADLINE_S)


class Customer:
    """One token: its calls over HTTP, and `inside`, the same tenant in this process."""

    def __init__(self, mock: MockServer, token: str) -> None:
        self.mock = mock
        self.token = token
        self.inside = mock.world.tenant(token)
        self.http = requests.Session()
        self.http.trust_env = False

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Token {self.token}", **options.pop("headers", {})}
        return self.http.request(
            method,
            self.mock.url + path,
            headers=headers,
            timeout=DEADLINE_S,
            allow_redirects=False,
            **options,
        )

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.call("GET", path, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self.call("POST", path, **options)

    def new_batch(self) -> tuple[str, Upload]:
        made = self.post("/v0.2/batches").json()
        return made["batch_id"], Upload(self.http, made["upload_url"])

    def new_upload(self) -> Upload:
        return self.new_batch()[1]

    def plan(self, operation: str, *instructions: Any):
        return self.inside.faults.plan({"instructions": {operation: list(instructions)}})

    def send(self, archive: bytes) -> str:
        batch_id, upload = self.new_batch()
        assert upload.put(body=archive).status_code == 200
        return batch_id

    def processed(self, archive: bytes) -> dict[str, Any]:
        """Everything that the mock knows of a batch after its archive was processed."""
        batch = self.inside.batches.get(self.send(archive))
        self.inside.clock.advance(3600)
        batch.settle()
        return batch.inner_view()

    def effects(self, effect: str | None = None) -> list[Any]:
        return self.inside.ledger.entries(effect)


@pytest.fixture(scope="session")
def mock() -> Iterator[MockServer]:
    with MockServer(MockConfig(seed=7)) as server:
        yield server


_numbers = itertools.count(1)


@pytest.fixture
def tenant(customer_of: Callable[[str], Customer]) -> Customer:
    return customer_of(f"token-{next(_numbers)}")


@pytest.fixture
def customer_of(mock: MockServer) -> Iterator[Callable[[str], Customer]]:
    """The customer of a key, whose clock stands."""
    with ExitStack() as stack:

        def customer(token: str) -> Customer:
            made = Customer(mock, token)
            stack.callback(made.http.close)
            made.inside.clock.freeze()
            return made

        yield customer


@pytest.fixture
def account(mock: MockServer) -> Iterator[Account]:
    """An account at Huawei, with a clock that stands at the present."""
    found = Account(mock, f"AK{next(_numbers)}")
    found.inside.clock.freeze()
    yield found
    found.http.close()


@pytest.fixture(params=["json", "xml"])
def kind(request: pytest.FixtureRequest, tenant: Customer) -> str:
    """Both kinds of session: the test runs once with each."""
    tenant.inside.configure(session_kind=request.param)
    return request.param


@pytest.fixture
def upload(tenant: Customer, kind: str) -> Upload:
    return tenant.new_upload()


@pytest.fixture(scope="session")
def data() -> bytes:
    """Content whose every 256 KiB block is different; three and a half of them."""
    blocks = [bytes([65 + n]) * Q for n in range(4)]
    return b"".join(blocks)[: 3 * Q + Q // 2]


@pytest.fixture(scope="session")
def photo() -> Callable[..., bytes]:
    def make(form: str = "JPEG", size: tuple[int, int] = (32, 24), shade: int = 90) -> bytes:
        held = io.BytesIO()
        Image.new("RGB", size, (shade, shade, shade)).save(held, form)
        return held.getvalue()

    return make


@pytest.fixture(scope="session")
def zipped() -> Callable[..., bytes]:
    def make(members: Mapping[str, bytes | str], method: int = zipfile.ZIP_STORED) -> bytes:
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", method) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return held.getvalue()

    return make


@pytest.fixture(scope="session")
def archive(photo: Callable[..., bytes], zipped: Callable[..., bytes]) -> bytes:
    """A sound archive of two work orders."""
    return zipped({"WO_1/cabinet-0.jpg": photo(), "WO_2/cabinet-0.jpg": photo(shade=91)})


@pytest.fixture
def workspace(mock: MockServer) -> Iterator[Workspace]:
    """A fresh workspace of Roboflow, whose clock stands."""
    fresh = Workspace(mock, f"key-{next(_numbers)}")
    fresh.inside.clock.freeze()
    yield fresh
    fresh.http.close()


@pytest.fixture
def photos(photo: Callable[..., bytes]) -> Callable[..., dict[str, bytes]]:
    """So many photos by name, each with bytes of its own."""

    def make(number: int, prefix: str = "p") -> dict[str, bytes]:
        return {f"{prefix}-{shade}.jpg": photo(shade=shade) for shade in range(number)}

    return make
