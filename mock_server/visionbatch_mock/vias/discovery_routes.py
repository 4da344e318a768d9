"""`/v2/{project_id}/algorithm` and `/edge-pools`: what there is to run tasks with, and where."""

import re
from dataclasses import replace
from typing import Any

from flask import Response

from visionbatch_mock.answers import empty_answer, json_answer
from visionbatch_mock.exchange import operation
from visionbatch_mock.operations import Operation
from visionbatch_mock.vias import asking, rules
from visionbatch_mock.vias.book import ViasBook
from visionbatch_mock.vias.codes import Code
from visionbatch_mock.vias.errors import ViasError
from visionbatch_mock.vias.rooms import room, settled
from visionbatch_mock.vias.scenes import EdgePool, Service

bp = room("vias_discovery")

POOL_NAME = re.compile(r"[a-z][a-z0-9-]{2,30}[a-z0-9]")
INPUT_TYPES = ["obs", "url", "video_source"]


@bp.get("/algorithm/services/user")
@operation(Operation.VIAS_SERVICES_LIST)
def list_services() -> Response:
    """The account's algorithm services; the word that tasks name them by is only in the detail."""
    book = settled()
    with book.lock:
        shown = [_shown(service) for service in book.places.services.values()]
    return json_answer({"service_list": shown, "count": len(shown), "total": len(shown)})


@bp.get("/algorithm/services/<service_id>")
@operation(Operation.VIAS_SERVICES_SHOW)
def show_service(service_id: str) -> Response:
    """One of them, with `api`, and what it takes and delivers."""
    book = settled()
    with book.lock:
        service = book.places.services.get(service_id)
        if service is None:
            raise ViasError(Code.NO_ID, f"no algorithm service has the id {service_id}", service_id)
        limits = {"input_types": INPUT_TYPES, "output_types": list(service.output_types) or ["OBS", "DIS", "Webhook"]}
        return json_answer(
            {
                **_shown(service),
                "api": service.api,
                "service_version": service.version,
                "service_api_list": [{"api": service.api, "version": service.version}],
                "deployment_constraints": limits,
            }
        )


@bp.post("/algorithm/<alg_id>/deploy")
@operation(Operation.VIAS_ALGORITHMS_DEPLOY)
def deploy(alg_id: str) -> Response:
    """Have a stopped algorithm run; tasks can use it at once here."""
    told = asking.json_body()
    if not rules.is_whole(told.get("stream_count"), 1, 10_000):
        raise rules.invalid("stream_count", "a whole number from 1 to 10000 is required")
    return json_answer({"alg_name": _set_status(alg_id, "service_running").title})


@bp.put("/algorithm/<alg_id>/deploy/stop")
@operation(Operation.VIAS_ALGORITHMS_STOP)
def stop(alg_id: str) -> Response:
    """Stop an algorithm, so that no new task can use it."""
    return json_answer({"alg_id": _set_status(alg_id, "service_stopped").algorithm_id})


@bp.post("/edge-pools")
@operation(Operation.VIAS_EDGE_POOLS_CREATE)
def create_pool() -> Response:
    """A pool of edge nodes: 201."""
    told = asking.json_body()
    name = rules.text(told, "name", POOL_NAME)
    nodes = rules.ids(told, "node_ids", 1, 10)
    book = settled()
    with book.lock:
        return json_answer({"id": book.places.add_pool(name, tuple(nodes)).id}, 201)


@bp.get("/edge-pools")
@operation(Operation.VIAS_EDGE_POOLS_LIST)
def list_pools() -> Response:
    """Edge pools, a hundred on a page."""
    size = asking.whole("page_size", 100, 1, 1000)
    wanted = asking.Pages(size, asking.whole("page_num", 1, 1, 100_000))
    book = settled()
    with book.lock:
        found = list(book.places.pools.values())
        return json_answer({"count": len(found), "edge_pools": [_pool_shown(pool) for pool in wanted.of(found)]})


@bp.get("/edge-pools/<pool_id>")
@operation(Operation.VIAS_EDGE_POOLS_SHOW)
def show_pool(pool_id: str) -> Response:
    """One of them."""
    book = settled()
    with book.lock:
        return json_answer(_pool_shown(_pool(book, pool_id)))


@bp.delete("/edge-pools/<pool_id>")
@operation(Operation.VIAS_EDGE_POOLS_DELETE)
def delete_pool(pool_id: str) -> Response:
    """Remove a pool: 204, the only one of its kind here."""
    book = settled()
    with book.lock:
        del book.places.pools[_pool(book, pool_id).id]
        return empty_answer(204)


def _pool(book: ViasBook, pool_id: str) -> EdgePool:
    if pool_id not in book.places.pools:
        raise ViasError(Code.NO_ID, f"no edge pool has the id {pool_id}", pool_id)
    return book.places.pools[pool_id]


def _set_status(alg_id: str, status: str) -> Service:
    book = settled()
    with book.lock:
        for service in book.places.services.values():
            if service.algorithm_id == alg_id:
                book.places.services[service.id] = replace(service, status=status)
                return service
    raise ViasError(Code.NO_ID, f"no algorithm has the id {alg_id}", alg_id)


def _shown(service: Service) -> dict[str, Any]:
    return {
        "service_id": service.id,
        "service_name": service.title,
        "alg_id": service.algorithm_id,
        "alg_status": service.status,
        "alg_version": service.version,
        "function_version": service.version,
        "deploy_type": service.deploy_type,
        "request_mode": "async",
        "package_id": service.package_id,
    }


def _pool_shown(pool: EdgePool) -> dict[str, Any]:
    return {"id": pool.id, "name": pool.name, "node_ids": list(pool.node_ids), "created_at": int(pool.created * 1000)}
