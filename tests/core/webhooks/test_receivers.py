"""Where a service is told to post: refused where it is configured, before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from visionbatch.errors import UnsafeUrl
from visionbatch.flow.effects import Send
from visionbatch.model.secret import SecretUrl
from visionbatch.roboflow.api import RoboflowApi
from visionbatch.roboflow.job import JobDefinition, JobKind
from visionbatch.roboflow.settings import RoboflowSettings

PATH = "visionbatch/hooks/roboflow/rf/s3cret"


def creation(receiver: str, **settings: Any) -> Any:
    """A job with that receiver, up to its first request."""
    definition = JobDefinition(
        kind=JobKind.IMAGES, batch_id="b-1", workflow_id="w", notifications_url=SecretUrl(receiver)
    )
    return RoboflowApi(RoboflowSettings(workspace="w", **settings)).jobs.create("j-1", definition)


def sent(flow: Any) -> Any:
    """The body of a flow's first request."""
    effect = next(flow)
    while not isinstance(effect, Send):
        effect = flow.send(0.0)
    return effect.request.body


@pytest.mark.fault("WH5")
@pytest.mark.parametrize(
    "origin",
    [
        "https://localhost",
        "https://airflow:8080",
        "https://10.0.0.7",
        "https://169.254.169.254",
        "https://0x7f.1",
        "https://2130706433",
        "https://[::1]",
        "https://[::ffff:10.0.0.7]",
        "https://me@example.com",
        "https://example.com\\@10.0.0.7",
        "http://airflow.example.com",
    ],
)
def test_a_job_whose_receiver_is_inside_the_network_is_refused_with_its_rule_and_without_its_secret(origin):
    with pytest.raises(UnsafeUrl, match="notifications_url") as refused:
        creation(f"{origin}/{PATH}")
    assert "s3cret" not in str(refused.value)


def test_a_receiver_on_the_internet_is_sent_as_it_is():
    url = f"https://airflow.example.com/{PATH}"
    assert sent(creation(url))["notificationsURL"].reveal() == url


def test_one_inside_can_be_allowed_and_an_odd_spelling_of_it_cannot():
    url = f"http://127.0.0.1:8080/{PATH}"
    assert sent(creation(url, allow_inside=True))["notificationsURL"].reveal() == url
    with pytest.raises(UnsafeUrl, match="loopback"):
        creation(f"http://0x7f.1:8080/{PATH}", allow_inside=True)
