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
│   ├── DeadlinePassed        still running at the deadline                         exit 8
│   └── NotReady              its input is not all there yet                        exit 5
└── RunError                another process has the run                             exit 10
    ├── AlreadyRunning        it holds the lock
    ├── Superseded            it has replaced this one; the remote batch is its now
    └── UnreadableRecord      the run record is damaged or from a newer version     exit 2

Every error says what happened, to which batch, whether another try is safe, and what to do next; it
survives a trip through pickle, because schedulers send exceptions between processes.
"""

from __future__ import annotations

from visionbatch.errors.base import (
    ExitCode,
    VisionBatchError,
    error_from_json,
    every_error,
)
from visionbatch.errors.caller import (
    FINDINGS_SHOWN,
    BrokenLine,
    ConfigError,
    InputChanged,
    InputError,
    InputMissing,
    InvalidInput,
    SourceUnreadable,
    UnreadableTables,
    UnsafeUrl,
    UsageError,
)
from visionbatch.errors.service import (
    AnswerTooLarge,
    BulkUnsupported,
    EndlessList,
    IdTaken,
    NotAuthorized,
    NotFound,
    OutcomeUnknown,
    OutOfCredits,
    PlanRefused,
    ProtocolError,
    Redirected,
    Refused,
    ServiceError,
    Throttled,
    TimedOut,
    TlsRefused,
    TransportError,
    Unavailable,
    Unreachable,
    UnreadableAnswer,
)
from visionbatch.errors.transfer import (
    Corrupted,
    Damaged,
    DownloadError,
    LinkExpired,
    NoRoom,
    ObjectChanged,
    SessionLost,
    SessionRejected,
    UnsafeArchive,
    UnsafeName,
    UploadCancelled,
    UploadError,
    UploadRefused,
    UploadStalled,
)
from visionbatch.errors.work import (
    AlreadyRunning,
    DeadlinePassed,
    JobCancelled,
    JobError,
    JobFailed,
    JobPartial,
    NotReady,
    RunError,
    Superseded,
    UnreadableRecord,
)

__all__ = [
    "FINDINGS_SHOWN",
    "AlreadyRunning",
    "AnswerTooLarge",
    "BrokenLine",
    "BulkUnsupported",
    "ConfigError",
    "Corrupted",
    "Damaged",
    "DeadlinePassed",
    "DownloadError",
    "EndlessList",
    "ExitCode",
    "IdTaken",
    "InputChanged",
    "InputError",
    "InputMissing",
    "InvalidInput",
    "JobCancelled",
    "JobError",
    "JobFailed",
    "JobPartial",
    "LinkExpired",
    "NoRoom",
    "NotAuthorized",
    "NotFound",
    "NotReady",
    "ObjectChanged",
    "OutOfCredits",
    "OutcomeUnknown",
    "PlanRefused",
    "ProtocolError",
    "Redirected",
    "Refused",
    "RunError",
    "ServiceError",
    "SessionLost",
    "SessionRejected",
    "SourceUnreadable",
    "Superseded",
    "Throttled",
    "TimedOut",
    "TlsRefused",
    "TransportError",
    "Unavailable",
    "Unreachable",
    "UnreadableAnswer",
    "UnreadableRecord",
    "UnreadableTables",
    "UnsafeArchive",
    "UnsafeName",
    "UnsafeUrl",
    "UploadCancelled",
    "UploadError",
    "UploadRefused",
    "UploadStalled",
    "UsageError",
    "VisionBatchError",
    "error_from_json",
    "every_error",
]

for _kind in every_error():
    _kind.__module__ = __name__  # The name to import it by is the one that logs show.
