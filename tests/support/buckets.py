"""Object stores to fetch from: objects are put by plain requests, whoever serves them."""

from __future__ import annotations

import json
import urllib.request
from typing import Any
from urllib.parse import quote, urlencode

PATIENCE_S = 20.0


class Bucket:
    """One bucket of a store, as its owner fills it.

    :param token: whose it is; empty for everybody's.
    """

    def __init__(self, url: str, name: str, token: str = "") -> None:
        self.url = url.rstrip("/")
        self.name = name
        self._token = token

    def make(self) -> Bucket:
        """For stores in which a bucket is not there before it is made."""
        self._ask("POST", "/storage/v1/b?project=any", json.dumps({"name": self.name}).encode())
        return self

    def put(self, name: str, content: bytes, **metadata: str) -> int:
        """Put an object; gives its generation."""
        path = f"/upload/storage/v1/b/{self.name}/o"
        if not metadata:
            query = urlencode({"uploadType": "media", "name": name})
            stored = self._ask("POST", f"{path}?{query}", content, "application/octet-stream")
        else:
            head = json.dumps({"name": name, **metadata}).encode()
            body = b"\r\n".join(
                [b"--x", b"Content-Type: application/json", b"", head,
                 b"--x", b"Content-Type: application/octet-stream", b"", content, b"--x--", b""]
            )  # fmt: skip
            stored = self._ask("POST", f"{path}?uploadType=multipart", body, "multipart/related; boundary=x")
        return int(stored["generation"])

    def delete(self, name: str) -> None:
        self._ask("DELETE", f"/storage/v1/b/{self.name}/o/{quote(name, safe='')}")

    def _ask(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> Any:
        headers = {"Content-Type": kind, **({"Authorization": f"Bearer {self._token}"} if self._token else {})}
        asked = urllib.request.Request(self.url + path, body, headers, method=method)
        with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:
            text = answer.read()
        return json.loads(text) if text else {}


def line(work_order: str, *inputs: str, extension: str = ".jpg", **more: Any) -> bytes:
    """One record of an export with a work item of some inputs."""
    record = {
        "id": work_order,
        "name": work_order,
        "site_id": "site-1",
        "create_date": "2025-05-12T08:14:03.120000+00:00",
        "update_date": "2025-05-12T08:20:41.004000+00:00",
        "metadata": {},
        "work_items": [
            {
                "id": f"{work_order}-item",
                "name": "cabinet",
                "input": [{"id": one, "file_extension": extension, "metadata": {}} for one in inputs],
            }
        ],
        **more,
    }
    return json.dumps(record).encode() + b"\n"
