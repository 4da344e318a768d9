"""``visionbatch roboflow stage`` and ``ready`` as processes, as a scheduler starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.orders import photo
from support.patience import wait_until
from visionbatch_mock import MockServer

WHOSE = "roboflow.workspace.get"
"""The look-up that tells whose run it is, where only the key does."""


@pytest.fixture
def command(mock: MockServer, workspace: Any, tmp_path: Path) -> Callable[..., tuple[int, Any]]:
    """Runs it against this test's workspace; gives exit code and JSON."""
    workspace.tenant.clock.run()

    def run(*arguments: str | Path, before: tuple[str, ...] = ()) -> tuple[int, Any]:
        environment = {
            **os.environ,
            "VISIONBATCH_ROBOFLOW_API_KEY": workspace.tenant.token,
            "XDG_STATE_HOME": str(tmp_path / "state"),
        }
        group = ["--json", "roboflow", "--url", mock.url, "--store-host", mock.url]
        line = [*before, str(Path(sys.executable).parent / "visionbatch"), *group, *map(str, arguments)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=90, check=False, env=environment)
        assert workspace.tenant.token not in done.stdout + done.stderr
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr

    return run


def test_a_folder_is_staged_and_waited_for_until_all_of_it_is_indexed(
    command: Any, workspace: Any, photos: Callable[..., Path], tmp_path: Path
) -> None:
    workspace.tenant.configure(roboflow_indexing_s=2.0)
    out = ("--report-dir", tmp_path / "out")
    code, told = command("stage", photos(50), "--batch-id", "cli", "--images-per-shard", "20", *out)
    assert (code, told["kind"], told["expected"], told["parts"]) == (0, "shards", 50, 3)
    assert {**json.loads((tmp_path / "out" / "cli.stage.json").read_text()), "exit": told["exit"]} == told

    code, state = command("ready", "cli", "--expected", "50", "--timeout", "60")

    assert (code, state["phase"]) == (0, "succeeded")
    assert workspace.names("cli")[-1] == "0049.jpg"
    assert workspace.requests("roboflow.batches.count")
    assert not workspace.requests("roboflow.jobs.create")


def test_the_same_command_again_sends_nothing(command: Any, workspace: Any, photos: Callable[..., Path]) -> None:
    place = photos(40)
    first, again = command("stage", place, "--batch-id", "twice"), command("stage", place, "--batch-id", "twice")

    assert first[0] == again[0] == 0
    assert len(workspace.effects("shard_stored")) == 1


def test_videos_and_references_are_staged_too(command: Any, workspace: Any, tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a.mp4").write_bytes(os.urandom(300_000))
    (tmp_path / "films" / "b.mp4").write_bytes(os.urandom(1_300_000))
    code, told = command("stage", tmp_path / "films", "--media", "videos", "--batch-id", "films")
    assert (code, told["kind"], told["expected"]) == (0, "videos", 2)
    assert sorted(entry["size"] for entry in workspace.effects("video_stored")) == [300_000, 1_300_000]

    line = {"name": "a.jpg", "url": "https://photos.s3.amazonaws.com/a.jpg?X-Amz-Signature=1"}
    (tmp_path / "list.jsonl").write_text(json.dumps(line))
    code, told = command("stage", tmp_path / "list.jsonl", "--batch-id", "listed", "--wait", "--timeout", "60")
    assert (code, told["kind"], told["expected"]) == (0, "image-references", 1)


def test_a_refused_folder_has_the_exit_code_of_a_bad_input(command: Any, workspace: Any, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.jpg").write_bytes(b"no photo")
    (tmp_path / "bad" / "b.jpg").write_bytes(photo(1, 60))

    code, told = command("stage", tmp_path / "bad")

    assert (code, told["error"]) == (3, "InvalidInput")
    assert [entry.operation for entry in workspace.requests()] == [WHOSE] * len(workspace.requests())


def test_without_room_for_the_record_nothing_is_sent(
    command: Any, workspace: Any, photos: Callable[..., Path], tmp_path: Path
) -> None:
    full = ("bash", "-c", 'ulimit -f 0; exec "$@"', "full")

    code, told = command("stage", photos(40), "--batch-id", "full", before=full)

    assert (code, told["error"]) == (5, "NoRoom")
    assert str(tmp_path / "state") in json.dumps(told)
    assert "--state-dir" in json.dumps(told)
    assert not workspace.effects("batch_made")


def test_half_a_batch_is_seen_as_such_and_said(
    command: Any, workspace: Any, photos: Callable[..., Path], tmp_path: Path
) -> None:
    place = photos(41)
    # Taken for an image by its first bytes, and turned away by whoever looks further.
    workspace.tenant.configure(roboflow_max_image_bytes=max(path.stat().st_size for path in place.iterdir()) + 9)
    (place / "9999.jpg").write_bytes(photo(9999, 60) + bytes(60_000))

    code, told = command("stage", place, "--batch-id", "half", "--kind", "shards", "--wait", "--timeout", "60")
    again = command("ready", "half", "--expected", "42", "--shards", "1", "--on-partial", "fail", "--timeout", "60")

    assert (code, told["ready"]["outcome"], told["ready"]["counts"]["failed"]) == (0, "partial", 1)
    assert (again[0], again[1]["error"]) == (7, "JobPartial")


def test_a_signed_list_is_named_without_its_signature_and_known_again(
    command: Any, workspace: Any, tmp_path: Path
) -> None:
    # Nobody answers there, and what was tried is on record all the same.
    for signature in ("s3cr3t-one", "s3cr3t-two"):
        code, _ = command(
            "stage", f"https://127.0.0.1:9/list.jsonl?X-Amz-Signature={signature}", "--batch-id", "signed"
        )
        assert code != 0

    kept = list((tmp_path / "state" / "visionbatch").iterdir())
    assert len(kept) == 1, "a fresh signature is the same run"
    assert [entry.operation for entry in workspace.requests()] == [WHOSE] * len(workspace.requests())


def test_a_killed_command_sends_only_what_is_missing(
    mock: MockServer, command: Any, workspace: Any, photos: Callable[..., Path], faults: Any, tmp_path: Path
) -> None:
    place = photos(100)
    options = ("--batch-id", "killed", "--images-per-shard", "10", "--parallel", "1", "--settle", "0")
    plan = faults("roboflow.files.put", *["pass"] * 6, "stall-for-600s-after-8K")
    environment = {
        **os.environ,
        "VISIONBATCH_ROBOFLOW_API_KEY": workspace.tenant.token,
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    group = ["roboflow", "--url", mock.url, "--store-host", mock.url]
    line = [str(Path(sys.executable).parent / "visionbatch"), *group, "stage", str(place), *options]
    with subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        # The seventh archive is on its way.
        wait_until(lambda: plan.completed)
        child.kill()
    workspace.tenant.clock.advance(120)

    code, told = command("stage", place, *options)

    assert (code, told["expected"], told["parts"]) == (0, 100, 10)
    stored = workspace.effects("shard_stored")
    assert len(stored) == len({entry["sha256"] for entry in stored}) == 10
    assert workspace.indexed() == {"ok": 100, "rejected": 0}


def test_a_signal_is_heard_though_every_thread_waits_for_the_service(
    mock: MockServer, workspace: Any, photos: Callable[..., Path], faults: Any, tmp_path: Path
) -> None:
    plan = faults("roboflow.images.upload", *["stall-for-600s-after-1K"] * 4)
    environment = {**os.environ, "VISIONBATCH_ROBOFLOW_API_KEY": workspace.tenant.token, "HOME": str(tmp_path)}
    group = ["--json", "roboflow", "--url", mock.url, "--store-host", mock.url]
    line = [*group, "stage", str(photos(4)), "--kind", "single", "--parallel", "4"]
    program = Path(sys.executable).parent / "visionbatch"
    process = subprocess.Popen([program, *line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    wait_until(lambda: plan.completed)
    asked = time.monotonic()
    process.terminate()
    out, _ = process.communicate(timeout=30)
    assert time.monotonic() - asked < 15, "a stall of a minute was waited for"
    assert (process.returncode, json.loads(out)["exit"]["name"]) == (143, "stopped")
