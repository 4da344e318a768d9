"""Where a service is told to post: refused where it is configured, before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from visionbatch.errors import ConfigError
from visionbatch.model.secret import SecretUrl
from visionbatch.roboflow.job import JobDefinition, JobKind

PATH = "visionbatch/hooks/roboflow/rf/s3cret"


def job(receiver: str, **settings: Any) -> JobDefinition:
    return JobDefinition(
        kind=JobKind.IMAGES, batch_id="b-1", workflow_id="w", notifications_url=SecretUrl(receiver), **settings
    )


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
    with pytest.raises(ConfigError, match="notifications_url") as refused:
        job(f"{origin}/{PATH}")
    assert "s3cret" not in str(refused.value)


def test_a_receiver_on_the_internet_is_sent_as_it_is():
    url = f"https://airflow.example.com/{PATH}"
    assert job(url).body()["notificationsURL"] == url


def test_one_inside_can_be_allowed_and_an_odd_spelling_of_it_cannot():
    url = f"http://127.0.0.1:8080/{PATH}"
    assert job(url, notify_inside=True).body()["notificationsURL"] == url
    with pytest.raises(ConfigError, match="loopback"):
        job(f"http://0x7f.1:8080/{PATH}", notify_inside=True)
