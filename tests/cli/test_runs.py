"""The records of runs: listed, shown, adopted, cancelled, pruned."""

from __future__ import annotations

import os
import time

from support.orders import photo
from visionbatch.errors import ExitCode
from visionbatch.io.run_files import FileRunStore
from visionbatch.model.run import RunRecord, Stage


def test_runs_are_listed_shown_cancelled_and_pruned(vb, orders, books, tenant, state):
    tenant.configure(lifecycle="manual")
    batch = vb("--json", "deepomatic", "submit", orders, "--run-id", "first").json["batch_id"]
    tenant.configure(lifecycle="time")
    vb("deepomatic", "run", orders, "--run-id", "second")
    listed = vb("--json", "runs", "list").json["runs"]
    assert [run["key"] for run in listed] == ["deepomatic second", "deepomatic first"]
    assert [run["stage"] for run in listed] == ["ended", "uploaded"]
    assert vb("--json", "runs", "show", "first").json["ref"] == batch
    assert batch in vb("runs", "show", listed[1]["name"][:8]).out
    assert vb("runs", "show", "third").code == ExitCode.USAGE
    assert vb("runs", "cancel", "first").code == 0
    assert [entry["batch_id"] for entry in books.effects("batch.deleted")] == [batch]
    for path in state.glob("*.json"):
        os.utime(path, (time.time() - 40 * 86400,) * 2)
    assert vb("--json", "runs", "prune").json["pruned"] == 1
    assert [run["key"] for run in vb("--json", "runs", "list").json["runs"]] == ["deepomatic first"]


def test_a_run_goes_on_elsewhere_from_a_record_that_both_can_reach(vb, orders, books, tenant, tmp_path):
    record = f"file://{tmp_path}/shared/run.json"
    tenant.configure(lifecycle="manual")
    here = ("--state-dir", tmp_path / "here", "deepomatic", "submit", orders, "--run-record", record)
    batch = vb("--json", *here).json["batch_id"]
    tenant.configure(lifecycle="time")
    there = vb("--json", "--state-dir", tmp_path / "there", "deepomatic", "run", orders, "--run-record", record)
    assert (there.code, there.json["batch_id"]) == (0, batch)
    adopted = vb("--json", "--state-dir", tmp_path / "third", "runs", "adopt", record, "--run-id", "nightly")
    assert adopted.json["adopted"] == batch
    again = vb("--json", "--state-dir", tmp_path / "third", "deepomatic", "run", orders, "--run-id", "nightly")
    assert (again.json["batch_id"], again.json["already_done"]) == (batch, True)
    assert len(books.effects("archive.committed")) == 1


def test_a_batch_that_was_half_filled_elsewhere_is_filled_on_under_a_name_of_its_own(vb, books, mock, tenant, tmp_path):
    photos, record = tmp_path / "photos", f"file://{tmp_path}/shared/stage.json"
    photos.mkdir()
    for number in range(3):
        (photos / f"{number}.jpg").write_bytes(photo(number, 16))
    given = {"VISIONBATCH_ROBOFLOW_URL": mock.url, "VISIONBATCH_ROBOFLOW_HOSTS": mock.url}
    given["VISIONBATCH_ROBOFLOW_API_KEY"] = tenant.token
    tenant.faults.plan({"instructions": {"roboflow.images.upload": ["pass", "return-403"]}})
    stage = ("roboflow", "stage", photos, "--kind", "single", "--parallel", 1)
    there = vb("--json", "--state-dir", tmp_path / "there", *stage, "--run-record", record, **given)
    assert there.code == ExitCode.NOT_AUTHORIZED, there.err
    here = ("--json", "--state-dir", tmp_path / "here")
    refused = vb(*here, "runs", "adopt", record, "--run-id", "night", "--service", "deepomatic")
    assert (refused.code, "one of roboflow" in refused.json["what"]) == (ExitCode.USAGE, True)
    batch = vb(*here, "runs", "adopt", record, "--run-id", "night").json["adopted"]
    done = vb(*here, *stage, "--run-id", "night", **given)
    assert (done.code, done.json["batch_id"], done.json["expected"]) == (0, batch, 3)
    assert [run["key"] for run in vb(*here, "runs", "list").json["runs"]] == ["roboflow stage night"]
    assert sorted(entry["name"] for entry in books.effects("roboflow.image_stored")) == ["0.jpg", "1.jpg", "2.jpg"]


def test_a_run_that_somebody_works_on_is_neither_forgotten_nor_pruned(vb, state):
    store = FileRunStore(state, "deepomatic nightly")
    with store.locked():
        store.save(RunRecord("deepomatic", "f" * 64, stage=Stage.ENDED))
        os.utime(store.path, (0, 0))
        assert vb("runs", "forget", "nightly").code == ExitCode.BUSY
        assert vb("--json", "runs", "prune").json["pruned"] == 0
        assert store.load() is not None
    assert vb("--json", "runs", "prune").json["pruned"] == 1


def test_a_lock_outlives_the_record_that_it_is_for(vb, state):
    store = FileRunStore(state, "deepomatic nightly")
    with store.locked():
        store.save(RunRecord("deepomatic", "f" * 64, stage=Stage.ENDED))
    os.utime(store.path, (0, 0))
    lock = store.path.with_suffix(".lock").stat().st_ino
    assert vb("--json", "runs", "prune").json["pruned"] == 1
    assert store.path.with_suffix(".lock").stat().st_ino == lock
