"""The command `visionbatch-mock`."""

import argparse
import ipaddress
import signal
import sys
import threading
from collections.abc import Sequence

from visionbatch_mock.config import MockConfig, Profile, SessionKind

PORT_TAKEN = 2
"""Exit code for everything that the caller has to change before another try."""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns 0 then, 2 when the port or address cannot be had."""
    arguments = _parser().parse_args(argv)
    if not arguments.allow_remote and not _is_loopback(arguments.host):
        _complain(f"{arguments.host} is reachable from elsewhere; add --allow-remote to mean it")
        return PORT_TAKEN
    return _serve(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="visionbatch-mock", description="A stand-in for the vendors' services, for tests."
    )
    serve = parser.add_subparsers(required=True, metavar="serve").add_parser("serve", help="serve until interrupted")
    serve.add_argument("--port", type=int, default=0, help="0 lets the system choose (default)")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on")
    serve.add_argument("--allow-remote", action="store_true", help="permit an address that is not this machine")
    serve.add_argument("--control-token", help="control calls need it in X-Control-Token")
    serve.add_argument("--profile", choices=list(Profile), default=Profile.STRICT)
    serve.add_argument("--session-kind", choices=list(SessionKind), default=SessionKind.JSON)
    serve.add_argument("--speed", type=float, default=1.0, help="how fast the clocks run")
    serve.add_argument("--seed", type=int, help="makes the ids repeatable")
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    # Flask is loaded only now: --help and wrong arguments should not wait for it.
    from visionbatch_mock.server import MockServer  # noqa: PLC0415 - the line above argues it

    config = MockConfig(
        profile=arguments.profile,
        session_kind=arguments.session_kind,
        speed=arguments.speed,
        seed=arguments.seed,
        control_token=arguments.control_token,
    )
    _complain("this is a stand-in for tests, not the real service; it keeps nothing")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = MockServer(config, host=arguments.host, port=arguments.port)
    try:
        server.start()
    except OSError as error:
        server.stop()
        _complain(f"cannot listen on {arguments.host} port {arguments.port}: {error.strerror}")
        return PORT_TAKEN
    try:
        sys.stdout.write(f"visionbatch-mock listening on {server.url}\n")
        sys.stdout.flush()
        stop.wait()
    finally:
        server.stop()
    return 0


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _complain(message: str) -> None:
    sys.stderr.write(f"visionbatch-mock: {message}\n")


if __name__ == "__main__":
    sys.exit(main())
