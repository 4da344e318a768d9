"""The command `visionbatch-mock`."""

import argparse
import ipaddress
import signal
import ssl
import sys
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from visionbatch_mock.config import MockConfig, Profile, SessionKind

if TYPE_CHECKING:
    from visionbatch_mock.server import MockServer

REFUSED = 2
"""Exit code for everything that the caller has to change before another try."""

GRACE_S = 5.0
"""Ours: how long the stop waits for requests that are being served; container engines allow ten seconds."""


class Unstartable(RuntimeError):
    """The server cannot be started as asked; the message says what to change."""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns 0 then, 2 when it cannot be started as asked."""
    arguments = _parser().parse_args(argv)
    try:
        return _serve(arguments)
    except Unstartable as cause:
        _complain(str(cause))
        return REFUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="visionbatch-mock", description="A stand-in for the vendors' services, for tests."
    )
    serve = parser.add_subparsers(required=True, metavar="serve").add_parser("serve", help="serve until interrupted")
    serve.add_argument("--port", type=int, default=0, help="0 lets the system choose (default)")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on")
    serve.add_argument("--expose", action="store_true", help="permit an address that other machines reach")
    serve.add_argument("--control-token", help="control calls need it in X-Control-Token")
    serve.add_argument("--profile", choices=list(Profile), default=Profile.STRICT)
    serve.add_argument("--session-kind", choices=list(SessionKind), default=SessionKind.JSON)
    serve.add_argument("--speed", type=float, default=1.0, help="how fast the clocks run")
    serve.add_argument("--seed", type=int, help="makes the ids repeatable")
    serve.add_argument("--tls", action="store_true", help="speak HTTPS, with a certificate made up on the spot")
    serve.add_argument("--tls-cert", type=Path, help="speak HTTPS, with this certificate chain")
    serve.add_argument("--tls-key", type=Path, help="its key, where that is another file")
    serve.add_argument("--state", type=Path, help="keep everything in this folder; without, a stop forgets it")
    serve.add_argument("--grace", type=float, default=GRACE_S, help="seconds that a stop gives to running requests")
    serve.add_argument("--access-log", action="store_true", help="write a line for each request to standard error")
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    # Flask is loaded only now: --help and wrong arguments should not wait for it.
    from visionbatch_mock import logs  # noqa: PLC0415 - the line above argues it

    exposed = not _is_loopback(arguments.host)
    if exposed and not arguments.expose:
        raise Unstartable(f"{arguments.host} is reachable from elsewhere; add --expose to mean it")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, partial(_on_signal, stop))
    logs.to_standard_error(access=arguments.access_log)
    server = _started(arguments)
    try:
        _complain(_banner(arguments, exposed=exposed))
        sys.stdout.write(f"visionbatch-mock listening on {server.url}\n")
        sys.stdout.flush()
        stop.wait()
    finally:
        server.stop(arguments.grace)
    return 0


def _on_signal(stop: threading.Event, number: int, _: object) -> None:
    """Begin the stop; a second signal ends the process at once."""
    stop.set()
    signal.signal(number, signal.SIG_DFL)


def _started(arguments: argparse.Namespace) -> "MockServer":
    try:
        from visionbatch_mock.server import MockServer  # noqa: PLC0415 - see above
        from visionbatch_mock.state import StateUnusable  # noqa: PLC0415
    except ModuleNotFoundError as error:
        missing = f"the server needs {error.name}, which is not installed"
        raise Unstartable(f"{missing}: pip install 'visionbatch[mock]'") from error

    config = MockConfig(
        profile=arguments.profile,
        session_kind=arguments.session_kind,
        speed=arguments.speed,
        seed=arguments.seed,
        control_token=arguments.control_token,
    )
    try:
        server = MockServer(config, host=arguments.host, port=arguments.port, state=arguments.state)
    except StateUnusable as error:
        raise Unstartable(str(error)) from error
    try:
        server.tls = _tls(arguments, (arguments.state or server.world.directory) / "tls")
        return server.start()
    except OSError as error:
        server.stop()
        raise Unstartable(
            f"cannot listen on {arguments.host} port {arguments.port}: {error.strerror or error}; "
            "choose another with --port, or 0 for any"
        ) from error
    except StateUnusable as error:
        server.stop()
        raise Unstartable(str(error)) from error
    except Unstartable:
        server.stop()
        raise


def _tls(arguments: argparse.Namespace, folder: Path) -> ssl.SSLContext | None:
    from visionbatch_mock import tls  # noqa: PLC0415 - see above

    try:
        if arguments.tls_cert is not None:
            return tls.from_files(arguments.tls_cert, arguments.tls_key)
        if not arguments.tls:
            return None
        context, authority = tls.made_up(arguments.host, folder)
    except ModuleNotFoundError as error:
        raise Unstartable("--tls needs the package trustme to make a certificate; or give --tls-cert") from error
    except OSError as error:
        raise Unstartable(f"cannot use the certificate {arguments.tls_cert}: {error}") from error
    _complain(f"clients have to trust {authority}")
    return context


def _banner(arguments: argparse.Namespace, *, exposed: bool) -> str:
    kept = f"its state is in {arguments.state}" if arguments.state else "it keeps nothing"
    text = f"this is a stand-in for tests, not the real service; {kept}"
    if not exposed:
        return text
    control = "" if arguments.control_token else ", control calls included; --control-token guards those"
    return f"{text}\nvisionbatch-mock: EXPOSED: other machines reach it and any key is taken{control}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _complain(message: str) -> None:
    sys.stderr.write(f"visionbatch-mock: {message}\n")


if __name__ == "__main__":
    sys.exit(main())
