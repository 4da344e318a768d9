"""One Dag run, its own customer of the mock, and what the mock's books say of it."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from support.airflow_stack import AirflowStack
from support.books import CHUNKS, CREATE, GET, Books
from support.orders import CHUNK
from support.outputs import filled
from visionbatch_mock import MockServer
from visionbatch_mock.tenant import Tenant

S = TypeVar("S", bound="Scene")

DAGS = Path(__file__).parent / "dags"
TASK = "send"
PROCESSING_S = 3.0
"""Time for the scheduler to hear that a task was deferred before its trigger fires."""

BLOCK = CHUNK // 4
TRANSFER = {"chunk_bytes": CHUNK, "block_bytes": BLOCK, "checkpoint_s": 0}


@dataclass(frozen=True)
class Row:
    """One line of the table at the end."""

    scenario: str
    tries: int
    generation: int
    processed: int
    committed: int
    empty: int
    resent_bytes: int
    wrong_cancels: int
    leaks: int


@dataclass
class Table:
    """What every scenario came to."""

    rows: list[Row] = field(default_factory=list)

    def markdown(self) -> str:
        head = [name.replace("_", " ") for name in Row.__dataclass_fields__]
        lines = [head, ["---"] * len(head), *([str(cell) for cell in vars(row).values()] for row in self.rows)]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


@dataclass(frozen=True)
class Props:
    """What every theatre plays with.

    :param source: folder of work orders that becomes ``archive``.
    """

    home: Path
    source: Path
    archive: bytes
    table: Table

    @property
    def plans(self) -> Path:
        """Where the plans of the kills lie."""
        folder = self.home / "plans"
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def settings(self) -> dict[str, str]:
        """What Airflow is told."""
        return {
            "CRASH_PLANS": str(self.plans),
            # A worker may be this late to notice that its task is deferred; if the task is resumed before that, the
            # scheduler takes it for lost.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        }


@dataclass
class Theatre:
    """Airflow, the mock, and the props; makes scenes."""

    stack: AirflowStack
    mock: MockServer
    props: Props
    _numbers: Iterable[int] = field(default_factory=lambda: count(1))

    @property
    def source(self) -> Path:
        return self.props.source

    @property
    def archive(self) -> bytes:
        return self.props.archive

    @property
    def plans(self) -> Path:
        return self.props.plans

    def scene(
        self,
        dag_id: str,
        name: str,
        *,
        plan: dict[str, Any] | None = None,
        source: Path | str | None = None,
        conf: dict[str, Any] | None = None,
        **behaviour: Any,
    ) -> Scene:
        """Start a run; its task is killed by ``plan``, and the mock behaves for it as told."""
        quick = {"queued_s": 0.2, "processing_s": PROCESSING_S, **behaviour}
        told = {"source": str(source or self.source), **(conf or {})}
        return self._begun(Scene, dag_id, name, plan, told, quick)

    def workspace_scene(
        self, dag_id: str, name: str, *, plan: dict[str, Any], source: Path | None = None, **behaviour: Any
    ) -> WorkspaceScene:
        """The same for a task that works on Roboflow; without a source there is a batch for it to work on."""
        quick = {"roboflow_processing_s": PROCESSING_S, **behaviour}
        told = {"source": str(source or "photos")}
        return self._begun(WorkspaceScene, dag_id, name, plan, told, quick, ready=filled)

    def _begun(
        self,
        kind: type[S],
        dag_id: str,
        name: str,
        plan: dict[str, Any] | None,
        told: dict[str, Any],
        behaviour: dict[str, Any],
        ready: Callable[[Tenant], object] = lambda _: None,
    ) -> S:
        run_id = f"{next(iter(self._numbers)):03}-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        tenant = self.mock.world.tenant(f"key-{run_id}-{secrets.token_hex(8)}")
        tenant.configure(**behaviour)
        ready(tenant)
        if plan is not None:
            (self.plans / f"{run_id}.json").write_text(json.dumps(plan))
        extra = {"upload_hosts": self.mock.url, "transfer": TRANSFER}
        self.stack.connect(
            run_id, conn_type=kind.conn_type, host=self.mock.url, password=tenant.token, extra=json.dumps(extra)
        )
        scene = kind(self, dag_id, run_id, name, tenant)
        self.stack.trigger(dag_id, {"connection": run_id, **told}, run_id=run_id)
        return scene


@dataclass
class Scene:
    """A Dag run with one task that sends one batch."""

    theatre: Theatre
    dag_id: str
    run_id: str
    name: str
    tenant: Tenant
    cleared: int = 0
    conn_type: ClassVar[str] = "deepomatic"

    @property
    def stack(self) -> AirflowStack:
        return self.theatre.stack

    @property
    def books(self) -> Books:
        return Books(self.tenant)

    def column(self, name: str) -> Any:
        query = f"select {name} from task_instance where dag_id = ? and run_id = ? and task_id = ?"
        found = self.stack.rows(query, self.dag_id, self.run_id, TASK)
        return found[0][0] if found else None

    @property
    def state(self) -> str:
        return str(self.column("state"))

    @property
    def run_state(self) -> str:
        return str(self.stack.rows("select state from dag_run where run_id = ?", self.run_id)[0][0])

    @property
    def is_going_on(self) -> bool:
        return self.run_state in ("queued", "running")

    @property
    def tries(self) -> int:
        return int(self.column("try_number"))

    @property
    def record(self) -> dict[str, Any]:
        query = "select value from task_state_store where dag_id = ? and run_id = ? and key = 'visionbatch_run'"
        found = self.stack.rows(query, self.dag_id, self.run_id)
        if not found:
            return {}
        value = found[0][0]
        return dict(json.loads(value) if isinstance(value, str) else value)

    @property
    def generation(self) -> int:
        return int(self.record.get("generation", 0))

    @property
    def is_killed(self) -> bool:
        return (self.theatre.plans / f"{self.run_id}.done").exists()

    @property
    def log(self) -> str:
        """All tries and triggers together."""
        folder = self.stack.home / "task-logs" / f"dag_id={self.dag_id}" / f"run_id={self.run_id}"
        return "\n".join(path.read_text(errors="replace") for path in sorted(folder.rglob("*.log*")))

    def wait(self, condition: Callable[[], Any], what: str, timeout: float = 120.0) -> Any:
        try:
            return self.stack.wait_for(condition, f"{self.name}: {what}", timeout)
        except Exception as error:
            error.add_note(f"state {self.state}, record {self.record}\n{self.log[-6000:]}")
            raise

    def wait_state(self, state: str, *, tries: int | None = None, timeout: float = 120.0) -> None:
        def there() -> bool:
            seen = self.state
            # Nothing comes after the end of a run, except what a test does to it.
            assert state == "failed" or seen != "failed" or self.is_going_on, "the task has failed"
            return seen == state and (tries is None or self.tries == tries)

        self.wait(there, f"the task to be {state} in try {tries or 'any'}", timeout)

    def wait_watching(self) -> None:
        """Wait until the archive has arrived and the running task looks at its batch."""
        self.wait(lambda: self.books.effects("archive.committed"), "the archive to arrive")
        self.wait_looks()

    def wait_looks(self, more: int = 3) -> None:
        seen = len(self.books.requests(GET))
        self.wait(lambda: len(self.books.requests(GET)) >= seen + more, "the batch to be looked at")

    def wait_watched(self, *, tries: int | None = None) -> None:
        """Wait until the task is deferred and a triggerer looks at its batch."""
        self.wait_state("deferred", tries=tries)
        self.wait_looks(1)

    def wait_bytes(self, count: int) -> None:
        """Wait until the service has that many bytes."""
        self.wait(lambda: self.persisted >= count, f"{count} bytes to arrive")

    def wait_left_alone(self, times: int = 1) -> None:
        """Wait until that many triggers were told of a kill and did nothing."""
        self.wait(lambda: self.log.count("is left alone") >= times, "a trigger to leave the batch alone", 60)

    def throttle(self, kib_per_s: int, chunks: int = 20) -> None:
        """Let the service take its time over each of the next chunks."""
        self.tenant.faults.plan({"instructions": {CHUNKS: [f"throttle-{kib_per_s}Kps"] * chunks}})

    def full_speed(self) -> None:
        self.tenant.faults.clear()

    def clear(self, *task_ids: str) -> None:
        """Clear the task; after its end only when the run has ended as well, or Airflow may overlook the clearing."""
        if self.state in ("success", "failed"):
            self.wait(lambda: not self.is_going_on, "the run to end")
        self.stack.clear(self.dag_id, self.run_id, *(task_ids or (TASK,)))
        self.cleared += 1

    def release(self) -> None:
        """Let the service get on with batches that it was told to hold."""
        self.tenant.configure(lifecycle="time")

    @property
    def persisted(self) -> int:
        return sum(entry["stop"] - entry["start"] for entry in self.books.effects("bytes.persisted"))

    @property
    def deleted(self) -> list[str]:
        return [str(entry["batch_id"]) for entry in self.books.effects("batch.deleted")]

    def row(self, *, ended_by_person: bool = False, by_test: int = 0) -> Row:
        """What the books say now.

        :param ended_by_person: whether the batch was to be deleted; otherwise no deletion is right.
        :param by_test: batches that the test itself has deleted.
        """
        made = {entry["batch_id"] for entry in self.books.effects("batch.created")}
        filled = {entry["batch_id"] for entry in self.books.effects("bytes.persisted")}
        deleted = set(self.deleted)
        row = Row(
            scenario=self.name,
            tries=self.tries,
            generation=self.generation,
            processed=len(self.books.effects("batch.processed")),
            committed=len(self.books.effects("archive.committed")),
            empty=len(made - filled - deleted),
            resent_bytes=self.books.sent_bytes - self.persisted,
            wrong_cancels=0 if ended_by_person else len(deleted) - by_test,
            leaks=len(made - deleted) if ended_by_person else 0,
        )
        self.theatre.props.table.rows.append(row)
        return row

    def processed_once(self, *, empty: int = 0, resent: int = CHUNK, tries: int | None = None) -> Row:
        """The batch was processed once and completely, whatever happened on the way."""
        self.books.processed_once(self.theatre.archive)
        row = self.row()
        assert (row.processed, row.committed, row.wrong_cancels) == (1, 1, 0)
        assert row.empty <= empty
        assert row.resent_bytes <= resent
        assert len(self.books.requests(CREATE)) == 1 + row.empty
        assert tries is None or row.tries == tries
        return row


class WorkspaceScene(Scene):
    """A Dag run with one task that works on Roboflow."""

    conn_type = "roboflow"

    def came_through(self) -> None:
        """Wait until the task, which was killed once, has succeeded in its second try."""
        self.wait_state("success", tries=2, timeout=180)
        assert self.is_killed

    def entries(self, effect: str) -> list[Any]:
        return self.books.effects(f"roboflow.{effect}")
