"""Events for asset watchers: something of a service has ended, whoever made it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable, Iterable, Sequence
from contextlib import aclosing
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_visionbatch.services import hub_of
from airflow_visionbatch.triggers.watching import WatchingTrigger

if TYPE_CHECKING:
    from visionbatch import EndedSince, Listed, Outcome, Pace

SETTLE_S = 5.0
"""Seconds between an end and the looks after it, more than Airflow takes to write an event down."""


class EndedEventTrigger(WatchingTrigger):
    """Tells of everything on a service's list that ends, for an ``AssetWatcher``; one look at the list serves all.

    All triggers of a connection with the same interval share one look at the list. Which ends have been told is kept
    with the asset, on Airflow 3.3, so that a restart of the triggerer loses none; a triggerer that dies in the seconds
    after an event may tell it again. Before 3.3 the telling begins anew with each start of the trigger. Seen are the
    thousand newest.

    The payload of an event is small JSON: the id, ``label``, ``outcome``, ``phase``, ``native``, ``counts``.

    :param conn_id: Airflow connection; the service's default one when empty.
    :param label_prefix: only what has a label that begins like this.
    :param outcomes: only these of the outcomes that the list can tell; all of them by default.
    :param poll_interval: seconds between two looks while nothing ends, and after an error that waiting does not mend.
    :param catch_up: the first time, tell also of what has ended before.
    :raises ValueError: for an outcome that there is not, or an interval that is none.
    """

    default_conn_name: ClassVar[str]
    service: ClassVar[str]
    """As hubs and payloads call it."""
    id_key: ClassVar[str] = "batch_id"
    """What an id is called in payloads."""
    ends: ClassVar[tuple[str, ...]]
    """The outcomes of `visionbatch.judge` that are ends, and that the list can tell."""

    def __init__(
        self,
        conn_id: str = "",
        label_prefix: str = "",
        outcomes: Iterable[str] | None = None,
        poll_interval: float = 60.0,
        catch_up: bool = False,
        **later: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's constructor has no annotations
        wanted = sorted(set(self.ends if outcomes is None else outcomes))
        if not wanted or not set(wanted) <= set(self.ends):
            raise ValueError(f"outcomes are some of {', '.join(self.ends)}, not {wanted}")
        if not poll_interval > 0:
            raise ValueError(f"poll_interval is {poll_interval}: it must be greater than 0")
        self.conn_id = conn_id or self.default_conn_name
        self.label_prefix = label_prefix
        self.outcomes = wanted
        self.poll_interval = poll_interval
        self.catch_up = catch_up
        # A row written by a newer version may carry arguments this one does not know; it can still tell.
        self.later = later

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, as the triggerer stores them."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "conn_id": self.conn_id,
                "label_prefix": self.label_prefix,
                "outcomes": self.outcomes,
                "poll_interval": self.poll_interval,
                "catch_up": self.catch_up,
                **self.later,
            },
        )

    def shared_stream_key(self) -> Hashable:
        """Who agrees in connection and interval shares a look."""
        return ("visionbatch", self.service, self.conn_id, float(self.poll_interval))

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Any]:
        """The newest of the list, after every look.

        :raises VisionBatchError: when the service has no list, and for what waiting does not mend.
        """
        async with (
            hub_of(cls.service, kwargs["conn_id"]) as shared,
            aclosing(shared.listings(_pace(kwargs["poll_interval"]))) as listings,
        ):
            async for listed in listings:
                yield listed

    def _resumed(self, cursor: Any) -> EndedSince:
        from visionbatch import EndedSince

        prefix = self.label_prefix
        return EndedSince(cursor, wanted=lambda item: item.label.startswith(prefix), catch_up=self.catch_up)

    def _news(self, ended: EndedSince, listed: Sequence[Listed]) -> list[dict[str, Any]]:
        return [self._payload(item) for item in ended.news(listed) if _outcome(item) in self.outcomes]

    def _cursor_key(self) -> str:
        """Triggers of one asset with different wishes have different cursors."""
        wishes = "\0".join((self.conn_id, self.label_prefix, *self.outcomes))
        return f"visionbatch_ended_{sha256(wishes.encode()).hexdigest()[:16]}"

    def _payload(self, item: Listed) -> dict[str, Any]:
        snapshot = item.snapshot.to_json()
        return {
            "schema": 1,
            "service": self.service,
            self.id_key: item.ref,
            "label": item.label,
            "outcome": _outcome(item).value,
            **{key: snapshot[key] for key in ("phase", "native", "counts")},
        }


def _pace(poll_interval: float) -> Pace:
    from visionbatch import Pace

    soon = min(SETTLE_S, poll_interval)
    return Pace(first_s=soon, longest_s=poll_interval, confirm_s=soon)


def _outcome(item: Listed) -> Outcome:
    from visionbatch import OnPartial, judge

    return judge(item.snapshot, OnPartial.parse("accept")).outcome
