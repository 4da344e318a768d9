"""The mock as an in-process server that starts and stops in milliseconds."""

import ssl
from pathlib import Path
from types import TracebackType
from typing import Self

from visionbatch_mock.app import create_app
from visionbatch_mock.config import MockConfig
from visionbatch_mock.listener import Listener
from visionbatch_mock.state import State
from visionbatch_mock.world import World


class MockServer:
    """A mock behind a real socket, in threads of this process.

    ```
    with MockServer() as mock:
        requests.post(f"{mock.url}/v0.2/batches", headers={"Authorization": "Token t"})
        assert mock.world.tenant("t").ledger.entries("batch.created")
    ```

    With `tls` it speaks HTTPS by that context, which holds the certificate. Port 0 lets the operating
    system choose. `start` raises `OSError` when the port is taken; when it returns, connections are
    accepted. With `state`, a folder, a later server goes on where this one stops; `StateUnusable` is raised
    when that cannot be. `stop` ends every connection and thread.
    """

    def __init__(
        self,
        config: MockConfig | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        state: Path | None = None,
    ) -> None:
        self._state = State(state) if state else None
        self.world = World(config, self._state.files if self._state else None)
        self.app = create_app(world=self.world)
        self.host = host
        self._wanted_port = port
        self.tls = tls
        self._listener: Listener | None = None

    @property
    def port(self) -> int:
        """The port that is listened on; raises `RuntimeError` before the start."""
        if self._listener is None:
            raise RuntimeError("the mock has no port before it is started")
        return int(self._listener.server_address[1])

    @property
    def url(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    def start(self) -> Self:
        """Listen and serve."""
        if self._state is not None:
            self._state.load(self.world)
        self._listener = Listener(self.app, self.host, self._wanted_port, self.world.gate, self.tls)
        self._listener.start()
        return self

    def save(self, wait_s: float = 10.0) -> bool:
        """Write the state down now; False without a state, or while requests are being served for `wait_s`."""
        return self._state is not None and self._state.save(wait_s)

    def stop(self, grace_s: float = 0.0) -> None:
        """Close every connection, wait for every thread, free the disk.

        Requests that are being served get `grace_s` seconds to end; planned delays end at once.
        """
        self.world.stopping.set()
        if self._listener is not None:
            self._listener.stop(grace_s)
        self.world.close()
        if self._state is not None:
            self._state.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
