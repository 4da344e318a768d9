"""One request being served: whose it is, what it is for, what it meets, how it ends.

A pair of hooks opens the exchange and completes its line in the journal when the answer is known, so
that a client that has its answer in hand finds the line finished.
"""

import json
import logging
import time
from collections.abc import Callable
from functools import wraps
from types import UnionType
from typing import Any, ParamSpec, cast

from flask import Flask, Request, Response, current_app, g, request
from flask.globals import request_ctx

from visionbatch_mock.answers import is_roboflow
from visionbatch_mock.bodies import Body
from visionbatch_mock.faults import Fault, Instruction, Outlook
from visionbatch_mock.faults.content import altered, beforehand
from visionbatch_mock.faults.effects import instead
from visionbatch_mock.hangup import Ending, reset_connection, wished
from visionbatch_mock.journal import Journal
from visionbatch_mock.logs import ACCESS
from visionbatch_mock.operations import Operation, Surface
from visionbatch_mock.refusals import Refusal
from visionbatch_mock.tenant import Tenant
from visionbatch_mock.text import printable, short
from visionbatch_mock.vias.arrival import AUTH_TOKEN, tenant_of
from visionbatch_mock.world import ANONYMOUS, World

P = ParamSpec("P")

EXTENSION = "visionbatch_mock"
INSIDE = "visionbatch_mock.inside"
"""In the environment of a request within another: the gate that this one has passed."""
_DECLARED = "visionbatch_mock_operation"
RETRY_TEST_HEADER = "x-retry-test-id"
_WHOLE = frozenset({Surface.UPLOAD, Surface.PUT})
_UNRECORDED = ("/_control", "/retry_test")
_PAGES = "/_dashboard/"
_PROBES = frozenset({"/health", "/ready", "/metrics"})
_OPEN = frozenset(
    {
        "alt", "delimiter", "encoding-type", "endOffset", "fields", "generation", "ifGenerationMatch",
        "ifGenerationNotMatch", "ifMetagenerationMatch", "ifMetagenerationNotMatch", "limit", "list-type", "marker",
        "max-keys", "maxResults", "name", "offset", "page", "page_size", "partNumber", "prefix", "projection",
        "start-after", "startOffset", "uploadType", "uploads",
    }
)  # fmt: skip
"""Arguments of queries whose values are no secrets; whatever is not here may be one."""

access = logging.getLogger(ACCESS)


class Exchange:
    """What is known of the current request; reached with `current()`.

    `asked` is the request itself, for each look through the proxy costs as much as what it finds.
    """

    def __init__(self, world: World, tenant: Tenant, asked: Request) -> None:
        self.world = world
        self.tenant = tenant
        self._request = asked
        self.body = Body(asked, world.pause)
        # Kept by reference: a reset gives the tenant a new journal while this request still runs.
        self._journal: Journal = tenant.journal
        self.operation: Operation | None = None
        self.met: Instruction | None = None
        self.matched = asked.routing_exception is None
        """False for a request that no route wants; one that the profile hides has a route all the same."""
        self._began = time.monotonic()
        arguments, headers = asked.args, asked.headers
        self.seq = self._journal.open(
            tenant.clock.now(),
            asked.method,
            _shown_path(world, asked),
            query=tuple(arguments),
            arguments=tuple(f"{k}={v if k in _OPEN else ''}" for k, v in arguments.items(multi=True)),
            content_range=headers.get("Content-Range"),
            content_length=self.body.length,
            content_type=headers.get("Content-Type"),
            authorization="Authorization" in headers or AUTH_TOKEN in headers,
            user_agent=headers.get("User-Agent"),
        )

    def declare(self, operation: Operation) -> None:
        """Say what this request is for."""
        self.operation = operation
        self._journal.complete(self.seq, operation=operation.value)

    def meet(self, outlook: Outlook) -> Instruction | None:
        """The instruction of a fault plan for this request; noted in the journal."""
        if self.operation is None:
            return None
        retry_test = self._request.headers.get(RETRY_TEST_HEADER)
        met = self.tenant.faults.meet(self.operation, outlook, self.seq, retry_test)
        if met is not None:
            self.met = met
            self._journal.complete(self.seq, fault=met.text)
            self.world.metrics.fault(met.fault.value)
        return met

    def finish(self, response: Response) -> None:
        """Complete the line of the journal."""
        wish = wished(self._request.environ)
        silent = wish is not None and wish.ending is Ending.RESET
        self._journal.complete(
            self.seq,
            received=self.body.received,
            status=None if silent else response.status_code,
            range=response.headers.get("Range"),
            matched=self.matched,
        )
        self._count("reset" if silent else str(response.status_code))

    def _count(self, status: str) -> None:
        name = "none" if self.operation is None else self.operation.value
        seconds = time.monotonic() - self._began
        self.world.metrics.request(name, status, seconds, self.body.received, matched=self.matched)
        if access.isEnabledFor(logging.INFO):
            asked, met = self._request, self.met.text if self.met else "-"
            path = printable(_shown_path(self.world, asked))
            access.info("%s %s %s %s %d fault=%s", asked.method, path, status, name, self.body.received, met)


def _shown_path(here: World, asked: Request) -> str:
    """The path for the journal; a link, a token or a session in it is a secret, of which a hash is enough.

    Wherever it stands: the routes of the store take every path, a misspelt one too.
    """
    link = (asked.view_args or {}).get("link")
    parts = asked.path.split("/")
    return "/".join([short(part) if part == link or here.is_secret(part) else part for part in parts])


def world() -> World:
    """The world of the application that serves the current request."""
    return cast("World", current_app.extensions[EXTENSION])


def current() -> Exchange:
    """The exchange of the current request."""
    return cast("Exchange", g.exchange)


def token_of_request() -> str | None:
    """The token of `Authorization: Token X` or `Bearer X`; None without one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() in {"token", "bearer"} else None


def install(app: Flask) -> None:
    """Open and finish an exchange around every request but the mock's own."""

    @app.before_request
    def open_exchange() -> None:
        # The pages find out by themselves whose history they show, and must not make a customer.
        asked = request_ctx.request
        if asked.path in _PROBES or asked.path.startswith(_PAGES):
            return
        unrecorded = asked.path.startswith(_UNRECORDED)
        tenant = tenant_of_control() if unrecorded else _tenant_of_request(asked)
        # A call of a batch request is inside already, and would wait for itself.
        if asked.environ.get(INSIDE) is not tenant.gate:
            tenant.gate.enter()
            g.gate = tenant.gate
        if not unrecorded:
            g.exchange = Exchange(world(), tenant, asked)

    @app.after_request
    def finish_exchange(response: Response) -> Response:
        if "exchange" in g:
            current().finish(response)
        return response

    @app.teardown_request
    def leave(_: BaseException | None) -> None:
        if "gate" in g:
            g.pop("gate").leave()


def _tenant_of_request(asked: Request) -> Tenant:
    """Session URLs and mailed links carry no credentials, and buckets may be claimed: then they say whose it is."""
    here, session_id = world(), asked.args.get("upload_id")
    found = here.session(session_id) if session_id else None
    if found:
        return found[0]
    named = asked.view_args or {}
    owner = here.names.owner(bucket=named.get("bucket"), link=named.get("link"))
    return owner or tenant_of(here) or here.tenant(token_of_request() or _key_of_query() or ANONYMOUS)


def _key_of_query() -> str | None:
    """The other place of a key, which only Roboflow's API knows."""
    return request.args.get("api_key") if is_roboflow(request.path) else None


def operation(
    name: Operation, outlook: Callable[..., Outlook] | None = None
) -> Callable[[Callable[P, Response]], Callable[P, Response]]:
    """Declare what a route is for, which opens it to fault plans.

    `outlook` tells, from the route's arguments, what the request is about to do; without it only an
    upload's body is looked at. Routes of upload sessions meet their faults themselves, because there
    it depends on how the bytes of the request stand to those persisted; all others meet them here.
    """

    def decorate(view: Callable[P, Response]) -> Callable[P, Response]:
        @wraps(view)
        def serve(*args: P.args, **kwargs: P.kwargs) -> Response:
            exchange = current()
            exchange.declare(name)
            if name.surface is Surface.SESSION:
                return view(*args, **kwargs)
            ahead = outlook(*args, **kwargs) if outlook else _outlook(name, exchange.body)
            instruction = exchange.meet(ahead)
            delay(instruction)
            early = answer_instead(instruction)
            if early is not None:
                return early
            beforehand(instruction)
            return altered(instruction, _answer(lambda: view(*args, **kwargs)), exchange.world.pause)

        vars(serve)[_DECLARED] = name
        return serve

    return decorate


def operation_of(view: Callable[..., Any]) -> Operation | None:
    """What a view is for, if `operation` has declared one thing that it is."""
    found: Operation | None = vars(view).get(_DECLARED)
    return found


def _answer(serve: Callable[[], Response]) -> Response:
    """The answer of a view, a refusal that it raised included, so that a fault meets that too."""
    try:
        return serve()
    except Refusal as refusal:
        return current_app.make_response(current_app.handle_user_exception(refusal))


def answer_instead(instruction: Instruction | None) -> Response | None:
    """The answer of an instruction that leaves no effect, after what it lets arrive of the body.

    A service reads a request before it refuses it; only these faults are about not doing so.
    """
    if instruction is None:
        return None
    body = current().body
    if instruction.fault is Fault.RESET_MID_BODY:
        for _ in body.blocks(upto=instruction.size):
            pass
        return reset_connection()
    response = instead(instruction)
    if response is not None and instruction.fault not in {Fault.RESET, Fault.EARLY}:
        body.drain()
    return response


def delay(instruction: Instruction | None) -> None:
    """Let time pass, or the body flow slowly, when an instruction says so."""
    if instruction is None or instruction.content:
        return
    if instruction.fault is Fault.THROTTLE:
        current().body.throttle(instruction.size)
    elif instruction.fault is Fault.STALL:
        current().body.stall(instruction.size, instruction.seconds)
    elif instruction.fault is Fault.DELAY:
        current().world.pause(instruction.seconds)


def _outlook(name: Operation, body: Body) -> Outlook:
    """Of a request that is no session's: a whole object, if it uploads anything at all."""
    whole = name.surface in _WHOLE and request.args.get("uploadType") != "resumable"
    length = body.announced or 0
    return Outlook(stop=length if whole else None, body=length, final=whole)


def json_object(limit: int = 16 * 1024 * 1024) -> dict[str, Any]:
    """The request's body as a JSON object; empty for no body. Raises `Unacceptable`."""
    raw = current().body.read_all(limit)
    if raw is None:
        raise Unacceptable(413, {"detail": f"Request body exceeds {limit} bytes."})
    if not raw:
        return {}
    if request.mimetype != "application/json" and not request.mimetype.endswith("+json"):
        raise Unacceptable(415, {"detail": f'Unsupported media type "{request.mimetype}" in request.'})
    try:
        value = json.loads(raw)
    except ValueError as cause:
        raise Unacceptable(400, {"detail": f"JSON parse error - {cause}"}) from cause
    if not isinstance(value, dict):
        message = f"Invalid data. Expected a dictionary, but got {type(value).__name__}."
        raise Unacceptable(400, {"non_field_errors": [message]})
    return value


class Unacceptable(ValueError):
    """A request that is refused with `status` and a JSON `body`."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


def tenant_of_control() -> Tenant:
    """The tenant that a call of the mock's own routes is about."""
    return world().tenant(token_of_request() or ANONYMOUS)


def json_object_of_control(**known: type | UnionType) -> dict[str, Any]:
    """The body of such a call, empty when there is none.

    Raises `Unacceptable` for what is no object and, when keys and their types are given, for any other.
    """
    if not request.get_data():
        return {}
    value = request.get_json(force=True, silent=True)
    if not isinstance(value, dict):
        raise Unacceptable(400, {"error": "expected a JSON object"})
    if known and not all(_fits(each, known.get(key)) for key, each in value.items()):
        shown = {key: getattr(kind, "__name__", str(kind)) for key, kind in known.items()}
        raise Unacceptable(400, {"error": f"expected an object of {shown}"})
    return value


def sure(told: dict[str, Any], key: str) -> bool:
    """Whether a body is `{key: true}` and nothing else; a 1 is no true."""
    return set(told) == {key} and told[key] is True


def _fits(value: object, kind: type | UnionType | None) -> bool:
    """Whether a value is of a kind, where true and false are no numbers."""
    return kind is not None and isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
