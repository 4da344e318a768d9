"""The reading side of a Google Cloud Storage bucket: what is in it, what we may do there, and the bytes of an object.

Listing and permissions go through google-cloud-storage (extra ``gcs``), which knows the store's pages, credentials and
emulators. Bytes do not: its downloads cost five times the CPU of a plain GET. Such a GET takes the same credential,
and goes only to the endpoint that the library itself uses.
"""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from visionbatch.config import DownloadSettings
from visionbatch.errors import (
    ConfigError,
    DownloadError,
    NotAuthorized,
    NotFound,
    ObjectChanged,
    Refused,
    Throttled,
    Unavailable,
    Unreachable,
    VisionBatchError,
)
from visionbatch.flow.call import TRANSIENT_STATUSES
from visionbatch.flow.effects import Request
from visionbatch.io.bucket import StoreBucket
from visionbatch.io.certificates import google_session, google_transport
from visionbatch.io.control import transport_error
from visionbatch.io.ranged import Part, crc32c_number
from visionbatch.model.bucket_file import BucketFile
from visionbatch.model.secret import SecretUrl
from visionbatch.model.text import excerpt

SERVICE = "gcs"
SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
FIELDS = "items(name,generation,size,crc32c,md5Hash,timeCreated,contentEncoding),nextPageToken"
CALL_S = 30.0
"""Seconds for one answer of the store's API."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")

PATIENCE_S = 120.0
"""Seconds in which a call of the API is repeated while the store has trouble."""


class GcsBucket(StoreBucket):
    """One bucket; use as a context manager. Nothing is asked before it is needed.

    ``STORAGE_EMULATOR_HOST`` leads to an emulator, without a credential. Not for use from several threads at once,
    but for the objects it gives, which may be fetched from many.

    :param name: of the bucket.
    :param credentials: of google-auth; the application's default without.
    :param settings: bounds on the exchanges in which bytes are fetched.
    :param patience_s: seconds in which a call is repeated while the store has trouble.
    """

    def __init__(
        self,
        name: str,
        *,
        credentials: Any = None,
        settings: DownloadSettings | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        super().__init__(name, "gs", settings)
        self._credentials = credentials
        self._patience_s = patience_s
        self._transport: Any = None
        self._renewing = threading.Lock()

    def files(self, prefix: str) -> Iterator[BucketFile]:
        """All objects whose name begins with a prefix, over all pages, sorted by name.

        :raises NotFound: when there is no such bucket.
        :raises NotAuthorized: when they may not be listed.
        """
        with self._translated(f"list {self.place(prefix)}"):
            pages = self._opened().list_blobs(
                self.name, prefix=prefix, fields=FIELDS, timeout=CALL_S, retry=self._retry()
            )
            for blob in pages:
                yield _file(blob)

    def look(self, name: str) -> BucketFile:
        """One object as it is now.

        :raises NotFound: when there is none.
        """
        with self._translated(f"look at {self.place(name)}"):
            blob = self._opened().bucket(self.name).get_blob(name, timeout=CALL_S, retry=self._retry())
        if blob is None:
            raise NotFound(f"there is no object {self.place(name)}", status=404, service=SERVICE)
        return _file(blob)

    def missing_permissions(self, wanted: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the wanted permissions that our own account has not."""
        with self._translated(f"ask for our permissions on {self.place()}"):
            bucket = self._opened().bucket(self.name)
            held = bucket.test_iam_permissions(list(wanted), timeout=CALL_S, retry=self._retry())
        return tuple(permission for permission in wanted if permission not in held)

    def remote(self, file: BucketFile) -> GcsObject:
        """An object of this bucket, to be fetched."""
        return GcsObject(self, file)

    @contextmanager
    def part(self, file: BucketFile, start: int, stop: int | None) -> Iterator[Part]:
        """Bytes of an object as they are stored, of this generation only."""
        # A compressed object would be expanded on the way, and would fit neither its size nor its checksum.
        headers = {"Accept-Encoding": "gzip"}
        query = urlencode({"alt": "media", "ifGenerationMatch": file.generation})
        path = f"/download/storage/v1/b/{quote(self.name, safe='')}/o/{quote(file.name, safe='')}"
        with self._translated(f"get {self.place(file.name)}"):
            url = f"{self._opened().api_endpoint.rstrip('/')}{path}?{query}"
            with self._renewing:
                self._authorize(url, headers)
        with self._ranges.part(SecretUrl(url), headers, start, stop, name=self.place(file.name)) as part:
            yield part

    def _authorize(self, url: str, headers: dict[str, str]) -> None:
        """Put the credential on a request, a fresh one when it is due."""
        if self._transport is None:
            self._transport = google_transport()
        self._credentials.before_request(self._transport, "GET", url, headers)

    def _open(self) -> Any:
        storage = _library()
        with self._translated("find a credential"):
            self._credentials = self._credentials or _default_credentials()
            client = storage.Client(
                project="visionbatch", credentials=self._credentials, _http=google_session(self._credentials)
            )
        endpoint = urlsplit(client.api_endpoint)
        secure = endpoint.scheme == "https" or endpoint.hostname in LOOPBACK
        if not secure and not _is_anonymous(self._credentials):
            client.close()
            raise ConfigError("the store's endpoint is plain http, which would show the credential to the network")
        return client

    def _retry(self) -> Any:
        from google.cloud.storage.retry import DEFAULT_RETRY  # noqa: PLC0415  # extra gcs

        return DEFAULT_RETRY.with_timeout(self._patience_s)

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        """Google's errors as ours; their text may hold an address, so only an excerpt of it is kept."""
        _library()
        try:
            yield
        except VisionBatchError:
            raise
        except Exception as error:
            raise _translation(error, what) from error


@dataclass(frozen=True)
class GcsObject:
    """An object of a bucket as a `visionbatch.transfer.remote.RemoteObject`."""

    bucket: GcsBucket
    file: BucketFile

    @property
    def name(self) -> str:
        """Its address."""
        return self.bucket.place(self.file.name)

    @property
    def size(self) -> int:
        """Bytes as stored."""
        return self.file.size

    @property
    def version(self) -> str:
        """Its generation."""
        return str(self.file.generation)

    @property
    def crc32c(self) -> int | None:
        """As stored."""
        return self.file.crc32c

    @property
    def md5(self) -> bytes | None:
        """As stored; composed objects have none."""
        return self.file.md5

    @contextmanager
    def fetch(self, start: int, stop: int | None, version: str) -> Iterator[Part]:  # noqa: ARG002  # the generation is in the request
        """See `visionbatch.transfer.remote.RemoteObject.fetch`."""
        try:
            with self.bucket.part(self.file, start, stop) as part:
                if part.generation not in ("", self.version):
                    raise ObjectChanged(f"{self.name} was replaced since it was listed")
                yield replace(part, version=self.version)
        except NotFound as error:
            raise ObjectChanged(f"{self.name} was deleted since it was listed", service=SERVICE) from error
        except NotAuthorized as error:
            error.next_step = "Grant the account storage.objects.get on the bucket."
            raise

    def renewed(self, after: DownloadError) -> GcsObject:
        """See `visionbatch.transfer.remote.RemoteObject.renewed`."""
        try:
            return GcsObject(self.bucket, self.bucket.look(self.file.name))
        except NotFound:
            raise after from None


def _library() -> Any:
    try:
        from google.cloud import storage  # noqa: PLC0415  # extra gcs
    except ImportError as error:
        raise ConfigError(
            "google-cloud-storage is not installed", next_step="Install it with the extra gcs: visionbatch[gcs]."
        ) from error
    return storage


def _default_credentials() -> Any:
    """Those of the environment: none for an emulator, the application's default elsewhere."""
    import google.auth  # noqa: PLC0415  # extra gcs
    from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415

    if os.environ.get("STORAGE_EMULATOR_HOST"):
        return AnonymousCredentials()  # type: ignore[no-untyped-call]  # Google's constructor has no annotations
    return google.auth.default(scopes=[SCOPE])[0]


def _is_anonymous(credentials: Any) -> bool:
    from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415  # extra gcs

    return isinstance(credentials, AnonymousCredentials)


def _file(blob: Any) -> BucketFile:
    created = blob.time_created
    return BucketFile(
        blob.name,
        int(blob.generation or 0),
        int(blob.size or 0),
        created.timestamp() if created else 0.0,
        crc32c_number(blob.crc32c),
        base64.b64decode(blob.md5_hash) if blob.md5_hash else None,
    )


def _translation(error: Exception, what: str) -> VisionBatchError:
    from google.api_core.exceptions import GoogleAPICallError, RetryError  # noqa: PLC0415  # extra gcs
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError  # noqa: PLC0415

    if isinstance(error, RetryError) and isinstance(error.cause, Exception):
        return _translation(error.cause, what)
    if isinstance(error, GoogleAPICallError):
        return _answered(int(error.code or 0), f"could not {what}: {excerpt(str(error.message).encode()).rstrip('.')}")
    if isinstance(error, DefaultCredentialsError):
        return ConfigError(
            "there is no Google credential",
            service=SERVICE,
            next_step="Name a connection, set GOOGLE_APPLICATION_CREDENTIALS, or STORAGE_EMULATOR_HOST for a mock.",
        )
    if isinstance(error, TransportError):
        return Unreachable(f"could not {what}: Google's token service is out of reach", service=SERVICE)
    if isinstance(error, GoogleAuthError):
        return NotAuthorized(
            f"could not {what}: the credential was refused ({type(error).__name__})",
            service=SERVICE,
            next_step="Check the account's key and that it is enabled.",
        )
    return transport_error(error, Request("GET", what), "the store").about(SERVICE)


def _answered(status: int, what: str) -> VisionBatchError:
    if status in (401, 403):
        advice = "Grant the account storage.objects.list and storage.objects.get on the bucket."
        return NotAuthorized(what, status=status, service=SERVICE, next_step=advice)
    if status == 404:
        return NotFound(what, status=status, service=SERVICE, next_step="Check the bucket's name.")
    if status in TRANSIENT_STATUSES or status >= 500:
        return (Throttled if status == 429 else Unavailable)(what, status=status, service=SERVICE)
    return Refused(what, status=status, service=SERVICE)
