"""Everything that one mock knows: its tenants, ids, sessions and disk space."""

import shutil
import tempfile
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visionbatch_mock.config import MockConfig
from visionbatch_mock.courier import Courier, Room
from visionbatch_mock.gate import Gate
from visionbatch_mock.ids import IdSource
from visionbatch_mock.metrics import Metrics
from visionbatch_mock.names import Names
from visionbatch_mock.storage.sessions import UploadSession
from visionbatch_mock.tenant import Tenant

ANONYMOUS = "anonymous"
"""The tenant of requests without credentials, as Google clients send them to emulators."""


_OF_THE_PROCESS = frozenset({"config", "courier", "directory", "gate", "metrics", "stopping", "_lock", "_remove"})
"""What a world has for as long as it runs; everything else is its history, which a restart may bring back."""


class World:
    """The state behind one application. Two of them share nothing.

    Bytes are in `directory`, or in a temporary one that goes with the world.
    """

    def __init__(self, config: MockConfig | None = None, directory: Path | None = None) -> None:
        self.config = config or MockConfig()
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._tenants: dict[str, Tenant] = {}
        self._sessions: dict[str, tuple[Tenant, UploadSession]] = {}
        self.names = Names()
        self.metrics = Metrics()
        self.gate = Gate()
        self.courier = Courier(self.stopping, self.gate)
        self.directory = directory or Path(tempfile.mkdtemp(prefix="visionbatch-mock-"))
        # A directory that was given is the giver's to keep.
        self._remove = None if directory else weakref.finalize(self, shutil.rmtree, self.directory, ignore_errors=True)

    def tenant(self, token: str = ANONYMOUS) -> Tenant:
        """The customer behind a token, made at its first mention."""
        with self._lock:
            if token not in self._tenants:
                ids = IdSource(self.config.seed, token)
                told = (self.config, ids, self.directory, self._register, self.names, self._watch)
                self._tenants[token] = Tenant(token, *told)
            return self._tenants[token]

    def tenants(self) -> list[Tenant]:
        """Every customer that has been mentioned, oldest first."""
        with self._lock:
            return list(self._tenants.values())

    def sessions(self, tenant: Tenant | None = None) -> list[UploadSession]:
        """Every upload session that a URL reaches, ended ones included; or those of one tenant."""
        with self._lock:
            return [session for owner, session in self._sessions.values() if tenant in {None, owner}]

    def part(self) -> dict[str, Any]:
        """Everything that is history and not of this process, by the names of this object."""
        return {name: value for name, value in vars(self).items() if name not in _OF_THE_PROCESS}

    def put(self, part: Mapping[str, Any]) -> None:
        """Take over the history that `part` gave."""
        vars(self).update(part)
        for tenant in self.tenants():
            tenant.expect_events()

    def part_of(self, tenant: Tenant) -> dict[str, Any]:
        """The same for one tenant, with what the world keeps for it."""
        own = {name: value for name, value in vars(tenant).items() if name not in {"gate", "snapshots"}}
        with self._lock:
            sessions = {key: value for key, value in self._sessions.items() if value[0] is tenant}
        return {"own": own, "sessions": sessions, "names": self.names.of(tenant)}

    def put_part(self, tenant: Tenant, part: Mapping[str, Any]) -> None:
        """Take over what `part_of` gave, in place of what the tenant has."""
        with self._lock:
            kept = {key: value for key, value in self._sessions.items() if value[0] is not tenant}
            self._sessions = {**kept, **part["sessions"]}
        self.names.release([tenant])
        self.names.put(tenant, part["names"])
        vars(tenant).update(part["own"])
        tenant.expect_events()

    def session(self, session_id: str) -> tuple[Tenant, UploadSession] | None:
        """The session of a URL and whose it is. The id is all the credential that there is."""
        with self._lock:
            return self._sessions.get(session_id)

    def is_secret(self, text: str) -> bool:
        """Whether a text is the id of a session, or a link or a token that was given to somebody.

        It is asked for every part of every path, and needs no lock: a look into a dict is one step.
        """
        return text in self._sessions or self.names.is_link(text)

    def reset(self, tenant: Tenant | None = None) -> None:
        """Forget one tenant's history, or everybody's."""
        with self._lock:
            chosen = list(self._tenants.values()) if tenant is None else [tenant]
            kept = {k: v for k, v in self._sessions.items() if v[0] not in chosen}
            self._sessions = kept
        self.names.release(chosen)
        for each in chosen:
            each.reset()

    def pause(self, seconds: float) -> None:
        """Let real time pass, unless the mock is being stopped."""
        self.stopping.wait(seconds)

    def close(self) -> None:
        """End every pause and free the disk. The world cannot be used afterwards."""
        self.stopping.set()
        self.courier.join()
        if self._remove is not None:
            self._remove()

    def _watch(self, room: Room) -> None:
        self.courier.watch(room)

    def _register(self, tenant: Tenant, session: UploadSession) -> None:
        with self._lock:
            self._sessions[session.id] = (tenant, session)
