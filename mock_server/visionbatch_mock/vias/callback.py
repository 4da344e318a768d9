"""One POST to the receiver of a webhook, on this machine only: a mock must not knock at anybody else's door."""

from collections.abc import Mapping
from urllib.error import HTTPError, URLError
from urllib.request import Request

from visionbatch_mock.roboflow.outbound import OPENER, on_this_machine


def post(url: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> tuple[int | None, str | None]:
    """The status of the answer, or None and what went wrong."""
    if not on_this_machine(url):
        return None, "the mock delivers to this machine only"
    told = {"Content-Type": "application/json", **headers}
    request = Request(url, body, told, method="POST")  # noqa: S310 - checked above
    try:
        with OPENER.open(request, timeout=timeout_s) as answer:
            return answer.status, None
    except HTTPError as refused:
        with refused:
            return refused.code, None
    except (URLError, OSError, ValueError) as cause:
        return None, f"{type(cause).__name__}: {cause}"
