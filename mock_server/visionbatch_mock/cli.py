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
    """Serve until SIGTERM or SIGINT, or list presets; returns 0 then, 2 when it cannot be started as asked."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except Unstartable as cause:
        _complain(str(cause))
        return REFUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="visionbatch-mock",
        description="A stand-in for Deepomatic, Roboflow Batch Processing, Huawei Cloud VIAS and Google's resumable "
        "uploads, for tests without a network.",
        epilog="Try: visionbatch-mock serve --port 8080, and open http://127.0.0.1:8080/ in a browser.",
    )
    commands = parser.add_subparsers(required=True, metavar="{serve,presets}", title="commands")
    commands.add_parser("presets", help="list the fault plans that stand ready").set_defaults(run=_list_presets)
    serve = commands.add_parser(
        "serve",
        help="serve until interrupted",
        description="Serve until SIGTERM or SIGINT. The line on standard output says where.",
    )
    serve.set_defaults(run=_serve)
    _add_places(serve.add_argument_group("where"))
    _add_security(serve.add_argument_group("HTTPS and control"))
    _add_behaviour(serve.add_argument_group("how it behaves; each test can change it for its own key"))
    return parser


def _add_places(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--port", type=int, default=0, help="0, the default, lets the system choose")
    group.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="to listen on (default: %(default)s)")
    group.add_argument("--expose", action="store_true", help="permit an address that other machines reach")
    group.add_argument(
        "--state", type=Path, metavar="DIR", help="keep everything in this folder; without, a stop forgets it"
    )
    group.add_argument(
        "--grace", type=float, default=GRACE_S, metavar="SECONDS",
        help="that a stop gives to running requests (default: %(default)g)",
    )  # fmt: skip
    group.add_argument("--access-log", action="store_true", help="write a line for each request to standard error")


def _add_security(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--tls", action="store_true", help="speak HTTPS, with a certificate made up on the spot")
    group.add_argument("--tls-cert", type=Path, metavar="FILE", help="speak HTTPS, with this certificate chain")
    group.add_argument("--tls-key", type=Path, metavar="FILE", help="its key, where that is another file")
    group.add_argument("--control-token", metavar="TEXT", help="control calls need it in X-Control-Token")


def _add_behaviour(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--profile", choices=list(Profile), default=Profile.STRICT,
        help="what the vendors' documents show (strict, the default), or what is assumed as well",
    )  # fmt: skip
    group.add_argument(
        "--session-kind", choices=list(SessionKind), default=SessionKind.JSON,
        help="Google's API whose upload sessions are given out (default: json)",
    )  # fmt: skip
    group.add_argument(
        "--speed", type=float, default=1.0, metavar="FACTOR", help="of the clocks; 0 lets them stand (default: 1)"
    )
    group.add_argument("--seed", type=int, metavar="NUMBER", help="makes the ids repeatable")


def _list_presets(_: argparse.Namespace) -> int:
    from visionbatch_mock.faults.presets import PRESETS  # noqa: PLC0415 - not for those who serve

    width = max(map(len, PRESETS))
    sys.stdout.write("".join(f"{preset.name:{width}}  {preset.text}\n" for preset in PRESETS.values()))
    return 0


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
        _complain(_banner(arguments, server.url, exposed=exposed))
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


def _banner(arguments: argparse.Namespace, url: str, *, exposed: bool) -> str:
    kept = f"its state is in {arguments.state}" if arguments.state else "it keeps nothing"
    text = f"this is a stand-in for tests, not the real service; {kept}; its dashboard is at {url}/"
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
