"""Pages of the assumed list routes: `offset` and `limit` in, the sibling APIs' envelope out."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from flask import request

from visionbatch_mock.exchange import Unacceptable
from visionbatch_mock.text import whole_number

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000


def page(items: Sequence[Any]) -> dict[str, Any]:
    """The page of `items` that the current request's query asks for."""
    offset = _number("offset", 0)
    limit = min(_number("limit", DEFAULT_LIMIT) or DEFAULT_LIMIT, MAX_LIMIT)
    count = len(items)
    return {
        "count": count,
        "next": _link(offset + limit, limit) if offset + limit < count else None,
        "previous": _link(max(0, offset - limit), limit) if offset else None,
        "results": list(items[offset : offset + limit]),
    }


def _number(key: str, default: int) -> int:
    text = request.args.get(key)
    if text is None:
        return default
    number = whole_number(text)
    if number is None:
        raise Unacceptable(400, {key: ["A valid integer is required."]})
    return number


def _link(offset: int, limit: int) -> str:
    kept = {k: v for k, v in request.args.items() if k not in {"offset", "limit"}}
    return f"{request.base_url}?{urlencode({**kept, 'offset': offset, 'limit': limit})}"
