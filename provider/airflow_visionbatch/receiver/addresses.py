"""Who may post where: a connection has a receiver's address when its extra has a ``webhook_secret``."""

from __future__ import annotations

import hmac
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_visionbatch._compat import AirflowNotFoundException, BaseHook, conf
from airflow_visionbatch.plugins.webhooks import PREFIX
from airflow_visionbatch.receiver.assets import SERVICES

if TYPE_CHECKING:
    from visionbatch import Landing, SecretUrl

SECRET = re.compile(r"[A-Za-z0-9_-]{32,200}")
"""What can stand in a path as it is, and cannot be guessed: 32 characters hold 192 bits."""

CONN_ID = re.compile(r"[A-Za-z0-9_.-]{1,250}")

FRESH_S = 60.0
"""Seconds after which a connection is looked up again, so that a changed secret counts."""

STALE_S = 2 * FRESH_S
"""Seconds after which what was looked up is not gone by any more, even while nothing can be looked up."""

KNOWN = 256
"""Connections kept, and as many of those that are none."""


@dataclass(frozen=True)
class Address:
    """A connection that takes webhooks.

    :param secret: the last part of its path.
    :param folder: where results are landed, and by which connection; empty where there is nothing to land.
    """

    service: str
    conn_id: str
    secret: str
    folder: str = ""
    folder_conn_id: str | None = None

    def __repr__(self) -> str:
        return f"Address({self.service} {self.conn_id})"

    def admits(self, secret: str) -> bool:
        """Whether this is the secret, in the same time whatever is wrong with it."""
        return hmac.compare_digest(self.secret.encode(), secret.encode())

    def landing(self) -> Landing | None:
        """Where results are written down."""
        if not self.folder:
            return None
        from airflow_visionbatch.places import landing

        return landing(self.folder, self.folder_conn_id)


def receiver_url(service: str, conn_id: str) -> SecretUrl:
    """The URL to give to a service as ``notificationsURL`` or webhook output, from the connection.

    It begins with the extra ``webhook_base_url``, or with Airflow's ``[api] base_url``.

    :raises visionbatch.errors.ConfigError: when the connection has no proper ``webhook_secret``.
    :raises visionbatch.errors.UnsafeUrl: when the URL leads inside the network and the extra ``webhook_inside`` is not
        true: the service could not reach it, or would reach something else.
    """
    from visionbatch import SecretUrl, outside_url
    from visionbatch.errors import ConfigError

    connection = BaseHook.get_connection(conn_id)
    extra = connection.extra_dejson
    address = address_of(connection, service)
    if address is None:
        raise ConfigError(
            f"connection {conn_id} takes no webhooks: it is not of type {service}, or its extra webhook_secret is not "
            "32 to 200 letters, digits, - and _"
        )
    inside = extra.get("webhook_inside") is True
    base = str(extra.get("webhook_base_url") or conf.get("api", "base_url", fallback="")).rstrip("/")
    url = f"{base}{PREFIX}/{service}/{conn_id}/{address.secret}"
    schemes = ("http", "https") if inside else ("https",)
    return SecretUrl(outside_url(url, what="the receiver's URL", schemes=schemes, allow_inside=inside))


def address_of(connection: Any, service: str) -> Address | None:
    """The address of a connection; ``None`` when it is of another service or has no proper secret."""
    extra = connection.extra_dejson
    secret = extra.get("webhook_secret")
    if connection.conn_type != service or not isinstance(secret, str) or not SECRET.fullmatch(secret):
        return None
    folder, by = extra.get("webhook_folder") or "", extra.get("webhook_folder_conn_id") or None
    return Address(service, connection.conn_id, secret, str(folder), by)


def look_up(service: str, conn_id: str) -> Address | None:
    """The address by way of Airflow's connections; blocks."""
    try:
        return address_of(BaseHook.get_connection(conn_id), service)
    except AirflowNotFoundException:
        return None


class AddressBook:
    """Addresses, looked up once in a while and kept; what is none is kept too, so that guessing costs no database.

    :param lookup: asks Airflow.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        lookup: Callable[[str, str], Address | None] = look_up,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lookup = lookup
        self._clock = clock
        self._found: OrderedDict[tuple[str, str], tuple[float, Address]] = OrderedDict()
        self._none: OrderedDict[tuple[str, str], tuple[float, None]] = OrderedDict()

    def known(self, service: str, conn_id: str) -> tuple[bool, Address | None]:
        """Whether there is a fresh answer, and the last one."""
        if service not in SERVICES or not CONN_ID.fullmatch(conn_id):
            return True, None
        key = (service, conn_id)
        at, address = self._found.get(key) or self._none.get(key) or (float("-inf"), None)
        return self._clock() - at < FRESH_S, address

    def usable(self, service: str, conn_id: str) -> bool:
        """Whether the last answer, though not fresh, is not too old to go by."""
        at, _ = self._found.get((service, conn_id)) or (float("-inf"), None)
        return self._clock() - at < STALE_S

    def fresh(self, service: str, conn_id: str) -> Address | None:
        """Look a connection up; to be called in a thread, one at a time is not asked for."""
        return self._lookup(service, conn_id)

    def keep(self, service: str, conn_id: str, address: Address | None) -> None:
        """Keep what a look-up has found; to be called where `known` is."""
        key, now = (service, conn_id), self._clock()
        self._found.pop(key, None)
        self._none.pop(key, None)
        if address is None:
            _kept(self._none, key, (now, None))
        else:
            _kept(self._found, key, (now, address))


def _kept(book: OrderedDict[tuple[str, str], Any], key: tuple[str, str], value: Any) -> None:
    book[key] = value
    if len(book) > KNOWN:
        book.popitem(last=False)
