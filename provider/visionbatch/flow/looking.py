"""One look at everybody: by the list, or at each one alone while the list is broken and single looks are not."""

from __future__ import annotations

import logging
from collections.abc import Callable

from visionbatch.errors import BulkUnsupported, NotFound, Throttled, Unavailable, VisionBatchError
from visionbatch.flow.effects import Flow, Now
from visionbatch.flow.roster import Roster
from visionbatch.model.snapshot import Snapshot

log = logging.getLogger(__name__)

PATIENCE = 5
"""Failed looks at the list in a row that are an outage like any other: with the default pace, three quarters of a
minute. Thousands of single looks are a burden that a service in trouble should be spared."""

LIST_REST_S = 300.0
"""Seconds after which a broken list is tried again."""

PROBES = 3
"""Single looks that tell whether the list alone is broken, or everything."""


class Looking:
    """Looks at a roster; made once for all the rounds of one connection, for it remembers how the list does.

    :param look_all: makes a flow that reads the list; ``None`` where there is none.
    :param look: makes a flow for one look at one id.
    :param subject: whose list it is, for messages.
    """

    def __init__(
        self, look_all: Callable[[Roster], Flow[None]] | None, look: Callable[[str], Flow[Snapshot]], *, subject: str
    ) -> None:
        self._look_all = look_all
        self._look = look
        self._subject = subject
        self._failures = 0
        self._list_again = 0.0

    def without_list(self) -> Looking:
        """The same for a site that has no list."""
        return Looking(None, self._look, subject=self._subject)

    def __call__(self, roster: Roster) -> Flow[None]:
        """A flow for one look.

        :raises BulkUnsupported: when the site has no list at all.
        """
        now: float = yield Now()
        if self._look_all is None or now < self._list_again:
            yield from self._each(roster)
            return
        try:
            yield from self._look_all(roster)
        except VisionBatchError as error:
            if not self._may_go_without(error, roster):
                raise
            yield from self._each(roster, instead_of=error)
            now = yield Now()
            self._list_again = now + LIST_REST_S
            log.warning("%s: the list fails, asking for each one alone: %s", self._subject, error.what)
        else:
            self._failures, self._list_again = 0, 0.0

    def _may_go_without(self, error: VisionBatchError, roster: Roster) -> bool:
        # A service that is asked too much already is not helped by many more requests.
        throttled = isinstance(error, Throttled) and not isinstance(error, Unavailable)
        if isinstance(error, BulkUnsupported) or throttled or len(roster.refs) == 1:
            return False
        self._failures += 1
        # What waiting does not mend would end everybody's wait, so then the others are asked for at once.
        return self._failures >= PATIENCE or not error.retry_safe

    def _each(self, roster: Roster, instead_of: VisionBatchError | None = None) -> Flow[None]:
        refs = list(roster.refs)
        failed: dict[str, VisionBatchError] = {}
        for ref in refs[:PROBES]:
            try:
                roster.saw(ref, (yield from self._look(ref)))
            except VisionBatchError as error:
                failed[ref] = error
        unanswered = [error for error in failed.values() if not isinstance(error, NotFound)]
        if unanswered and len(unanswered) == len(refs[:PROBES]):
            raise instead_of or unanswered[0]
        now: float = yield Now()
        for ref, reason in failed.items():
            roster.missed(ref, reason, now)
        yield from roster.ask_each(refs[PROBES:], self._look)
