"""One account in IAM: its project, its tokens, and how often its key has failed.

By Huawei's IAM reference: a token lives 24 hours, a new one does not end the older ones, and a change of
password or key ends them all.
"""

import hashlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from visionbatch_mock.ledger import Effect

if TYPE_CHECKING:
    from visionbatch_mock.ids import IdSource
    from visionbatch_mock.tenant import Tenant

TOKEN_PIECES = 32
"""Ours: tokens are 64 times as many characters, as the real ones are some thousands."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token and its life in epoch seconds; without a project it opens no project-level service."""

    text: str
    issued: float
    expires: float
    project_id: str | None


class Iam:
    """What IAM knows of one tenant."""

    def __init__(self, tenant: "Tenant", ids: "IdSource") -> None:
        self._tenant = tenant
        self._ids = ids
        self._lock = threading.Lock()
        self._tokens: dict[str, Token] = {}
        self._failures = 0
        self._locked_until = 0.0

    @property
    def project_id(self) -> str:
        """32 hexadecimal digits, the same for the same tenant and region in every mock."""
        return self._id(f"project/{self._tenant.behaviour.vias_region}")

    @property
    def domain_id(self) -> str:
        """Of the account."""
        return self._id("domain")

    @property
    def user_id(self) -> str:
        """Of the IAM user."""
        return self._id("user")

    def issue(self, *, scoped: bool) -> Token:
        """A new token; the older ones stay good."""
        now = self._tenant.clock.now()
        text = "MII" + "".join(self._ids.token() for _ in range(TOKEN_PIECES))
        project_id = self.project_id if scoped else None
        token = Token(text, now, now + self._tenant.behaviour.vias_token_life_s, project_id)
        with self._lock:
            self._tokens[text] = token
        self._tenant.names.claim_link(self._tenant, text)
        self._tenant.ledger.commit(Effect.IAM_TOKEN_ISSUED, expires=token.expires, scoped=scoped)
        return token

    def token(self, text: str) -> Token | None:
        """The token of that text, expired or not; None when it was never issued or is revoked."""
        with self._lock:
            return self._tokens.get(text)

    def revoke_tokens(self) -> None:
        """End every token, as a change of the password does."""
        with self._lock:
            self._tokens.clear()

    def note_failure(self) -> None:
        """A signature was refused; one too many in a row locks the key for a while."""
        behaviour = self._tenant.behaviour
        with self._lock:
            self._failures += 1
            if self._failures > behaviour.vias_lock_after:
                self._locked_until = self._tenant.clock.now() + behaviour.vias_lock_s
                self._failures = 0

    def note_success(self) -> None:
        """A signature was right."""
        with self._lock:
            self._failures = 0

    @property
    def locked(self) -> bool:
        """Whether the key is refused whatever is signed with it."""
        with self._lock:
            return self._tenant.clock.now() < self._locked_until

    def _id(self, what: str) -> str:
        return hashlib.sha256(f"{self._tenant.token}/{what}".encode()).hexdigest()[:32]
