"""What the manifests of all fetches have in common: their name, how they are read, and how they are kept small."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from visionbatch.errors import UnreadableRecord
from visionbatch.model.small_json import MANIFEST_BYTES

MANIFEST = "manifest.json"
"""Name of the file with the whole of it, in the folder that was fetched to."""

_SPARE = 64
"""Bytes for the note that names were left out."""


@contextmanager
def reading_manifest() -> Iterator[None]:
    """Read a manifest's text, whatever it holds.

    :raises UnreadableRecord: when it is not one of ours, or of a newer version.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise UnreadableRecord(
            f"{MANIFEST} is not one of ours, or of a newer version", next_step="Fetch into another folder."
        ) from error


def with_names(value: Mapping[str, Any], lists: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """A manifest's small form with as many names as `MANIFEST_BYTES` have room for, and a note when they have not.

    :param value: all of it but the lists.
    :param lists: names by their key, the most telling first.
    """
    small: dict[str, Any] = {**value, **{key: [] for key in lists}}
    room = MANIFEST_BYTES - _SPARE - len(json.dumps(small))
    for key, names in lists.items():
        for name in names:
            room -= len(json.dumps(name)) + 2
            if room < 0:
                return {**small, "names_left_out": True}
            small[key].append(name)
    return small
