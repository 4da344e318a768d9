"""What goes wrong on an upload session, over real sockets, judged by what the server committed."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from support.books import CHUNKS, CREATE, GET, PROBES, Books, BytesSource, sparse
from support.clocks import TenantClock
from support.listener import Silent
from support.orders import CHUNK
from support.runs import MemoryStore, run_through, submit
from support.silence import Silence
from visionbatch.errors import (
    Corrupted,
    Redirected,
    SessionLost,
    SessionRejected,
    UploadCancelled,
    UploadRefused,
    UploadStalled,
)
from visionbatch.transfer.source import FileSource
from visionbatch_mock.tenant import Tenant

ANY = "storage.sessions.any"


@pytest.mark.fault("UP3")
@pytest.mark.parametrize("kept", ["100K", "1K", "256K"])
def test_bytes_the_server_did_not_keep_are_sent_again(
    site: Any, orders: Path, archive: bytes, books: Books, faults: Any, kept: str
) -> None:
    faults(CHUNKS, "pass", f"partial-persist-{kept}" if kept != "256K" else "partial-persist-255K")

    run_through(site(), orders)

    books.processed_once(archive)
    assert not books.requests(PROBES), "a 308 says where it stands, so there is nothing to ask"


@pytest.mark.fault("UP4")
@pytest.mark.parametrize(
    ("instructions", "probes"),
    [(["persist-nothing"], 0), (["pass", "omit-range"], 1), (["pass", "pass", "omit-range"], 1)],
    ids=["nothing-kept", "after-one-chunk", "after-two-chunks"],
)
def test_an_answer_without_a_range_means_zero_or_a_question(
    site: Any, orders: Path, archive: bytes, books: Books, faults: Any, instructions: list[str], probes: int
) -> None:
    faults(CHUNKS, *instructions)

    run_through(site(), orders)

    books.processed_once(archive)
    assert len(books.requests(PROBES)) == probes


@pytest.mark.fault("UP5")
@pytest.mark.parametrize(
    ("plan", "batches"),
    [
        ({CHUNKS: ["pass", "pass", "range-shrinks"]}, 1),
        ({CHUNKS: ["pass", "pass", "range-shrinks"], PROBES: ["range-shrinks"]}, 2),
    ],
    ids=["once", "for-good"],
)
def test_a_count_that_shrinks_never_makes_a_byte_be_skipped(
    site: Any, orders: Path, archive: bytes, books: Books, faults: Any, plan: dict[str, list[str]], batches: int
) -> None:
    faults.plan(plan)

    run_through(site(), orders)

    books.processed_once(archive)
    assert len(books.effects("batch.created")) == batches
    assert len(books.effects("batch.deleted")) == batches - 1


def test_a_count_beyond_what_was_sent_is_damage_and_the_batch_is_deleted(
    site: Any, orders: Path, books: Books, faults: Any, silence: Silence
) -> None:
    faults(CHUNKS, "pass", "ack-too-much")

    with silence.raises(Corrupted, match="acknowledges"):
        run_through(site(), orders)

    assert len(books.effects("batch.deleted")) == 1
    books.nothing_processed()


@pytest.mark.fault("UP6")
@pytest.mark.parametrize(
    ("instruction", "probes"),
    [
        ("drop-response-final", 1),
        ("truncate-final-10B", 1),
        ("truncate-final-0B", 1),
        ("final-201", 0),
        ("empty-final", 0),
    ],
)
def test_a_last_answer_that_is_lost_or_odd_still_ends_in_one_archive(
    site: Any, orders: Path, archive: bytes, books: Books, faults: Any, instruction: str, probes: int
) -> None:
    faults(CHUNKS, instruction)

    run_through(site(), orders)

    books.processed_once(archive)
    assert len(books.requests(PROBES)) == probes
    assert books.sent_bytes == len(archive), "nothing had to be sent twice"


@pytest.mark.fault("UP7")
@pytest.mark.parametrize("instruction", ["expire-session", "terminate-session"])
@pytest.mark.parametrize("on", [CHUNKS, PROBES])
def test_a_session_that_dies_on_the_way_is_replaced_in_the_same_batch(
    site: Any, orders: Path, archive: bytes, books: Books, faults: Any, instruction: str, on: str
) -> None:
    faults.plan({CHUNKS: ["pass", "pass", instruction] if on == CHUNKS else ["pass", "return-503"]})
    if on == PROBES:
        faults(PROBES, instruction)

    run_through(site(), orders)

    books.processed_once(archive)
    assert len(books.effects("batch.created")) == 1
    assert len(books.effects("session.opened")) == 2


@pytest.mark.fault("UP8")
@pytest.mark.parametrize(
    ("plan", "sessions"),
    [
        ({CHUNKS: ["terminate-session-after-commit"]}, 1),
        ({CHUNKS: ["expire-session-after-commit"]}, 1),
        ({CHUNKS: ["drop-response-final"], PROBES: ["terminate-session"]}, 1),
        ({CHUNKS: ["pass", "pass", "pass", "pass", "terminate-session"]}, 2),
    ],
    ids=["410-committed", "404-committed", "lost-then-410", "410-not-committed"],
)
def test_a_session_that_dies_after_the_last_byte_is_settled_by_the_control_plane(
    site: Any,
    orders: Path,
    archive: bytes,
    books: Books,
    clock: TenantClock,
    faults: Any,
    plan: dict[str, list[str]],
    sessions: int,
) -> None:
    assert len(archive) // CHUNK == 4, "the fifth chunk is the last"
    faults.plan(plan)

    run_through(site(), orders)

    books.processed_once(archive)
    assert len(books.effects("session.opened")) == sessions
    assert len(books.effects("batch.created")) == 1
    assert len(books.requests(GET)) >= 1


BURSTS = {
    "one-each": ["return-500", "return-502", "return-503", "return-504", "return-408", "return-429"],
    "in-the-middle": ["pass", "return-503-after-300K", "return-500", "html-503"],
    "with-retry-after": [{"fault": "return-503", "retry_after": 7}, {"fault": "return-429", "retry_after": 90}],
    "google-1": ["return-reset-connection", "return-503"],
    "google-2": ["return-408"],
    "google-3": ["return-503-after-256K"],
    "google-4": ["return-503-after-768K", "return-408"],
}


@pytest.mark.fault("UP9")
@pytest.mark.parametrize("burst", BURSTS)
def test_bursts_of_transient_answers_are_waited_out_and_asked_about(
    site: Any, orders: Path, archive: bytes, books: Books, clock: TenantClock, faults: Any, burst: str
) -> None:
    instructions = BURSTS[burst]
    faults(ANY, *instructions)

    submit(site(), orders)

    books.processed_once(archive)
    failures = [entry for entry in books.on_sessions if entry.status is None or entry.status >= 400]
    assert len(clock.pauses) == len(failures)
    assert all(0 < pause.at_least <= pause.at_most <= 120 for pause in clock.pauses)
    after_failure = {entry.seq + 1 for entry in failures}
    asked = [entry for entry in books.on_sessions if entry.seq in after_failure]
    assert all(entry.operation == PROBES for entry in asked), "after a failure the next request is a question"


def test_a_retry_after_is_kept_as_the_lower_bound(site: Any, orders: Path, clock: TenantClock, faults: Any) -> None:
    faults(CHUNKS, {"fault": "return-429", "retry_after": 90})

    submit(site(), orders)

    (pause,) = clock.pauses
    assert pause.at_least == 90


@pytest.mark.parametrize("retry_after", ["soon", "-5", "", "99999999999999999999", "1e9"])
def test_a_retry_after_that_makes_no_sense_or_is_too_long_does_not_put_the_worker_to_sleep(
    site: Any, orders: Path, clock: TenantClock, faults: Any, retry_after: str
) -> None:
    faults(CHUNKS, {"fault": "return-503", "retry_after": retry_after})
    too_long = retry_after.isdigit()
    with pytest.raises(UploadStalled, match="asks to stay away") if too_long else nullcontext():
        submit(site(), orders)
    assert clock.elapsed < 10


def test_a_spent_budget_leaves_the_session_to_the_next_try(
    site: Any, orders: Path, archive: bytes, books: Books, faults: Any, silence: Silence
) -> None:
    store = MemoryStore()
    faults(ANY, "pass", "pass", *["return-503"] * 8)
    client = site(checkpoint_s=0)

    with silence.raises(UploadStalled, match="no progress in 8 tries at 524288 of"):
        submit(client, orders, store)
    submit(site(), orders, store)

    books.processed_once(archive)
    assert len(books.effects("batch.created")) == 1


def test_a_deadline_ends_the_upload_however_patient_the_budget_is(
    site: Any, orders: Path, clock: TenantClock, faults: Any, silence: Silence
) -> None:
    faults(ANY, *["return-503"] * 4)

    with silence.raises(UploadStalled, match="by its deadline|before its deadline"):
        submit(site(deadline_s=8, attempts=100), orders)

    assert clock.elapsed <= 8


@pytest.mark.fault("UP11")
@pytest.mark.parametrize("persist_broken", [True, False], ids=["blocks-kept", "nothing-kept"])
@pytest.mark.parametrize("instruction", ["reset-mid-body-after-300K", "return-reset-connection", "drop-response"])
def test_a_connection_reset_is_asked_about_and_gone_on_from(
    site: Any,
    orders: Path,
    archive: bytes,
    books: Books,
    tenant: Tenant,
    faults: Any,
    instruction: str,
    persist_broken: bool,
) -> None:
    tenant.configure(persist_broken=persist_broken)
    faults(CHUNKS, "pass", instruction)

    run_through(site(chunk_bytes=2 * CHUNK), orders)

    books.processed_once(archive)
    assert [entry.status for entry in books.on_sessions].count(None) == 1


@pytest.mark.fault("UP12")
@pytest.mark.parametrize("kind", ["file", "memory"])
@pytest.mark.parametrize(("status", "tries"), [(400, 1), (413, 4)])
def test_an_early_refusal_is_reported_and_not_the_broken_pipe(
    site: Any, books: Books, faults: Any, silence: Silence, status: int, tries: int, kind: str
) -> None:
    client = site(chunk_bytes=0)
    # Too long a body may be a proxy's word, so shorter ones are tried down to the shortest.
    faults(CHUNKS, *[f"early-{status}"] * tries)
    batch = client.create("large")
    assert batch.upload_url is not None

    # Far more than the buffers of a connection hold, so that the server is gone before the last byte leaves.
    with (
        sparse(48 << 20) as path,
        FileSource(path) as source,
        silence.raises(UploadRefused, match=f"the session answered {status}") as caught,
    ):
        archive = source if kind == "file" else BytesSource(bytes(48 << 20))
        client.upload(archive, batch.upload_url, batch_id=batch.batch_id)

    assert caught.value.ref == batch.batch_id
    assert len(books.requests(CHUNKS)) == tries
    assert books.sent_bytes < 48 << 20


@pytest.mark.fault("UP14")
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_session_is_never_tried_again_with_the_key(
    site: Any, orders: Path, books: Books, faults: Any, silence: Silence, status: int
) -> None:
    faults(CHUNKS, "pass", f"return-{status}")

    with silence.raises(SessionRejected, match=f"answered {status}") as caught:
        submit(site(), orders)

    assert caught.value.permanent
    assert not caught.value.retry_safe
    assert len(books.on_sessions) == 2
    books.sent_no_key_on_the_data_plane()


@pytest.mark.fault("UP15")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_session_that_points_to_another_origin_is_not_followed(
    site: Any, orders: Path, books: Books, faults: Any, silence: Silence, status: int
) -> None:
    with Silent() as elsewhere:
        silence.guard("signature-of-the-other-place")
        location = f"http://localhost:{elsewhere.port}/o?upload_id=signature-of-the-other-place"
        faults(CHUNKS, "pass", {"fault": f"redirect-{status}", "location": location})

        with silence.raises(Redirected, match="points to localhost"):
            submit(site(), orders)

        assert elsewhere.connections == 0
    assert len(books.on_sessions) == 2


@pytest.mark.fault("UP21")
@pytest.mark.parametrize("kind", ["json", "xml"])
def test_another_checksum_at_the_end_is_damage_and_the_batch_is_deleted(
    site: Any, orders: Path, books: Books, tenant: Tenant, faults: Any, silence: Silence, kind: str
) -> None:
    tenant.configure(session_kind=kind)
    faults(CHUNKS, "wrong-hash")

    with silence.raises(Corrupted, match="CRC-32C") as caught:
        submit(site(), orders)

    assert not caught.value.retry_safe
    assert len(books.effects("archive.committed")) == 1
    assert len(books.effects("batch.deleted")) == 1
    books.nothing_processed()


def test_another_size_at_the_end_is_damage(site: Any, orders: Path, books: Books, faults: Any) -> None:
    faults(CHUNKS, "wrong-size")

    with pytest.raises(Corrupted, match="where the archive has"):
        submit(site(), orders)

    assert len(books.effects("batch.deleted")) == 1


def test_a_final_answer_without_a_checksum_is_accepted(
    site: Any, orders: Path, archive: bytes, books: Books, faults: Any
) -> None:
    faults(CHUNKS, "no-hash")

    run_through(site(), orders)

    books.processed_once(archive)


def test_a_cancelled_session_is_told_and_not_retried(site: Any, orders: Path, books: Books, faults: Any) -> None:
    faults(CHUNKS, "pass", "cancel-session")

    with pytest.raises(UploadCancelled):
        submit(site(), orders)

    assert len(books.on_sessions) == 2


def test_sessions_that_die_one_after_the_other_end_the_try_and_not_the_run(
    site: Any, orders: Path, archive: bytes, books: Books, faults: Any
) -> None:
    store = MemoryStore()
    faults(CHUNKS, *["pass", "expire-session"] * 3)

    with pytest.raises(UploadStalled, match="3 sessions were lost"):
        submit(site(), orders, store)
    run_through(site(), orders, store)

    books.processed_once(archive)
    assert len(books.effects("batch.created")) == 1


def test_a_lost_session_is_told_as_such_to_whoever_uploads_by_hand(
    site: Any, orders: Path, books: Books, faults: Any
) -> None:
    client = site()
    faults(CHUNKS, "pass", "terminate-session")
    batch = client.create("by hand")

    with client.check(orders) as checked, pytest.raises(SessionLost) as caught:
        client.upload_to(batch.batch_id, checked.ready())

    assert caught.value.ref == batch.batch_id
    assert not caught.value.all_sent


def test_an_upload_by_hand_goes_on_where_the_last_one_stopped(
    site: Any, orders: Path, archive: bytes, books: Books, faults: Any
) -> None:
    client = site()
    batch = client.create("by hand")
    faults(ANY, "pass", "pass", *["return-503"] * 8)
    with client.check(orders) as checked:
        source = checked.ready()
        with pytest.raises(UploadStalled):
            client.upload_to(batch.batch_id, source)
        client.upload_to(batch.batch_id, source)

        books.processed_once(archive)
        assert client.upload_to(batch.batch_id, source) is None, "the batch has its archive already"


def test_a_session_of_the_other_kind_ends_without_a_body_and_its_checksum_is_compared(
    site: Any, orders: Path, archive: bytes, books: Books, tenant: Tenant
) -> None:
    tenant.configure(session_kind="xml")
    client = site()
    batch = client.create("xml")
    assert batch.upload_url is not None

    with client.check(orders) as checked:
        uploaded = client.upload(checked.ready(), batch.upload_url)

    books.processed_once(archive)
    assert uploaded.crc32c is not None
    assert uploaded.sent_bytes == uploaded.size == len(archive)
    assert uploaded.gaps == 0


def test_the_log_shows_each_failure_once_and_progress_never_passes_the_total(
    site: Any, orders: Path, faults: Any, silence: Silence, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[tuple[int, int]] = []
    faults(CHUNKS, "pass", "return-503", "drop-response")

    submit(site(), orders, progress=lambda position, total: seen.append((position, total)))

    warnings = [r for r in caplog.records if r.levelno == logging.WARNING and r.name == "visionbatch.transfer.upload"]
    assert len(warnings) == 2
    totals = {total for _, total in seen}
    assert len(totals) == 1
    assert max(position for position, _ in seen) == totals.pop()


def test_no_gap_ever_comes_of_any_of_this(
    site: Any, orders: Path, archive: bytes, books: Books, faults: Any, caplog: pytest.LogCaptureFixture
) -> None:
    faults.plan(
        {
            CHUNKS: [
                "partial-persist-70K", "drop-response", "omit-range", "return-503-after-512K",
                "reset-mid-body-after-100K", "persist-nothing", "drop-response-final",
            ],
            PROBES: ["pass", "return-503", "html-503"],
        }
    )  # fmt: skip
    client = site()
    batch = client.create("all at once")

    with client.check(orders) as checked:
        uploaded = client.upload_to(batch.batch_id, checked.ready())

    books.processed_once(archive)
    assert uploaded.gaps == 0
    assert len(books.requests(CREATE)) == 1
