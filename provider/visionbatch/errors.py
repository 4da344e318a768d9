"""Every error visionbatch raises, arranged by what the caller should do about it.

VisionBatchError
├── UsageError              the caller asked for something that cannot be           exit 2
│   ├── ConfigError           a setting is missing, malformed or contradicts another
│   └── UnsafeUrl             a URL leads where this plane may not go
├── InputError              the work orders themselves are at fault                 exit 3
│   ├── InvalidInput          the check found blocking findings; nothing was sent
│   ├── InputMissing          the source is not there, on this machine at least
│   ├── InputChanged          the source is not what it was when the run began
│   ├── UnreadableTables      an export's tables are damaged or lack a column
│   ├── BrokenLine            a line of an export cannot become rows
│   └── SourceUnreadable      reading failed, perhaps for a moment                   exit 5
├── TransportError          could not talk                                          exit 5
│   ├── Unreachable           no connection, or it broke
│   ├── TimedOut              connected, then silence
│   └── TlsRefused            the peer's certificate was not accepted               exit 2
├── ServiceError            got an unhappy answer                                   exit 6
│   ├── NotAuthorized         401 or 403: key missing, wrong or without rights      exit 4
│   │   └── PlanRefused         402: the account's plan does not include it
│   │       └── OutOfCredits      429 that no waiting mends: nothing left to pay with
│   ├── NotFound              404: no such site, batch or job
│   ├── Refused               any other 4xx: the request is wrong
│   │   └── IdTaken             409: the id belongs to something else
│   ├── BulkUnsupported       there is no list to ask for many at once
│   └── Throttled             429: too fast, says when to come back                 exit 5
│       └── Unavailable         408 or 5xx, and the budget for retries is spent     exit 5
├── ProtocolError           the service broke its own rules                         exit 5
│   ├── UnreadableAnswer      HTML, cut JSON, or a field missing or of a wrong type
│   ├── AnswerTooLarge        more bytes than any honest answer has
│   ├── Redirected            an answer that leads to another origin; not followed
│   ├── EndlessList           a list whose pages come round again
│   └── OutcomeUnknown        a create whose answer cannot be read
├── UploadError             the archive did not arrive                              exit 5
│   ├── SessionLost           the session is gone; the control plane knows more
│   ├── SessionRejected       401 or 403 on the session URL                         exit 4
│   ├── UploadCancelled       somebody cancelled the session                        exit 6
│   ├── UploadRefused         the server says that the request is wrong             exit 6
│   ├── UploadStalled         budget or deadline spent; can be resumed
│   └── Corrupted             what arrived is not what was sent                     exit 6
├── DownloadError           a file was not fetched                                exit 5
│   ├── LinkExpired           403, 404 or 410: the link is not valid any more         exit 4
│   ├── ObjectChanged         replaced or deleted while it was read
│   ├── Damaged               what arrived is not what is stored
│   ├── NoRoom                the disk is full; what has arrived is kept
│   ├── UnsafeName            a name that leads out of the target folder              exit 6
│   └── UnsafeArchive         it holds what may not be unpacked, or far too much      exit 6
├── JobError                the batch or job ended, or did not end, as wished       exit 6
│   ├── JobFailed             the service says that it failed
│   ├── JobCancelled          somebody cancelled it
│   ├── JobPartial            more items failed than ``on_partial`` accepts         exit 7
│   └── DeadlinePassed        still running at the deadline                         exit 8
└── RunError                another process has the run                             exit 10
    ├── AlreadyRunning        it holds the lock
    ├── Superseded            it has replaced this one; the remote batch is its now
    └── UnreadableRecord      the run record is damaged or from a newer version     exit 2

Every error says what happened, to which batch, whether another try is safe, and what to do next; it
survives a trip through pickle, because schedulers send exceptions between processes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, ClassVar

from visionbatch.model.finding import Finding

FINDINGS_SHOWN = 20
"""Findings printed in the text of an `InvalidInput`; all of them are in its ``findings``."""


_FACTS = ("status", "code", "retry_after_s", "persisted", "total", "all_sent", "maybe_received")
"""Particulars of single classes that are JSON primitives."""


class ExitCode(IntEnum):
    """What a process exits with, and so what its scheduler may do; the names appear in JSON too."""

    DONE = 0
    BUG = 1
    USAGE = 2
    INVALID_INPUT = 3
    NOT_AUTHORIZED = 4
    TEMPORARY = 5
    REMOTE_FAILED = 6
    PARTIAL = 7
    DEADLINE = 8
    NOTHING_NEW = 9
    BUSY = 10


class VisionBatchError(Exception):
    """Base of the tree above.

    :param what: what happened, in one sentence without a final full stop.
    :param service: ``deepomatic``, ``roboflow`` or ``huawei_vias``; empty when none was involved yet.
    :param ref: the id of the batch or job concerned; empty when there is none yet.
    :param next_step: what the reader should do now.
    :param retry_safe: whether the same command may be run again without doing work twice;
        ``None`` takes the default of the class.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG
    default_retry_safe: ClassVar[bool] = False
    default_next_step: ClassVar[str] = ""

    def __init__(
        self,
        what: str,
        *,
        service: str = "",
        ref: str = "",
        next_step: str = "",
        retry_safe: bool | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.service = service
        self.ref = ref
        self.next_step = next_step or self.default_next_step
        self.retry_safe = self.default_retry_safe if retry_safe is None else retry_safe

    def __str__(self) -> str:
        """One line for a log: what, to whom, is a retry safe, what next."""
        about = " ".join(part for part in (self.service, self.ref) if part)
        sentence = f"{about}: {self.what}." if about else f"{self.what}."
        retry = "Safe to retry." if self.retry_safe else "Do not retry as it is."
        return " ".join(part for part in (sentence, retry, self.next_step) if part)

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild from state, not from arguments, so that subclasses may have any signature."""
        return _rebuild, (type(self), self.args, self.__dict__)

    @property
    def permanent(self) -> bool:
        """Whether only a change of settings, rights or input can help, so that no retry should be spent."""
        return self.exit_code in (ExitCode.USAGE, ExitCode.INVALID_INPUT, ExitCode.NOT_AUTHORIZED)

    def to_json(self) -> dict[str, Any]:
        """JSON primitives only, for the command line and for events between processes."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "service": self.service,
            "ref": self.ref,
            "next_step": self.next_step,
            "retry_safe": self.retry_safe,
            "exit": {"code": int(self.exit_code), "name": self.exit_code.name.lower()},
            **{name: vars(self)[name] for name in _FACTS if name in vars(self)},
        }

    def about(self, service: str, ref: str = "") -> VisionBatchError:
        """Fill in what a lower room could not know, and give the same error back."""
        self.service = self.service or service
        self.ref = self.ref or ref
        return self


def error_from_json(value: Mapping[str, Any]) -> VisionBatchError:
    """The error that `VisionBatchError.to_json` described; a class not known here becomes the base."""
    kinds: dict[str, type[VisionBatchError]] = {kind.__name__: kind for kind in every_error()}
    kind = kinds.get(str(value.get("error")), VisionBatchError)
    error = kind(
        str(value.get("what", "an error without a text")),
        service=str(value.get("service", "")),
        ref=str(value.get("ref", "")),
        next_step=str(value.get("next_step", "")),
        retry_safe=bool(value.get("retry_safe", False)),
    )
    for name in _FACTS:
        if name in value and name in vars(error):
            setattr(error, name, value[name])
    return error


def every_error(root: type[VisionBatchError] = VisionBatchError) -> list[type[VisionBatchError]]:
    """The tree above as a list, the root first."""
    return [root, *(error for child in root.__subclasses__() for error in every_error(child))]


def _rebuild(cls: type[VisionBatchError], args: tuple[Any, ...], state: dict[str, Any]) -> VisionBatchError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class UsageError(VisionBatchError):
    """The caller asked for something that cannot be."""

    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    """A setting is missing, malformed or contradicts another."""

    default_next_step = "Correct the setting and run again."


class UnsafeUrl(UsageError):
    """A URL leads where this plane may not go; nothing was sent to it."""

    default_next_step = "If the host is right, add it to the connection's allowed upload hosts."


class InputError(VisionBatchError):
    """The work orders themselves are at fault."""

    exit_code = ExitCode.INVALID_INPUT


class InvalidInput(InputError):
    """The check found blocking findings; nothing was sent.

    :param findings: all of them, in the order of the check.
    """

    default_next_step = "Mend the source, or leave the work orders named here out."

    def __init__(self, what: str, *, findings: Sequence[Finding] = (), **about: Any) -> None:
        super().__init__(what, **about)
        self.findings = tuple(findings)

    def __str__(self) -> str:
        """The usual line, then the first findings, one a line."""
        lines = [super().__str__(), *(f"  {finding}" for finding in self.findings[:FINDINGS_SHOWN])]
        if len(self.findings) > FINDINGS_SHOWN:
            lines.append(f"  ... and {len(self.findings) - FINDINGS_SHOWN} more")
        return "\n".join(lines)


class InputMissing(InputError):
    """The source is not there, on this machine at least."""

    default_next_step = "Run where the source is, or keep it in an object store that every worker reaches."


class InputChanged(InputError):
    """The source is not what it was when the run began."""

    default_next_step = "Let on_input_change decide, or start a new run with the new input."


class UnreadableTables(InputError):
    """A table of an export is damaged, or does not have the columns of its schema."""

    default_next_step = "Make the tables of the export again; docs/export.md has their schema."


class SourceUnreadable(InputError):
    """Reading the source failed: a disk or a network drive in trouble, which may pass."""

    exit_code = ExitCode.TEMPORARY
    default_retry_safe = True
    default_next_step = "Check the disk or drive, then run again: the upload goes on where it stopped."


class BrokenLine(InputError):
    """A line of an export cannot become rows, and the policy is to stop there."""

    default_next_step = "Show the line to the vendor, or let on_broken_line be quarantine and go on without it."


class TransportError(VisionBatchError):
    """Could not talk.

    :param maybe_received: whether the peer may have acted on the request.
    """

    exit_code = ExitCode.TEMPORARY
    default_retry_safe = True
    default_next_step = "Check the network and the host name, then run again."

    def __init__(self, what: str, *, maybe_received: bool = True, **about: Any) -> None:
        super().__init__(what, **about)
        self.maybe_received = maybe_received


class Unreachable(TransportError):
    """No connection could be made, or it broke."""


class TimedOut(TransportError):
    """Connected, then silence for longer than the limit."""


class TlsRefused(TransportError):
    """The peer's certificate was not accepted; never retried, for waiting does not mend it."""

    exit_code = ExitCode.USAGE
    default_retry_safe = False
    default_next_step = (
        "If a company proxy or a private authority signs the traffic, name its certificates in "
        "REQUESTS_CA_BUNDLE or SSL_CERT_FILE; verification cannot be switched off."
    )


class ServiceError(VisionBatchError):
    """Got an unhappy answer.

    :param status: the HTTP status.
    :param code: the service's own code, where it has some.
    """

    exit_code = ExitCode.REMOTE_FAILED

    def __init__(self, what: str, *, status: int = 0, code: str = "", **about: Any) -> None:
        super().__init__(what, **about)
        self.status = status
        self.code = code


class NotAuthorized(ServiceError):
    """401 or 403: the key is missing, wrong or without rights."""

    exit_code = ExitCode.NOT_AUTHORIZED
    default_next_step = "Check the API key in the connection, the rights of its user, and that the feature is on."


class PlanRefused(NotAuthorized):
    """402: the account's plan does not include what was asked for; no retry mends that."""

    default_next_step = "Have the feature added to the account's plan, or use an account that has it."


class OutOfCredits(PlanRefused):
    """429, and not for being too fast: the account has nothing left to pay for the work with."""

    default_next_step = "Buy credits or wait for the next billing period, then run again."


class NotFound(ServiceError):
    """404: no such site, batch or job."""

    default_next_step = "Check the id, the site and the base URL."


class Refused(ServiceError):
    """Any other 4xx: the request is wrong and will be wrong again."""


class IdTaken(Refused):
    """409: the id belongs to something else, which was left alone."""

    default_next_step = "Give this run another identity, or find out who uses the id."


class BulkUnsupported(ServiceError):
    """There is no list in which many can be asked for at once; each has to be asked for alone."""


class Throttled(ServiceError):
    """429: too fast.

    :param retry_after_s: seconds the service asked for; ``None`` when it did not say.
    """

    exit_code = ExitCode.TEMPORARY
    default_retry_safe = True
    default_next_step = "Run again later, with fewer runs at a time."

    def __init__(self, what: str, *, retry_after_s: float | None = None, **about: Any) -> None:
        super().__init__(what, **about)
        self.retry_after_s = retry_after_s


class Unavailable(Throttled):
    """408 or 5xx; may name a time to come back, like 429."""

    default_next_step = "The service has a problem; run again later."


class ProtocolError(VisionBatchError):
    """The service broke its own rules."""

    exit_code = ExitCode.TEMPORARY
    default_retry_safe = True


class UnreadableAnswer(ProtocolError):
    """HTML, cut JSON, or a field that is missing or of a wrong type."""

    default_next_step = "Often a gateway's page: run again; if it stays, check the base URL and the paths."


class AnswerTooLarge(ProtocolError):
    """More bytes than any honest answer has; reading stopped at the cap."""

    default_retry_safe = False
    default_next_step = "Check the base URL: this does not look like the service."


class Redirected(ProtocolError):
    """An answer that leads to another origin; it was not followed."""

    default_retry_safe = False
    default_next_step = "Put the final address into the connection: credentials never follow one."


class EndlessList(ProtocolError):
    """A list whose pages come round again; reading stopped at the second time."""

    default_retry_safe = False
    default_next_step = "Report it to the vendor; what can be asked for alone is not concerned."


class OutcomeUnknown(ProtocolError):
    """A create whose answer cannot be read, so that its id is not known."""


class UploadError(VisionBatchError):
    """The archive did not arrive.

    :param persisted: bytes that the server had acknowledged.
    :param total: bytes of the whole archive.
    """

    exit_code = ExitCode.TEMPORARY
    default_retry_safe = True

    def __init__(self, what: str, *, persisted: int = 0, total: int = 0, **about: Any) -> None:
        super().__init__(what, **about)
        self.persisted = persisted
        self.total = total


class SessionLost(UploadError):
    """404 or 410: the upload session is gone.

    :param all_sent: the last byte had been sent before, so that the server may have finished: only
        the control plane can say whether the archive arrived.
    """

    default_next_step = "Run again: the batch is asked for a new session."

    def __init__(self, what: str, *, all_sent: bool = False, **about: Any) -> None:
        super().__init__(what, **about)
        self.all_sent = all_sent


class SessionRejected(UploadError):
    """401 or 403 on the session URL; never tried again with a key, which it must not see."""

    exit_code = ExitCode.NOT_AUTHORIZED
    default_retry_safe = False
    default_next_step = "The session URL was altered or its bucket closed: ask for a new batch."


class UploadCancelled(UploadError):
    """499: somebody cancelled the session."""

    exit_code = ExitCode.REMOTE_FAILED
    default_retry_safe = False
    default_next_step = "If that was not meant, start a new run: it makes a new batch."


class UploadRefused(UploadError):
    """The server says that the request is wrong (400, 412, 413 and the like)."""

    exit_code = ExitCode.REMOTE_FAILED
    default_retry_safe = False


class UploadStalled(UploadError):
    """The budget of retries or the deadline is spent; what has arrived stays there.

    :param retry_after_s: seconds the server asked to be left alone; ``None`` when it did not say.
    """

    def __init__(self, what: str, *, retry_after_s: float | None = None, **about: Any) -> None:
        super().__init__(what, **about)
        self.retry_after_s = retry_after_s

    default_next_step = "Run again: the upload goes on where it stopped."


class Corrupted(UploadError):
    """What arrived is not what was sent, or the server acknowledged what was never sent."""

    exit_code = ExitCode.REMOTE_FAILED
    default_retry_safe = False
    default_next_step = "Do not use the results of this batch; delete it and start a new run."


class DownloadError(VisionBatchError):
    """A file was not fetched.

    :param persisted: bytes that are on the disk and will not be asked for again.
    :param total: bytes of the whole file; 0 when not known.
    """

    exit_code = ExitCode.TEMPORARY
    default_retry_safe = True
    default_next_step = "Run again: what has arrived is kept, and only the rest is asked for."

    def __init__(self, what: str, *, persisted: int = 0, total: int = 0, **about: Any) -> None:
        super().__init__(what, **about)
        self.persisted = persisted
        self.total = total


class LinkExpired(DownloadError):
    """403, 404 or 410 on a link that carries its own authority: it is not valid any more."""

    exit_code = ExitCode.NOT_AUTHORIZED
    default_retry_safe = False
    default_next_step = "Have the link sent again, and run with the new one: what has arrived is kept."


class ObjectChanged(DownloadError):
    """The object was replaced or deleted while it was read, so that parts of two could have been mixed."""

    default_next_step = "Run again: the object is fetched anew as it is now."


class Damaged(DownloadError):
    """What arrived is not what is stored: another size or checksum, twice."""

    default_next_step = "Run again; if it stays, look for a proxy that changes content on the way."


class NoRoom(DownloadError):
    """The disk is full; what has arrived is kept beside the target."""

    default_next_step = "Make room, then run again: only the rest is asked for."


class UnsafeName(DownloadError):
    """A name from outside that leads out of the target folder, or that no disk takes; nothing was written."""

    exit_code = ExitCode.REMOTE_FAILED
    default_retry_safe = False
    default_next_step = "Ask who writes these files; the others can be fetched by a narrower pattern."


class UnsafeArchive(DownloadError):
    """An archive with a member that may not be unpacked, or that is over the budget; nothing of it was kept."""

    exit_code = ExitCode.REMOTE_FAILED
    default_retry_safe = False
    default_next_step = "Ask who made the archive; if it can be trusted, raise the budget or skip bad members."


class JobError(VisionBatchError):
    """The batch or job ended, or did not end, as wished."""

    exit_code = ExitCode.REMOTE_FAILED


class JobFailed(JobError):
    """The service says that it failed."""

    default_next_step = "Read the error report; another try starts a new generation."


class JobCancelled(JobError):
    """Somebody cancelled it."""

    default_next_step = "If that was not meant, another try starts a new generation."


class JobPartial(JobError):
    """More items failed than ``on_partial`` accepts; the others' results are there."""

    exit_code = ExitCode.PARTIAL
    default_next_step = "Read the error report; the manifest lists what succeeded."


class DeadlinePassed(JobError):
    """Still running at the deadline."""

    exit_code = ExitCode.DEADLINE
    default_retry_safe = True
    default_next_step = "Wait again with a later deadline, or look into the service's console."


class RunError(VisionBatchError):
    """Another process has the run."""

    exit_code = ExitCode.BUSY


class AlreadyRunning(RunError):
    """Another process holds the run's lock."""

    default_retry_safe = True
    default_next_step = "Wait for it to end, or end it."


class Superseded(RunError):
    """Another process has replaced this one; the remote batch is its now and was left alone."""

    default_next_step = "Nothing to do: follow the newer try."


class UnreadableRecord(RunError):
    """The run record is damaged or was written by a newer version."""

    exit_code = ExitCode.USAGE
    default_next_step = "Upgrade visionbatch, or remove the record to begin anew."
