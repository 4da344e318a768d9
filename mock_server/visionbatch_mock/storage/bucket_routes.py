"""Buckets: made, listed, described, removed, and asked which permissions a caller holds in them."""

from flask import Blueprint, Response, request

from visionbatch_mock.answers import empty_answer, error_for, json_answer
from visionbatch_mock.exchange import current, operation
from visionbatch_mock.operations import Operation
from visionbatch_mock.storage.asking import held, reading, require, resource_of_request
from visionbatch_mock.storage.permissions import Permission
from visionbatch_mock.text import is_text

bp = Blueprint("buckets", __name__)

BUCKETS = "/storage/v1/b"


@bp.get(BUCKETS)
@operation(Operation.BUCKETS_LIST)
def list_buckets() -> Response:
    """Every bucket of the tenant, on one page."""
    require(Permission.BUCKETS_LIST, "*")
    prefix, base = request.args.get("prefix", ""), request.host_url.rstrip("/")
    found = [b.resource(base) for b in current().tenant.objects.buckets() if b.name.startswith(prefix)]
    return json_answer({"kind": "storage#buckets", "items": found})


@bp.post(BUCKETS)
@operation(Operation.BUCKETS_INSERT)
def make_bucket() -> Response:
    """A new bucket; 409 for a name that is taken, by whomever."""
    name = resource_of_request().get("name")
    if not is_text(name) or not name or "/" in name:
        return error_for(request.path, 400, f"Invalid bucket name: {name!r}")
    require(Permission.BUCKETS_CREATE, name)
    return json_answer(current().tenant.objects.make_bucket(name).resource(request.host_url.rstrip("/")))


@bp.get(f"{BUCKETS}/<bucket>")
@operation(Operation.BUCKETS_GET)
def get_bucket(bucket: str) -> Response:
    """A bucket's description."""
    return json_answer(reading(bucket, Permission.BUCKETS_GET).resource(request.host_url.rstrip("/")))


@bp.delete(f"{BUCKETS}/<bucket>")
@operation(Operation.BUCKETS_DELETE)
def delete_bucket(bucket: str) -> Response:
    """Remove an empty bucket: 204."""
    require(Permission.BUCKETS_DELETE, bucket)
    current().tenant.objects.remove_bucket(bucket)
    return empty_answer(204)


@bp.get(f"{BUCKETS}/<bucket>/iam/testPermissions")
@operation(Operation.BUCKETS_TEST_PERMISSIONS)
def test_permissions(bucket: str) -> Response:
    """Those of the permissions asked after that the caller holds; asking needs none."""
    current().tenant.objects.bucket(bucket)
    asked = request.args.getlist("permissions")
    if not asked:
        return error_for(request.path, 400, "Required parameter: permissions")
    answer: dict[str, object] = {"kind": "storage#testIamPermissionsResponse"}
    if granted := [name for name in asked if name in held()[1]]:
        answer["permissions"] = granted
    return json_answer(answer)
