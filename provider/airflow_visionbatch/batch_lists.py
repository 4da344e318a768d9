"""Lists of batches as Airflow users hand them over, and what is said of them at the end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visionbatch import Tally


def read_refs(value: Any) -> tuple[str, ...]:
    """The ids in a list of ids or manifests; see `visionbatch.refs_of`.

    :raises visionbatch.errors.ConfigError: for anything else.
    """
    from visionbatch import refs_of
    from visionbatch.errors import ConfigError

    if isinstance(value, (str, bytes, Mapping)) or not hasattr(value, "__iter__"):
        raise ConfigError(
            f"batch_ids is a {type(value).__name__}, not a list",
            next_step="Hand over a list or a task's output; a template needs render_template_as_native_obj in its Dag.",
        )
    # The whole of what mapped tasks have pushed is one request to Airflow's server; one by one it is one for each.
    return refs_of(value[:] if hasattr(value, "__getitem__") else value)


def manifest_of(service: str, tally: Tally, outcome: str, report: str) -> dict[str, Any]:
    """What became of the batches, as small JSON: the counts, and examples of those that did not end well.

    :param report: location of the file that names all of them; empty without one.
    """
    head = {"schema": 1, "service": service, "outcome": outcome, "total": tally.total, "counts": tally.counts}
    return tally.with_examples({**head, "report": report})


def write_report(folder: str | None, conn_id: str | None, service: str, refs: Sequence[str], tally: Tally) -> str:
    """Write what became of each, and give the file's location; a retry for the same batches replaces it.

    :raises VisionBatchError: when the tally is of other batches.
    """
    from airflow_visionbatch.places import sink
    from visionbatch import VisionBatchError

    try:
        fates = {ref: fate.value for ref, fate in tally.fates(refs).items()}
    except ValueError as error:
        raise VisionBatchError(
            "batch_ids are not the ones any more that were waited for",
            service=service,
            retry_safe=True,
            next_step="Clear the task, so that it waits for the batches that are named now.",
        ) from error
    if not folder:
        return ""
    content = {"schema": 1, "service": service, "batches": fates}
    return sink(folder, conn_id).write(f"batches-{tally.of}.json", json.dumps(content, indent=1).encode())
