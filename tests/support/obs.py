"""An S3 service on this machine that stands in for OBS, and a bucket of it for one test."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer

from visionbatch_mock.tenant import Tenant

KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "cn-north-4"}


@contextmanager
def obs_service() -> Iterator[str]:
    """Its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


class ResultBucket:
    """A bucket into which a customer's tasks write, seen by boto3."""

    def __init__(self, endpoint: str, tenant: Tenant) -> None:
        self.endpoint = endpoint
        self.name = f"results-{secrets.token_hex(6)}"
        config = Config(s3={"addressing_style": "path"}, proxies={})
        self.boto = boto3.session.Session(**KEYS).client("s3", endpoint_url=endpoint, config=config)
        self.boto.create_bucket(Bucket=self.name, CreateBucketConfiguration={"LocationConstraint": "cn-north-4"})
        tenant.configure(vias_obs_endpoint=endpoint)

    def output(self, path: str = "yard") -> dict[str, Any]:
        """The output of a batch task that writes here."""
        return {"obs": {"bucket": self.name, "path": path}}

    def contents(self) -> dict[str, bytes]:
        """All objects, as boto3 reads them."""
        listed = self.boto.list_objects_v2(Bucket=self.name).get("Contents", [])
        return {item["Key"]: self.get(item["Key"]) for item in listed}

    def get(self, key: str) -> bytes:
        return bytes(self.boto.get_object(Bucket=self.name, Key=key)["Body"].read())

    def put(self, key: str, content: bytes, **more: Any) -> None:
        self.boto.put_object(Bucket=self.name, Key=key, Body=content, **more)

    def close(self) -> None:
        self.boto.close()


def events_in(contents: dict[str, bytes]) -> list[Any]:
    return [json.loads(content) for key, content in contents.items() if key.endswith(".json")]
