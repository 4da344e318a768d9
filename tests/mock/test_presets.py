"""Presets of faults at Roboflow and VIAS: walks over a service on which each of them happens."""

from contextlib import suppress

import pytest
import requests

from support.roboflow_wire import JOBS, definition
from visionbatch_mock.faults.presets import PRESETS


def of(service: str) -> list[str]:
    """The presets that are about one service."""
    rooms = {"roboflow": ("roboflow.",), "vias": ("vias.", "iam.")}[service]
    return [name for name, preset in PRESETS.items() if all(each.startswith(rooms) for each in preset.instructions)]


def attempt(call, *arguments, **options) -> None:
    """A call that a fault may well spoil."""
    with suppress(requests.RequestException, KeyError, AssertionError):
        call(*arguments, **options)


@pytest.mark.parametrize("name", of("roboflow"))
def test_every_preset_about_roboflow_happens(workspace, photo, photos, name):
    workspace.shard("b", {"large.jpg": photo(size=(640, 480))})
    workspace.inside.clock.advance(60)
    link = workspace.files("b")[0]["downloadURL"]
    plan = workspace.inside.faults.plan({"preset": name})
    for number in range(4):
        attempt(lambda: [workspace.shard(f"s-{part}", photos(2)) for part in range(2)])
        attempt(workspace.post, f"{JOBS}/j-{number}", definition("b"))
        attempt(workspace.get, f"{JOBS}/j-{number}")
    attempt(workspace.http.get, link, headers={"Range": "bytes=0-"}, timeout=20)
    assert plan.completed, plan.unmet


@pytest.mark.parametrize("name", of("vias"))
def test_every_preset_about_vias_happens(account, name):
    group, sources = account.group("cam-a")
    account.token()
    plan = account.inside.faults.plan({"preset": name})
    for _ in range(4):
        attempt(account.call, "POST", "/batch-tasks", account.request(group, sources))
        attempt(account.call, "GET", "/batch-tasks")
        headers = {"X-Auth-Token": account.token()}
        attempt(account.http.get, f"{account.mock.url}/v3/projects", headers=headers, timeout=20)
    assert plan.completed, plan.unmet
