"""Ids of batches as people and schedulers hand them over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from visionbatch.errors import ConfigError
from visionbatch.model.tally import MOST

REF_CHARS = 200


def refs_of(items: Iterable[Any]) -> tuple[str, ...]:
    """The ids, each once and in the order given.

    :param items: ids, or manifests and other mappings with a ``batch_id``.
    :raises ConfigError: when one of them is neither, or there are more than `MOST`.
    """
    refs = tuple(dict.fromkeys(_ref(place, item) for place, item in enumerate(items)))
    if len(refs) > MOST:
        raise ConfigError(f"{len(refs)} batches are too many to be waited for together, {MOST} are possible")
    return refs


def _ref(place: int, item: Any) -> str:
    ref = item.get("batch_id") if isinstance(item, Mapping) else item
    if not isinstance(ref, str) or not ref.strip() or not ref.isprintable() or len(ref) > REF_CHARS:
        raise ConfigError(f"item {place} of the batches is neither an id nor a manifest with a batch_id")
    return ref
