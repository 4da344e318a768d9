"""Roboflow spoken over plain HTTP, the way its pages write it: no code of the product between test and mock."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from typing import Any

import requests

from visionbatch_mock import MockServer

DEADLINE_S = 20
STAGING = "/data-staging/v1/external/mock-workspace/batches"
JOBS = "/batch-processing/v1/external/mock-workspace/jobs"


def tar_of(members: Mapping[str, bytes]) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return held.getvalue()


def definition(batch_id: str, **changes: Any) -> dict[str, Any]:
    """A sound image job; `specification` and `input` are merged into their objects."""
    told: dict[str, Any] = {
        "type": "simple-image-processing-v1",
        "jobInput": {"type": "staging-batch-input-v1", "batchId": batch_id, **changes.pop("input", {})},
        "computeConfiguration": {"type": "compute-configuration-v2", "machineType": "gpu"},
        "processingSpecification": {
            "type": "workflows-processing-specification-v1",
            "workspace": "mock-workspace",
            "workflowId": "w",
            **changes.pop("specification", {}),
        },
    }
    return {**told, **changes}


class Workspace:
    """One key: its calls over HTTP, and `inside`, the same tenant in this process."""

    def __init__(self, mock: MockServer, key: str) -> None:
        self.mock = mock
        self.key = key
        self.inside = mock.world.tenant(key)
        self.http = requests.Session()
        self.http.trust_env = False

    def call(self, method: str, path: str, params: Mapping[str, Any] | None = None, **options: Any):
        query = {"api_key": self.key, **(params or {})}
        sent = {"timeout": DEADLINE_S, "allow_redirects": False, **options}
        return self.http.request(method, self.mock.url + path, params=query, **sent)

    def get(self, path: str, **params: Any):
        return self.call("GET", path, params)

    def post(self, path: str, body: Any = None, **params: Any):
        return self.call("POST", path, params, json=body)

    def control(self, method: str, path: str, body: Any = None, **options: Any):
        headers = {"Authorization": f"Bearer {self.key}"}
        url = f"{self.mock.url}/_control/roboflow/{path}"
        return self.http.request(method, url, json=body, headers=headers, timeout=DEADLINE_S, **options)

    def plan(self, operation: str, *instructions: Any):
        return self.inside.faults.plan({"instructions": {operation: list(instructions)}})

    def effects(self, effect: str):
        return self.inside.ledger.entries(f"roboflow.{effect}")

    def upload(self, batch_id: str, name: str, content: bytes, part: str = "file", **params: Any):
        path = f"{STAGING}/{batch_id}/upload/image"
        return self.call("POST", path, {"fileName": name, **params}, files={part: (name, content)})

    def sign(self, batch_id: str) -> dict[str, Any]:
        return self.post(f"{STAGING}/{batch_id}/bulk-upload/image-files").json()["signedURLDetails"]

    def sign_video(self, batch_id: str, name: str) -> dict[str, Any]:
        return self.post(f"{STAGING}/{batch_id}/upload/video", fileName=name).json()["signedURLDetails"]

    def put(self, signed: Mapping[str, Any], body: bytes, **headers: str):
        sent = {**signed["extensionHeaders"], **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.http.put(signed["uploadURL"], data=body, headers=sent, timeout=DEADLINE_S)

    def shard(self, batch_id: str, members: Mapping[str, bytes]) -> None:
        assert self.put(self.sign(batch_id), tar_of(members)).status_code == 200

    def count(self, batch_id: str) -> int:
        return self.get(f"{STAGING}/{batch_id}/count").json()["count"]

    def shards(self, batch_id: str) -> list[dict[str, Any]]:
        return self.get(f"{STAGING}/{batch_id}/shards").json()["shards"]

    def files(self, batch_id: str, **params: Any) -> list[dict[str, Any]]:
        return self.get(f"{STAGING}/{batch_id}/list", **params).json()["filesMetadata"]

    def start(self, job_id: str, batch_id: str, **changes: Any) -> None:
        answer = self.post(f"{JOBS}/{job_id}", definition(batch_id, **changes))
        assert answer.status_code == 200, answer.text

    def job(self, job_id: str) -> dict[str, Any]:
        return self.get(f"{JOBS}/{job_id}").json()["job"]

    def stages(self, job_id: str) -> list[dict[str, Any]]:
        return self.get(f"{JOBS}/{job_id}/stages").json()["stages"]

    def tasks(self, job_id: str, number: int = -1) -> list[dict[str, Any]]:
        stage = self.stages(job_id)[number]["processingStageId"]
        return self.get(f"{JOBS}/{job_id}/stages/{stage}/tasks").json()["tasks"]

    def archives(self, batch_id: str, part: str) -> list[dict[str, bytes]]:
        """The members of every archive of a part."""
        return [self._unpacked(file["downloadURL"]) for file in self.files(batch_id, partName=part)]

    def _unpacked(self, url: str) -> dict[str, bytes]:
        content = self.http.get(url, timeout=DEADLINE_S).content
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            return {member.name: archive.extractfile(member).read() for member in archive}
