"""Running one task in this process: through ``dag.test()``, or by calling the operator with a context of paper.

Nothing here imports Airflow before it is called, for importing it settles where its home is.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from support.features import Feature
from support.moved import dag_bag, serialized_dag

RECORD_KEY = "visionbatch_run"
TASK = "task"

_numbers = count(1)


@dataclass
class TaskRun:
    """What became of one task, read from the metadata database.

    :param errors: exceptions that ended its tries, in order.
    :param records: folder of run records, where Airflow keeps none itself.
    """

    home: Path
    dag_id: str
    records: Path | None = None
    errors: list[BaseException] = field(default_factory=list)

    @property
    def state(self) -> str:
        return str(self._one("state"))

    @property
    def tries(self) -> int:
        return int(self._one("try_number"))

    @property
    def error(self) -> BaseException:
        """The one exception there was."""
        (error,) = self.errors
        return error

    @property
    def reason(self) -> BaseException:
        """Our own error, also where Airflow was given another in its place so that it does not retry."""
        error = self.error
        return error.__cause__ or error if type(error).__name__ == "AirflowFailException" else error

    @property
    def xcoms(self) -> dict[str, Any]:
        query = f"select key, value from xcom where dag_id = ? and task_id = '{TASK}'"
        return {key: json.loads(value) for key, value in self.rows(query)}

    @property
    def result(self) -> Any:
        return self.xcoms.get("return_value")

    @property
    def record(self) -> dict[str, Any] | None:
        """The run record in Airflow's task state, or in the `records` folder where Airflow has none."""
        if not Feature.TASK_STATE.is_there:
            found = list(self.records.glob(f"{self.dag_id}.*.json")) if self.records else []
            return json.loads(found[0].read_text()) if found else None
        states = dict(self.rows("select key, value from task_state_store where dag_id = ?"))
        return json.loads(states[RECORD_KEY]) if RECORD_KEY in states else None

    @property
    def rendered(self) -> dict[str, Any]:
        """The template fields as the UI shows them."""
        ((fields,),) = self.rows("select rendered_fields from rendered_task_instance_fields where dag_id = ?")
        return dict(json.loads(fields))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with database(self.home) as connection:
            return connection.execute(query, (self.dag_id,)).fetchall()

    def _one(self, column: str) -> Any:
        ((value,),) = self.rows(f"select {column} from task_instance where dag_id = ? and task_id = '{TASK}'")
        return value


@dataclass
class DagRun:
    """What became of the tasks of a Dag that ran once."""

    home: Path
    dag_id: str

    @property
    def states(self) -> dict[tuple[str, int], str]:
        """By task id and map index, which is -1 where nothing is mapped."""
        found = self._rows("select task_id, map_index, state from task_instance where dag_id = ?")
        return {(task, index): str(state) for task, index, state in found}

    def results(self, task_id: str) -> list[Any]:
        """What a task returned, in order of its map indexes."""
        query = "select value from xcom where dag_id = ? and task_id = ? and key = 'return_value' order by map_index"
        return [json.loads(value) for (value,) in self._rows(query, task_id)]

    def _rows(self, query: str, *arguments: str) -> list[tuple[Any, ...]]:
        with database(self.home) as connection:
            return connection.execute(query, (self.dag_id, *arguments)).fetchall()


class InProcessAirflow:
    """One Airflow home for the process; its database is migrated and its settings are in the environment."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def run(
        self,
        operator: Any,
        *,
        params: Mapping[str, Any] | None = None,
        conf: Mapping[str, Any] | None = None,
        upstream: Callable[[], Mapping[str, Any]] = dict,
        **arguments: Any,
    ) -> TaskRun:
        """Run a Dag of one task with ``dag.test()``; the task is tried once unless ``retries`` says otherwise.

        :param operator: its class.
        :param params: parameters of the Dag, for templates.
        :param upstream: makes tasks before it, and gives further arguments.
        """
        from airflow.sdk import DAG  # noqa: PLC0415

        folder = str(arguments.get("state_path") or "").removeprefix("file://")
        run = TaskRun(self.home, f"dag_{next(_numbers)}", records=Path(folder) if folder.startswith("/") else None)

        def ended(context: Any) -> None:
            if Feature.RETRY_POLICY.is_there:
                run.errors.append(context["exception"])

        with DAG(run.dag_id, schedule=None, params=dict(params or {})) as dag:
            (operator if Feature.RETRY_POLICY.is_there else _telling(operator, run.errors))(
                **{
                    "task_id": TASK,
                    "retries": 0,
                    "retry_delay": timedelta(0),
                    "on_failure_callback": ended,
                    "on_retry_callback": ended,
                    "on_skipped_callback": ended,
                    **arguments,
                    **upstream(),
                }
            )
        _write_down(dag)
        dag.test(run_conf=dict(conf or {}))
        return run

    def run_shipped(self, file: Path, dag_id: str, conf: Mapping[str, Any]) -> DagRun:
        """Run a Dag of a file with ``dag.test()``; ``conf`` takes the place of its parameters."""
        bag = dag_bag()(dag_folder=file)
        assert not bag.import_errors
        dag = bag.dags[dag_id]
        _write_down(dag)
        dag.test(run_conf=dict(conf))
        return DagRun(self.home, dag_id)


def _telling(operator: Any, errors: list[BaseException]) -> Any:
    """The operator under its own name, which tells of the errors itself: older versions keep some from callbacks."""
    from airflow.exceptions import AirflowRescheduleException, AirflowSkipException  # noqa: PLC0415

    def told(method: str) -> Callable[..., Any]:
        def call(self: Any, *arguments: Any, **named: Any) -> Any:
            try:
                return getattr(operator, method)(self, *arguments, **named)
            except (AirflowRescheduleException, AirflowSkipException):
                raise
            except Exception as error:
                errors.append(error)
                raise

        return call

    return type(operator.__name__, (operator,), {name: told(name) for name in ("execute", "execute_complete")})


def is_small_json(value: Any) -> bool:
    """Whether a value may travel through Airflow's database as it is: JSON primitives, below 4 KB."""
    return json.loads(json.dumps(value, allow_nan=False)) == value and len(json.dumps(value).encode()) < 4096


def when_started(begin: Callable[[], Any]) -> Callable[[], Any]:
    """Begin the Execution API in this process, wait for its start, and keep it.

    Airflow before 3.3 does not wait, and what nobody keeps shuts down in the middle of its work.
    """
    kept = []

    def begun() -> Any:
        api = begin()
        assert api.transport, "this is what starts it"
        gate, until = threading.Event(), time.monotonic() + 60
        while not hasattr(api.app.state, "svcs_registry") and time.monotonic() < until:
            gate.wait(0.005)
        kept.append(api)
        return api

    return begun


def _write_down(dag: Any) -> None:
    """Put a Dag without a file into the database, as the Dag processor does with those that have one."""
    from airflow.models.dagbundle import DagBundleModel  # noqa: PLC0415
    from airflow.models.serialized_dag import SerializedDagModel  # noqa: PLC0415
    from airflow.serialization.serialized_objects import LazyDeserializedDAG  # noqa: PLC0415
    from airflow.utils.session import create_session  # noqa: PLC0415

    with create_session() as session:
        session.merge(DagBundleModel(name="testing"))
        session.flush()
        kept = LazyDeserializedDAG.from_dag(dag)
        serialized_dag().bulk_write_to_db("testing", None, [kept], session=session)
        SerializedDagModel.write_dag(kept, bundle_name="testing", session=session)


@contextmanager
def database(home: Path) -> Iterator[sqlite3.Connection]:
    """The metadata database, to read."""
    connection = sqlite3.connect(f"file:{home / 'airflow.db'}?mode=ro", uri=True, timeout=30)
    try:
        yield connection
    finally:
        connection.close()


class PaperTi:
    """What an operator wants of a task instance, written down in a dictionary.

    :param run_id: of the Dag run that this is a later try in; without, each stands for a run of its own.
    """

    dag_id, task_id, map_index = "paper_dag", TASK, -1
    task = None

    def __init__(
        self,
        *,
        try_number: int = 1,
        max_tries: int = 0,
        started_s_ago: float = 0.0,
        rescheduled_s_ago: float | None = None,
        run_id: str | None = None,
    ) -> None:
        self.run_id = run_id or f"paper_run_{next(_numbers)}"
        self.try_number = try_number
        self.max_tries = max_tries
        now = datetime.now(UTC)
        self.start_date = now - timedelta(seconds=started_s_ago)
        self.pushed: dict[str, Any] = {}
        self._first_reschedule = None if rescheduled_s_ago is None else now - timedelta(seconds=rescheduled_s_ago)

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value

    def get_first_reschedule_date(self, context: Any) -> datetime | None:
        return self._first_reschedule


class PaperState(dict[str, Any]):
    """Airflow's task state as a dictionary of JSON texts."""

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self[key]) if key in self else default

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self.pop(key, None)


def paper_context(ti: PaperTi | None = None) -> dict[str, Any]:
    """A context for calling an operator's methods without any Airflow behind it, with what this Airflow would give."""
    state = {"task_state_store": PaperState()} if Feature.TASK_STATE.is_there else {}
    return {"ti": ti or PaperTi(), **state}


class Records:
    """Where run records outlive a try: Airflow's task state, or a folder where it has none.

    :param arguments: what an operator has to be told.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.arguments = {} if Feature.TASK_STATE.is_there else {"state_path": f"file://{folder}"}

    def read(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """The record of a task that ran on paper."""
        if "task_state_store" in context:
            return dict(context["task_state_store"].get(RECORD_KEY))
        return dict(json.loads(self._file(context).read_text()))

    def write(self, context: Mapping[str, Any], record: Mapping[str, Any]) -> None:
        """Put another record in its place."""
        if "task_state_store" in context:
            context["task_state_store"].set(RECORD_KEY, record)
        else:
            self._file(context).write_text(json.dumps(record))

    def _file(self, context: Mapping[str, Any]) -> Path:
        (file,) = self.folder.glob(f"*.{context['ti'].run_id}.*.json")
        return file
