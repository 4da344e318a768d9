"""`RoboflowFetchResultsOperator`: what arrives in the folder, and what the task says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.airflow_runs import TaskRun, paper_context
from support.arguments import documented, own_arguments, said_to_be_templated
from support.outputs import Outputs
from support.tars import of_files, packed
from visionbatch_mock.roboflow.lifecycle import JobState

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow")]

ROWS = b'{"image": "a.jpg", "count": 1}\n{"image": "b.jpg", "count": 2}\n'
GET = "roboflow.files.get"
BATCH = "j-1-export"


@pytest.fixture
def operator() -> Any:
    from airflow_visionbatch.operators.roboflow_results import RoboflowFetchResultsOperator  # noqa: PLC0415

    return RoboflowFetchResultsOperator


@pytest.fixture
def outputs(tenant) -> Outputs:
    made = Outputs(tenant)
    made.batch(BATCH, {"results": [("r_0.tar.gz", packed(of_files({"rows.jsonl": ROWS}))), ("log.txt", b"a log")]})
    return made


@pytest.fixture
def on_paper(operator, workspace, outputs, tmp_path):
    def make(**given: Any) -> Any:
        wanted = {} if "job" in given else {"batches": [BATCH]}
        return operator(**{"task_id": "task", "destination": str(tmp_path / "out"), **wanted, **given})

    return make


@pytest.fixture
def run_fetch(airflow, operator, workspace, outputs, tmp_path):
    def run(**given: Any) -> TaskRun:
        return airflow.run(operator, **{"destination": str(tmp_path / "out"), "batches": BATCH, **given})

    return run


def test_what_has_arrived_before_a_break_is_not_fetched_again(run_fetch, tenant, tmp_path):
    plan = tenant.faults.plan({"instructions": {GET: ["pass", "return-503"]}})
    run = run_fetch(retries=1, download={"connections": 1, "attempts": 1})
    assert plan.completed
    assert (run.state, run.tries) == ("success", 2)
    assert len(tenant.journal.entries(GET)) == 3
    value = run.result
    assert (value["outcome"], value["counts"]["files"], value["counts"]["members"]) == ("done", 2, 1)
    assert (tmp_path / "out" / BATCH / "results" / "r_0" / "rows.jsonl").read_bytes() == ROWS
    assert value == run.xcoms["manifest"]
    assert len(json.dumps(value)) < 4096


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"job": "j", "batches": ["b"]}, "a job or batches"),
        ({"job": {"outcome": "done"}}, "names no job"),
        ({"on_bad_member": "ignore"}, "fail or skip"),
        ({"table": {"colums": 3}}, "colums"),
        ({"budget": {"bytes": 3}}, "budget has unknown keys"),
        ({"download": {"speed": 3}}, "download has unknown keys"),
    ],
)
def test_what_cannot_be_is_named_before_anything_is_asked(on_paper, tenant, wrong, named):
    with pytest.raises(Exception, match=named):
        on_paper(**wrong).execute(paper_context())
    assert not tenant.journal.entries()


def below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


class Effects:
    """What each argument changes, seen in the folder or in what comes out."""

    def destination(self, run, tmp_path, outputs):
        assert run(destination=str(tmp_path / "there"))["folder"] == str(tmp_path / "there")

    def job(self, run, tmp_path, outputs):
        outputs.job("j-2")
        value = run(job={"batch_id": "j-2", "outcome": "done"})
        assert (value["job_id"], value["outcome"]) == ("j-2", "done")

    def batches(self, run, tmp_path, outputs):
        outputs.batch("j-3-export", {"results": [("log.txt", b"another")]})
        assert run(batches=[BATCH, {"batch_id": "j-3-export"}])["batches"] == [BATCH, "j-3-export"]

    def stage(self, run, tmp_path, outputs):
        outputs.job("j-2")
        assert run(job="j-2", stage="processing")["counts"]["archives"] == 0

    def table(self, run, tmp_path, outputs):
        assert run(table=True)["table"]["rows"] == 2
        told = run(destination=str(tmp_path / "other"), table={"patterns": ["*.txt"]})["table"]
        assert (told["rows"], told["quarantined"]) == (0, 1)

    def unpack(self, run, tmp_path, outputs):
        assert run(unpack=False)["counts"]["members"] == 0

    def keep_archives(self, run, tmp_path, outputs):
        run(keep_archives=True)
        assert f"{BATCH}/results/r_0.tar.gz" in below(tmp_path / "out")

    def on_bad_member(self, run, tmp_path, outputs):
        outputs.batch("bad", {"results": [("bad.tar", of_files({"../out.txt": b"x", "in.txt": b"x"}))]})
        with pytest.raises(Exception, match=r"out\.txt"):
            run(batches="bad")
        assert run(batches="bad", on_bad_member="skip")["outcome"] == "partial"

    def budget(self, run, tmp_path, outputs):
        with pytest.raises(Exception, match="r_0"):
            run(budget={"total_bytes": 10})

    def download(self, run, tmp_path, outputs):
        with pytest.raises(Exception, match="connections"):
            run(download={"connections": 0})

    def destination_conn_id(self, run, tmp_path, outputs):
        import fsspec  # noqa: PLC0415
        from airflow.sdk.io import attach  # noqa: PLC0415

        shelf = fsspec.filesystem("dir", path=str(tmp_path), target_protocol="file")
        attach("memory", conn_id="results_shelf", fs=shelf)
        run(destination="memory://results", destination_conn_id="results_shelf")
        assert f"{BATCH}/results/r_0/rows.jsonl" in below(tmp_path / "results")

    def roboflow_conn_id(self, run, tmp_path, outputs):
        with pytest.raises(Exception, match="another_workspace"):
            run(roboflow_conn_id="another_workspace")


EFFECTS = sorted(name for name in vars(Effects) if not name.startswith("_"))


@pytest.mark.parametrize("argument", EFFECTS)
def test_every_argument_reaches_its_effect(on_paper, tmp_path, outputs, argument):
    def run(**given: Any) -> Any:
        return on_paper(**given).execute(paper_context())

    getattr(Effects(), argument)(run, tmp_path, outputs)


def test_a_job_that_still_runs_has_no_results_yet(on_paper, outputs):
    outputs.job("j-2", until=JobState.PROCESSING)
    with pytest.raises(Exception, match="j-2"):
        on_paper(job="j-2").execute(paper_context())


def test_every_argument_is_documented_and_tested_and_said_to_be_templated(operator):
    assert set(documented(operator)) == own_arguments(operator) == set(EFFECTS)
    assert said_to_be_templated(operator) == set(operator.template_fields)
