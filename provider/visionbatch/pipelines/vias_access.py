"""Opening a project of Huawei Cloud in a thread, and on a loop: what is asked of IAM is written once, as a flow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from threading import Lock
from typing import TypeAlias

from visionbatch.flow.retry import RetryPolicy
from visionbatch.io.clock import AsyncClock, Clock, LoopClock
from visionbatch.io.closing import Closable
from visionbatch.io.control import Origin
from visionbatch.io.control_sync import ControlPlane
from visionbatch.io.drive import adrive, drive
from visionbatch.model.credential import Credential
from visionbatch.pipelines.site import Site
from visionbatch.vias.account import Account
from visionbatch.vias.api import ViasApi, with_project
from visionbatch.vias.iam import Opened, iam_credential, obtain
from visionbatch.vias.settings import ViasSettings

Accounts: TypeAlias = Callable[[], Account]
"""Looks the account up; called again when its credential was refused, in case it was rotated."""

AsyncAccounts: TypeAlias = Callable[[], Awaitable[Account]]
"""The same, without blocking an event loop."""


def vias_origin(settings: ViasSettings) -> Origin:
    """Where VIAS itself is."""
    return Origin(settings.base_url, settings.allow_plain_http)


def _iam_origin(settings: ViasSettings) -> Origin:
    return Origin(settings.iam_url, settings.allow_plain_http)


class Access(Closable):
    """The credential and the project of one client, asked of IAM when they are first needed; many threads may ask.

    :param retry: patience with IAM.
    """

    def __init__(self, settings: ViasSettings, accounts: Accounts, retry: RetryPolicy, clock: Clock) -> None:
        self._settings = settings
        self._accounts = accounts
        self._retry = retry
        self._clock = clock
        # The plane of IAM is for one thread at a time.
        self._lock = Lock()
        self._account: Account | None = None
        self._fresh: Credential | None = None
        self._plane = ControlPlane(_iam_origin(settings), self._iam_credential, now=clock.now)

    def close(self) -> None:
        """Close the connections."""
        self._plane.close()

    def credential(self) -> Credential:
        """What the plane of VIAS holds; what finding the project has brought is used first.

        :raises NotAuthorized: when IAM refuses the user.
        """
        with self._lock:
            found, self._fresh = self._fresh, None
            return found or self._open().credential

    def project_id(self) -> str:
        """The id of the project, from the settings, the token, or a look-up by the region's name.

        :raises ConfigError: when there is no such project, or more than one.
        """
        with self._lock:
            if not self._settings.project_id:
                self._fresh = self._open().credential
            return self._settings.project_id

    def _open(self) -> Opened:
        self._account = self._accounts()
        opened = drive(obtain(self._account, self._settings, self._retry), self._plane, self._clock)
        self._settings = with_project(self._settings, opened.project_id)
        return opened

    def _iam_credential(self) -> Credential:
        return iam_credential(self._account or self._accounts())


async def vias_site(settings: ViasSettings, accounts: AsyncAccounts, clock: AsyncClock | None = None) -> Site:
    """A project as an event loop sees it, its id looked up; all who wait there share one credential.

    :param accounts: looks the account up without blocking the loop.
    :raises ConfigError: when there is no project of the region's name, or more than one.
    """
    if not settings.project_id:
        opened = await _opened(settings, await accounts(), clock or LoopClock())
        settings = with_project(settings, opened.project_id)

    async def credential() -> Credential:
        return (await _opened(settings, await accounts(), clock or LoopClock())).credential

    return Site(ViasApi(settings), vias_origin(settings), credential)


async def _opened(settings: ViasSettings, account: Account, clock: AsyncClock) -> Opened:
    from visionbatch.io.control_async import AsyncControlPlane, shared_session  # noqa: PLC0415  # extra async

    async def credential() -> Credential:
        return iam_credential(account)

    async with shared_session() as session:
        plane = AsyncControlPlane(_iam_origin(settings), credential, session, now=clock.now)
        return await adrive(obtain(account, settings, RetryPolicy()), plane, clock)
