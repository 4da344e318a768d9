"""Google's client for Node, unmodified, against the object store: `make clients` installs it and runs this."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from support.readers import program
from visionbatch_mock import MockServer

pytestmark = pytest.mark.vendor

MODULES = Path(__file__).parents[2] / ".venv-node" / "node_modules"
SCRIPT = Path(__file__).with_name("node_client.js")
DEADLINE_S = 120


def test_it_uploads_through_faults_lists_reads_overwrites_and_removes():
    node = program("node", "nodejs")
    if not MODULES.exists():
        problem = "Google's client for Node is not installed; make clients installs it"
        pytest.fail(problem) if "CI" in os.environ else pytest.skip(problem)
    with MockServer() as mock:
        tenant = mock.world.tenant("anonymous")
        plan = tenant.faults.plan({"instructions": {"storage.sessions.chunk": ["pass", "return-503", "drop-response"]}})
        ran = subprocess.run(
            [node, SCRIPT, mock.url, "nodes"],
            env={"PATH": os.environ["PATH"], "NODE_PATH": str(MODULES)},
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        made = {entry["object"]: entry["sha256"] for entry in tenant.ledger.entries("object.created")}
        assert plan.completed
        told = json.loads(ran.stdout)
        assert [made["large"], made["whole"]] == told["read"] == [told["sha256"]] * 2
        assert (told["part"], told["metadata"]) == (True, {"crew": "7"})
        assert told["pages"] == [["a/1", "a/2"], ["a/3 ü"]]
        assert (told["refused"], told["moved"], told["gone"]) == (412, "again", 404)
        assert {entry["object"] for entry in tenant.ledger.entries("object.deleted")} == {"b", "copied"}
