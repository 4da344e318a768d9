"""Fault plans that stand ready, named after the rows of `docs/faults.md` that they bring about.

Each is a plan as a test would write it. It says what the service does; what has to come of it is in the row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

_CREATE, _GET, _CHUNK = "deepomatic.batches.create", "deepomatic.batches.get", "storage.sessions.chunk"
_DOWNLOAD = "storage.objects.download"


@dataclass(frozen=True, slots=True)
class Preset:
    """A plan with the row's name and what happens in it."""

    name: str
    text: str
    instructions: Mapping[str, tuple[Any, ...]]

    def as_json(self) -> dict[str, Any]:
        """The preset as the control endpoint lists it; `instructions` may be posted as a plan."""
        told = {operation: list(queue) for operation, queue in self.instructions.items()}
        return {"name": self.name, "text": self.text, "instructions": told}


def _preset(name: str, text: str, **queues: tuple[Any, ...]) -> Preset:
    operations = {"create": _CREATE, "get": _GET, "chunk": _CHUNK, "download": _DOWNLOAD}
    return Preset(name, text, MappingProxyType({operations[word]: queue for word, queue in queues.items()}))


_ALL = (
    _preset("CR1", "the batch is created and the answer is lost", create=("drop-response",)),
    _preset("CR9-html", "a proxy answers the creation", create=("html-200",)),
    _preset("CR9-cut", "the answer to the creation is cut", create=("truncate-10B",)),
    _preset("CR10", "an answer without an upload URL", create=("omit-upload_url",)),
    _preset("CR11-401", "the key is refused with 401", create=("return-401", "return-401")),
    _preset("CR11-403", "the key is refused with 403", create=("return-403", "return-403")),
    _preset("UP3", "the server keeps less than was sent", chunk=("partial-persist-256K",)),
    _preset("UP4", "a 308 without Range", chunk=("omit-range",)),
    _preset("UP5-more", "the server acknowledges more than was sent", chunk=("ack-too-much",)),
    _preset("UP5-less", "the server acknowledges less than before", chunk=("pass", "range-shrinks")),
    _preset("UP6", "the last chunk is kept and the answer is lost", chunk=("drop-response-final",)),
    _preset("UP7-404", "the session expires on the way", chunk=("pass", "expire-session")),
    _preset("UP7-410", "the session is terminated on the way", chunk=("pass", "terminate-session")),
    _preset("UP8-404", "the session expires after the last byte", chunk=("expire-session-after-commit",)),
    _preset("UP8-410", "the session is terminated after the last byte", chunk=("terminate-session-after-commit",)),
    _preset("UP9", "a burst of transient answers", chunk=("return-408", "return-500", "return-502", "return-504")),
    _preset("UP10", "429 with Retry-After", chunk=({"fault": "return-429", "retry_after": 2},)),
    _preset("UP11", "a reset in the middle of the body", chunk=("reset-mid-body-after-128K",)),
    _preset("UP12", "413, and nobody reads the rest", chunk=("early-413",)),
    _preset("UP13", "the peer reads a KiB a second", chunk=("throttle-1Kps",)),
    _preset("UP14", "the session answers 403", chunk=("return-403",)),
    _preset(
        "UP15", "a redirect to another host", chunk=({"fault": "redirect-307", "location": "http://localhost:9/"},)
    ),
    _preset("UP21", "the final checksum is another", chunk=("wrong-hash",)),
    _preset("SE9", "a status that nobody knows", get=({"fault": "set-status", "value": "in_review"},)),
    _preset("SE12", "an outage, and then all is well", get=("return-503", "html-502", "return-reset-connection")),
    _preset("SE13", "the key is refused once while waiting", get=("pass", "return-401")),
    _preset("EX3", "an object is replaced while it is fetched", download=("pass", "replace-object")),
    _preset("EX5-whole", "the range is ignored", download=("ignore-range",)),
    _preset("EX5-other", "another range than was asked for", download=("wrong-content-range",)),
    _preset("EX6-cut", "an object is cut, against its length", download=("truncate-1000B",)),
    _preset("EX6-silent", "an object is cut, and no length tells", download=("truncate-close-1000B",)),
    _preset("EX6-reset", "the connection is reset in the middle of an object", download=("reset-mid-answer-after-1K",)),
)

PRESETS: Mapping[str, Preset] = MappingProxyType({preset.name: preset for preset in _ALL})
