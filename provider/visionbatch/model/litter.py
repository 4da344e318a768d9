"""What operating systems leave in folders."""

from __future__ import annotations

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
