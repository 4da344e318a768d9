"""What operating systems leave in folders, which is counted and never sent."""

from __future__ import annotations

from collections.abc import Iterator

from visionbatch.deepomatic.rulebook import finding
from visionbatch.model.finding import Finding

_BY_NAME = {
    ".ds_store": ".DS_Store",
    "__macosx": "__MACOSX",
    "desktop.ini": "desktop.ini",
    "ehthumbs.db": "Thumbs.db",
    "thumbs.db": "Thumbs.db",
}


def litter_kind(name: str) -> str | None:
    """What kind of litter a name is; ``None`` for everything else.

    A name with a backslash is none, however it begins: on Windows it is a path.
    """
    if name in {"", ".", ".."} or "\\" in name:
        return None
    if kind := _BY_NAME.get(name.lower()):
        return kind
    if name.startswith("._"):
        return "AppleDouble file (._*)"
    return "hidden file" if name.startswith(".") else None


class Litter:
    """The tally of what was skipped, with the first place of each kind."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._first: dict[str, str] = {}

    def takes(self, name: str, path: str) -> bool:
        """Whether this is litter; if so it is counted and the caller has no more to do with it."""
        kind = litter_kind(name)
        if kind is None:
            return False
        self._counts[kind] = self._counts.get(kind, 0) + 1
        self._first.setdefault(kind, path)
        return True

    def findings(self) -> Iterator[Finding]:
        """One warning for each kind."""
        for kind, count in sorted(self._counts.items()):
            message = f"{count} x {kind} left out, here first"
            yield finding("skipped-litter", self._first[kind], message)
