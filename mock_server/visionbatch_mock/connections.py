"""What a client has to be told to find the mock instead of the services: Airflow connections and environment."""

import json
from collections.abc import Mapping
from typing import Any


def airflow_connections(url: str, key: str) -> dict[str, dict[str, Any]]:
    """The connections of one tenant by their default ids, in Airflow's JSON form.

    The secret key and the region of `huawei_vias` are those that a customer has unless a test changes them.
    """
    # pytest loads this module wherever the mock is installed; settings are for those who ask for a connection.
    from visionbatch_mock.vias.settings import ViasBehaviour  # noqa: PLC0415

    huawei = ViasBehaviour()
    return {
        "deepomatic_default": {
            "conn_type": "deepomatic",
            "host": url,
            "password": key,
            "extra": {"upload_hosts": url},
        },
        "roboflow_default": {
            "conn_type": "roboflow",
            "host": url,
            "password": key,
            # Signed URLs lead to the mock, and webhooks to this machine.
            "extra": {"upload_hosts": url, "download_hosts": url, "allow_inside": True},
        },
        "huawei_vias_default": {
            "conn_type": "huawei_vias",
            "host": url,
            "login": key,
            "password": huawei.vias_secret_key,
            "extra": {"region": huawei.vias_region, "iam_url": url},
        },
        # Where exports arrive. The bucket says whose it is, so no key is needed.
        "google_cloud_default": {"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True}},
    }


def environment(url: str, key: str, before: Mapping[str, str]) -> dict[str, str]:
    """The variables that lead Airflow, and Google's clients, to the mock, and past any proxy.

    `before` is the environment that they are added to.
    """
    variables = {
        f"AIRFLOW_CONN_{name.upper()}": json.dumps(told) for name, told in airflow_connections(url, key).items()
    }
    past = ",".join(filter(None, (before.get("NO_PROXY") or before.get("no_proxy"), "127.0.0.1", "localhost")))
    return {**variables, "STORAGE_EMULATOR_HOST": url, "NO_PROXY": past, "no_proxy": past}
