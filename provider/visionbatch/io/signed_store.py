"""Objects in a company's own store, listed and signed with its own credentials, which stay here.

Each store is spoken to by its maker's library, found by the environment as that library documents it. Signing is
arithmetic: nothing is asked, unless Google has to sign for an account whose private key is not here.
"""

from __future__ import annotations

import logging
import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any
from urllib.parse import quote, urlsplit

from visionbatch.errors import ConfigError, NotAuthorized, NotFound, ServiceError, Unreachable, VisionBatchError
from visionbatch.io.certificates import fail_closed, google_session, google_transport
from visionbatch.io.closing import Closable
from visionbatch.io.control import certificate_refused
from visionbatch.io.gcs_bucket import GcsBucket

DAY_S = 24 * 3600
"""Life of the URLs that the vendor's client signs."""

LONGEST_S = 7 * DAY_S
"""The most that Amazon and Google sign for."""


@dataclass(frozen=True)
class Place:
    """A folder in a store.

    :param store: ``s3``, ``gs`` or ``az``.
    :param folder: what keys begin with: empty, or ending in a slash.
    """

    store: str
    bucket: str
    folder: str

    @classmethod
    def of(cls, url: str) -> Place:
        """Read ``s3://bucket/path``, ``gs://bucket/path`` or ``az://container/path``.

        :raises ConfigError: for anything else.
        """
        parts = urlsplit(url)
        if parts.scheme not in STORES or not parts.netloc or "@" in parts.netloc or parts.query or parts.fragment:
            raise ConfigError(f"{parts.scheme}://{parts.hostname or ''} is no folder of one of {sorted(STORES)}")
        path = parts.path.strip("/")
        return cls(parts.scheme, parts.netloc, f"{path}/" if path else "")

    def __str__(self) -> str:
        return f"{self.store}://{self.bucket}/{self.folder}"


class SignedStore(Closable):
    """One bucket or container, for one thread but for `sign`, which many may call."""

    @abstractmethod
    def keys(self, folder: str) -> Iterator[tuple[str, str]]:
        """Key and version mark of every object in a folder and below it, in order.

        :raises NotFound: when there is no such bucket.
        :raises NotAuthorized: when it may not be listed.
        """

    @abstractmethod
    def sign(self, key: str, life_s: int) -> str:
        """A URL that reads one object, for so many seconds."""


class AmazonStore(SignedStore):
    """Amazon S3, and what speaks its protocol; extra ``s3``.

    boto3 finds keys, profiles and roles, and ``AWS_ENDPOINT_URL``; ``AWS_REGION`` it does not read, and is given.
    """

    def __init__(self, bucket: str) -> None:
        boto3, config = _library("boto3.session", "s3"), _library("botocore.config", "s3")
        # At its most talkative this logger prints every signature.
        logging.getLogger("botocore.auth").setLevel(logging.INFO)
        self._bucket = bucket
        # A session of its own: the module's remembers the first credential that it found.
        self._client = fail_closed(
            boto3.Session().client(
                "s3",
                region_name=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
                # The older signature knows no region, and newer stores do not take it.
                config=config.Config(signature_version="s3v4"),
            )
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def keys(self, folder: str) -> Iterator[tuple[str, str]]:
        """See `SignedStore.keys`."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=folder)
        with _translated(f"s3://{self._bucket}"):
            for page in pages:
                for item in page.get("Contents", ()):
                    yield str(item["Key"]), str(item.get("ETag", ""))

    def sign(self, key: str, life_s: int) -> str:
        """See `SignedStore.sign`."""
        wanted = {"Bucket": self._bucket, "Key": key}
        with _translated(f"s3://{self._bucket}"):
            return str(self._client.generate_presigned_url("get_object", Params=wanted, ExpiresIn=life_s))


class GoogleStore(SignedStore):
    """Google Cloud Storage; extra ``gcs``.

    An account whose key is here signs by itself; one of a metadata server has Google sign for it. A person's login,
    as gcloud makes it, can do neither.
    """

    def __init__(self, bucket: str) -> None:
        self._listing = GcsBucket(bucket)
        self._name = bucket
        storage, auth = _library("google.cloud.storage", "gcs"), _library("google.auth", "gcs")
        with _translated(f"gs://{bucket}"):
            self._credentials, _ = auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
            self._client = storage.Client(
                project="visionbatch", credentials=self._credentials, _http=google_session(self._credentials)
            )

    def close(self) -> None:
        """Close the connections."""
        self._listing.close()
        self._client.close()

    def keys(self, folder: str) -> Iterator[tuple[str, str]]:
        """See `SignedStore.keys`."""
        for file in self._listing.files(folder):
            yield file.name, str(file.generation)

    def sign(self, key: str, life_s: int) -> str:
        """See `SignedStore.sign`.

        :raises ConfigError: for a credential that cannot sign.
        """
        with _translated(f"gs://{self._name}"):
            blob = self._client.bucket(self._name).blob(key)
            return str(
                blob.generate_signed_url(
                    version="v4",
                    expiration=timedelta(seconds=life_s),
                    credentials=self._credentials,
                    **self._signer(),
                )
            )

    def _signer(self) -> Mapping[str, str]:
        """Who signs, when the private key is not here."""
        account = self._credentials
        if hasattr(account, "sign_bytes"):
            return {}
        if not hasattr(account, "service_account_email"):
            raise ConfigError(
                "the Google credential is a person's, which cannot sign",
                next_step="Name a service account's key in GOOGLE_APPLICATION_CREDENTIALS, or impersonate one.",
            )
        if not account.valid:
            account.refresh(google_transport())
        return {"service_account_email": account.service_account_email, "access_token": account.token}


class AzureStore(SignedStore):
    """Azure Blob Storage; extra ``azure``.

    ``AZURE_STORAGE_ACCOUNT_NAME`` or ``AZURE_STORAGE_ACCOUNT`` names the account. A SAS token in
    ``AZURE_STORAGE_SAS_TOKEN`` is appended as it is, so that such URLs live as long as the token; with the account's
    key, in ``AZURE_STORAGE_ACCOUNT_KEY`` or ``AZURE_STORAGE_KEY``, each object is signed for itself.
    """

    def __init__(self, container: str) -> None:
        self._container = container
        self._account = _first("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT")
        self._token = os.environ.get("AZURE_STORAGE_SAS_TOKEN", "").lstrip("?")
        self._key = "" if self._token else _first("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_KEY")
        self._blob = _library("azure.storage.blob", "azure")
        self._url = f"https://{self._account}.blob.core.windows.net"
        self._client = self._blob.ContainerClient(self._url, container, credential=self._token or self._key)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def keys(self, folder: str) -> Iterator[tuple[str, str]]:
        """See `SignedStore.keys`."""
        with _translated(f"az://{self._container}"):
            for item in self._client.list_blobs(name_starts_with=folder or None):
                yield str(item.name), str(item.etag)

    def sign(self, key: str, life_s: int) -> str:
        """See `SignedStore.sign`."""
        return f"{self._url}/{self._container}/{quote(key)}?{self._token or self._signed(key, life_s)}"

    def _signed(self, key: str, life_s: int) -> str:
        with _translated(f"az://{self._container}"):
            return str(
                self._blob.generate_blob_sas(
                    self._account,
                    self._container,
                    key,
                    account_key=self._key,
                    permission=self._blob.BlobSasPermissions(read=True),
                    expiry=datetime.now(UTC) + timedelta(seconds=life_s),
                )
            )


STORES: Mapping[str, type[AmazonStore | GoogleStore | AzureStore]] = {
    "s3": AmazonStore,
    "gs": GoogleStore,
    "az": AzureStore,
}


def opened_store(place: Place) -> SignedStore:
    """The store of a place, with the credential of the environment.

    :raises ConfigError: when there is none, or the store's library is not installed.
    """
    return STORES[place.store](place.bucket)


@contextmanager
def _translated(place: str) -> Iterator[None]:
    """The libraries' own errors as ours; their texts are left out, for they may hold addresses and keys."""
    try:
        yield
    except VisionBatchError:
        raise
    except Exception as error:  # noqa: BLE001  # each library has errors of its own
        raise _translation(error, place) from None


def _translation(error: Exception, place: str) -> VisionBatchError:
    name, status = type(error).__name__, _status(error)
    if "Credential" in name or "Token" in name:
        return NotAuthorized(f"{place}: no usable credential: {name}")
    what = f"{place}: {name} {status or ''}".rstrip()
    if status in (401, 403):
        return NotAuthorized(what, status=status)
    if status == 404:
        return NotFound(what, status=status)
    if status:
        return ServiceError(what, status=status)
    return certificate_refused(error, "GET", place) or Unreachable(what, maybe_received=False)


def _status(error: Exception) -> int:
    """The HTTP status in an error of one of the libraries; 0 for none."""
    response: Any = getattr(error, "response", None)
    told = response.get("ResponseMetadata", {}).get("HTTPStatusCode") if isinstance(response, dict) else None
    return int(told or getattr(error, "status_code", None) or getattr(error, "code", None) or 0)


def _library(name: str, extra: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"{name} is not installed", next_step=f"Install it with the extra {extra}: visionbatch[{extra}]."
        ) from error


def _first(*names: str) -> str:
    """The first of these variables that is set."""
    for name in names:
        if value := os.environ.get(name):
            return value
    raise ConfigError(f"none of {', '.join(names)} is set")
