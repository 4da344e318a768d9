"""What is asked of Huawei's IAM: a token for one project, and the id of a project by its name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from visionbatch.errors import ConfigError, NotAuthorized, UnreadableAnswer
from visionbatch.flow.call import call
from visionbatch.flow.effects import Flow, Now, Request, Response
from visionbatch.flow.retry import RetryPolicy
from visionbatch.model.credential import Credential, Token
from visionbatch.model.secret import Secret
from visionbatch.model.text import printable
from visionbatch.vias.account import Account, IamUser
from visionbatch.vias.decode import trouble
from visionbatch.vias.settings import PROJECT, ViasSettings
from visionbatch.vias.signing import AccessKey

RENEW_BEFORE_S = 600.0
"""Seconds before its end at which a token is replaced; of a short one, half of its life."""

DEFAULT_LIFE_S = 24 * 3600.0
"""Life of a token, by Huawei's IAM reference."""


@dataclass(frozen=True)
class IamToken:
    """A token for one project.

    :param life_s: seconds from its issue to its end, by IAM's own clock.
    :param project_id: of the project that it is for.
    """

    token: Secret
    life_s: float
    project_id: str

    def credential(self, now: float) -> Token:
        """What a plane holds.

        :param now: Unix seconds at which it was fetched.
        """
        margin = min(RENEW_BEFORE_S, self.life_s / 2)
        return Token({"X-Auth-Token": self.token}, now + self.life_s - margin, now + self.life_s)


@dataclass(frozen=True)
class Opened:
    """What opens a project.

    :param credential: for the plane: the key itself, or a token with the moment at which it is replaced.
    """

    credential: Credential
    project_id: str


def obtain(account: Account, settings: ViasSettings, retry: RetryPolicy) -> Flow[Opened]:
    """What opens the project of these settings, asked of IAM as far as it is not known: a token, or the project's id.

    :raises NotAuthorized: when IAM refuses the user.
    :raises ConfigError: when there is no project of the region's name, or more than one.
    """
    if isinstance(account, AccessKey):
        project_id = settings.project_id or (yield from find_project(settings, retry))
        return Opened(account, project_id)
    token = yield from fetch_token(account, settings, retry)
    now: float = yield Now()
    return Opened(token.credential(now), settings.project_id or token.project_id)


def iam_credential(account: Account) -> Credential:
    """What IAM itself is asked with: a key signs, a user has nothing yet."""
    return account if isinstance(account, AccessKey) else {}


def fetch_token(user: IamUser, settings: ViasSettings, retry: RetryPolicy) -> Flow[IamToken]:
    """Log in for one project: a token for the whole account opens no service of a project.

    :raises NotAuthorized: when IAM refuses the user.
    """
    project = {"id": settings.project_id} if settings.project_id else {"name": settings.region}
    person = {"name": user.name, "password": user.password, "domain": {"name": user.domain}}
    identity = {"methods": ["password"], "password": {"user": person}}
    body = {"auth": {"identity": identity, "scope": {"project": project}}}
    request = Request("POST", "/v3/auth/tokens", (("nocatalog", "true"),), body)
    try:
        response = yield from call(request, retry, trouble(settings))
    except NotAuthorized as error:
        error.next_step = _WHO
        raise
    return _token_of(response)


_WHO = (
    "Check user, password and account name, and that the account has a project of this region; an account that was "
    "upgraded to a HUAWEI ID needs an IAM user."
)


def _token_of(response: Response) -> IamToken:
    text = response.headers.get("x-subject-token", "")
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise UnreadableAnswer("IAM answered without a usable X-Subject-Token")
    token = response.json_object().get("token")
    if not isinstance(token, dict):
        raise UnreadableAnswer("IAM's answer describes no token")
    issued, expires = _moment(token.get("issued_at")), _moment(token.get("expires_at"))
    life = expires - issued if issued and expires and expires > issued else DEFAULT_LIFE_S
    project = token.get("project")
    return IamToken(Secret(text), life, _project_id(project.get("id") if isinstance(project, dict) else None))


def find_project(settings: ViasSettings, retry: RetryPolicy) -> Flow[str]:
    """The id of the one project that bears the region's name.

    :raises ConfigError: when there is none, or more than one.
    """
    request = Request("GET", "/v3/projects", (("name", settings.region),))
    response = yield from call(request, retry, trouble(settings))
    projects = response.json_object().get("projects")
    if not isinstance(projects, list):
        raise UnreadableAnswer("IAM's answer lists no projects")
    found = [item.get("id") for item in projects if isinstance(item, dict) and item.get("name") == settings.region]
    if len(found) != 1:
        raise ConfigError(
            f"the account has {len(found) or 'no'} project{'s'[: len(found) != 1]} named {settings.region}",
            next_step="Give project_id; the console shows it under My Credentials.",
        )
    return _project_id(found[0])


def _project_id(value: Any) -> str:
    if not isinstance(value, str) or not PROJECT.fullmatch(value):
        raise UnreadableAnswer(f"IAM names a project {printable(repr(value), 60)}, which is no project id")
    return value


def _moment(value: Any) -> float | None:
    try:
        return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else None
    except ValueError:
        return None
