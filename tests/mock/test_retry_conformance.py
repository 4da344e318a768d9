"""Google's scenarios of how its clients retry, with its own client, through `/retry_test` as its test bench has it.

Those of the XML API are met by obstore, which knows by itself what it may repeat.

S4, of calls that are never repeated, is about access lists and HMAC keys, which the mock does not have.
"""

import gc
import io
import warnings
from datetime import timedelta

import pytest
import requests
from obstore.exceptions import BaseError
from obstore.store import GCSStore

with warnings.catch_warnings():
    # Google's core library warns at import when helpers for gRPC, which nobody asked for, are missing.
    warnings.simplefilter("ignore", ImportWarning)
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.credentials import AnonymousCredentials
    from google.auth.exceptions import GoogleAuthError
    from google.cloud import storage
    from google.cloud.storage import retry as retries

Q = 262_144
CONTENT = bytes(range(256)) * 4096 + b"the rest"
QUICK = retries.DEFAULT_RETRY.with_delay(initial=0.001, maximum=0.002).with_timeout(20)
WITH_GENERATION = retries.ConditionalRetryPolicy(QUICK, retries.is_generation_specified, ["query_params"])
WITH_METAGENERATION = retries.ConditionalRetryPolicy(QUICK, retries.is_metageneration_specified, ["query_params"])

TRANSIENT = (
    ("return-503", "return-503"),
    ("return-reset-connection", "return-reset-connection"),
    ("return-reset-connection", "return-503"),
)
FAILED = (GoogleAPIError, GoogleAuthError, requests.RequestException)
REFUSED = (("return-400",), ("return-401",))
IN_THE_END_REFUSED = (("return-503", "return-400"), ("return-reset-connection", "return-401"))


# The client leaves connections that were reset to the collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def _collected():
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def client(mock):
    made = storage.Client("any", AnonymousCredentials(), client_options={"api_endpoint": mock.url})
    yield made
    made.close()


@pytest.fixture
def bucket(client, request):
    found = client.bucket(f"conformance-{abs(hash(request.node.name)) % 10**8}")
    found.blob("there").upload_from_string(b"content", checksum=None)
    return found


class Scenario:
    """A retry test in force for everything that the client sends."""

    def __init__(self, mock, client, operation: str, instructions: tuple[str, ...]) -> None:
        self._mock = mock
        made = requests.post(f"{mock.url}/retry_test", json={"instructions": {operation: instructions}}, timeout=20)
        self.id = made.json()["id"]
        if client is not None:
            client._http.headers["x-retry-test-id"] = self.id

    @property
    def completed(self) -> bool:
        return requests.get(f"{self._mock.url}/retry_test/{self.id}", timeout=20).json()["completed"]


def fresh(bucket):
    return bucket.get_blob("there", retry=QUICK)


IDEMPOTENT = {
    "storage.buckets.get": lambda b: b.client.get_bucket(b, retry=QUICK),
    "storage.buckets.list": lambda b: list(b.client.list_buckets(retry=QUICK)),
    "storage.buckets.testIamPermissions": lambda b: b.test_iam_permissions(["storage.objects.get"], retry=QUICK),
    "storage.objects.get": lambda b: b.get_blob("there", retry=QUICK).size,
    "storage.objects.list": lambda b: [blob.name for blob in b.client.list_blobs(b, retry=QUICK)],
    "storage.objects.download": lambda b: b.blob("there").download_as_bytes(retry=QUICK),
}


def patch(bucket, **conditions):
    blob = bucket.blob("there")
    blob.metadata = {"a": "b"}
    blob.patch(retry=WITH_METAGENERATION, **conditions)


CONDITIONAL = {
    "storage.objects.insert": (
        lambda b, **told: b.blob("new").upload_from_string(b"new", retry=WITH_GENERATION, checksum=None, **told),
        {"if_generation_match": 0},
    ),
    "storage.objects.patch": (patch, {"if_metageneration_match": 1}),
    "storage.objects.delete": (lambda b, **told: b.blob("there").delete(retry=WITH_GENERATION, **told), None),
    "storage.objects.rewrite": (
        lambda b, **told: b.blob("copy").rewrite(b.blob("there"), retry=WITH_GENERATION, **told),
        {"if_generation_match": 0},
    ),
}


@pytest.mark.parametrize("case", TRANSIENT, ids="+".join)
@pytest.mark.parametrize("operation", IDEMPOTENT)
def test_s1_what_is_always_idempotent_is_repeated(mock, client, bucket, operation, case):
    scenario = Scenario(mock, client, operation, case)
    assert IDEMPOTENT[operation](bucket)
    assert scenario.completed


@pytest.mark.parametrize("case", TRANSIENT, ids="+".join)
@pytest.mark.parametrize("operation", CONDITIONAL)
def test_s2_what_a_condition_makes_idempotent_is_repeated(mock, client, bucket, operation, case):
    call, condition = CONDITIONAL[operation]
    condition = condition or {"if_generation_match": bucket.get_blob("there").generation}
    scenario = Scenario(mock, client, operation, case)
    call(bucket, **condition)
    assert scenario.completed


@pytest.mark.parametrize("case", [("return-503",), ("return-reset-connection",)], ids="+".join)
@pytest.mark.parametrize("operation", CONDITIONAL)
def test_s3_without_the_condition_it_is_not(mock, client, bucket, operation, case):
    scenario = Scenario(mock, client, operation, (*case, "return-503"))
    with pytest.raises(FAILED):
        CONDITIONAL[operation][0](bucket)
    assert not scenario.completed


@pytest.mark.parametrize("case", [*REFUSED, *IN_THE_END_REFUSED], ids="+".join)
@pytest.mark.parametrize("operation", IDEMPOTENT)
def test_s5_and_s6_what_is_refused_is_not_repeated(mock, client, bucket, operation, case):
    scenario = Scenario(mock, client, operation, case)
    with pytest.raises(FAILED):
        IDEMPOTENT[operation](bucket)
    assert scenario.completed


@pytest.mark.parametrize(
    "case",
    [
        ("return-503",),
        ("return-408",),
        ("return-reset-connection",),
        ("return-503-after-256K",),
        ("return-503-after-512K", "return-408"),
        ("return-reset-connection", "return-503-after-256K"),
    ],
    ids="+".join,
)
def test_s7_a_resumable_upload_goes_on_and_arrives_whole(mock, client, bucket, case):
    scenario = Scenario(mock, client, "storage.objects.insert", case)
    blob = bucket.blob("uploaded", chunk_size=Q)
    blob.upload_from_file(io.BytesIO(CONTENT), retry=QUICK, if_generation_match=0, checksum="crc32c")
    assert scenario.completed
    del client._http.headers["x-retry-test-id"]
    assert bucket.blob("uploaded").download_as_bytes() == CONTENT


@pytest.mark.parametrize("case", [("return-broken-stream",), ("return-broken-stream-after-256K",)], ids="+".join)
def test_s8_a_download_that_breaks_is_gone_on_with(mock, client, bucket, case):
    bucket.blob("large").upload_from_string(CONTENT)
    scenario = Scenario(mock, client, "storage.objects.get", case)
    assert bucket.blob("large").download_as_bytes(retry=QUICK) == CONTENT
    assert scenario.completed


# -- the XML API

PARTED = b"".join(bytes([n]) * 1024 * 1024 for n in range(11))
XML = {
    "storage.objects.get": lambda store: store.head("there")["size"] == 7,
    "storage.objects.download": lambda store: bytes(store.get("there").bytes()) == b"content",
    "storage.objects.list": lambda store: [each["path"] for page in store.list() for each in page] == ["there"],
    "storage.objects.insert": lambda store: store.put("new", b"new")["version"] is not None,
    "storage.objects.rewrite": lambda store: store.copy("there", "copy") is None,
}


@pytest.fixture
def xml_store(mock, bucket):
    def made(scenario: Scenario) -> GCSStore:
        quick = {"init_backoff": timedelta(milliseconds=1), "max_backoff": timedelta(milliseconds=2), "base": 2}
        return GCSStore(
            bucket.name,
            base_url=mock.url,
            bearer_token="anonymous",
            client_options={"allow_http": True, "default_headers": {"x-retry-test-id": scenario.id}},
            retry_config={"max_retries": 4, "backoff": quick, "retry_timeout": timedelta(seconds=20)},
        )

    return made


@pytest.mark.parametrize("case", TRANSIENT, ids="+".join)
@pytest.mark.parametrize("operation", XML)
def test_by_the_xml_api_what_is_idempotent_is_repeated(mock, xml_store, operation, case):
    scenario = Scenario(mock, None, operation, case)
    assert XML[operation](xml_store(scenario))
    assert scenario.completed


def test_an_upload_in_parts_goes_on_and_arrives_whole(mock, bucket, xml_store):
    # A beginning whose connection was reset is not repeated, for there could be two: the others come with the parts.
    case = ("return-503", "return-503-after-1024K", "return-reset-connection", "return-503")
    scenario = Scenario(mock, None, "storage.objects.insert", case)
    xml_store(scenario).put("parted", PARTED, max_concurrency=1)
    assert scenario.completed
    assert bucket.blob("parted").download_as_bytes(checksum="crc32c") == PARTED


@pytest.mark.parametrize("case", [*REFUSED, *IN_THE_END_REFUSED], ids="+".join)
def test_by_the_xml_api_what_is_refused_is_not_repeated(mock, xml_store, case):
    scenario = Scenario(mock, None, "storage.objects.download", case)
    with pytest.raises(BaseError):
        xml_store(scenario).get("there")
    assert scenario.completed
