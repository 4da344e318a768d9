"""Where a batch came from and what became of it, for Airflow's lineage and for OpenLineage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from airflow_visionbatch._compat import lineage_collector
from airflow_visionbatch.assets import named

if TYPE_CHECKING:
    from visionbatch import Sink

RUN_FACET = "visionbatch"


def place_uri(place: str) -> str:
    """The address of a path as Airflow users write it: ``file://`` on the worker, the object store's own elsewhere.

    A connection in it (``s3://conn@bucket``), a query or a fragment are left out: neither says where the thing is,
    and some carry authority.
    """
    if "://" not in place:
        return f"file://{quote(str(Path(place).absolute()))}"
    parts = urlsplit(place)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class Noted:
    """A sink that remembers the locations of what was written; a `visionbatch.Sink`."""

    def __init__(self, inner: Sink) -> None:
        self.locations: list[str] = []
        self._inner = inner

    def write(self, name: str, content: bytes) -> str:
        """See `Sink.write`."""
        location = self._inner.write(name, content)
        self.locations.append(location)
        return location


@dataclass
class Lineage:
    """What one run read, wrote, and came to.

    :param inputs: addresses.
    :param outputs: addresses.
    :param facts: of the run facet, JSON primitives.
    """

    service: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def tell_airflow(self, hook: Any) -> None:
        """Hand the addresses to Airflow's collector. It fails no task: another provider may not like an address."""
        with suppress(Exception):
            collector = lineage_collector()
            for uri in self.inputs:
                collector.add_input_asset(hook, uri=uri)
            for uri in self.outputs:
                collector.add_output_asset(hook, uri=uri)

    def openlineage(self) -> Any:
        """The same as OpenLineage's extractors want it; ``None`` where OpenLineage is not installed."""
        try:
            from airflow.providers.common.compat.openlineage.facet import Dataset, ExternalQueryRunFacet
            from airflow.providers.openlineage.extractors import OperatorLineage
        except ImportError:
            return None
        facets: dict[str, Any] = {RUN_FACET: _run_facet(self.facts)}
        ref = self.facts.get("job_id") or self.facts.get("batch_id")
        if ref:
            facets["externalQuery"] = ExternalQueryRunFacet(externalQueryId=ref, source=self.service)

        def datasets(uris: Sequence[str]) -> list[Any]:
            return [Dataset(namespace=namespace, name=name) for namespace, name in map(named, uris)]

        return OperatorLineage(inputs=datasets(self.inputs), outputs=datasets(self.outputs), run_facets=facets)


def _run_facet(facts: Mapping[str, Any]) -> Any:
    # Made here, for its base class is there only with OpenLineage.
    import attrs
    from airflow.providers.common.compat.openlineage.facet import RunFacet

    fields = {name: attrs.field(default=None) for name in facts}
    return attrs.make_class("VisionBatchRunFacet", fields, bases=(RunFacet,))(**facts)
