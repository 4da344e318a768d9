"""What the user wants done when an end is not a clean one: the policies, the same everywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from visionbatch.errors import ConfigError


class PartialAction(StrEnum):
    """What a partial success means to the caller."""

    FAIL = "fail"
    WARN = "warn"
    ACCEPT = "accept"


@dataclass(frozen=True)
class OnPartial:
    """Whether a batch in which some items failed counts as a success.

    Written ``fail``, ``warn``, ``accept``, ``accept:5`` (at most five failed items) or ``accept:2%`` (of
    the total). Over the limit, ``accept`` fails; without numbers from the service it cannot be checked and
    fails as well.

    :param action: the word before the colon.
    :param most: the greatest number of failed items accepted; ``None`` is any number.
    :param share: the greatest share of failed items accepted, 0 to 1; ``None`` is any share.
    """

    action: PartialAction = PartialAction.WARN
    most: int | None = None
    share: float | None = None

    @classmethod
    def parse(cls, text: str | OnPartial, name: str = "on_partial") -> OnPartial:
        """Read the written form.

        :param name: what the policy is called, for messages.
        :raises ConfigError: when it is none of the forms above.
        """
        if isinstance(text, OnPartial):
            return text
        match = re.fullmatch(r"(fail|warn|accept)(?::(?:(\d+)|(\d+(?:\.\d+)?)%))?", text.strip())
        if match is None or (match[1] != "accept" and ":" in text):
            raise ConfigError(f"{name} is fail, warn, accept, accept:<number> or accept:<share>%, not {text!r}")
        share = None if match[3] is None else float(match[3]) / 100
        if share is not None and share > 1:
            raise ConfigError(f"{name} accepts at most 100%, not {text!r}")
        return cls(PartialAction(match[1]), None if match[2] is None else int(match[2]), share)

    def __str__(self) -> str:
        """The written form."""
        if self.most is not None:
            return f"{self.action}:{self.most}"
        if self.share is not None:
            return f"{self.action}:{self.share * 100:g}%"
        return self.action.value


class OnTimeout(StrEnum):
    """What happens to the remote batch when our deadline passes."""

    CANCEL = "cancel"
    LEAVE = "leave"


class OnRetry(StrEnum):
    """What a retry does with what its last try left."""

    ADOPT = "adopt"
    FRESH = "fresh"


class OnClear(StrEnum):
    """What a task that was cleared by a person does with what its last try left."""

    ADOPT = "adopt"
    CANCEL_AND_NEW = "cancel_and_new"


class OnInputChange(StrEnum):
    """What happens when the source is not what it was when the run began."""

    FAIL = "fail"
    CANCEL_AND_NEW = "cancel_and_new"


class OnFailedJob(StrEnum):
    """What a retry does when the job of the last try has failed, where a service can do a job again."""

    NEW = "new"
    """The next generation: a job of its own."""
    RESTART = "restart"
    """The same job once more, with the parameters it had."""


class OnBrokenLine(StrEnum):
    """What happens when a line of an export cannot become rows."""

    QUARANTINE = "quarantine"
    FAIL = "fail"


@dataclass(frozen=True)
class Policies:
    """The policies of a run.

    :param on_partial: see `OnPartial`; the default counts a partial success as a success and warns.
    :param on_timeout: leave the remote batch running at our deadline, or cancel it.
    :param on_retry: go on with what the last try left, or cancel it and begin anew.
    :param on_clear: the same for a try that a person asked for.
    :param on_input_change: refuse to go on, or cancel and begin anew with the new input.
    :param cancel_on_kill: whether killing the run cancels the remote batch.
    """

    on_partial: OnPartial = field(default_factory=OnPartial)
    on_timeout: OnTimeout = OnTimeout.LEAVE
    on_retry: OnRetry = OnRetry.ADOPT
    on_clear: OnClear = OnClear.ADOPT
    on_input_change: OnInputChange = OnInputChange.FAIL
    cancel_on_kill: bool = True

    @classmethod
    def of(
        cls,
        *,
        on_partial: str | OnPartial = "warn",
        on_timeout: str = OnTimeout.LEAVE,
        on_retry: str = OnRetry.ADOPT,
        on_clear: str = OnClear.ADOPT,
        on_input_change: str = OnInputChange.FAIL,
        cancel_on_kill: bool = True,
    ) -> Policies:
        """Build from written forms.

        :raises ConfigError: when a word is not one of its policy's.
        """
        try:
            return cls(
                OnPartial.parse(on_partial),
                OnTimeout(on_timeout),
                OnRetry(on_retry),
                OnClear(on_clear),
                OnInputChange(on_input_change),
                cancel_on_kill,
            )
        except ValueError as error:
            raise ConfigError(f"a policy has an unknown word: {error}") from error
