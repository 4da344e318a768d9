"""What ``make demo CHAOS=1`` does to its own batch, told as it happens.

The mock's ledger tells the end: it is written by the service that was lied to, not by the client that was hurt.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from tests.support.airflow_stack import AirflowStack

from visionbatch_mock.tenant import Tenant

DAG = "deepomatic_chaos"
DAGS = Path(__file__).parent / "dags"
CHUNK = 262_144
TRANSFER = {"chunk_bytes": CHUNK, "block_bytes": CHUNK // 4, "checkpoint_s": 0}
"""Small steps, noted each, so that there is a middle to be killed in."""

SLOWLY = 512
"""KiB a second that the service takes while it is to be seen."""

KILLED_AFTER = 3 * CHUNK
REFUSALS = 4
STANDSTILL_S = 8.0
PATIENCE_S = 120.0


class Chaos:
    """One run of the Dag, and what befalls it."""

    def __init__(self, airflow: AirflowStack, tenant: Tenant) -> None:
        self._airflow = airflow
        self._tenant = tenant
        self._run_id = ""
        self._began = time.monotonic()

    def run(self, source: Path, reports: Path) -> dict[str, Any]:
        """Let everything happen to one batch, and give its manifest.

        :raises SystemExit: when it did not end as it has to.
        """
        self._tenant.faults.plan({"instructions": {"storage.sessions.chunk": [f"throttle-{SLOWLY}Kps"] * 200}})
        self._run_id = self._airflow.trigger(DAG, {"work_orders": str(source), "reports": str(reports)})
        self._began = time.monotonic()
        self._say(f"The Dag {DAG} runs on {self._airflow.url}; its worker sends the archive, slowly enough to watch.")
        self._kill_the_worker()
        self._refuse_for_a_while()
        self._pause_the_triggerer()
        state = self._airflow.wait_run(DAG, self._run_id, 300)
        if state != "success":
            print(self._airflow.task_log(DAG, self._run_id, "run_batch", self._tries()))
            raise SystemExit(f"the Dag run ended as {state}")
        self._say(f"The task has ended well, in try {self._tries()}.")
        manifest: dict[str, Any] = self._airflow.xcom(DAG, self._run_id, "run_batch")
        return manifest

    def tell_the_ledger(self) -> None:
        """Print what the service did, and require that it did it once.

        :raises SystemExit: when a batch was made or processed twice.
        """
        ledger = self._tenant.ledger
        print("   the ledger of the service:")
        for effect in ("batch.created", "session.opened", "archive.committed", "batch.processed", "batch.deleted"):
            print(f"      {effect:<18} {len(ledger.entries(effect))}")
        stored, sent = self._stored(), sum(entry.received for entry in self._chunks())
        print(f"   stored     {stored} bytes, none of them twice")
        print(f"   sent       {sent} bytes, so {sent - stored} were sent again ({(sent - stored) / CHUNK:.1f} chunks)")
        once = [len(ledger.entries(effect)) for effect in ("batch.created", "archive.committed", "batch.processed")]
        size = sum(entry["size"] for entry in ledger.entries("archive.committed"))
        if once != [1, 1, 1] or stored != size or ledger.entries("batch.deleted"):
            raise SystemExit("that is not one processed batch")

    def _kill_the_worker(self) -> None:
        self._wait(lambda: self._stored() >= KILLED_AFTER, "some of the archive to arrive")
        pid = int(self._column("pid"))
        os.kill(pid, signal.SIGKILL)
        # The plan of throttling goes with it; what is refused comes before what is slow.
        self._tenant.faults.clear()
        self._tenant.faults.plan({"instructions": {"storage.sessions.probe": ["return-503"] * REFUSALS}})
        self._say(f"KILLED the worker's process {pid} with SIGKILL; the service has {self._stored()} bytes.")

    def _refuse_for_a_while(self) -> None:
        self._wait(lambda: self._tries() > 1, "the next try")
        self._say("Airflow has begun the next try, in another process; it reads the run record and asks how far it is.")
        for number in range(1, REFUSALS + 1):
            self._wait(lambda number=number: self._refused() >= number, "the session to be asked")
            self._say(f"REFUSED: the session answers 503 ({number} of {REFUSALS}); the upload waits and asks again.")
        self._wait(lambda: self._tenant.ledger.entries("archive.committed"), "the archive to arrive")
        self._say("The upload has gone on in the middle of the archive, and all of it has arrived.")

    def _pause_the_triggerer(self) -> None:
        self._wait(lambda: self._column("state") == "deferred", "the task to be deferred")
        group = self._airflow.pid("triggerer")
        self._wait(lambda: self._halted(group), "the triggerer to stand still")
        self._say("STOPPED the triggerer with SIGSTOP: nobody looks at the batch now, and the service goes on.")
        try:
            self._wait(lambda: self._tenant.ledger.entries("batch.processed"), "the batch to be processed")
            self._say(f"The batch is processed, and nobody knows; the triggerer stands for {STANDSTILL_S:.0f} s more.")
            time.sleep(STANDSTILL_S)
        finally:
            os.killpg(group, signal.SIGCONT)
        self._say("CONTINUED the triggerer with SIGCONT.")

    def _halted(self, group: int) -> bool:
        """Stop it; one that stands still in the middle of a transaction would stop everybody else, too."""
        os.killpg(group, signal.SIGSTOP)
        if self._airflow.is_writable():
            return True
        os.killpg(group, signal.SIGCONT)
        return False

    def _wait(self, condition: Any, what: str) -> None:
        self._airflow.wait_for(condition, what, PATIENCE_S, every=0.05)

    def _column(self, name: str) -> Any:
        query = f"select {name} from task_instance where dag_id = ? and run_id = ?"
        found = self._airflow.rows(query, DAG, self._run_id)
        return found[0][0] if found else None

    def _tries(self) -> int:
        return int(self._column("try_number") or 0)

    def _chunks(self) -> list[Any]:
        return self._tenant.journal.entries("storage.sessions.chunk")

    def _refused(self) -> int:
        return sum(entry.status == 503 for entry in self._tenant.journal.entries("storage.sessions.probe"))

    def _stored(self) -> int:
        return sum(entry["stop"] - entry["start"] for entry in self._tenant.ledger.entries("bytes.persisted"))

    def _say(self, line: str) -> None:
        print(f"   {time.monotonic() - self._began:5.1f} s  {line}", flush=True)
