"""The words of the staging service: kinds of batches and shards, reasons of rejection, and its identifiers."""

import re
from enum import StrEnum

BATCH_ID = re.compile(r"[a-z0-9_-]{1,64}")
JOB_ID = re.compile(r"[a-z0-9_-]{1,20}")
"""By the vendor's pages; a guide of theirs leaves the underscore out, which the mock does not enforce."""


class BatchType(StrEnum):
    """How a batch came to be."""

    SIMPLE = "simple-batch"
    SHARDED = "sharded-batch"
    MULTIPART = "multipart-batch"


class ContentType(StrEnum):
    """What a batch, a part or a file holds."""

    IMAGES = "images"
    VIDEOS = "videos"
    METADATA = "metadata"
    ARCHIVES = "archives"
    MIXED = "mixed"


class ShardState(StrEnum):
    """Where a shard stands; the vendor publishes none of its words."""

    REGISTERED = "registered"
    PROCESSING = "processing"
    INGESTED = "ingested"
    FAILED = "failed"

    @property
    def type(self) -> str:
        """The word of `statusType`."""
        return {ShardState.INGESTED: "success", ShardState.FAILED: "error"}.get(self, "info")

    @property
    def ended(self) -> bool:
        """Nothing follows by itself."""
        return self.type != "info"


class Rejection(StrEnum):
    """Why a file or a whole ingest was refused; the first two are the vendor's words, the others ours."""

    UNSAFE_URL = "unsafe-url-detected"
    TOO_LARGE = "file-size-limit-exceeded"
    NOT_AN_IMAGE = "not-an-image"
    NOT_A_FILE = "not-a-file"
    BAD_NAME = "file-name-not-allowed"
    TWICE = "duplicated-file-name"
    TOO_MANY = "files-number-limit-exceeded"
    BROKEN_ARCHIVE = "archive-not-readable"
    EMPTY = "no-file-accepted"
    UNREACHABLE = "url-not-reachable"
    LOST = "internal-error"
