"""Everything that one mock knows: its tenants, ids, sessions and disk space."""

import shutil
import tempfile
import threading
import weakref
from pathlib import Path

from visionbatch_mock.config import MockConfig
from visionbatch_mock.ids import IdSource
from visionbatch_mock.names import Names
from visionbatch_mock.roboflow.courier import Courier, Room
from visionbatch_mock.storage.sessions import UploadSession
from visionbatch_mock.tenant import Tenant

ANONYMOUS = "anonymous"
"""The tenant of requests without credentials, as Google clients send them to emulators."""


class World:
    """The state behind one application. Two of them share nothing."""

    def __init__(self, config: MockConfig | None = None) -> None:
        self.config = config or MockConfig()
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._tenants: dict[str, Tenant] = {}
        self._sessions: dict[str, tuple[Tenant, UploadSession]] = {}
        self.names = Names()
        self.courier = Courier(self.stopping)
        self.directory = Path(tempfile.mkdtemp(prefix="visionbatch-mock-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self.directory, ignore_errors=True)

    def tenant(self, token: str = ANONYMOUS) -> Tenant:
        """The customer behind a token, made at its first mention."""
        with self._lock:
            if token not in self._tenants:
                ids = IdSource(self.config.seed, token)
                told = (self.config, ids, self.directory, self._register, self.names, self._watch)
                self._tenants[token] = Tenant(token, *told)
            return self._tenants[token]

    def session(self, session_id: str) -> tuple[Tenant, UploadSession] | None:
        """The session of a URL and whose it is. The id is all the credential that there is."""
        with self._lock:
            return self._sessions.get(session_id)

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
        self._remove()

    def _watch(self, room: Room) -> None:
        self.courier.watch(room)

    def _register(self, tenant: Tenant, session: UploadSession) -> None:
        with self._lock:
            self._sessions[session.id] = (tenant, session)
