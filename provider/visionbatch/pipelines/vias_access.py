"""What opens a project of Huawei Cloud: a key that signs, or a token that is renewed; and the id of the project."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

from visionbatch.flow.effects import Flow
from visionbatch.flow.retry import RetryPolicy
from visionbatch.io.clock import AsyncClock, Clock, LoopClock
from visionbatch.io.closing import Closable
from visionbatch.io.control import AsyncCredentials, Origin
from visionbatch.io.control_sync import ControlPlane
from visionbatch.io.drive import adrive, drive
from visionbatch.model.credential import Credential
from visionbatch.vias.account import Account
from visionbatch.vias.iam import IamToken, fetch_token, find_project
from visionbatch.vias.settings import ViasSettings
from visionbatch.vias.signing import AccessKey

T = TypeVar("T")

Accounts: TypeAlias = Callable[[], Account]
"""Looks the account up; called again when its credential was refused, in case it was rotated."""

AsyncAccounts: TypeAlias = Callable[[], Awaitable[Account]]
"""The same, without blocking an event loop."""


class Access(Closable):
    """The credential and the project of one client, asked of IAM when they are first needed.

    :param retry: patience with IAM.
    """

    def __init__(self, settings: ViasSettings, accounts: Accounts, retry: RetryPolicy, clock: Clock) -> None:
        self._settings = settings
        self._accounts = accounts
        self._retry = retry
        self._clock = clock
        self._project_id = settings.project_id
        # One plane logs in, which is what gives the credential, and the other signs.
        self._open = ControlPlane(_iam(settings), dict, now=clock.now)
        self._signed = ControlPlane(_iam(settings), self._key, now=clock.now)

    def close(self) -> None:
        """Close the connections."""
        self._open.close()
        self._signed.close()

    def credential(self) -> Credential:
        """What a plane holds: the key itself, or a fresh token.

        :raises NotAuthorized: when IAM refuses the user.
        """
        account = self._accounts()
        if isinstance(account, AccessKey):
            return account
        token = self._perform(fetch_token(account, self._settings, self._retry), self._open)
        self._project_id = self._project_id or token.project_id
        return token.credential(self._clock.now())

    def project_id(self) -> str:
        """The id of the project, from the settings, the token, or a look-up by the region's name.

        :raises ConfigError: when there is no such project, or more than one.
        """
        if not self._project_id and isinstance(self._accounts(), AccessKey):
            self._project_id = self._perform(find_project(self._settings, self._retry), self._signed)
        elif not self._project_id:
            self.credential()
        return self._project_id

    def _key(self) -> Credential:
        account = self._accounts()
        return account if isinstance(account, AccessKey) else {}

    def _perform(self, flow: Flow[T], plane: ControlPlane) -> T:
        return drive(flow, plane, self._clock)


class AsyncAccess:
    """`Access` on an event loop. It has no connections of its own: IAM is asked once a day."""

    def __init__(
        self, settings: ViasSettings, accounts: AsyncAccounts, retry: RetryPolicy, clock: AsyncClock | None = None
    ) -> None:
        self._settings = settings
        self._accounts = accounts
        self._retry = retry
        self._clock = clock or LoopClock()

    async def credential(self) -> Credential:
        """See `Access.credential`."""
        account = await self._accounts()
        if isinstance(account, AccessKey):
            return account
        return (await self._token(account)).credential(self._clock.now())

    async def project_id(self) -> str:
        """See `Access.project_id`."""
        if self._settings.project_id:
            return self._settings.project_id
        account = await self._accounts()
        if isinstance(account, AccessKey):
            return await self._perform(find_project(self._settings, self._retry), self.credential)
        return (await self._token(account)).project_id

    async def _token(self, account: Account) -> IamToken:
        assert not isinstance(account, AccessKey)  # noqa: S101  # for the type checker
        return await self._perform(fetch_token(account, self._settings, self._retry), _nothing)

    async def _perform(self, flow: Flow[T], credentials: AsyncCredentials) -> T:
        from visionbatch.io.control_async import AsyncControlPlane, shared_session  # noqa: PLC0415  # extra async

        async with shared_session() as session:
            plane = AsyncControlPlane(_iam(self._settings), credentials, session, now=self._clock.now)
            return await adrive(flow, plane, self._clock)


async def _nothing() -> Credential:
    return {}


def _iam(settings: ViasSettings) -> Origin:
    return Origin(settings.iam_url, settings.allow_plain_http)
