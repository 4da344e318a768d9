"""The account's video sources, groups, algorithm services and edge pools."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from visionbatch_mock.ledger import Effect
from visionbatch_mock.vias.codes import Code
from visionbatch_mock.vias.errors import ViasError
from visionbatch_mock.vias.rules import invalid, output_types
from visionbatch_mock.vias.scenes import Chosen, EdgePool, Service, VideoGroup, VideoSource

if TYPE_CHECKING:
    from visionbatch_mock.ids import IdSource
    from visionbatch_mock.tenant import Tenant


class Places:
    """What tasks refer to. The book's lock covers it."""

    def __init__(self, tenant: "Tenant", ids: "IdSource") -> None:
        self._tenant = tenant
        self._ids = ids
        self.sources: dict[str, VideoSource] = {}
        self._source_names: dict[str, VideoSource] = {}
        self.groups: dict[str, VideoGroup] = {}
        self.services: dict[str, Service] = {}
        self.pools: dict[str, EdgePool] = {}

    # -- what a batch asks for

    def chosen_of(self, told: list[dict[str, Any]]) -> list[Chosen]:
        """The sources that checked groups of a request name; an unknown group refuses the whole call."""
        chosen: list[Chosen] = []
        for group in told:
            group_id, listed = group["video_source_group_id"], group["video_source_list"]
            self._require_group(group_id)
            found = [Chosen(each["video_source_id"], group_id, each.get("target_roi")) for each in listed]
            if not listed and self._tenant.behaviour.vias_empty_list_means_group:
                found = [Chosen(source.id, group_id) for source in self.members(group_id)]
            chosen += found
        return chosen

    def known_source(self, chosen: Chosen) -> VideoSource | None:
        """The source, made now if the tenant's setting has it so; None when nobody made it."""
        known = self.sources.get(chosen.source_id)
        if known is None and self._tenant.behaviour.vias_open_sources:
            known = self.add_source(chosen.source_id, "obs", source_id=chosen.source_id)
            if chosen.group_id:
                known.group_ids.add(chosen.group_id)
        return known

    def _require_group(self, group_id: str) -> None:
        if group_id in self.groups:
            return
        if not self._tenant.behaviour.vias_open_sources:
            raise ViasError(Code.NO_OBJECT, f"no video source group has the id {group_id}", group_id)
        self.add_group(group_id[:20], group_id=group_id)

    def service_for(self, api: str, version: str, output: Mapping[str, Any]) -> Service:
        """The service that a task names; it has to run, and to be able to deliver as asked."""
        service = next((each for each in self.services.values() if each.api == api), None)
        if service is None:
            if not self._tenant.behaviour.vias_open_services:
                raise ViasError(Code.NO_OBJECT, f"no algorithm service has the API id {api}", api)
            service = self.add_service(api, version=version)
        if service.status != "service_running":
            raise ViasError(Code.NOT_ALLOWED, f"the algorithm service {api} is {service.status}", api)
        if service.output_types and (wrong := output_types(output) - set(service.output_types)):
            raise invalid("output", f"the algorithm service {api} does not deliver by {sorted(wrong)}")
        return service

    # -- making and finding

    def source(self, source_id: str) -> VideoSource:
        """The source, or VIAS's refusal."""
        if source_id not in self.sources:
            raise ViasError(Code.NO_ID, f"no video source has the id {source_id}", source_id)
        return self.sources[source_id]

    def group(self, group_id: str) -> VideoGroup:
        """The group, or VIAS's refusal."""
        if group_id not in self.groups:
            raise ViasError(Code.NO_ID, f"no video source group has the id {group_id}", group_id)
        return self.groups[group_id]

    def update_source(self, source: VideoSource, name: str, type_config: str) -> None:
        """Another name and configuration; raises `ViasError` for a name that is taken."""
        if self._source_names.get(name, source) is not source:
            raise ViasError(Code.SOURCE_EXISTS, f"a video source named {name} exists", name)
        del self._source_names[source.name]
        source.name, source.type_config = name, type_config
        self._source_names[name] = source
        self._tenant.ledger.commit(Effect.VIAS_SOURCE_UPDATED, source_id=source.id)

    def remove_source(self, source: VideoSource) -> None:
        """Forget a source."""
        del self.sources[source.id], self._source_names[source.name]
        self._tenant.ledger.commit(Effect.VIAS_SOURCE_DELETED, source_id=source.id)

    def update_group(self, group: VideoGroup, members: Sequence[VideoSource]) -> None:
        """Other members, instead of those that it had."""
        for source in self.members(group.id):
            source.group_ids.discard(group.id)
        for source in members:
            source.group_ids.add(group.id)
        group.modified = self._tenant.clock.now()
        self._tenant.ledger.commit(Effect.VIAS_GROUP_UPDATED, group_id=group.id, sources=len(members))

    def remove_group(self, group: VideoGroup) -> None:
        """Forget a group; its sources stay."""
        for source in self.members(group.id):
            source.group_ids.discard(group.id)
        del self.groups[group.id]
        self._tenant.ledger.commit(Effect.VIAS_GROUP_DELETED, group_id=group.id)

    def add_pool(self, name: str, node_ids: tuple[str, ...]) -> EdgePool:
        """A new edge pool."""
        made = EdgePool(self._ids.uuid().replace("-", ""), name, node_ids, self._tenant.clock.now())
        self.pools[made.id] = made
        return made

    def members(self, group_id: str) -> list[VideoSource]:
        """The sources of a group."""
        return [source for source in self.sources.values() if group_id in source.group_ids]

    def add_source(
        self,
        name: str,
        kind: str,
        type_config: str = "",
        *,
        access_type: str = "cloud",
        group_ids: tuple[str, ...] = (),
        source_id: str | None = None,
    ) -> VideoSource:
        """A new video source; raises `ViasError` beyond the quota or for a name that is taken."""
        quota = self._tenant.behaviour.vias_source_quota
        if len(self.sources) >= quota:
            raise ViasError(Code.SOURCE_QUOTA, f"the quota of {quota} video sources is reached")
        if name in self._source_names:
            raise ViasError(Code.SOURCE_EXISTS, f"a video source named {name} exists", name)
        now = self._tenant.clock.now()
        made = VideoSource(source_id or self._ids.uuid(), name, access_type, kind, type_config, now)
        made.group_ids |= set(group_ids)
        self.sources[made.id] = self._source_names[name] = made
        self._tenant.ledger.commit(Effect.VIAS_SOURCE_CREATED, source_id=made.id, name=name)
        return made

    def add_group(
        self, name: str, *, access_type: str = "cloud", description: str = "", group_id: str | None = None
    ) -> VideoGroup:
        """A new group; raises `ViasError` beyond the quota or for a name that is taken."""
        quota = self._tenant.behaviour.vias_group_quota
        if len(self.groups) >= quota:
            raise ViasError(Code.INVALID, f"the quota of {quota} video source groups is reached")
        if any(group.name == name for group in self.groups.values()):
            raise ViasError(Code.EXISTS, f"a video source group named {name} exists", name)
        now = self._tenant.clock.now()
        made = VideoGroup(group_id or self._ids.uuid(), name, access_type, now, now, description)
        self.groups[made.id] = made
        self._tenant.ledger.commit(Effect.VIAS_GROUP_CREATED, group_id=made.id, name=name)
        return made

    def add_service(self, api: str, **facts: Any) -> Service:
        """An algorithm service that is deployed; `facts` are fields of `Service`."""
        made = Service(
            self._ids.uuid(), api, facts.pop("title", api), self._ids.uuid(), self._ids.uuid().replace("-", ""), **facts
        )
        self.services[made.id] = made
        return made
