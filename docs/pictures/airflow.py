"""Makes the pictures of Airflow's UI: the shipped Dag after a run against the mock, on Airflow's own four processes.

`python -m docs.pictures.airflow` from the top of the project writes them beside this file, within a minute or two.
"""

from __future__ import annotations

import base64
import io
import json
import tempfile
from pathlib import Path

from PIL import Image
from tests.demo.run import DAG, KEY, ROOT, connections
from tests.demo.sample import make_work_orders
from tests.support.airflow_stack import AirflowStack
from tests.support.chromium import Chromium

from visionbatch_mock import MockConfig, MockServer

HERE = Path(__file__).parent
CONSOLE = "https://studio.example.com/batches/{batch_id}"
TASK = "run_batch"
SIZE = {"width": 1440, "height": 730, "deviceScaleFactor": 1.25, "mobile": False}
PICTURES = {"airflow-log": ("", "6 work orders"), "airflow-link": ("/details", "Deepomatic batch")}
"""Tabs of the task's page by the name of the picture, and what stands there once all of it is shown."""


def main() -> None:
    """The command."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, MockServer(MockConfig(seed=11)) as mock:
        orders = Path(home) / "work_orders"
        names = make_work_orders(orders)
        tenant = mock.world.tenant(KEY)
        tenant.configure(
            queued_s=2, processing_s=4, error_report="json", analysis_failures={names[2]: "photo too dark"}
        )
        given = connections(mock.url, console_url=CONSOLE)
        with AirflowStack(Path(home) / "airflow", ROOT / "dags", connections=given) as airflow:
            asked = {"work_orders": str(orders), "reports": f"{home}/reports"}
            run_id = airflow.trigger(DAG, asked, "inspections_of_monday")
            airflow.wait_run(DAG, run_id, 300)
            photograph(f"{airflow.url}/dags/{DAG}/runs/{run_id}/tasks/{TASK}")


def photograph(task_page: str) -> None:
    """The tabs of a task's page."""
    with Chromium() as browser:
        browser.call("Emulation.setDeviceMetricsOverride", **SIZE)
        for name, (tab, shown) in PICTURES.items():
            # Whoever comes for the first time is logged in on the way.
            browser.call("Page.navigate", url=task_page + tab)
            browser.wait_for(f"(document.body || {{}}).innerText?.includes({json.dumps(shown)})")
            shot = base64.b64decode(browser.call("Page.captureScreenshot", format="png")["data"])
            with Image.open(io.BytesIO(shot)) as picture:
                picture.convert("RGB").save(HERE / f"{name}.webp", "WEBP", quality=80, method=6)


if __name__ == "__main__":
    main()
