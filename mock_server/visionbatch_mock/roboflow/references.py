"""Files named by URL: what a request may say, what becomes of each reference, and which requests are repetitions."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.error import URLError

from visionbatch_mock.outbound import OPENER, on_this_machine, split
from visionbatch_mock.pictures import picture
from visionbatch_mock.roboflow.files import Warehouse
from visionbatch_mock.roboflow.refusals import Refused
from visionbatch_mock.roboflow.settings import RoboflowBehaviour, Sameness
from visionbatch_mock.roboflow.tars import Found, Rejected, Subscription, is_image
from visionbatch_mock.roboflow.words import ContentType, Rejection
from visionbatch_mock.text import is_text

MOST = {ContentType.IMAGES: 20_000, ContentType.VIDEOS: 5_000}
"""References in one request, by the vendor's pages."""

SHARD_REFERENCES = 500
"""Ours: how the service cuts a list of references; it cuts archives of images at this number too."""

CATEGORIES = ("ingest-status", "files-status")
FETCH_S = 30.0
MAX_LIST_BYTES = 64 * 1024 * 1024
MAX_VIDEO_BYTES = 256 * 1024 * 1024
"""Ours: a fetched video is held in memory."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One line of a list."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Request:
    """A checked request: either the references themselves or the URL of their list."""

    references: Sequence[Reference]
    list_url: str | None
    subscription: Subscription
    digest: str

    def same(self, other: "Request", by: Sameness) -> bool:
        """Whether this request repeats the other."""
        by_id = by is not Sameness.CONTENT and self.subscription.ingest_id == other.subscription.ingest_id
        return by_id or (by is not Sameness.INGEST_ID and self.digest == other.digest)


def read(told: Mapping[str, Any], kind: ContentType, new_id: Callable[[], str]) -> Request:
    """The request that a body makes; raises `Refused` with the rule that it breaks."""
    key = "imageReferences" if kind is ContentType.IMAGES else "videoReferences"
    if (key in told) == (f"{key}URL" in told):
        raise Refused(400, f"exactly one of {key} and {key}URL is needed")
    listed, url = told.get(key, []), told.get(f"{key}URL")
    if url is not None and not isinstance(url, str):
        raise Refused(400, f"{key}URL has to be a text")
    references = _references(listed, key, MOST[kind]) if url is None else []
    digest = hashlib.sha256(json.dumps([url, listed], sort_keys=True).encode()).hexdigest()
    return Request(references, url, subscription(told, new_id), digest)


def subscription(told: Mapping[str, Any], new_id: Callable[[], str]) -> Subscription:
    """Ingest id, webhook and categories of a body; raises `Refused`."""
    ingest_id, url = told.get("ingestId"), told.get("notificationsURL")
    categories = told.get("notificationCategories", [])
    if not isinstance(ingest_id, str | None) or not isinstance(url, str | None):
        raise Refused(400, "ingestId and notificationsURL have to be texts")
    if not isinstance(categories, list | tuple) or not all(each in CATEGORIES for each in categories):
        raise Refused(400, f"notificationCategories are {list(CATEGORIES)}")
    return Subscription(ingest_id or new_id(), url, tuple(categories) or CATEGORIES[:1])


def slices(request: Request, finder: "Finder") -> list[Callable[[], Found]]:
    """What the service will find, slice by slice; a list behind a URL is one, because nobody knows its length."""
    if request.list_url is not None:
        return [partial(finder.behind, request.list_url)]
    starts = range(0, len(request.references), SHARD_REFERENCES)
    return [partial(finder.find, request.references[at : at + SHARD_REFERENCES]) for at in starts]


class Finder:
    """Looks at references of one request, of which no name may come twice."""

    def __init__(self, warehouse: Warehouse, rules: RoboflowBehaviour, kind: ContentType) -> None:
        self._warehouse = warehouse
        self._rules = rules
        self._kind = kind
        self._names: set[str] = set()

    def behind(self, url: str) -> Found:
        """What a list of references behind a URL leads to; the list itself is always fetched."""
        if not self._trusted(url):
            return Found(failure=_unsafe(url))
        try:
            lines = fetch(url, MAX_LIST_BYTES).decode().splitlines()
            references = [_reference(json.loads(line), "the list") for line in lines if line.strip()]
        except (OSError, ValueError) as cause:
            return Found(failure=Rejected(Rejection.UNREACHABLE, "", f"the list cannot be read: {cause}"))
        return self.find(references)

    def find(self, references: Sequence[Reference]) -> Found:
        """The files of a slice. One host that is not trusted fails all of it, as the vendor's page has it."""
        for reference in references:
            if not self._trusted(reference.url):
                return Found(failure=_unsafe(reference.url))
        found = Found()
        for reference in references:
            self._take(found, reference)
        return found

    def _take(self, found: Found, reference: Reference) -> None:
        name = reference.name
        if name in self._names:
            found.rejected.append(Rejected(Rejection.TWICE, name, "the request names this file twice"))
            return
        self._names.add(name)
        content = self._content(reference)
        if isinstance(content, Rejected):
            found.rejected.append(content)
        else:
            found.files.append(self._warehouse.file(name, self._kind, [content]))

    def _content(self, reference: Reference) -> bytes | Rejected:
        """The file's bytes, or with fetching switched off some that belong to its name."""
        name, images = reference.name, self._kind is ContentType.IMAGES
        if not self._rules.roboflow_fetch_references:
            return picture(name, f".{name.rpartition('.')[2].lower()}") if images else f"video {name}\n".encode()
        limit = self._rules.roboflow_max_image_bytes if images else MAX_VIDEO_BYTES
        try:
            content = fetch(reference.url, limit)
        except OverflowError:
            return Rejected(Rejection.TOO_LARGE, name, f"the limit is {limit} bytes")
        except (OSError, ValueError) as cause:
            return Rejected(Rejection.UNREACHABLE, name, f"{type(cause).__name__}: {cause}")
        problem = is_image(content) if images else None
        return content if problem is None else Rejected(Rejection.NOT_AN_IMAGE, name, problem)

    def _trusted(self, url: str) -> bool:
        """Https on a trusted host; http is good enough on this machine."""
        parts, trusted = split(url), self._rules.roboflow_trusted_hosts
        if parts is None:
            return False
        host = parts.hostname or ""
        if parts.scheme != "https" and not on_this_machine(url):
            return False
        return trusted is None or any(host == each or (each[0] == "." and host.endswith(each)) for each in trusted)


def _unsafe(url: str) -> Rejected:
    parts = split(url)
    return Rejected(Rejection.UNSAFE_URL, "", f"{parts and parts.hostname} is no trusted storage domain")


def _references(listed: Any, key: str, most: int) -> list[Reference]:
    if not isinstance(listed, list) or not listed:
        raise Refused(400, f"{key} has to be a list with entries")
    if len(listed) > most:
        raise Refused(400, f"{key} has {len(listed)} entries; the limit is {most}")
    try:
        return [_reference(each, key) for each in listed]
    except ValueError as cause:
        raise Refused(400, str(cause)) from cause


def _reference(told: Any, where: str) -> Reference:
    if not isinstance(told, dict) or not all(is_text(told.get(key)) and told[key] for key in ("name", "url")):
        raise ValueError(f"every entry of {where} has a name and a url")
    return Reference(told["name"], told["url"])


def fetch(url: str, limit: int) -> bytes:
    """What is behind a URL; raises `OverflowError` beyond the limit, `OSError` or `ValueError` for all else."""
    try:
        with OPENER.open(url, timeout=FETCH_S) as answer:
            content: bytes = answer.read(limit + 1)
    except URLError as cause:
        raise OSError(str(cause.reason)) from cause
    if len(content) > limit:
        raise OverflowError(limit)
    return content
