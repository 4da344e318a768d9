"""Batches: from an upload session to verdicts, along the tables of `lifecycle`.

The clock moves a batch lazily: whoever looks at it, or reads the ledger, first commits every step
that has become due, each dated with the moment at which it was due. So a test that freezes the
clock sees nothing move, and one that advances it by an hour sees what an hour would have done.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visionbatch_mock.clock import iso
from visionbatch_mock.config import Advance, SessionKind
from visionbatch_mock.deepomatic.archive import BrokenArchive, Examination, examine
from visionbatch_mock.deepomatic.judging import Tally, judge
from visionbatch_mock.deepomatic.problems import Code, Problem
from visionbatch_mock.ledger import Effect
from visionbatch_mock.lifecycle import SELF_MOVING, VERDICTS, BatchState, check_move
from visionbatch_mock.storage.objects import StoredObject, Target
from visionbatch_mock.storage.sessions import SessionState, UploadSession

if TYPE_CHECKING:
    from visionbatch_mock.tenant import Tenant

BUCKET = "site-batches"
"""Any name does: the vendor's bucket is part of a URL that clients must not take apart."""


class Batch:
    """One batch of a tenant. Its lock is taken after a session's lock, never before."""

    def __init__(self, tenant: "Tenant", batch_id: str, filename: str | None) -> None:
        self.id = batch_id
        self.filename = filename
        self.state = BatchState.CREATED
        self.history: list[tuple[float, BatchState]] = []
        self.problems: list[Problem] = []
        self.tally = Tally()
        self.sessions: list[UploadSession] = []
        self._tenant = tenant
        self._lock = threading.RLock()
        self._archive: Path | None = None
        self._verdict: BatchState | None = None
        self._looks = 0
        self.held = False
        """Neither time nor looks move it on, until it is let go."""
        self.created = self._since = tenant.clock.now()
        self.history.append((self.created, self.state))
        tenant.ledger.commit(Effect.BATCH_CREATED, batch_id=batch_id)
        self._open_session()

    # -- the session behind `upload_url`

    def upload_session(self) -> UploadSession | None:
        """The session to upload to, or None once the archive is complete.

        One that expired or was terminated is replaced by a new one, which starts at byte 0; the old
        URL stays dead. One that its owner cancelled is not replaced.
        """
        with self._lock:
            if not self.state.awaits_archive:
                return None
            last = self.sessions[-1]
            if last.status not in {SessionState.EXPIRED, SessionState.TERMINATED}:
                return last
            fresh = self._open_session()
        last.end(SessionState.EXPIRED)
        return fresh

    def end_session(self, state: SessionState) -> UploadSession:
        """Let the latest session end as `expired`, `terminated` or `cancelled`; returns it."""
        session = self.sessions[-1]
        session.end(SessionState(state), even_complete=True)
        return session

    def _open_session(self) -> UploadSession:
        tenant = self._tenant
        target = Target(BUCKET, f"{self.id}/archive-{len(self.sessions) + 1}")
        kind = SessionKind(tenant.behaviour.session_kind)
        session = tenant.open_session(target, self, kind, batch_id=self.id)
        self.sessions.append(session)
        return session

    # -- what the session reports

    def persisted(self, start: int, stop: int) -> None:
        """Bytes of the archive arrived."""
        with self._lock:
            self._tenant.ledger.commit(Effect.BYTES_PERSISTED, batch_id=self.id, start=start, stop=stop)
            if self.state is BatchState.CREATED:
                self._move(BatchState.UPLOADING, self._tenant.clock.now())

    def completed(self, stored: StoredObject) -> None:
        """The archive is complete; processing follows without another call."""
        with self._lock:
            self._archive = stored.path
            self._tenant.ledger.commit(
                Effect.ARCHIVE_COMMITTED,
                batch_id=self.id,
                size=stored.size,
                crc32c=stored.digests.crc32c,
                md5=stored.digests.md5,
                sha256=stored.digests.sha256,
            )
            if self.state.awaits_archive:
                self._move(BatchState.UPLOADED, self._tenant.clock.now())

    def cancelled(self) -> None:
        """The session was cancelled on its URL."""
        self._tenant.ledger.commit(Effect.SESSION_CANCELLED, batch_id=self.id)

    # -- moving on

    def settle(self) -> None:
        """Commit the steps that the clock has made due."""
        behaviour = self._tenant.behaviour
        if self.held or behaviour.lifecycle.mode is not Advance.TIME:
            return
        durations = {
            BatchState.UPLOADED: behaviour.queued_s,
            BatchState.PROCESSING: behaviour.processing_s,
        }
        with self._lock:
            while self.state in SELF_MOVING:
                due = self._since + durations[self.state]
                if due > self._tenant.clock.now():
                    return
                self._step(due)

    def look(self) -> None:
        """What a read of the batch does to it, by the tenant's life cycle setting."""
        self.settle()
        cycle = self._tenant.behaviour.lifecycle
        if self.held or cycle.mode is not Advance.LOOKS:
            return
        with self._lock:
            while self.state in SELF_MOVING and self._looks >= cycle.looks:
                self._step(self._tenant.clock.now())
            self._looks += 1

    def advance(self) -> None:
        """Move one step by hand; nothing happens where only an upload can lead on."""
        with self._lock:
            if self.state in SELF_MOVING:
                self._step(self._tenant.clock.now())

    def force(self, state: BatchState) -> None:
        """Put the batch into a state, whatever the table says, as an operator of the site could."""
        with self._lock:
            self._set(state, self._tenant.clock.now())
            if state in VERDICTS:
                self._commit_verdict(self._since)

    def delete(self) -> None:
        """Cancel the batch and its upload."""
        with self._lock:
            self._move(BatchState.CANCELLED, self._tenant.clock.now())
            self._tenant.ledger.commit(Effect.BATCH_DELETED, batch_id=self.id)
            last = self.sessions[-1]
        last.cancel()

    def _step(self, at: float) -> None:
        if self.state is BatchState.UPLOADED:
            self._start(at)
        elif self.state is BatchState.PROCESSING:
            self._move(self._verdict or BatchState.SUCCESS, at)
            self._commit_verdict(at)

    def _start(self, at: float) -> None:
        """Open the archive; one that cannot be opened never starts processing."""
        try:
            found = self._examined()
        except BrokenArchive as cause:
            self.problems.append(Problem(Code.INVALID_ARCHIVE, str(cause)))
            self._fail(at)
            return
        if not found.folders and not found.problems:
            self.problems.append(Problem(Code.EMPTY_ARCHIVE, "the archive holds nothing"))
            self._fail(at)
            return
        self._move(BatchState.PROCESSING, at)
        self._tenant.ledger.commit(Effect.BATCH_PROCESSING, at=at, batch_id=self.id)
        judged = judge(found, self._tenant, self.id)
        self.tally, self._verdict = judged.tally, judged.verdict
        self.problems.extend(judged.problems)

    def _examined(self) -> Examination:
        if self._archive is None:
            raise BrokenArchive("no archive was uploaded")
        return examine(self._archive, self._tenant.behaviour)

    def _fail(self, at: float) -> None:
        self._move(BatchState.ERROR, at)
        self._commit_verdict(at)

    def _commit_verdict(self, at: float) -> None:
        self._tenant.ledger.commit(
            Effect.BATCH_PROCESSED,
            at=at,
            batch_id=self.id,
            outcome=self._tenant.behaviour.word(self.state),
            ok=self.tally.succeeded,
            failed=self.tally.failed,
        )

    def _move(self, state: BatchState, at: float) -> None:
        check_move(self.state, state)
        self._set(state, at)

    def _set(self, state: BatchState, at: float) -> None:
        self.state, self._since, self._looks = state, at, 0
        self.history.append((at, state))

    # -- showing

    @property
    def updated(self) -> float:
        """When the state last changed, epoch seconds."""
        return self._since

    def inner_view(self) -> dict[str, Any]:
        """Everything the mock knows of the batch, for the control endpoint."""
        with self._lock:
            orders = self._tenant.work_orders.of_batch(self.id)
            history = [{"at": iso(at), "state": state.value} for at, state in self.history]
            return {
                "batch_id": self.id,
                "filename": self.filename,
                "state": self.state.value,
                "history": history,
                "stalled": self.held,
                "counts": self.tally.as_json(),
                "errors": [problem.as_json() for problem in self.problems],
                "work_orders": [order.inner_view() for order in orders],
                "sessions": [session.inner_view() for session in self.sessions],
            }


class BatchBook:
    """The batches of one tenant, oldest first."""

    def __init__(self, tenant: "Tenant", new_id: Callable[[], str]) -> None:
        self._tenant = tenant
        self._new_id = new_id
        self._lock = threading.Lock()
        self._batches: dict[str, Batch] = {}

    def create(self, filename: str | None = None) -> Batch:
        """A new batch with an open upload session."""
        batch = Batch(self._tenant, self._new_id(), filename)
        with self._lock:
            self._batches[batch.id] = batch
        return batch

    def get(self, batch_id: str) -> Batch | None:
        """The batch of that id, deleted ones included."""
        with self._lock:
            return self._batches.get(batch_id)

    def all(self) -> list[Batch]:
        """Every batch, deleted ones included."""
        with self._lock:
            return list(self._batches.values())

    def settle(self) -> None:
        """Commit what the clock has made due in every batch."""
        for batch in self.all():
            batch.settle()
