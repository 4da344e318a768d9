"""`/v3`: as much of IAM as a client of VIAS needs: the discovery document, tokens, projects."""

import json
from typing import Any

from flask import Blueprint, Response, request

from visionbatch_mock.answers import json_answer
from visionbatch_mock.clock import iso
from visionbatch_mock.exchange import current, operation
from visionbatch_mock.operations import Operation
from visionbatch_mock.tenant import Tenant
from visionbatch_mock.vias.arrival import user_name
from visionbatch_mock.vias.errors import keystone_error
from visionbatch_mock.vias.gateway import body_received
from visionbatch_mock.vias.iam import Token

bp = Blueprint("huawei_iam", __name__, url_prefix="/v3")


@bp.get("")
def discover() -> Response:
    """The document by which generic Keystone clients learn the version."""
    links = [{"rel": "self", "href": f"{_base()}/v3/"}]
    version = {"id": "v3.6", "status": "stable", "updated": "2016-04-04T00:00:00Z", "links": links}
    media = [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}]
    return json_answer({"version": {**version, "media-types": media}})


@bp.post("/auth/tokens")
@operation(Operation.IAM_TOKENS_CREATE)
def issue() -> Response:
    """A token in `X-Subject-Token`, and what it is good for."""
    told = _told()
    refusal = _refusal(told)
    if refusal is not None:
        return refusal
    tenant = current().tenant
    token = tenant.iam.issue(scoped="project" in _scope(told))
    response = json_answer({"token": _description(tenant, token)}, 201)
    response.headers["X-Subject-Token"] = token.text
    return response


@bp.get("/projects")
@operation(Operation.IAM_PROJECTS_LIST)
def projects() -> Response:
    """The account's one project, unless another `name` is asked for."""
    tenant = current().tenant
    name = request.args.get("name", tenant.behaviour.vias_region)
    found = [_project(tenant)] if name == tenant.behaviour.vias_region else []
    links = {"self": f"{_base()}/v3/projects", "next": None, "previous": None}
    return json_answer({"projects": found, "links": links})


def _told() -> dict[str, Any]:
    try:
        told = json.loads(body_received())
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _refusal(told: dict[str, Any]) -> Response | None:
    """What is wrong with a request for a token, if anything is."""
    tenant, name = current().tenant, user_name(told)
    if name is None or not isinstance(told.get("auth"), dict):
        return keystone_error(400, "The request body is invalid: auth.identity.password.user is required.")
    password = told["auth"]["identity"]["password"]["user"].get("password")
    if password != tenant.behaviour.vias_password or tenant.shut_out:
        return keystone_error(401, "The username or password is wrong.")
    scope = _scope(told).get("project")
    if scope is not None and not _is_ours(scope, tenant):
        return keystone_error(401, "Could not find the project of the scope.")
    return None


def _scope(told: dict[str, Any]) -> dict[str, Any]:
    scope = told["auth"].get("scope")
    return scope if isinstance(scope, dict) else {}


def _is_ours(scope: Any, tenant: Tenant) -> bool:
    wanted = {"name": tenant.behaviour.vias_region, "id": tenant.iam.project_id}
    given = {key: value for key, value in scope.items() if key in wanted} if isinstance(scope, dict) else {}
    return bool(given) and all(wanted[key] == value for key, value in given.items())


def _description(tenant: Tenant, token: Token) -> dict[str, Any]:
    domain = {"id": tenant.iam.domain_id, "name": tenant.token}
    shown: dict[str, Any] = {
        "methods": ["password"],
        "issued_at": iso(token.issued),
        "expires_at": iso(token.expires),
        "roles": [{"id": "0", "name": "te_admin"}, {"id": "1", "name": "VIAS Full Access"}],
        "user": {"id": tenant.iam.user_id, "name": tenant.token, "domain": domain, "password_expires_at": ""},
        "catalog": [] if request.args.get("nocatalog") else _catalog(tenant),
    }
    if token.project_id is None:
        return {**shown, "domain": domain}
    return {**shown, "project": {"id": token.project_id, "name": tenant.behaviour.vias_region, "domain": domain}}


def _catalog(tenant: Tenant) -> list[dict[str, Any]]:
    urls = {"iam": f"{_base()}/v3", "vias": f"{_base()}/v2/{tenant.iam.project_id}"}
    types = {"iam": "identity", "vias": "vias"}
    return [
        {
            "id": tenant.iam.user_id,
            "name": name,
            "type": types[name],
            "endpoints": [
                {
                    "id": tenant.iam.domain_id,
                    "interface": "public",
                    "region": tenant.behaviour.vias_region,
                    "region_id": tenant.behaviour.vias_region,
                    "url": url,
                }
            ],
        }
        for name, url in urls.items()
    ]


def _project(tenant: Tenant) -> dict[str, Any]:
    iam = tenant.iam
    return {
        "id": iam.project_id,
        "name": tenant.behaviour.vias_region,
        "domain_id": iam.domain_id,
        "parent_id": iam.domain_id,
        "enabled": True,
        "is_domain": False,
        "description": "",
        "links": {"self": f"{_base()}/v3/projects/{iam.project_id}"},
    }


def _base() -> str:
    return request.host_url.rstrip("/")
