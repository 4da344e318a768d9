"""Talking with a service failed: no word came through, an unhappy one came, or one that nobody can read."""

from __future__ import annotations

from typing import Any

from visionbatch.errors.base import ExitCode, VisionBatchError


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
