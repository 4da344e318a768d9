"""Lists of references: from a file, from an address, or made of what lies in a company's own store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path

from visionbatch.config import KIB, MIB
from visionbatch.errors import AnswerTooLarge, ConfigError, InputMissing, InvalidInput, ServiceError
from visionbatch.io.signed_store import DAY_S, LONGEST_S, STORES, Place, SignedStore, opened_store
from visionbatch.io.wire import Wire
from visionbatch.model.litter import litter_kind
from visionbatch.model.outside import outside_url
from visionbatch.model.secret import SecretUrl
from visionbatch.model.texts import Texts
from visionbatch.roboflow.batch_names import BatchNames
from visionbatch.roboflow.media import Media
from visionbatch.roboflow.references import Reference, ReferenceList, References, references_of

LIST_BYTES = 256 * MIB
"""The longest list that is read: half a million references, with long signatures."""

SIGNERS = 8


@contextmanager
def references_at(
    place: str, media: Media = Media.IMAGES, *, life_s: int = DAY_S, allow_inside: bool = False
) -> Iterator[ReferenceList]:
    """The references behind a place: a file of JSON lines, an https address of one, or a folder in a store.

    :param place: a path, ``https://...``, or ``s3://``, ``gs://`` or ``az://`` with bucket and folder.
    :param media: what is taken from a folder.
    :param life_s: life of the addresses that are signed for a folder, in seconds.
    :param allow_inside: accept addresses inside a network, as mocks and tests have them.
    :raises InvalidInput: when a reference breaks a rule, with all such references, or there is none.
    :raises UnsafeUrl: for an address inside a network.
    """
    scheme = place.partition("://")[0] if "://" in place else ""
    if scheme in STORES:
        with ExitStack() as stack:
            where = Place.of(place)
            store = stack.enter_context(opened_store(where))
            yield StoredReferences(store, where, media, life_s, allow_inside=allow_inside)
    elif scheme:
        yield _fetched(place, allow_inside=allow_inside)
    else:
        yield _of_file(Path(place), allow_inside=allow_inside)


def _of_file(path: Path, *, allow_inside: bool) -> References:
    try:
        with path.open("rb") as lines:
            return references_of(lines, str(path), allow_inside=allow_inside)
    except FileNotFoundError as error:
        raise InputMissing(f"there is no {path.absolute()} on this machine") from error


def _fetched(url: str, *, allow_inside: bool) -> References:
    """A list behind an address, which may carry its own authority."""
    schemes = ("https", "http") if allow_inside else ("https",)
    secret = SecretUrl(outside_url(url, what="the address of the list", schemes=schemes, allow_inside=allow_inside))
    body, room = bytearray(), memoryview(bytearray(256 * KIB))
    with Wire(outside_only=not allow_inside) as wire, wire.get(secret, {"Accept": "*/*"}) as answer:
        if answer.status != 200:
            raise ServiceError(f"the list of references was answered with {answer.status}", status=answer.status)
        while count := answer.readinto(room):
            body += room[:count]
            if len(body) > LIST_BYTES:
                raise AnswerTooLarge(f"the list of references at {secret} has more than {LIST_BYTES} bytes")
    return references_of(bytes(body).splitlines(), str(secret), allow_inside=allow_inside)


class StoredReferences:
    """What lies in a folder of a store, as references that are signed when they are sent.

    Names come from whole keys: the last part, with a prefix where several objects share it.
    """

    def __init__(
        self, store: SignedStore, place: Place, media: Media, life_s: int, *, allow_inside: bool = False
    ) -> None:
        if not 0 < life_s <= LONGEST_S:
            raise ConfigError(f"the life of signed addresses is {life_s}: it must be 1 to {LONGEST_S} seconds")
        self._store = store
        self._place = place
        self._life_s = life_s
        self._allow_inside = allow_inside
        digest = sha256(b"store:")
        self._keys = Texts()
        self.skipped = 0
        for key, version in store.keys(place.folder):
            last = key.rpartition("/")[2]
            if litter_kind(last) or last.rpartition(".")[2].lower() not in media.extensions:
                self.skipped += 1
                continue
            self._keys.append(key)
            digest.update(f"{len(key)}:{key}{version}".encode())
        if not self._keys:
            raise InvalidInput(f"{place} holds no {media}; {self.skipped} other objects lie there")
        self._names = BatchNames(lambda: self._keys)
        self._fingerprint = digest.hexdigest()

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def location(self) -> str:
        """The folder."""
        return str(self._place)

    @property
    def fingerprint(self) -> str:
        """See `visionbatch.roboflow.references.ReferenceList.fingerprint`."""
        return self._fingerprint

    def chunk(self, start: int, stop: int) -> Sequence[Reference]:
        """Some of them, signed now, by several threads."""
        with ThreadPoolExecutor(SIGNERS, "sign") as threads:
            keys = [self._keys[index] for index in range(start, min(stop, len(self._keys)))]
            urls = threads.map(self._signed, keys)
            return [Reference(self._names.name(key), url) for key, url in zip(keys, urls, strict=True)]

    def _signed(self, key: str) -> str:
        schemes = ("https", "http") if self._allow_inside else ("https",)
        url = self._store.sign(key, self._life_s)
        return outside_url(url, what="the signed address", schemes=schemes, allow_inside=self._allow_inside)
