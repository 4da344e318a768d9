"""A bucket of this test's customer, and the client that reads it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

from support.buckets import Bucket
from visionbatch.io.gcs_bucket import GcsBucket
from visionbatch_mock import MockServer
from visionbatch_mock.tenant import Tenant

with warnings.catch_warnings():
    # Google's core library warns at import when helpers for gRPC, which nobody asked for, are missing.
    warnings.simplefilter("ignore", ImportWarning)
    from google.cloud import storage
    from google.oauth2.credentials import Credentials

assert storage


@pytest.fixture
def emulated(mock: MockServer, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", mock.url)
    return mock.url


@pytest.fixture
def owner(emulated: str, tenant: Tenant) -> Bucket:
    """The bucket, as who fills it sees it."""
    return Bucket(emulated, "exports", tenant.token).make()


@pytest.fixture
def bucket(emulated: str, tenant: Tenant) -> Iterator[GcsBucket]:
    """The bucket, as we see it."""
    with GcsBucket("exports", credentials=Credentials(tenant.token), patience_s=15.0) as bucket:
        yield bucket
