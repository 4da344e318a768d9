"""Objects in a company's own store: listed, signed and fetched with its credentials, which stay here."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from moto.server import ThreadedMotoServer

from support.buckets import Bucket
from support.orders import photo
from visionbatch.errors import ConfigError, InvalidInput, NotAuthorized, NotFound
from visionbatch.io.signed_store import Place, opened_store
from visionbatch.pipelines.reference_sources import references_at
from visionbatch_mock import MockServer
from visionbatch_mock.tenant import Tenant

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:moto"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

KEYS = ("cam1/0001.jpg", "cam2/0001.jpg", "cam2/0002.png", "cam2/notes.txt", "cam2/.DS_Store")


@pytest.fixture(scope="module")
def amazon() -> Iterator[str]:
    """A server that speaks Amazon's protocol, behind a real socket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(amazon: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket with photos, and the environment that leads to it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", amazon)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-this-test")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    client = boto3.client("s3", region_name="eu-west-1")
    client.create_bucket(Bucket="photos", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for number, key in enumerate(KEYS):
        client.put_object(Bucket="photos", Key=f"site a/{key}", Body=photo(number, 60))
    client.put_object(Bucket="photos", Key="site another/0001.jpg", Body=photo(9, 60))
    yield "photos"  # type: ignore[misc]  # a fixture that cleans up
    for item in client.list_objects_v2(Bucket="photos")["Contents"]:
        client.delete_object(Bucket="photos", Key=item["Key"])
    client.delete_bucket(Bucket="photos")


def test_a_folder_of_s3_becomes_references_that_can_be_fetched(bucket: str) -> None:
    with references_at(f"s3://{bucket}/site a", allow_inside=True) as found:
        listed = found.chunk(0, len(found))

    assert len(listed) == 3
    assert {each.name.rpartition("-")[2] for each in listed} == {"0001.jpg", "0002.png"}
    assert len({each.name for each in listed}) == 3
    for number, each in enumerate(listed):
        with urllib.request.urlopen(each.url, timeout=10) as answer:  # our own server
            assert answer.read() == photo(number, 60)
        query = parse_qs(urlsplit(each.url).query)
        assert query["X-Amz-Expires"] == ["86400"]
        assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
        assert "eu-west-1" in query["X-Amz-Credential"][0]


def test_a_batch_is_filled_from_s3_and_the_service_fetches_the_images(bucket: str, workspace: Any) -> None:
    workspace.tenant.configure(roboflow_fetch_references=True, roboflow_trusted_hosts=["127.0.0.1"])
    with references_at(f"s3://{bucket}/site a", allow_inside=True) as found:
        manifest = workspace.run().references(found, "from-s3")

    assert (manifest.kind, manifest.expected) == ("image-references", 3)
    assert workspace.indexed() == {"ok": 3, "rejected": 0}


def test_a_store_inside_a_network_is_refused_as_a_source(bucket: str, workspace: Any) -> None:
    from visionbatch.errors import UnsafeUrl  # noqa: PLC0415  # for one test

    with references_at(f"s3://{bucket}/site a") as found, pytest.raises(UnsafeUrl):
        workspace.run().references(found, "inside")
    assert not workspace.effects("references_taken")


def test_the_input_is_the_same_however_often_it_is_signed_and_another_when_an_object_changes(bucket: str) -> None:
    with references_at(f"s3://{bucket}/site a", allow_inside=True) as one:
        first = one.fingerprint
    with references_at(f"s3://{bucket}/site a", life_s=60, allow_inside=True) as two:
        assert two.fingerprint == first
    boto3.client("s3", region_name="eu-west-1").put_object(Bucket=bucket, Key="site a/cam1/0001.jpg", Body=b"other")
    with references_at(f"s3://{bucket}/site a", allow_inside=True) as three:
        assert three.fingerprint != first


def test_a_bucket_that_is_not_there_and_a_folder_without_photos_are_told_apart(bucket: str) -> None:
    with pytest.raises(NotFound), references_at("s3://no-such-bucket/x", allow_inside=True):
        pass
    with pytest.raises(InvalidInput, match="holds no images"), references_at(f"s3://{bucket}/none", allow_inside=True):
        pass


def test_without_a_credential_nothing_is_signed(amazon: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", amazon)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(NotAuthorized, match="NoCredentialsError"), references_at("s3://photos/x"):
        pass


@pytest.fixture
def service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> rsa.RSAPublicKey:
    """The key of an account that exists nowhere else."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    told = {
        "type": "service_account", "project_id": "p", "private_key_id": "1", "private_key": pem, "client_id": "1",
        "client_email": "stager@p.iam.gserviceaccount.com", "token_uri": "http://127.0.0.1:9/token",
    }  # fmt: skip
    (tmp_path / "key.json").write_text(json.dumps(told))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    return key.public_key()


def test_a_folder_of_gs_is_signed_with_the_key_of_a_service_account(
    mock: MockServer, tenant: Tenant, service_account: rsa.RSAPublicKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", mock.url)
    bucket = Bucket(mock.url, f"photos-{tenant.token[-8:].lower()}").make()
    for number, key in enumerate(KEYS):
        bucket.put(f"site/{key}", photo(number, 60))

    with references_at(f"gs://{bucket.name}/site", allow_inside=True) as found:
        listed = found.chunk(0, len(found))

    assert len(listed) == 3
    for each in listed:
        query = parse_qs(urlsplit(each.url).query)
        assert query["X-Goog-Algorithm"] == ["GOOG4-RSA-SHA256"]
        assert query["X-Goog-Expires"] == ["86400"]
        assert query["X-Goog-Credential"][0].startswith("stager@p.iam.gserviceaccount.com/")
        assert urlsplit(each.url).path.endswith((".jpg", ".png"))


ACCOUNT_KEY = base64.b64encode(b"an account key made for this test").decode()


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "company")
    for name in ("AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT"):
        monkeypatch.delenv(name, raising=False)


def test_an_object_of_azure_is_signed_with_the_account_key(azure: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_KEY", ACCOUNT_KEY)
    with opened_store(Place.of("az://photos/site")) as store:
        url = store.sign("site/a b#1.jpg", 3600)

    parts, query = urlsplit(url), parse_qs(urlsplit(url).query)
    assert (parts.scheme, parts.hostname) == ("https", "company.blob.core.windows.net")
    assert parts.path == "/photos/site/a%20b%231.jpg"
    assert (query["sp"], query["sr"]) == (["r"], ["b"])
    assert query["sig"]
    assert ACCOUNT_KEY not in url


def test_a_sas_token_is_appended_as_it_is(azure: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", "?sv=2024-01-01&sig=abc%3D")
    monkeypatch.setenv("AZURE_STORAGE_KEY", ACCOUNT_KEY)
    with opened_store(Place.of("az://photos")) as store:
        assert store.sign("a.jpg", 60) == "https://company.blob.core.windows.net/photos/a.jpg?sv=2024-01-01&sig=abc%3D"


def test_azure_without_a_key_or_token_says_what_is_missing(azure: None) -> None:
    with pytest.raises(ConfigError, match="AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_KEY"):
        opened_store(Place.of("az://photos"))


@pytest.mark.parametrize("place", ["ftp://host/x", "s3://", "s3://user@bucket/x", "s3://bucket/x?versionId=1"])
def test_a_place_that_is_none_is_refused(place: str) -> None:
    with pytest.raises(ConfigError):
        Place.of(place)


@pytest.mark.parametrize("life_s", [0, 8 * 24 * 3600])
def test_a_life_that_no_store_signs_for_is_refused(bucket: str, life_s: int) -> None:
    with pytest.raises(ConfigError, match="life of signed addresses"), references_at(f"s3://{bucket}", life_s=life_s):
        pass
