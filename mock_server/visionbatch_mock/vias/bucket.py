"""Result files, written into whatever speaks S3 at `vias_obs_endpoint`, as VIAS writes into OBS.

OBS speaks S3. Its objects are addressed by virtual host there, while a stand-in on this machine needs them
in the path; sums of newer S3 clients, which OBS does not know, are left out.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from visionbatch_mock.outbound import on_this_machine
from visionbatch_mock.vias.events import Event
from visionbatch_mock.vias.settings import ViasBehaviour

ANSWER_S = 5
"""Longest wait for the store, seconds of real time."""


class NotWritten(RuntimeError):
    """An object that did not get into its bucket, and why."""


def files_of(event: Event, path: str, layout: str) -> Iterator[tuple[str, bytes]]:
    """Key and content of what an event leaves: its document, and beside it the picture."""
    facts = {"task_id": event.task_id, "timestamp": int(event.at), "message_id": event.message_id}
    key = layout.format(path=path.rstrip("/"), **facts).lstrip("/")
    yield key, json.dumps(event.document).encode()
    yield f"{key.removesuffix('.json')}.jpg", event.image


def write(told: ViasBehaviour, bucket: str, key: str, content: bytes) -> None:
    """Put one object; raises `NotWritten`."""
    endpoint = told.vias_obs_endpoint
    if endpoint is None or not on_this_machine(endpoint):
        raise NotWritten("vias_obs_endpoint names no S3 service on this machine")
    try:
        client = _client(endpoint, told.vias_obs_key, told.vias_obs_secret, told.vias_region)
        kind = "image/jpeg" if key.endswith(".jpg") else "application/json"
        client.put_object(Bucket=bucket, Key=key, Body=content, ContentType=kind)
    except Exception as cause:
        raise NotWritten(f"{type(cause).__name__}: {cause}") from cause


@lru_cache(maxsize=8)
def _client(endpoint: str, key: str, secret: str, region: str) -> Any:
    # Extra `mock-obs`; half a second, which a mock without buckets does not wait for.
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        s3={"addressing_style": "path"},
        signature_version="s3v4",
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        connect_timeout=ANSWER_S,
        read_timeout=ANSWER_S,
        retries={"total_max_attempts": 1},
        proxies={},
    )
    session = boto3.session.Session(aws_access_key_id=key, aws_secret_access_key=secret, region_name=region)
    return session.client("s3", endpoint_url=endpoint, config=config)
