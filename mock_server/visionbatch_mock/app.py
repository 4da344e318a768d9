"""The application: one world, and a blueprint for each service."""

from collections.abc import Callable
from types import TracebackType
from typing import Any

from flask import Flask, Request, Response, request
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.exceptions import HTTPException

from visionbatch_mock import control, exchange, probes, retry_tests
from visionbatch_mock.answers import error_for, json_answer
from visionbatch_mock.config import MockConfig
from visionbatch_mock.dashboard import pages
from visionbatch_mock.deepomatic import auth, batch_routes, work_order_routes
from visionbatch_mock.exchange import EXTENSION, Unacceptable
from visionbatch_mock.exports import link_routes
from visionbatch_mock.names import NameTaken
from visionbatch_mock.roboflow import auth as roboflow_auth
from visionbatch_mock.roboflow import job_routes, signed_routes, staging_routes
from visionbatch_mock.roboflow.refusals import Refused
from visionbatch_mock.rules import OneWayRule
from visionbatch_mock.storage import batch_requests, bucket_routes, object_routes, paths, xml_routes
from visionbatch_mock.storage.asking import refusal
from visionbatch_mock.storage.description import BadDescription
from visionbatch_mock.storage.objects import BucketInTheWay, NoSuchBucket
from visionbatch_mock.storage.permissions import Denied
from visionbatch_mock.storage.preconditions import PreconditionFailed
from visionbatch_mock.text import printable
from visionbatch_mock.vias import batch_routes as batch_routes_of_vias
from visionbatch_mock.vias import (
    discovery_routes,
    gateway,
    group_routes,
    iam_routes,
    source_routes,
    stream_routes,
    task_routes,
)
from visionbatch_mock.vias.errors import ViasError
from visionbatch_mock.world import World


class _Arguments(ImmutableMultiDict[str, str]):
    """The arguments of a query, most of which are not there when they are asked for."""

    def get(self, key: str, default: Any = None, type: Any = None) -> Any:  # type: ignore[override]  # noqa: A002 - overloads, and Werkzeug's name
        """The first value; Werkzeug's own raises and catches an exception for a missing one, seven in a request."""
        return super().get(key, default, type) if key in self else default


class _Request(Request):
    parameter_storage_class = _Arguments


class _Application(Flask):
    """Flask, but that it starts sooner, and that a client's path cannot begin a line of the log."""

    request_class = _Request
    url_rule_class = OneWayRule

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function as it is: the mock has no coroutines, and looking for them costs nine looks a request."""
        return func

    def log_exception(
        self,
        exc_info: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> None:
        """Say which request the mock itself failed at."""
        self.logger.error("%s %s failed", request.method, printable(request.path), exc_info=exc_info)


def create_app(config: MockConfig | None = None, world: World | None = None) -> Flask:
    """A new mock as a Flask application; its world is `app.extensions["visionbatch_mock"]`.

    Two applications share nothing, unless they are given one world. `MockServer` is the way to serve one: resets and
    cut answers need its connection handler.
    """
    app = _Application("visionbatch_mock", static_folder=None)
    # The vendor's pages write paths with and without a slash at the end, and a redirect would turn
    # a POST into a GET in common clients. Object names may hold several slashes in a row.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.url_map.converters["bucket"] = paths.BucketConverter
    app.url_map.converters["object"] = paths.ObjectConverter
    app.extensions[EXTENSION] = world or World(config)
    pages.install(app)
    exchange.install(app)
    app.before_request(auth.refuse_stranger)
    gateway.install(app)
    app.before_request(roboflow_auth.refuse_stranger)
    app.register_blueprint(control.bp)
    app.register_blueprint(retry_tests.bp)
    app.register_blueprint(probes.bp)
    app.register_blueprint(batch_routes.bp)
    app.register_blueprint(work_order_routes.bp)
    app.register_blueprint(staging_routes.bp)
    app.register_blueprint(job_routes.bp)
    app.register_blueprint(signed_routes.bp)
    app.register_blueprint(batch_requests.bp)
    app.register_blueprint(bucket_routes.bp)
    app.register_blueprint(object_routes.bp)
    app.register_blueprint(xml_routes.bp)
    app.register_blueprint(link_routes.bp)
    huaweis = (
        iam_routes,
        batch_routes_of_vias,
        task_routes,
        source_routes,
        group_routes,
        discovery_routes,
        stream_routes,
    )
    for room in huaweis:
        app.register_blueprint(room.bp)
    app.register_error_handler(ViasError, ViasError.answer)
    app.register_error_handler(Unacceptable, _unacceptable)
    app.register_error_handler(Refused, roboflow_auth.refusal)
    for refused in (BadDescription, BucketInTheWay, Denied, NameTaken, NoSuchBucket, PreconditionFailed):
        app.register_error_handler(refused, refusal)
    app.register_error_handler(HTTPException, _http_error)
    return app


def _unacceptable(error: Unacceptable) -> Response:
    return json_answer(error.body, error.status)


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    message = {404: "Not found.", 405: f'Method "{request.method}" not allowed.'}.get(status)
    response = error_for(request.path, status, message or error.description or error.name)
    # Keeps `Allow` on a 405.
    for name, value in error.get_headers():
        if name.lower() == "allow":
            response.headers[name] = value
    return response
