"""How a batch is filled, and the limits of Data Staging that are on record."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from visionbatch.config import MIB
from visionbatch.errors import ConfigError
from visionbatch.model.secret import SecretUrl

IMAGES_PER_SHARD = 500
"""The most of one archive (the vendor's pages); its own client packs 256."""

PARALLEL = 12
"""Requests at a time; the vendor's client sends archives from 8 processes, and images from as many threads as cores."""

IMAGE_BYTES = 20 * MIB
"""The largest image (the vendor's pages)."""

IMAGE_REFERENCES = 20_000
VIDEO_REFERENCES = 5_000
"""References of one request (the vendor's client, and its guide for operators)."""

SINGLE_UP_TO = 32
"""Images up to which the vendor's client sends them one by one; they can be used at once, while shards are indexed."""


class Kind(StrEnum):
    """How a batch is filled. One batch has one kind for good: the service refuses a mixture."""

    SINGLE = "single"
    """One request for each image."""
    SHARDS = "shards"
    """Archives of images, each to an address of its own."""
    VIDEOS = "videos"
    """Each to an address of its own."""
    IMAGE_REFERENCES = "image-references"
    """Addresses from which the service fetches images itself."""
    VIDEO_REFERENCES = "video-references"
    """The same for videos."""


@dataclass(frozen=True)
class StageSettings:
    """How a batch is filled.

    :param kind: ``single`` or ``shards`` for images; empty decides by their number, once for each batch.
    :param single_up_to: images that are sent one by one when nothing else was asked for.
    :param images_per_shard: most images of one archive; the service may ask for fewer.
    :param shard_bytes: most bytes of one archive. A signed PUT cannot be gone on with, so a smaller archive costs less
        when the line breaks.
    :param image_bytes: most bytes of one image.
    :param parallel: requests at a time. Each costs half a MiB, and fewer make a round of waits more.
    :param settle_s: seconds from the last that was sent for which the service may not show it. So long, and at least
        for a quarter of a minute, a later try looks for what may have arrived, before it sends that again.
    :param display_name: what people see; the batch's id without.
    :param notifications_url: receiver of the events of an ingest, which knows shards and references only.
    """

    kind: str = ""
    single_up_to: int = SINGLE_UP_TO
    images_per_shard: int = IMAGES_PER_SHARD
    shard_bytes: int = 1024 * MIB
    image_bytes: int = IMAGE_BYTES
    parallel: int = PARALLEL
    settle_s: float = 60.0
    display_name: str = ""
    notifications_url: SecretUrl | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("", Kind.SINGLE, Kind.SHARDS):
            raise ConfigError(f"kind is single, shards or empty, not {self.kind!r}")
        for name in ("single_up_to", "settle_s"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}: it must be 0 or more")
        for name in ("images_per_shard", "shard_bytes", "image_bytes", "parallel"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}: it must be greater than 0")

    def kind_of_images(self, count: int) -> Kind:
        """How so many images are sent."""
        if self.kind:
            return Kind(self.kind)
        return Kind.SINGLE if count <= self.single_up_to else Kind.SHARDS
