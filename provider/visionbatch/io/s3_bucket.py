"""The reading side of a bucket that speaks S3, such as one of Huawei's OBS: what is in it, and the bytes of an object.

Listing and signing go through boto3 (extra ``obs``). Bytes do not: each part is a plain GET of a URL that was signed
for it a moment before, which keeps ranges, conditions and the connections of every other download, and asks nobody.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from visionbatch.config import DownloadSettings
from visionbatch.errors import (
    ConfigError,
    DownloadError,
    NotAuthorized,
    NotFound,
    ObjectChanged,
    Refused,
    Unavailable,
    Unreachable,
    VisionBatchError,
)
from visionbatch.flow.call import TRANSIENT_STATUSES
from visionbatch.io.bucket import StoreBucket
from visionbatch.io.certificates import fail_closed
from visionbatch.io.control import Origin
from visionbatch.io.network import ca_place
from visionbatch.io.ranged import Part
from visionbatch.model.secret import Secret, SecretUrl

URL_LIFE_S = 900
"""Life of the URL of one part: it only has to be young when its request begins."""

ATTEMPTS = 5
"""Tries of a call of the store's API, the first among them; boto3 pauses between them."""

_MD5 = re.compile(r'"([0-9a-f]{32})"', re.IGNORECASE)
"""What the ETag of an object is that was written in one request and is not encrypted."""


@dataclass(frozen=True)
class S3Keys:
    """An access key, as S3 has it; ``token`` is that of a temporary one."""

    access_key: str
    secret_key: Secret
    token: Secret | None = None


@dataclass(frozen=True)
class S3Place:
    """Where a store is, and how its buckets are addressed.

    :param endpoint: such as ``https://obs.cn-north-4.myhuaweicloud.com``.
    :param region: that signatures name.
    :param addressing: ``virtual`` puts the bucket before the host, which OBS asks for; ``path`` behind it, which stores
        on one machine ask for.
    :param allow_plain_http: accept an endpoint with http beyond this machine.
    """

    endpoint: str
    region: str
    addressing: str = "virtual"
    allow_plain_http: bool = False

    def __post_init__(self) -> None:
        Origin(self.endpoint, self.allow_plain_http)
        if self.addressing not in ("virtual", "path"):
            raise ConfigError(f"the addressing of buckets is virtual or path, not {self.addressing!r}")


@dataclass(frozen=True)
class S3File:
    """An object, as a listing shows it.

    :param etag: mark that changes with its content, with its quotes.
    :param modified: Unix seconds at which it was written, by the store's clock.
    """

    name: str
    size: int
    etag: str
    modified: float


class S3Bucket(StoreBucket):
    """One bucket; use as a context manager. Nothing is asked before it is needed.

    Objects of it may be fetched from many threads.

    :param keys: looks the access key up.
    :param scheme: of addresses for people.
    """

    def __init__(
        self,
        name: str,
        place: S3Place,
        keys: Callable[[], S3Keys],
        *,
        settings: DownloadSettings | None = None,
        scheme: str = "obs",
    ) -> None:
        super().__init__(name, scheme, settings)
        self._place = place
        self._keys = keys

    def files(self, prefix: str) -> Iterator[S3File]:
        """All objects whose name begins with a prefix, over all pages, in the order of their names.

        :raises NotFound: when there is no such bucket.
        :raises NotAuthorized: when they may not be listed.
        """
        with self._translated(f"list {self.place(prefix)}"):
            pages = self._opened().get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
            for page in pages:
                for item in page.get("Contents", ()):
                    yield S3File(item["Key"], int(item["Size"]), item["ETag"], item["LastModified"].timestamp())

    def look(self, name: str) -> S3Object:
        """One object as it is now.

        :raises NotFound: when there is none.
        """
        with self._translated(f"look at {self.place(name)}"):
            told = self._opened().head_object(Bucket=self.name, Key=name)
        file = S3File(name, int(told["ContentLength"]), told["ETag"], told["LastModified"].timestamp())
        encrypted = "ServerSideEncryption" in told or "SSECustomerAlgorithm" in told
        return S3Object(self, file, None if encrypted else md5_of(file.etag))

    def remote(self, file: S3File) -> S3Object:
        """An object of this bucket, to be fetched."""
        return S3Object(self, file, md5_of(file.etag))

    @contextmanager
    def part(self, file: S3File, start: int, stop: int | None) -> Iterator[Part]:
        """Bytes of an object as they are stored, of this ETag only."""
        headers = {"Accept-Encoding": "identity", "If-Match": file.etag}
        url = self._signed(file.name)
        with self._ranges.part(url, headers, start, stop, name=self.place(file.name)) as part:
            yield part

    def _signed(self, name: str) -> SecretUrl:
        wanted = {"Bucket": self.name, "Key": name}
        with self._translated(f"sign {self.place(name)}"):
            client = self._opened()
            return SecretUrl(client.generate_presigned_url("get_object", Params=wanted, ExpiresIn=URL_LIFE_S))

    def _open(self) -> Any:
        return _client(self._place, self._keys())

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        """The library's errors as ours; their texts are left out, for they may hold addresses and keys."""
        try:
            yield
        except VisionBatchError:
            raise
        except Exception as error:  # noqa: BLE001  # the library's errors are classes made at run time
            raise _translation(error, what) from None


@dataclass(frozen=True)
class S3Object:
    """An object of a bucket as a `visionbatch.transfer.remote.RemoteObject`.

    :param md5: as stored; ``None`` for one that was written in several requests, or is known to be encrypted.
    """

    bucket: S3Bucket
    file: S3File
    md5: bytes | None
    crc32c: int | None = None

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
        """Its ETag."""
        return self.file.etag

    @contextmanager
    def fetch(self, start: int, stop: int | None, version: str) -> Iterator[Part]:  # noqa: ARG002  # the ETag is in the request
        """See `visionbatch.transfer.remote.RemoteObject.fetch`."""
        try:
            with self.bucket.part(self.file, start, stop) as part:
                yield part
        except NotFound as error:
            raise ObjectChanged(f"{self.name} was deleted since it was listed") from error
        except NotAuthorized as error:
            error.next_step = "Let the key's user read objects of the bucket."
            raise

    def renewed(self, after: DownloadError) -> S3Object:
        """See `visionbatch.transfer.remote.RemoteObject.renewed`; an encrypted object's ETag is no MD5."""
        try:
            return self.bucket.look(self.file.name)
        except NotFound:
            raise after from None


def md5_of(etag: str) -> bytes | None:
    """The MD5 in an ETag; ``None`` where it is another mark."""
    found = _MD5.fullmatch(etag)
    return bytes.fromhex(found[1]) if found else None


def _client(place: S3Place, keys: S3Keys) -> Any:
    try:
        import boto3.session  # noqa: PLC0415  # extra obs
        from botocore.config import Config  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError("boto3 is not installed", next_step="Install it with the extra obs.") from error
    # At its most talkative this logger prints every signature.
    logging.getLogger("botocore.auth").setLevel(logging.INFO)
    session = boto3.session.Session(
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key.reveal(),
        aws_session_token=keys.token.reveal() if keys.token else None,
        region_name=place.region,
    )
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": place.addressing},
        # OBS knows none of the sums that newer versions add by themselves.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
    )
    return fail_closed(session.client("s3", endpoint_url=place.endpoint, config=config, verify=ca_place() or True))


def _translation(error: Exception, what: str) -> VisionBatchError:
    name, status = type(error).__name__, _status(error)
    text = f"could not {what} ({_code(error) or name}{f', answer {status}' if status else ''})"
    if status in (401, 403):
        return NotAuthorized(text, status=status, next_step="Let the key's user list and read objects of the bucket.")
    if status == 404:
        return NotFound(text, status=status, next_step="Check the bucket's name and its region.")
    if status in TRANSIENT_STATUSES or status >= 500:
        return Unavailable(text, status=status)
    if status:
        return Refused(text, status=status)
    # What boto3 refuses by itself, such as a name that no bucket has, no second try mends.
    return ConfigError(text) if "Validation" in name or "Invalid" in name else Unreachable(text, maybe_received=False)


def _status(error: Exception) -> int:
    return int(_told(error).get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)


def _code(error: Exception) -> str:
    """The store's own word for it; a word it is, and no text."""
    code = str(_told(error).get("Error", {}).get("Code") or "")
    return code if re.fullmatch(r"\w{1,60}", code, re.ASCII) else ""


def _told(error: Exception) -> Any:
    response = getattr(error, "response", None)
    return response if isinstance(response, dict) else {}
