"""A run from its record: what a later try does with what an earlier one left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.books import CHUNKS, CREATE, GET, Books
from support.clocks import TenantClock
from support.orders import photo, write_orders
from support.runs import Died, MemoryStore, run_through, submit
from visionbatch import DeepomaticRun, LocalSink, Policies, Submitted
from visionbatch.errors import (
    InputChanged,
    InputMissing,
    InvalidInput,
    JobCancelled,
    JobFailed,
    JobPartial,
    SessionRejected,
    UnsafeUrl,
    UploadCancelled,
)
from visionbatch.io.run_files import FileRunStore
from visionbatch.model.run import Stage
from visionbatch.model.snapshot import Phase, Snapshot
from visionbatch_mock.tenant import Tenant


def test_every_kind_of_site_serves_a_whole_run(
    site: Any, orders: Path, archive: bytes, books: Books, profile: str, session_kind: str, tmp_path: Path
) -> None:
    client = site()
    run = DeepomaticRun(client, FileRunStore(tmp_path / "state", "run"))
    told: list[str] = []
    with client.check(orders) as checked:
        submitted = run.submit(checked)
    manifest = run.conclude(
        submitted,
        lambda: client.wait(submitted.batch_id),
        sink=LocalSink(tmp_path / "out"),
        deliver=lambda found: told.append(found.outcome),
    )

    assert books.processed_once(archive) == manifest.batch_id
    assert (manifest.outcome, manifest.status, told) == ("done", "success", ["done"])
    assert manifest.archive["size"] == len(archive)
    assert manifest.archive["work_orders"] == 2
    assert manifest.archive["crc32c"]
    saved = json.loads((tmp_path / "out" / f"{manifest.batch_id}.manifest.json").read_text())
    assert saved == manifest.to_json()
    report = tmp_path / "out" / f"{manifest.batch_id}.errors.json"
    assert report.exists() == (profile == "rich")


def test_a_run_makes_no_more_requests_than_it_needs(site: Any, orders: Path, books: Books) -> None:
    submit(site(), orders)

    operations = [entry.operation for entry in books.tenant.journal.entries()]
    assert operations == [CREATE] + [CHUNKS] * 5


def test_a_result_is_taken_after_a_success_and_nothing_is_submitted(
    site: Any, orders: Path, archive: bytes, books: Books
) -> None:
    store = MemoryStore()
    first = run_through(site(), orders, store)
    again = run_through(site(), orders, store)

    assert again.batch_id == first.batch_id
    assert books.processed_once(archive) == first.batch_id
    assert len(books.requests(CREATE)) == 1


def test_a_batch_still_in_work_is_adopted(site: Any, orders: Path, archive: bytes, books: Books) -> None:
    store = MemoryStore()
    first = submit(site(), orders, store)
    again = submit(site(), orders, store)

    assert again.batch_id == first.batch_id == books.processed_once(archive)
    assert again.archive == first.archive


def test_a_failed_batch_is_followed_by_the_next_generation(
    site: Any, orders: Path, books: Books, tenant: Tenant
) -> None:
    store = MemoryStore()
    tenant.configure(analysis_failures={"WO_1": "too dark", "WO_2": "too dark"})
    with pytest.raises(JobFailed, match='failed \\("error"\\)'):
        run_through(site(), orders, store)
    tenant.configure(analysis_failures={})

    manifest = run_through(site(), orders, store)

    assert (manifest.generation, manifest.outcome) == (2, "done")
    assert [entry["outcome"] for entry in books.effects("batch.processed")] == ["error", "success"]
    assert not books.effects("batch.deleted"), "a failed batch is kept for its report"


def test_a_batch_that_is_gone_is_followed_by_the_next_generation(
    site: Any, orders: Path, archive: bytes, books: Books, tenant: Tenant
) -> None:
    store = MemoryStore()
    first = submit(site(), orders, store)
    batch = tenant.batches.get(first.batch_id)
    assert batch is not None
    batch.delete()

    manifest = run_through(site(), orders, store)

    assert manifest.generation == 2
    assert manifest.batch_id != first.batch_id
    tenant.clock.advance(3600)
    assert [entry["batch_id"] for entry in books.effects("batch.processed")] == [manifest.batch_id]


def test_a_batch_that_does_not_show_yet_is_waited_for_and_not_sent_again(
    site: Any, orders: Path, archive: bytes, books: Books, faults: Any
) -> None:
    store = MemoryStore()
    first = submit(site(), orders, store)
    looks = len(books.requests(GET))
    faults(GET, *["return-404"] * 6)

    again = submit(site(), orders, store)

    assert again.batch_id == first.batch_id == books.processed_once(archive)
    assert len(books.requests(CREATE)) == 1
    assert len(books.requests(GET)) == looks + 7


def test_one_that_is_gone_is_believed_to_be_when_its_minute_is_over(
    site: Any, orders: Path, books: Books, tenant: Tenant, clock: TenantClock
) -> None:
    store = MemoryStore()
    first = submit(site(), orders, store)
    (batch,) = tenant.batches.all()
    batch.delete()
    old = {**store.saves[-1]}
    waits = []
    for age, record in ((0, old), (45, old), (90, old), (0, {**old, "created_at": None})):
        kept = MemoryStore()
        kept.saves.append({**record, "created_at": record["created_at"] and clock.now() - age})
        before = clock.now()
        assert submit(site(), orders, kept).batch_id != first.batch_id
        waits.append(round(clock.now() - before))
    assert waits == [60, 15, 1, 1]


def changed(folder: Path) -> Path:
    (folder / "WO_1/cabinet-0.jpg").write_bytes(photo(999))
    return folder


@pytest.mark.parametrize("uploaded", [True, False], ids=["uploaded", "on-the-way"])
def test_another_input_stops_the_next_try(site: Any, tmp_path: Path, books: Books, faults: Any, uploaded: bool) -> None:
    store, place = MemoryStore(), write_orders(tmp_path / "orders")
    if uploaded:
        submit(site(), place, store)
    else:
        faults(CHUNKS, "pass", "cancel-session")
        with pytest.raises(UploadCancelled):
            submit(site(), place, store)

    with pytest.raises(InputChanged, match="not the one this run began with") as caught:
        submit(site(), changed(place), store)

    assert caught.value.permanent
    assert len(books.requests(CREATE)) == 1
    assert not books.effects("batch.deleted")


def test_another_input_replaces_the_batch_where_the_policy_says_so(
    site: Any, tmp_path: Path, books: Books, tenant: Tenant
) -> None:
    store, place = MemoryStore(), write_orders(tmp_path / "orders")
    policies = Policies.of(on_input_change="cancel_and_new")
    first = submit(site(), place, store)

    manifest = run_through(site(), changed(place), store, policies=policies)

    assert manifest.generation == 2
    assert [entry["batch_id"] for entry in books.effects("batch.deleted")] == [first.batch_id]
    assert [entry["batch_id"] for entry in books.effects("batch.processed")] == [manifest.batch_id]


def test_a_prefix_that_is_not_what_was_sent_is_noticed_although_the_identity_is_the_same(
    site: Any, tmp_path: Path, books: Books, faults: Any
) -> None:
    store, place = MemoryStore(), write_orders(tmp_path / "orders")
    faults.plan({CHUNKS: ["pass", "pass", "return-403"]})
    with pytest.raises(SessionRejected):
        submit(site(checkpoint_s=0), place, store)
    first = place / "WO_1/cabinet-0.jpg"
    content = first.read_bytes()
    # Beyond the 4 KiB that identify a photo, and of the same length.
    first.write_bytes(content[:50_000] + bytes([content[50_000] ^ 1]) + content[50_001:])

    with pytest.raises(InputChanged, match="are not those that were sent before"):
        submit(site(), place, store)

    assert len(books.effects("batch.deleted")) == 1
    books.nothing_processed()


@pytest.mark.parametrize("policy", ["adopt", "cancel_and_new"])
def test_a_cleared_task_adopts_or_replaces_as_the_policy_says(
    site: Any, orders: Path, books: Books, policy: str
) -> None:
    store = MemoryStore()
    policies = Policies.of(on_clear=policy)
    first = submit(site(), orders, store)
    again = submit(site(), orders, store, policies=policies, cleared=True)

    replaced = policy == "cancel_and_new"
    assert (again.batch_id != first.batch_id) is replaced
    assert len(books.effects("batch.deleted")) == replaced
    assert again.record.generation == 1 + replaced


def test_input_with_errors_is_refused_before_any_request(site: Any, tmp_path: Path, books: Books) -> None:
    place = write_orders(tmp_path / "orders")
    (place / "WO_1/cabinet-0.jpg").write_bytes(b"no picture")
    store = MemoryStore()

    with pytest.raises(InvalidInput) as caught:
        submit(site(), place, store)

    assert [finding.path for finding in caught.value.findings] == ["WO_1/cabinet-0.jpg"]
    assert not books.tenant.journal.entries()
    assert not store.saves


def test_the_batchs_id_is_told_before_the_first_byte(site: Any, orders: Path, books: Books) -> None:
    told: list[tuple[str, int]] = []
    client = site()
    run = DeepomaticRun(
        client, MemoryStore(), created=lambda batch_id: told.append((batch_id, len(books.requests(CHUNKS))))
    )
    assert run.batch_id == ""
    with client.check(orders) as checked:
        submitted = run.submit(checked)

    assert told == [(submitted.batch_id, 0)]
    assert run.batch_id == submitted.batch_id


def test_the_label_carries_a_mark_by_which_the_batch_is_found_again(site: Any, orders: Path, tenant: Tenant) -> None:
    submitted = submit(site(), orders)

    batch = tenant.batches.get(submitted.batch_id)
    assert batch is not None
    assert batch.filename == f"orders.{submitted.record.token}"
    assert len(submitted.record.token) == 8


PARTIAL = {"WO_2": "too dark"}


@pytest.mark.parametrize(
    ("on_partial", "accepted"),
    [
        ("warn", True),
        ("accept", True),
        ("accept:1", True),
        ("accept:50%", True),
        ("fail", False),
        ("accept:0", False),
        ("accept:49%", False),
    ],
)
def test_a_partial_success_is_what_the_policy_says(
    site: Any, orders: Path, tenant: Tenant, on_partial: str, accepted: bool
) -> None:
    tenant.configure(profile="rich", analysis_failures=PARTIAL)
    policies = Policies.of(on_partial=on_partial)
    if accepted:
        manifest = run_through(site(), orders, policies=policies)
        assert manifest.outcome == "partial"
        assert manifest.counts == {"total": 2, "succeeded": 1, "failed": 1}
        assert manifest.errors["lines"] == 1
    else:
        with pytest.raises(JobPartial):
            run_through(site(), orders, policies=policies)


@pytest.mark.parametrize("form", ["json", "jsonl", "csv"])
def test_counts_come_from_the_error_report_where_the_batch_has_none(
    site: Any, orders: Path, tenant: Tenant, form: str
) -> None:
    tenant.configure(error_report=form, analysis_failures=PARTIAL)

    manifest = run_through(site(), orders)

    assert manifest.outcome == "partial"
    assert manifest.counts == {"total": 2, "succeeded": 1, "failed": 1}


def test_a_partial_success_without_any_numbers_fails_where_a_limit_is_set(
    site: Any, orders: Path, tenant: Tenant
) -> None:
    tenant.configure(analysis_failures=PARTIAL)
    with pytest.raises(JobPartial, match="refused by on_partial=accept:1"):
        run_through(site(), orders, policies=Policies.of(on_partial="accept:1"))


def test_the_manifest_is_delivered_before_a_refused_outcome_is_raised(site: Any, orders: Path, tenant: Tenant) -> None:
    tenant.configure(analysis_failures=PARTIAL)
    client, told = site(), []
    run = DeepomaticRun(client, MemoryStore(), Policies.of(on_partial="fail"))
    with client.check(orders) as checked:
        submitted = run.submit(checked)
    with pytest.raises(JobPartial):
        run.conclude(submitted, lambda: client.wait(submitted.batch_id), deliver=told.append)

    assert [manifest.outcome for manifest in told] == ["partial"]


def test_the_end_that_a_triggerer_saw_is_judged_like_one_that_was_waited_for(
    site: Any, orders: Path, tenant: Tenant
) -> None:
    client, store = site(), MemoryStore()
    run = DeepomaticRun(client, store)
    with client.check(orders) as checked:
        submitted = run.submit(checked)
    carried = Submitted.from_json(json.loads(json.dumps(submitted.to_json())))
    assert carried == submitted

    with pytest.raises(JobCancelled):
        DeepomaticRun(client, store).conclude(carried, lambda: Snapshot(Phase.CANCELLED, "cancelled"))

    record = store.load()
    assert record is not None
    assert (record.stage, record.outcome) == (Stage.ENDED, "cancelled")


def test_cancelling_deletes_the_batch_and_may_be_repeated(site: Any, orders: Path, books: Books) -> None:
    client = site()
    run = DeepomaticRun(client, MemoryStore())
    run.cancel()
    with client.check(orders) as checked:
        run.submit(checked)
    run.cancel()
    run.cancel()

    assert len(books.effects("batch.deleted")) == 1
    books.nothing_processed()


def test_a_try_that_is_stopped_while_it_decides_leaves_the_batch_of_another_item_alone(
    site: Any, tmp_path: Path, books: Books
) -> None:
    store, alive = MemoryStore(), [True]
    submit(site(), write_orders(tmp_path / "monday"), store)
    other = write_orders(tmp_path / "tuesday")
    (other / "WO_1/cabinet-0.jpg").write_bytes(photo(999))

    def credentials() -> Any:
        if not alive[0]:
            alive[0] = True
            raise Died
        return site.credentials()

    client = site(credentials=credentials)
    run = DeepomaticRun(client, store)
    with client.check(other) as checked:
        alive[0] = False
        with pytest.raises(Died):
            run.submit(checked)
    assert not run.batch_id
    run.cancel()

    assert not books.effects("batch.deleted")


def test_a_batch_of_another_place_is_not_taken_for_that_of_a_source_that_is_gone(site: Any, tmp_path: Path) -> None:
    store = MemoryStore()
    submit(site(), write_orders(tmp_path / "monday"), store)

    with pytest.raises(InputMissing) as missing:
        DeepomaticRun(site(), store).submit_place(tmp_path / "tuesday")

    assert not missing.value.ref


def test_one_unlucky_look_does_not_end_a_status(site: Any, orders: Path, books: Books, faults: Any) -> None:
    client = site()
    submitted = submit(client, orders)
    faults(GET, "return-503", "return-reset-connection")

    assert client.status(submitted.batch_id).phase is not Phase.UNKNOWN

    assert len(books.requests(GET)) == 3


def test_a_batch_whose_session_was_cancelled_is_replaced_once_the_run_is_tried_again(
    site: Any, orders: Path, books: Books, tenant: Tenant, faults: Any
) -> None:
    store = MemoryStore()
    faults(CHUNKS, "pass", "expire-session")
    faults("deepomatic.batches.get", {"fault": "set-upload_url", "value": None})

    manifest = run_through(site(), orders, store)

    assert manifest.generation == 2
    assert len(books.effects("batch.created")) == 2
    assert len(books.effects("batch.deleted")) == 1
    assert [entry["batch_id"] for entry in books.effects("batch.processed")] == [manifest.batch_id]


def test_a_session_on_a_host_that_is_not_allowed_is_never_sent_to(site: Any, orders: Path, books: Books) -> None:
    with pytest.raises(UnsafeUrl, match="allowed are"):
        submit(site(settings={"upload_hosts": ("storage.googleapis.com",)}), orders)

    assert not books.on_sessions
