"""What every operation needs: the workspace, a path in it, patience, pages, and errors that name their subject."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from visionbatch.errors import ConfigError, UnreadableAnswer, VisionBatchError
from visionbatch.flow.call import call
from visionbatch.flow.effects import Flow, Request, Response
from visionbatch.flow.retry import RetryPolicy
from visionbatch.roboflow.decode import Fields, Pages, refusal
from visionbatch.roboflow.ids import require_workspace
from visionbatch.roboflow.settings import RoboflowSettings

T = TypeVar("T")

SERVICE = "roboflow"
ONCE = RetryPolicy(attempts=1)

Query = Sequence[tuple[str, str]]


class Calls:
    """Requests of one workspace.

    :param retry: patience of a request that is not given any other.
    """

    def __init__(self, settings: RoboflowSettings, retry: RetryPolicy) -> None:
        self.settings = settings
        self.retry = retry
        self._workspace = settings.workspace

    def workspace(self) -> Flow[str]:
        """The slug of the workspace: from the settings, or asked for by the key and then remembered."""
        if not self._workspace:
            response = yield from self.send(Request("GET", "/"), self.retry)
            found = Fields(response.json_object(), "the workspace of the key").text("workspace")
            try:
                self._workspace = require_workspace(found)
            except ConfigError as error:
                raise UnreadableAnswer(f"the answer for the key has no usable {error.what}") from error
        return self._workspace

    @property
    def known_workspace(self) -> str:
        """The slug, as far as it is known without asking."""
        return self._workspace

    def staging(self, path: str, *parts: str) -> Flow[str]:
        """A path of Data Staging; see `_path`."""
        return self._path(self.settings.staging_path, path, parts)

    def processing(self, path: str, *parts: str) -> Flow[str]:
        """A path of Batch Processing."""
        return self._path(self.settings.processing_path, path, parts)

    def _path(self, prefix: str, path: str, parts: Sequence[str]) -> Flow[str]:
        workspace = yield from self.workspace()
        safe = [quote(part, safe="") for part in parts]
        return prefix.replace("{workspace}", quote(workspace, safe="")) + path.format(*safe)

    def get(self, path: str, query: Query = (), retry: RetryPolicy | None = None) -> Flow[Mapping[str, Any]]:
        """What is at a path: a JSON object."""
        response = yield from self.send(Request("GET", path, tuple(query)), retry)
        return response.json_object()

    def post(self, request: Request, retry: RetryPolicy | None = None) -> Flow[Mapping[str, Any]]:
        """Send something; the answer has to be a JSON object."""
        response = yield from self.send(request, retry)
        return response.json_object()

    def pages(
        self,
        path: str,
        key: str,
        *,
        of: str,
        query: Query = (),
        retry: RetryPolicy | None = None,
        enough: Callable[[list[Fields]], bool] = lambda _: False,
        most: int = 1000,
    ) -> Flow[list[Fields]]:
        """The entries of a list, page by page, to its end or until that is enough.

        :param key: name of the array.
        :param of: what an entry is, for messages.
        :param most: entries of a page that the service takes.
        :raises EndlessList: when pages come round again.
        """
        found: list[Fields] = []

        def take(entries: list[Fields]) -> bool:
            found.extend(entries)
            return enough(found)

        yield from self.each_page(path, key, take, of=of, query=query, retry=retry, most=most)
        return found

    def each_page(
        self,
        path: str,
        key: str,
        take: Callable[[list[Fields]], bool],
        *,
        of: str,
        query: Query = (),
        retry: RetryPolicy | None = None,
        most: int = 1000,
    ) -> Flow[None]:
        """The same page by page, for lists that are too long to be held.

        :param take: gets the entries of each page; true when they are enough.
        """
        guard, token = Pages(f"the list of {of}s at {path}"), ""
        while True:
            following = (("nextPageToken", token),) if token else ()
            size = ("pageSize", str(min(self.settings.page_size, most)))
            page = yield from self.get(path, (*query, size, *following), retry)
            entries = Fields(page, f"the list of {of}s").each(key, f"a {of}")
            token = guard.token_after(page, key)
            if take(entries) or not token:
                return

    def send(self, request: Request, retry: RetryPolicy | None = None) -> Flow[Response]:
        """Send a request until it is answered with a 2xx status; see `visionbatch.flow.call.call`."""
        return call(request, retry or self.retry, self._refusal)

    def _refusal(self, request: Request, response: Response, now: float) -> VisionBatchError:
        return refusal(request, response, now, self.settings.credit_words)


def named(ref: str, flow: Flow[T]) -> Flow[T]:
    """A flow whose errors say whom they are about."""
    try:
        return (yield from flow)
    except VisionBatchError as error:
        error.about(SERVICE, ref)
        raise
