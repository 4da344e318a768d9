"""Each service's routes as an OpenAPI 3.1 document.

Paths, methods and texts come from the routes, so that none can be missing; what goes in and what comes out is in the
tables of the rooms, by the operation that a route declares.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from visionbatch_mock import control_calls
from visionbatch_mock.deepomatic import calls as deepomatic
from visionbatch_mock.exchange import operation_of
from visionbatch_mock.roboflow import calls as roboflow
from visionbatch_mock.schemas import ANY, JSON_BODY, NAME, Call, Schema, Service
from visionbatch_mock.storage import calls as storage
from visionbatch_mock.vias import calls as vias

SERVICES: Mapping[str, Service] = {
    room.SERVICE.name: room.SERVICE for room in (control_calls, deepomatic, storage, roboflow, vias)
}
"""What there is a document of; the dashboard's pages are for people and have none."""

_PARAMETER = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
_OWN = frozenset({"HEAD", "OPTIONS"})
"""Methods that the framework adds to every route by itself."""


def document(app: Flask, service: Service, **fixed: str) -> dict[str, Any]:
    """The document of a service's routes; `fixed` are parameters of paths that only one value opens."""
    paths: dict[str, dict[str, Any]] = {}
    places = {**service.places, **{name: {"const": value} for name, value in fixed.items()}}
    for path, method, call, text in _routes(app, service):
        paths.setdefault(path, {})[method] = _described(service, places, path, method, call, text)
    return {
        "openapi": "3.1.0",
        "info": {"title": service.title, "version": "1", "description": service.text},
        "security": [*({name: []} for name in service.keys), {}],
        "paths": dict(sorted(paths.items())),
        "components": {"securitySchemes": {name: dict(told) for name, told in service.keys.items()}},
    }


def key_of(app: Flask, rule: Rule, method: str, service: Service) -> Any:
    """Where the tables have a route: by its method and path if they do, else by its operation."""
    by_path = (method, _path(rule))
    return by_path if by_path in service.calls else operation_of(app.view_functions[rule.endpoint])


def _routes(app: Flask, service: Service) -> Iterator[tuple[str, str, Call, str]]:
    for rule in app.url_map.iter_rules():
        if rule.endpoint.partition(".")[0] in service.blueprints:
            text = (app.view_functions[rule.endpoint].__doc__ or "").strip()
            for method in sorted(each.lower() for each in (rule.methods or set()) - _OWN):
                call = service.calls.get(key_of(app, rule, method, service), Call(ANY, 200, ANY))
                yield _path(rule), method, call, text


def _path(rule: Rule) -> str:
    return _PARAMETER.sub(r"{\1}", rule.rule)


def _described(
    service: Service, places: Mapping[str, Schema], path: str, method: str, call: Call, text: str
) -> dict[str, Any]:
    named = re.findall(r"{(\w+)}", path)
    told: dict[str, Any] = {
        "summary": text.partition("\n")[0],
        "operationId": re.sub(r"\W+", "_", f"{method}{path}").strip("_"),
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": places.get(name, NAME)} for name in named),
            *(argument.as_json() for argument in call.query),
        ],
        "responses": {
            str(call.status): _answer(text, {JSON_BODY: call.gives, **call.others}),
            **{str(status): _answer("Also possible.", {JSON_BODY: gives}) for status, gives in call.also.items()},
            "4XX": _answer("Refused, with the reason.", service.refusals),
        },
    }
    if call.takes is not None:
        told["requestBody"] = {"required": call.needs_body, "content": {call.media: {"schema": call.takes}}}
    return told


def _answer(text: str, held: Mapping[str, Schema | None]) -> dict[str, Any]:
    described: dict[str, Any] = {"description": text.partition("\n")[0] or "Done."}
    content = {media: {"schema": schema} for media, schema in held.items() if schema is not None}
    return {**described, "content": content} if content else described
