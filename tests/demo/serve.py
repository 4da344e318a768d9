"""``make airflow``: a real Airflow UI and the mock, running until interrupted, with the connection in place."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from tests.demo.run import DAG, KEY, ROOT, connections
from tests.demo.sample import make_work_orders
from tests.support.airflow_stack import AirflowStack

from visionbatch_mock import MockConfig, MockServer


def main() -> int:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="port of Airflow's UI")
    parser.add_argument("--home", type=Path, default=ROOT / ".airflow")
    arguments = parser.parse_args()
    home = arguments.home.resolve()
    folder = home / "work_orders"
    if not folder.exists():
        make_work_orders(folder)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with MockServer(MockConfig(queued_s=5, processing_s=20)) as mock:
        mock.world.tenant(KEY).configure(error_report="json")
        stack = AirflowStack(home, ROOT / "dags", connections=connections(mock.url), port=arguments.port)
        print(f"The mock of Deepomatic listens on {mock.url}; Airflow starts ...", flush=True)
        with stack:
            print(f"Airflow:     {stack.url}  (no password)")
            print(f"Dag:         {DAG}, parameter work_orders: {folder}")
            print("Connection:  deepomatic_default, to the mock")
            print("Stop with Ctrl-C.", flush=True)
            try:
                signal.pause()
            except KeyboardInterrupt:
                print("Stopping ...", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
