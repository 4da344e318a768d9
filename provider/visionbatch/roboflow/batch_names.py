"""What files are called in a batch, where there are no folders."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from itertools import pairwise

from visionbatch.errors import InvalidInput
from visionbatch.model.text import printable

_PREFIX_DIGITS = 8


class BatchNames:
    """What files are called: by their last name, those that share it with a prefix.

    The prefix comes from the path alone, so it is the same on every machine. Names that differ in case or in Unicode's
    form only count as the same, because results are unpacked to disks that take them for the same.

    :param paths: gives all of them, as often as it is asked: half a million names are not held.
    :raises InvalidInput: in the unlikely case that a name with a prefix is taken too.
    """

    def __init__(self, paths: Callable[[], Iterable[str]]) -> None:
        self._shared = _repeated(lambda: (_same(_last(path)) for path in paths()))
        taken = _repeated(lambda: (_same(self.name(path)) for path in paths())) if self._shared else ()
        for name in sorted(taken):
            raise InvalidInput(f"several files would be called {printable(name)} in the batch [file-name-twice]")

    def name(self, path: str) -> str:
        """What one of them is called."""
        last = _last(path)
        return f"{_prefix(path)}-{last}" if self._shared and _same(last) in self._shared else last


def _repeated(texts: Callable[[], Iterator[str]]) -> frozenset[str]:
    """The texts that come more than once, found by their hashes, which take less room than they do."""
    hashes = sorted(map(hash, texts()))
    twice = {one for one, other in pairwise(hashes) if one == other}
    if not twice:
        return frozenset()
    del hashes
    count = Counter(text for text in texts() if hash(text) in twice)
    return frozenset(text for text, times in count.items() if times > 1)


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _same(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _prefix(path: str) -> str:
    return sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:_PREFIX_DIGITS]
