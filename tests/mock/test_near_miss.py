"""Naming the route that a request was probably meant for."""

import pytest

from visionbatch_mock import create_app
from visionbatch_mock.near_miss import nearest

ROUTES = create_app().url_map


@pytest.mark.parametrize(
    ("method", "path", "meant", "difference"),
    [
        ("POST", "/v0.3/batches", "/v0.2/batches", "'v0.3' is not 'v0.2'"),
        ("POST", "/v0.2/batch", "/v0.2/batches", "'batch' is not 'batches'"),
        ("PUT", "/v0.2/batches", "/v0.2/batches", "the path is right, the method PUT is not"),
        ("GET", "/v0.2/batches/123/error", "/v0.2/batches/{batch_id}/errors", "'error' is not 'errors'"),
        ("GET", "/v0.2/batches/123/errors/4", "/v0.2/batches/{batch_id}/errors", "'4' is too much"),
        ("GET", "/storage/v1/buckets", "/storage/v1/b", "'buckets' is not 'b'"),
        ("POST", "/upload/storage/v1/b/o", "/upload/storage/v1/b/{bucket}/o", "'o' is missing"),
    ],
)
def test_the_nearest_route_and_what_is_different(method, path, meant, difference):
    near = nearest(ROUTES, method, path)
    assert (near.path, near.difference) == (meant, difference)
    assert near.methods == tuple(sorted(near.methods))


def test_a_path_of_anything_is_shown_safely():
    near = nearest(ROUTES, "GET", "/v0.2/\x1b[2J\n" + "x" * 5000)
    assert str(near).isprintable()
    assert len(str(near)) < 2500


def test_every_route_is_nearest_to_itself():
    for rule in ROUTES.iter_rules():
        if not rule.rule.startswith("/<bucket:"):
            path = rule.rule.replace("<", "").replace(">", "")
            assert nearest(ROUTES, "GET", path) is not None
