"""The process dies at every moment at which it writes its record; the next try brings it to one processed batch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.books import CHUNKS, PROBES, At, Books
from support.orders import CHUNK, write_orders
from support.runs import Died, DyingStore, MemoryStore, run_through, submit
from visionbatch import DeepomaticRun
from visionbatch.errors import JobFailed
from visionbatch.io.run_files import FileRunStore
from visionbatch.model.run import Stage
from visionbatch_mock import MockServer
from visionbatch_mock.tenant import Tenant

MOST_SAVES = 60


def saves_of_a_whole_run(client: Any, orders: Path) -> int:
    store = MemoryStore()
    run_through(client, orders, store)
    return len(store.saves)


@pytest.mark.parametrize("taken", [False, True], ids=["before-it-is-written", "after-it-is-written"])
def test_a_crash_at_any_save_leads_to_one_processed_batch_and_no_byte_stored_twice(
    site: Any, orders: Path, archive: bytes, books: Books, tenant: Tenant, profile: str, taken: bool
) -> None:
    client = site(checkpoint_s=0, block_bytes=CHUNK)
    saves = saves_of_a_whole_run(client, orders)
    assert 10 < saves < MOST_SAVES, "every chunk and every stage writes"

    for at_save in range(1, saves + 1):
        tenant.reset()
        tenant.configure(profile=profile)
        tenant.clock.freeze()
        store = DyingStore(at_save, taken=taken)
        with pytest.raises(Died):
            run_through(client, orders, store)

        manifest = run_through(client, orders, store)

        assert books.processed_once(archive) == manifest.batch_id, f"died at save {at_save}"
        assert manifest.generation == 1
        empty = len(books.effects("batch.created")) - 1
        assert empty <= (profile == "strict"), "where batches are listed, none is left behind"
        assert books.sent_bytes <= len(archive) + CHUNK


def after_a_failure(tenant: Tenant, client: Any, orders: Path) -> list[dict[str, Any]]:
    """A first batch that ended badly, and the record that it left."""
    store = MemoryStore()
    tenant.configure(analysis_failures={"WO_1": "too dark", "WO_2": "too dark"})
    with pytest.raises(JobFailed):
        run_through(client, orders, store)
    tenant.configure(analysis_failures={})
    return store.saves


@pytest.mark.parametrize("taken", [False, True], ids=["before-it-is-written", "after-it-is-written"])
def test_a_crash_at_any_save_of_a_second_generation_leads_to_one_more_processed_batch(
    site: Any, orders: Path, books: Books, tenant: Tenant, profile: str, taken: bool
) -> None:
    client = site(checkpoint_s=0, block_bytes=CHUNK)
    for at_save in range(1, saves_of_a_whole_run(client, orders) + 1):
        tenant.reset()
        tenant.configure(profile=profile)
        tenant.clock.freeze()
        store = DyingStore(at_save, taken=taken)
        store.saves = after_a_failure(tenant, client, orders)
        with pytest.raises(Died):
            run_through(client, orders, store)

        manifest = run_through(client, orders, store)

        assert manifest.generation == 2, f"died at save {at_save}"
        outcomes = [entry["outcome"] for entry in books.effects("batch.processed")]
        assert outcomes == ["error", "success"]
        books.stored_no_byte_twice()


@pytest.mark.parametrize("session_dies", ["terminate-session", "expire-session-after-commit"])
def test_a_crash_at_any_save_around_a_lost_session_leads_to_one_processed_batch(
    site: Any, orders: Path, archive: bytes, books: Books, tenant: Tenant, session_dies: str
) -> None:
    client = site(checkpoint_s=0, block_bytes=CHUNK)
    for at_save in range(1, MOST_SAVES):
        tenant.reset()
        tenant.clock.freeze()
        plan = tenant.faults.plan({"instructions": {CHUNKS: ["pass", "pass", session_dies]}})
        store = DyingStore(at_save, taken=True)
        try:
            run_through(client, orders, store)
        except Died:
            run_through(client, orders, store)
        else:
            return

        assert plan.completed
        books.processed_once(archive)
    pytest.fail("the run never came to its end")


@pytest.mark.parametrize("at", [1, CHUNK, CHUNK + 1, 3 * CHUNK, 4 * CHUNK + 1])
def test_a_process_that_dies_in_the_middle_of_a_chunk_costs_at_most_that_chunk(
    site: Any, orders: Path, archive: bytes, books: Books, at: int
) -> None:
    store = MemoryStore()

    def die() -> None:
        raise Died

    with pytest.raises(Died):
        submit(site(), orders, store, progress=At(at, die))
    run_through(site(), orders, store)

    books.processed_once(archive)
    assert books.sent_bytes <= len(archive) + CHUNK


@pytest.mark.parametrize("chunk_bytes", [CHUNK, 0], ids=["chunks", "one-request"])
def test_another_process_on_another_machine_goes_on_after_a_kill(
    site: Any, mock: MockServer, tenant: Tenant, archive: bytes, books: Books, tmp_path: Path, chunk_bytes: int
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    write_orders(here / "orders")
    script = Path(__file__).with_name("dying_run.py")
    died = subprocess.run(
        [
            sys.executable,
            str(script),
            mock.url,
            tenant.token,
            *map(str, (here / "orders", here / "state", chunk_bytes)),
        ],
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert died.returncode == 137
    assert not books.effects("archive.committed")
    kept = max(entry["stop"] for entry in books.effects("bytes.persisted"))
    assert kept >= 2 * CHUNK

    there.mkdir()
    shutil.copytree(here / "state", there / "state")
    shutil.copytree(here / "orders", there / "orders")
    shutil.rmtree(here)
    before, asked = books.sent_bytes, len(books.requests(PROBES))
    store = FileRunStore(there / "state", "run")
    run = DeepomaticRun(site(chunk_bytes=chunk_bytes), store)
    with site().check(there / "orders") as checked:
        submitted = run.submit(checked)

    assert books.processed_once(archive) == submitted.batch_id
    assert books.sent_bytes - before == len(archive) - kept
    assert before <= kept + CHUNK
    assert len(books.requests(PROBES)) == asked + 1
    record = store.load()
    assert record is not None
    assert record.stage is Stage.UPLOADED


def test_a_crash_right_after_the_last_byte_is_adopted_and_nothing_is_sent_again(
    site: Any, orders: Path, archive: bytes, books: Books
) -> None:
    store = MemoryStore()
    submit(site(), orders, store)
    # The last thing on record is a checkpoint of the chunk before.
    last = next(index for index, saved in enumerate(store.saves) if saved["stage"] == "created")
    del store.saves[last + 1 :]
    sent = len(books.requests(CHUNKS))

    run_through(site(), orders, store)

    books.processed_once(archive)
    assert len(books.requests(CHUNKS)) == sent
