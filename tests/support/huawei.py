"""An account at the mock of Huawei Cloud: calls with a token, and what a test wants to stand ready."""

import itertools
from typing import Any

import requests

from visionbatch_mock import MockServer

DEADLINE_S = 20
WEBHOOK = {"url": "http://127.0.0.1:9/events", "headers": {"x-key": "k"}}
_names = itertools.count(1)


class Account:
    """One access key and IAM user; `inside` is the same tenant in this process."""

    def __init__(self, mock: MockServer, key: str) -> None:
        self.mock = mock
        self.key = key
        self.inside = mock.world.tenant(key)
        self.http = requests.Session()
        self.http.trust_env = False
        self._token: str | None = None

    @property
    def project(self) -> str:
        return self.inside.iam.project_id

    @property
    def base(self) -> str:
        return f"{self.mock.url}/v2/{self.project}"

    def ask_token(self, password: str = "password", scope: Any = None, **query: str) -> requests.Response:
        user = {"name": self.key, "password": password, "domain": {"name": "firm"}}
        told: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
        if scope is not False:
            told["scope"] = scope or {"project": {"name": "cn-north-4"}}
        url = f"{self.mock.url}/v3/auth/tokens"
        return self.http.post(url, json={"auth": told}, params=query, timeout=DEADLINE_S)

    def token(self) -> str:
        if self._token is None:
            self._token = self.ask_token().headers["X-Subject-Token"]
        return self._token

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        headers = {"X-Auth-Token": self.token(), **options.pop("headers", {})}
        url = f"{self.base}{path}"
        return self.http.request(
            method, url, json=body, headers=headers, timeout=DEADLINE_S, allow_redirects=False, **options
        )

    def at(self, method: str, path: str, **options: Any) -> requests.Response:
        """A call beside VIAS, such as to the mock's own routes."""
        return self.http.request(method, self.mock.url + path, timeout=DEADLINE_S, **options)

    def ok(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        answer = self.call(method, path, body, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def group(self, *sources: str, kind: str = "obs", config: str = "") -> tuple[str, list[str]]:
        """A group with sources of these names; their ids."""
        places = self.inside.vias.places
        group = places.add_group(f"g-{next(_names)}")
        return group.id, [places.add_source(name, kind, config, group_ids=(group.id,)).id for name in sources]

    def request(self, group: str, sources: list[str], **fields: Any) -> dict[str, Any]:
        """A batch task's request over these sources."""
        listed = [{"video_source_id": source} for source in sources]
        told = {
            "name": f"batch-{next(_names)}",
            "service_name": "fire",
            "service_version": "1.0",
            "batch_input": {"video_source_group": [{"video_source_group_id": group, "video_source_list": listed}]},
            "output": {"event_center": True},
        }
        return {**told, **fields}

    def new_batch(self, *names: str, kind: str = "obs", config: str = "", **fields: Any) -> str:
        group, sources = self.group(*(names or ("cam-a",)), kind=kind, config=config)
        return self.ok("POST", "/batch-tasks", self.request(group, sources, **fields))["id"]

    def batches(self, **query: Any) -> list[dict[str, Any]]:
        return self.ok("GET", "/batch-tasks", params=query)["batch_task_list"]

    def tasks(self, batch_id: str | None = None, **query: Any) -> list[dict[str, Any]]:
        return self.ok("GET", "/tasks", params={"batch_id": batch_id, "page_size": 1000, **query})["tasks"]

    def states(self, batch_id: str) -> list[str]:
        return [task["state"] for task in reversed(self.tasks(batch_id))]

    def effects(self, effect: str) -> list[Any]:
        return self.inside.ledger.entries(effect)

    def plan(self, operation: str, *instructions: Any) -> Any:
        return self.inside.faults.plan({"instructions": {operation: list(instructions)}})
