"""Single tasks, video sources, groups and what there is to choose from, at the mock with its ledger."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from core.conftest import Faults
from core.vias.conftest import Project
from core.vias.test_operations import answer
from support.books import Books
from support.clocks import TenantClock
from visionbatch import (
    GroupForm,
    OnPartial,
    Outputs,
    SingleTask,
    SourceForm,
    TaskInput,
    require_tasks,
)
from visionbatch.errors import ConfigError, IdTaken, InvalidInput, JobFailed, JobPartial, NotFound, OutcomeUnknown
from visionbatch.pipelines.vias import Vias
from visionbatch.vias.entries import moment
from visionbatch.vias.outputs import ObsOutput
from visionbatch_mock.tenant import Tenant

CONFIG = "<type>URL</type><config><URL_ADDRESS>rtsp://user:hidden-word@cam/1</URL_ADDRESS></config>"
VCN = {"ip": "10.0.0.1", "port": 80, "username": "operator", "password": "hidden-word"}


def single(*sources: str, **changes: Any) -> SingleTask:
    made = {
        "name": "spot-check",
        "service_name": "fire",
        "service_version": "1.0",
        "inputs": TaskInput.of_sources(*sources or ("source-0001",)),
        "outputs": Outputs(event_center=True),
    }
    return SingleTask(**{**made, **changes})


def source(**changes: Any) -> SourceForm:
    return SourceForm(**{"name": "cam a", "type": "url", "type_config": CONFIG, **changes})


def test_a_single_task_is_made_shown_changed_stopped_started_and_deleted(
    vias: Vias, tenant: Tenant, books: Books
) -> None:
    tenant.configure(vias_lives={"*": ["RUNNING"]})
    made = vias.single.create(single("source-0001", "source-0002"))
    assert (len(made.task_ids), made.answer.failed) == (2, 0)
    first, second = made.task_ids
    shown = vias.single.show(first)
    assert (shown.task_id, shown.name, shown.state) == (first, "spot-check", "RUNNING")
    # The list and the detail write the same moment in two forms.
    listed = {entry.task_id: entry for entry in vias.single.list(name="spot", state="RUNNING")}
    assert set(listed) == {first, second}
    assert listed[first].created == pytest.approx(shown.created, abs=0.001)
    assert vias.single.stop(first).answer.failed == 0
    tenant.clock.advance(60)
    assert vias.single.start(first).answer.failed == 0
    assert vias.single.update(first, single(description="another")).answer.succeeded == 1
    assert vias.single.delete(first) is not None
    assert vias.single.delete("0" * 32) is None
    names = ("created", "stopped", "started", "updated")
    assert [len({effect["task_id"] for effect in books.effects(f"vias.task_{name}")}) for name in names] == [2, 1, 2, 1]
    assert len(books.requests("vias.tasks.delete")) == 2


def test_sources_and_groups_are_registered_found_changed_and_removed(vias: Vias, books: Books) -> None:
    cam = vias.sources.create(source(latitude="52.5", tags=("yard",)))
    other = vias.sources.create(source(name="cam b", type="obs", type_config="<type>OBS</type>"))
    yard = vias.groups.create(GroupForm("yard", source_ids=(cam,)))
    assert [entry.source_id for entry in vias.sources.list("cam a")] == [cam]
    assert {entry.source_id for entry in vias.sources.list(more=(("video_group_id", yard),))} == {cam}
    shown = vias.sources.show(cam)
    assert (shown.source_id, shown.name, shown.type, shown.status) == (cam, "cam a", "url", "Online")
    vias.sources.update(cam, source(name="cam c"))
    vias.groups.update(yard, GroupForm("north", source_ids=(cam, other)))
    (group,) = vias.groups.list("nor")
    assert (group, group.sources) == (vias.groups.show(yard), 2)
    assert (vias.groups.delete(yard), vias.sources.delete(cam), vias.sources.delete(cam)) == (True, True, False)
    counted = [len(books.effects(f"vias.{name}")) for name in ("source_created", "source_deleted", "group_updated")]
    assert counted == [2, 1, 1]


def test_lists_are_read_to_their_end(vias: Vias, tenant: Tenant) -> None:
    for number in range(205):
        tenant.vias.places.add_source(f"cam-{number}", "obs")
    assert len({entry.source_id for entry in vias.sources.list()}) == 205


def test_what_there_is_to_choose_from_is_named_as_tasks_name_it(vias: Vias) -> None:
    vias.single.create(single())
    (fire,) = vias.algorithms()
    assert (fire.api, fire.version, fire.status) == ("fire", "1.0", "service_running")
    vias.ask("CreateEdgePool", body={"name": "pool-1", "node_ids": ["node-0001"]})
    assert [pool.name for pool in vias.edge_pools()] == ["pool-1"]


Made = tuple[str, str, Callable[[Vias], object]]
MADE: list[Made] = [
    ("vias.tasks.create", "vias.task_created", lambda vias: vias.single.create(single()).task_ids[0]),
    ("vias.sources.create", "vias.source_created", lambda vias: vias.sources.create(source())),
    ("vias.groups.create", "vias.group_created", lambda vias: vias.groups.create(GroupForm("yard"))),
]


@pytest.mark.parametrize(("operation", "effect", "make"), MADE)
@pytest.mark.parametrize("lost", ["drop-response", answer("<html>Please log in</html>")], ids=str)
def test_what_was_made_without_a_usable_answer_is_found_and_not_made_twice(
    vias: Vias, books: Books, faults: Faults, operation: str, effect: str, make: Callable[[Vias], object], lost: Any
) -> None:
    faults(operation, lost)
    made = make(vias)
    assert [entry[f"{effect[5:].split('_', maxsplit=1)[0]}_id"] for entry in books.effects(effect)] == [made]
    assert len(books.requests(operation)) == 1


@pytest.mark.parametrize(("operation", "effect", "make"), MADE)
def test_a_creation_that_leaves_no_trace_is_not_repeated_and_a_taken_name_is_told(
    vias: Vias,
    books: Books,
    faults: Faults,
    clock: TenantClock,
    operation: str,
    effect: str,
    make: Callable[[Vias], object],
) -> None:
    faults(operation, answer("<html>", effect=False))
    with pytest.raises(OutcomeUnknown, match="0 of 1 are in the list"):
        make(vias)
    assert clock.elapsed >= 60
    taken = {"error_code": "VIAS.00010010", "error_msg": "taken"}
    faults(operation, answer(json.dumps(taken), 400, effect=False))
    with pytest.raises(IdTaken, match="there already"):
        make(vias)
    assert not books.effects(effect)
    assert len(books.requests(operation)) == 2


def test_what_could_not_be_done_is_an_outcome_and_a_matter_of_policy(vias: Vias, faults: Faults) -> None:
    fail, accept = OnPartial.parse("fail"), OnPartial.parse("accept:1")
    faults("vias.tasks.create", answer(json.dumps({"tasks": [{"id": "a" * 32}]}), effect=False))
    made = vias.single.create(single("source-0001", "source-0002"))
    with pytest.raises(JobPartial, match="1 of 2 tasks could not be made"):
        require_tasks(made.answer, fail, "made")
    require_tasks(made.answer, accept, "made")
    (task_id,) = vias.single.create(single()).task_ids
    faults("vias.tasks.stop", answer(json.dumps({"status_code": 500, "status_msg": "busy"}), effect=False))
    stopped = vias.single.stop(task_id)
    with pytest.raises(JobFailed, match="500 busy"):
        require_tasks(stopped.answer, accept, "stopped")
    with pytest.raises(NotFound):
        vias.single.start("0" * 32)


def old(kind: str, *data: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"inputs": TaskInput(kind, data, **more)}


@pytest.mark.parametrize(
    ("rule", "given"),
    [
        ("name", single(name="spot check")),
        ("source-id", single("SOURCE")),
        ("inputs-count", single(inputs=TaskInput("video_source", ()))),
        ("inputs-count", single(*(f"source-{number:04}" for number in range(51)))),
        ("input-type", single(**old("file", {}))),
        ("input-vcn", single(**old("vcn", {"device_id": "d", "stream_type": 4}, vcn=VCN))),
        ("input-vcn", single(**old("url", {"url": "https://example.com/a.mp4"}, vcn=VCN))),
        ("obs-path", single(**old("obs", {"bucket": "videos", "path": "/a.mp4"}))),
        ("output-missing", single(outputs=Outputs())),
        ("obs-bucket", single(outputs=Outputs(obs=ObsOutput("ab", "")))),
        ("source-name", source(name=" cam")),
        ("access-type", source(access_type="moon")),
        ("source-type", source(type="film")),
        ("type-config", source(type_config="x" * 1025)),
        ("coordinate", source(longitude="52.123456")),
        ("tags", source(tags=("",))),
        ("group-id", source(group_ids=("YARD",))),
        ("group-name", GroupForm("a" * 21)),
        ("group-description", GroupForm("yard", description="d" * 101)),
        ("source-twice", GroupForm("yard", source_ids=("source-0001", "source-0001"))),
    ],
)
def test_a_broken_rule_is_named_before_any_request(vias: Vias, books: Books, rule: str, given: Any) -> None:
    register: Any = {SingleTask: vias.single, SourceForm: vias.sources, GroupForm: vias.groups}[type(given)]
    for refused in (lambda: register.create(given), lambda: register.update("0" * 32, given)):
        with pytest.raises(InvalidInput, match=rf"\[{rule}\]"):
            refused()
    assert not books.tenant.journal.entries()


def test_a_change_has_limits_of_its_own(vias: Vias, books: Books) -> None:
    with pytest.raises(InvalidInput, match=r"\[inputs-count\]"):
        vias.single.update("0" * 32, single("source-0001", "source-0002"))
    with pytest.raises(InvalidInput, match=r"\[group-members\]"):
        vias.groups.update("group-0001", GroupForm("yard"))
    assert not books.tenant.journal.entries()
    for strange in (vias.single.show, vias.sources.show, vias.groups.delete):
        with pytest.raises(ConfigError):
            strange("../v2")
    assert {str(entry.operation) for entry in books.tenant.journal.entries()} == {"iam.projects.list"}


def test_passwords_of_cameras_are_sent_and_shown_nowhere(vias: Vias, tenant: Tenant) -> None:
    task = single(**old("vcn", {"device_id": "d-1", "stream_type": 1}, vcn=VCN))
    assert {finding.rule for finding in task.check()} == {"input-deprecated"}
    shown = [repr(task), str(task.to_json()), repr(source()), str(source().to_json())]
    (task_id,) = vias.single.create(task).task_ids
    assert tenant.vias.task(task_id).input["data"] == [{"device_id": "d-1", "stream_type": 1}]
    cam = vias.sources.create(source())
    entries = [vias.single.show(task_id), *vias.single.list(), vias.sources.show(cam), *vias.sources.list()]
    shown += [repr(entries), json.dumps([entry.to_json() for entry in entries])]
    assert "hidden-word" not in "".join(shown)
    assert tenant.vias.places.sources[cam].type_config == CONFIG


def test_a_request_body_of_the_vendor_is_read_back_as_it_is_sent(project: Project) -> None:
    body = {
        "name": "spot-check",
        "service_name": "fire",
        "service_version": "1.0",
        "is_saved_as_template": False,
        "priority": "low",
        "input": {"type": "restful", "data": [{"url": "https://a.example/x", "headers": [{"k": "v"}], "index": 1}]},
        "output": {"event_center": True},
    }
    task = SingleTask.from_json(body)
    assert task.extra_body == {"priority": "low"}
    assert SingleTask.from_json(json.loads(json.dumps(body))) == task
    with pytest.raises(InvalidInput, match=r"\[unknown-field\]"):
        SingleTask.from_json({**body, "input": {"type": "video_source", "data": [{"url": "x"}]}})
    with pytest.raises(InvalidInput, match=r"\[input-type\]"):
        SingleTask.from_json({**body, "input": {"type": "film", "data": []}})


def test_moments_come_in_three_forms_and_anything_else_is_none() -> None:
    assert [moment(value) for value in (1686034773024, "1686034773024", "2023-06-06T06:59:33.024Z")] == [
        1686034773.024
    ] * 3
    assert [moment(value) for value in (None, True, "soon", "2023-06-06T06:59:33", {})] == [None] * 5
