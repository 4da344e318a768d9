"""Fault plans that stand ready, named after the rows of `docs/faults.md` that they bring about.

Each is a plan as a test would write it. It says what the service does; what has to come of it is in the row.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

_WORDS = MappingProxyType(
    {
        "create": "deepomatic.batches.create",
        "get": "deepomatic.batches.get",
        "chunk": "storage.sessions.chunk",
        "download": "storage.objects.download",
        "start_job": "roboflow.jobs.create",
        "look_at_job": "roboflow.jobs.get",
        "sign_shard": "roboflow.shards.sign",
        "send_file": "roboflow.files.put",
        "fetch_file": "roboflow.files.get",
        "create_tasks": "vias.batch_tasks.create",
        "look_at_tasks": "vias.batch_tasks.list",
        "find_project": "iam.projects.list",
    }
)


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
    return Preset(name, text, MappingProxyType({_WORDS[word]: queue for word, queue in queues.items()}))


_OUTAGE = ("return-503", "html-502", "return-reset-connection")
_HOSTILE = {
    "uploadURL": "http://127.0.0.1:9/elsewhere",
    "extensionHeaders": {"Host": "elsewhere.example", "Authorization": "Bearer stolen", "x-odd": "a\r\nb: c"},
}
_NO_CREDITS = {"error": "The workspace has no credits left."}

_OF_DEEPOMATIC = (
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
    _preset("SE12", "an outage, and then all is well", get=_OUTAGE),
    _preset("SE13", "the key is refused once while waiting", get=("pass", "return-401")),
    _preset("EX3", "an object is replaced while it is fetched", download=("pass", "replace-object")),
    _preset("EX5-whole", "the range is ignored", download=("ignore-range",)),
    _preset("EX5-other", "another range than was asked for", download=("wrong-content-range",)),
    _preset("EX6-cut", "an object is cut, against its length", download=("truncate-1000B",)),
    _preset("EX6-silent", "an object is cut, and no length tells", download=("truncate-close-1000B",)),
    _preset("EX6-reset", "the connection is reset in the middle of an object", download=("reset-mid-answer-after-1K",)),
)

_OF_ROBOFLOW = (
    _preset("CR1-roboflow", "the job is created and the answer is lost", start_job=("drop-response",)),
    _preset("CR9-roboflow", "a proxy answers the creation of a job", start_job=("html-200",)),
    _preset("CR11-roboflow", "the key is refused with 401", start_job=("return-401", "return-401")),
    _preset("CR12-402", "the plan does not cover batch processing", start_job=("return-402",)),
    _preset(
        "CR12-429", "the credits are used up",
        start_job=(
            {"fault": "answer", "status": 429, "content_type": "application/json", "body": json.dumps(_NO_CREDITS)},
        ),
    ),
    _preset("UP6-roboflow", "an archive is kept and the answer is lost", send_file=("drop-response-final",)),
    _preset("UP9-roboflow", "a burst of transient answers", send_file=("return-408", "return-500", "return-503")),
    _preset("UP11-roboflow", "a reset in the middle of an archive", send_file=("reset-mid-body-after-1K",)),
    _preset("UP26", "shards 3 and 7 fail", send_file=(*["pass"] * 2, "return-403", *["pass"] * 3, "return-403")),
    _preset("UP27", "the signed address of an archive has expired", send_file=("expire-link",)),
    _preset(
        "UP28", "an address that asks for hostile headers",
        sign_shard=({"fault": "set-signedURLDetails", "value": _HOSTILE},),
    ),
    _preset("SE12-roboflow", "an outage, and then all is well", look_at_job=_OUTAGE),
    _preset("SE13-roboflow", "the key is refused once while waiting", look_at_job=("pass", "return-401")),
    _preset("EX4", "a link expires on the way", fetch_file=("expire-link",)),
    _preset("EX5-roboflow", "the range is ignored", fetch_file=("ignore-range",)),
    _preset("EX6-roboflow", "the connection is reset in the middle", fetch_file=("reset-mid-answer-after-1K",)),
)  # fmt: skip

_OF_VIAS = (
    _preset("CR1-vias", "the batch is created and the answer is lost", create_tasks=("drop-response",)),
    _preset("CR9-vias", "a proxy answers the creation", create_tasks=("html-200",)),
    _preset("CR11-vias", "the credential is refused with 401", create_tasks=("return-401", "return-401")),
    _preset("CR13", "VIAS complains, with code, reason and advice", create_tasks=("return-400",)),
    _preset(
        "CR15", "counts that do not add up", create_tasks=({"fault": "set-total_count", "value": 99},)
    ),
    _preset("SE12-vias", "an outage, and then all is well", look_at_tasks=_OUTAGE),
    _preset("SE13-vias", "the credential is refused once while waiting", look_at_tasks=("pass", "return-401")),
    _preset("SE13-project", "and once while the project is looked up", find_project=("return-401",)),
)  # fmt: skip

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {preset.name: preset for preset in (*_OF_DEEPOMATIC, *_OF_ROBOFLOW, *_OF_VIAS)}
)
