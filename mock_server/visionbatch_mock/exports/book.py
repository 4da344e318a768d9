"""The exports of a tenant: configured by the vendor, run by the clock or on demand, mailed or put down.

The clock moves exports lazily, as it moves batches: whoever lists a bucket, reads an object, looks at
the mails or at the ledger first lets the vendor do what has become due.
"""

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from visionbatch_mock.clock import iso
from visionbatch_mock.exports.configuration import Connector, ExportConfiguration, Interval
from visionbatch_mock.exports.content import Seeds, contents
from visionbatch_mock.exports.layout import Span
from visionbatch_mock.exports.links import Link, Mail
from visionbatch_mock.exports.writer import Deposit, Run, RunState, deposits
from visionbatch_mock.ids import IdSource
from visionbatch_mock.ledger import Effect
from visionbatch_mock.readers import moment
from visionbatch_mock.storage.objects import NoSuchBucket, StoredObject
from visionbatch_mock.storage.permissions import EXPORT_WRITER, Denied, Permission

if TYPE_CHECKING:
    from visionbatch_mock.tenant import Tenant


class Export:
    """One configured export. Its methods are called under the book's lock."""

    def __init__(self, book: "ExportBook", export_id: str, told: ExportConfiguration, first: float | None) -> None:
        self.id = export_id
        self.told = told
        self.runs: list[Run] = []
        self._book = book
        self._tenant = book.tenant
        now = book.tenant.clock.now()
        self.due = told.interval.after(now) if first is None else first
        # A single export tells everything that the site knows, a repeated one what changes from now on.
        self._since = 0.0 if told.interval is Interval.ONCE else now
        self._seeds = Seeds()

    def seed(self, told: Mapping[str, Any]) -> None:
        """Add records to the next run: `{"records": [..], "lines": [..], "generate": {..}}`."""
        with self._book.lock:
            self._seeds += Seeds.of(told)

    def run(self, since: float | None = None) -> Run:
        """Run now, beside what the clock does; the interval begins with the last run's end or at `since`.

        A single export has its one run with this, or at the `start` that it was given.
        """
        with self._book.lock:
            self._tenant.batches.settle()
            if self.told.interval is Interval.ONCE:
                self.due = None
            self.settle()
            now = self._tenant.clock.now()
            made = self._begin(Span(self._since if since is None else since, now))
            self._put_down(now)
            return made

    def settle(self) -> None:
        """Do what the clock has made due."""
        now = self._tenant.clock.now()
        self._put_down(now)
        while self.due is not None and self.due <= now:
            self._begin(Span(self._since, self.due))
            self.due = self.told.interval.after(self.due)
            self._put_down(now)

    def as_json(self) -> dict[str, Any]:
        """The export as the control endpoint shows it."""
        next_run = None if self.due is None else iso(self.due)
        runs = [run.as_json() for run in self.runs]
        return {"id": self.id, **self.told.as_json(), "next_run": next_run, "runs": runs}

    def _begin(self, span: Span) -> Run:
        """Plan a run, unless its permissions are missing from the start."""
        run = Run(len(self.runs) + 1, span)
        self.runs.append(run)
        try:
            self._check_permissions()
        except (Denied, NoSuchBucket) as cause:
            self._fail(run, cause)
            return run
        found = contents(self._tenant, self.told, span, self._seeds)
        apart = self._tenant.behaviour.export_spread_s
        planned = deposits(self._tenant, self.told, run, found)
        run.waiting.extend((span.stop + place * apart, deposit) for place, deposit in enumerate(planned))
        run.seeds, self._seeds = self._seeds, Seeds()
        self._since = span.stop
        return run

    def _check_permissions(self) -> None:
        if self.told.connector_type is Connector.CLOUD_STORAGE:
            for permission in EXPORT_WRITER:
                self._require(permission, self.told.bucket)
            self._tenant.objects.bucket(self.told.bucket)

    def _require(self, permission: Permission, what: str) -> None:
        behaviour = self._tenant.behaviour
        if permission not in behaviour.writer_permissions:
            raise Denied(behaviour.export_account, permission, f"the Google Cloud Storage bucket {what}")

    def _put_down(self, now: float) -> None:
        for run in self.runs:
            while run.waiting and run.waiting[0][0] <= now:
                _, deposit = run.waiting.popleft()
                try:
                    self._write(run, deposit)
                except (Denied, NoSuchBucket) as cause:
                    self._fail(run, cause)
            if run.state is RunState.WRITING and not run.waiting:
                run.state = RunState.DONE

    def _write(self, run: Run, deposit: Deposit) -> None:
        mailed = self.told.connector_type is Connector.EMAIL
        if not mailed and not self._may_write(deposit):
            return
        stored = self._tenant.store(deposit.bucket, deposit.name, deposit.blocks(), deposit.description)
        facts: dict[str, Any] = {
            "export_id": self.id,
            "run": run.number,
            "object": stored.name,
            "bucket": stored.bucket,
        }
        if deposit.input_id is not None:
            run.images += 1
            self._tenant.ledger.commit(Effect.EXPORT_IMAGE_WRITTEN, input_id=deposit.input_id, **facts)
            return
        shown: dict[str, Any] = {
            **facts,
            "records": deposit.lines,
            "size": stored.size,
            "generation": stored.generation,
        }
        run.files.append({key: value for key, value in shown.items() if key not in {"export_id", "run"}})
        self._tenant.ledger.commit(Effect.EXPORT_WRITTEN, crc32c=stored.digests.crc32c, **shown)
        if mailed:
            self._book.mail(self, run, stored)

    def _may_write(self, deposit: Deposit) -> bool:
        """False for an image that is there already, which the vendor has no right to replace."""
        self._require(Permission.OBJECTS_CREATE, deposit.bucket)
        there = deposit.name in self._tenant.objects.bucket(deposit.bucket).objects
        if there and deposit.input_id is None:
            self._require(Permission.OBJECTS_DELETE, deposit.bucket)
        return not (there and deposit.input_id is not None)

    def _fail(self, run: Run, cause: Exception) -> None:
        """Give a run up; the next one has its interval and its seeds as well."""
        run.state, run.error = RunState.FAILED, str(cause)
        run.waiting.clear()
        self._since, self._seeds = min(self._since, run.span.start), run.seeds + self._seeds
        permission = cause.permission.value if isinstance(cause, Denied) else None
        facts: dict[str, Any] = {
            "export_id": self.id,
            "run": run.number,
            "permission": permission,
            "reason": str(cause),
        }
        self._tenant.ledger.commit(Effect.EXPORT_FAILED, **facts)


class ExportBook:
    """All exports of one tenant, the mails that they sent, and the links in those."""

    def __init__(self, tenant: "Tenant", ids: IdSource) -> None:
        self.tenant = tenant
        self.lock = threading.RLock()
        self._ids = ids
        self._exports: dict[str, Export] = {}
        self._links: dict[str, Link] = {}
        self._mails: list[Mail] = []

    def create(self, *, start: float | None = None, **told: Any) -> Export:
        """Configure an export with the vendor's parameters; `start` is the first run's time (epoch seconds).

        Without it a repeated export first runs after one interval, and a single one on demand.
        The customer's bucket is made, and is the tenant's for every caller from now on. Raises
        `SettingError` for a wrong parameter, `NameTaken` for another customer's bucket.
        """
        configuration = ExportConfiguration.of(told)
        start = None if start is None else moment("start", start)
        if configuration.connector_type is Connector.CLOUD_STORAGE:
            self.tenant.own_bucket(configuration.bucket)
        with self.lock:
            export = Export(self, self._ids.uuid(), configuration, start)
            self._exports[export.id] = export
        self.tenant.ledger.commit(Effect.EXPORT_CONFIGURED, export_id=export.id, export_type=configuration.export_type)
        return export

    def get(self, export_id: str) -> Export | None:
        """The export of that id."""
        with self.lock:
            return self._exports.get(export_id)

    def all(self) -> list[Export]:
        """Every export, oldest first."""
        with self.lock:
            return list(self._exports.values())

    def remove(self, export_id: str) -> bool:
        """Stop an export; False when there is none of that id."""
        with self.lock:
            return self._exports.pop(export_id, None) is not None

    def settle(self) -> None:
        """Do what the clock has made due in every export."""
        if not self._exports:
            return
        self.tenant.batches.settle()
        with self.lock:
            for export in self._exports.values():
                export.settle()

    def mail(self, export: Export, run: Run, stored: StoredObject) -> None:
        """Send the link to a file."""
        subject = f"Your data export {export.told.export_type} is ready"
        self._send(Mail(export.id, run.number, export.told.emails, subject, *self._link_to(stored.bucket, stored.name)))

    def renew(self, token: str) -> Mail | None:
        """Mail another link to the same file; None when there is no link of that token."""
        with self.lock:
            for mail in self._mails:
                if mail.link.token == token:
                    sent, link = self._link_to(mail.link.bucket, mail.link.name)
                    self._send(replace(mail, sent=sent, link=link))
                    return self._mails[-1]
        return None

    def _link_to(self, bucket: str, name: str) -> tuple[float, Link]:
        now = self.tenant.clock.now()
        link = Link(self._ids.token(), bucket, name, now + self.tenant.behaviour.export_link_life_s)
        self._links[link.token] = link
        self.tenant.names.claim_link(self.tenant, link.token)
        return now, link

    def _send(self, mail: Mail) -> None:
        self._mails.append(mail)
        facts: dict[str, Any] = {"export_id": mail.export_id, "run": mail.run, "expires": mail.link.expires}
        self.tenant.ledger.commit(Effect.EXPORT_MAILED, emails=list(mail.to), **facts)

    @property
    def mails(self) -> list[Mail]:
        """Every mail, oldest first."""
        self.settle()
        with self.lock:
            return list(self._mails)

    def link(self, token: str) -> Link | None:
        """The link of that token, expired or not."""
        with self.lock:
            return self._links.get(token)

    def expire(self, token: str) -> bool:
        """End a link's life now; False when there is none of that token."""
        link = self.link(token)
        if link is not None:
            link.expires = min(link.expires, self.tenant.clock.now())
        return link is not None
