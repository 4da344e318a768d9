"""Single tasks, video sources, groups, services and edge pools."""

import re
from datetime import datetime

import pytest

OPERATIONS = """
POST batch-tasks, GET batch-tasks, PUT batch-tasks/1234, DELETE batch-tasks/1234, PUT batch-tasks/1234/action/start,
POST services/fire/tasks, GET tasks, GET tasks/1234, PUT tasks/1234, DELETE tasks/1234, PUT tasks/1234/action/stop,
POST source, GET source/sources, GET source/sources/1234, PUT source/1234, DELETE source/1234,
POST video-group, GET video-group/groups, GET video-group/1234, PUT video-group/1234, DELETE video-group/1234,
POST algorithm/1234/deploy, PUT algorithm/1234/deploy/stop, GET algorithm/services/user, GET algorithm/services/1234,
POST edge-pools, GET edge-pools, GET edge-pools/1234, DELETE edge-pools/1234
"""


@pytest.mark.parametrize("operation", OPERATIONS.replace("\n", " ").strip().split(","))
def test_each_of_the_29_operations_answers_for_itself(account, operation):
    method, path = operation.split()
    answer = account.call(method, f"/{path}", {})
    assert answer.status_code == 200 or answer.json()["error_code"].startswith("VIAS.0001000")
    assert account.inside.journal.entries()[-1].operation.startswith("vias.")


def single(sources, **fields):
    told = {
        "name": "single",
        "service_version": "1.0",
        "input": {"type": "video_source", "data": [{"video_source_id": source} for source in sources]},
        "output": {"event_center": True},
    }
    return {**told, **fields}


def create(account, *args, **fields):
    return account.ok("POST", "/services/fire/tasks", single(*args, **fields))["tasks"]


def code(answer):
    return answer.status_code, answer.json()["error_code"]


def test_a_task_is_made_for_each_input_and_shown_in_two_forms_of_time(account):
    _, sources = account.group("cam-a", "cam-b")
    made = create(account, sources, description="d", config={"common": {"k": 1}})
    assert len(made) == 2
    (line,) = [task for task in account.tasks() if task["id"] == made[0]["id"]]
    assert set(line) == {
        "id", "name", "state", "type", "title", "video_source_name", "service_id", "algorithm_publish_id", "created_at"
    }  # fmt: skip
    assert re.fullmatch(r"[0-9a-f]{32}", line["id"])
    shown = account.ok("GET", f"/tasks/{line['id']}")
    created = datetime.fromisoformat(shown["created_at"])
    assert line["created_at"] == str(int(created.timestamp() * 1000))
    assert shown["created_at"].endswith("Z")
    assert (shown["description"], shown["config"], shown["project_id"]) == ("d", {"common": {"k": 1}}, account.project)


def test_older_kinds_of_input_are_taken(account):
    urls = [{"url": "http://127.0.0.1/a.mp4", "index": 1}, {"url": "rtsp://127.0.0.1/live", "index": 2}]
    create(account, [], input={"type": "url", "data": urls})
    account.inside.clock.advance(5)
    assert [task["state"] for task in account.tasks(sort_dir="asc")] == ["SUCCEEDED", "RUNNING"]


def test_a_wrong_input_is_refused(account):
    for told in ({"type": "film", "data": [{}]}, {"type": "url", "data": []}, {"type": "obs", "data": [{}] * 51}):
        assert code(account.call("POST", "/services/fire/tasks", single([], input=told))) == (400, "VIAS.00010001")
    assert code(account.call("POST", "/services/fire/tasks", single(["nobody"]))) == (400, "VIAS.00010002")
    assert account.effects("vias.task_created") == []


def test_the_task_list_has_names_of_its_own_for_pages(account):
    _, sources = account.group(*(f"cam-{number}" for number in range(7)))
    create(account, sources)
    first = account.ok("GET", "/tasks", params={"page": 1, "page_size": 5})
    assert (first["count"], first["page"], first["page_size"], len(first["tasks"])) == (7, 1, 5, 5)
    second = account.ok("GET", "/tasks", params={"page": 2, "page_size": 5})["tasks"]
    assert len({task["id"] for task in [*first["tasks"], *second]}) == 7
    assert account.ok("GET", "/tasks", params={"page": 3, "page_size": 5})["tasks"] == []
    assert account.tasks(sort_dir="asc") == account.tasks()[::-1]
    account.inside.configure(vias_tasks_count="page")
    assert account.ok("GET", "/tasks", params={"page": 2, "page_size": 5})["count"] == 2
    assert code(account.call("GET", "/tasks", params={"page_size": 1001})) == (400, "VIAS.00010001")


def test_tasks_are_filtered(account):
    batch_id = account.new_batch("cam-a", "cam-b")
    account.new_batch("cam-c")
    assert len(account.tasks(batch_id)) == 2
    assert len(account.tasks(camera_name="CAM-C")) == 1
    assert len(account.tasks(task_state="pending")) == 3
    assert account.tasks(task_state="RUNNING") == []


def test_a_task_is_stopped_started_updated_and_deleted(account):
    _, sources = account.group("cam-a", kind="camera")
    task_id = create(account, sources)[0]["id"]
    account.inside.clock.advance(10)
    assert account.ok("PUT", f"/tasks/{task_id}/action/stop")["status_code"] == 200
    account.inside.clock.advance(1)
    assert account.ok("GET", f"/tasks/{task_id}")["state"] == "STOPPED"
    account.ok("PUT", f"/tasks/{task_id}/action/start")
    change = single(sources, name="renamed", output={"dis": {"stream_name": "s"}})
    account.ok("PUT", f"/tasks/{task_id}", change)
    shown = account.ok("GET", f"/tasks/{task_id}")
    assert (shown["name"], shown["output"], shown["state"]) == ("renamed", {"dis": {"stream_name": "s"}}, "STARTING")
    url = {"type": "url", "data": [{"url": "http://127.0.0.1/a.mp4"}]}
    for wrong in ({"name": "x"}, single(sources, input=url), single([*sources, *sources])):
        assert code(account.call("PUT", f"/tasks/{task_id}", wrong)) == (400, "VIAS.00010001")
    account.ok("DELETE", f"/tasks/{task_id}")
    assert account.ok("GET", f"/tasks/{task_id}")["state"] == "DELETING"
    account.inside.clock.advance(1)
    assert code(account.call("GET", f"/tasks/{task_id}")) == (400, "VIAS.00010007")


def test_a_task_that_may_not_be_stopped_says_so_with_500(account):
    _, sources = account.group("cam-a", kind="camera")
    task_id = create(account, sources)[0]["id"]
    account.inside.configure(vias_refusals={"stop": ["*"]})
    assert code(account.call("PUT", f"/tasks/{task_id}/action/stop")) == (500, "VIAS.00010012")


SOURCE = {"video_source_name": "cam a", "access_type": "cloud", "type": "obs", "type_config": "<c/>"}


def test_a_source_is_made_listed_shown_changed_and_removed(account):
    source_id = account.ok("POST", "/source", {**SOURCE, "tag": ["north"], "latitude": "1.5"})["video_source_id"]
    listed = account.ok("GET", "/source/sources")
    assert (listed["total_number"], listed["quota_number"]) == (1, 5000)
    (line,) = listed["video_source_list"]
    assert (line["video_source_id"], line["status"]["level"], line["tag"]) == (source_id, "1", ["north"])
    assert line["create_at"] == int(account.inside.clock.now() * 1000)
    shown = account.ok("PUT", f"/source/{source_id}", {"video_source_name": "cam b", "type_config": "<d/>"})
    assert shown == account.ok("GET", f"/source/sources/{source_id}")
    assert "video_source_id" not in shown
    assert shown["video_source_name"] == "cam b"
    assert account.ok("DELETE", f"/source/{source_id}") is True
    assert code(account.call("GET", f"/source/sources/{source_id}")) == (400, "VIAS.00010008")
    kinds = ("created", "updated", "deleted")
    assert [len(account.effects(f"vias.source_{kind}")) for kind in kinds] == [1, 1, 1]


@pytest.mark.parametrize(
    "change",
    [
        {"video_source_name": " cam"},
        {"video_source_name": ""},
        {"access_type": "moon"},
        {"type": "film"},
        {"type_config": "x" * 1025},
        {"tag": ["north"] * 5},
        {"latitude": "1.123456"},
        {"video_group_ids": ["nobody-here"]},
    ],
)
def test_a_source_that_breaks_a_rule_is_refused(account, change):
    assert account.call("POST", "/source", {**SOURCE, **change}).status_code == 400
    assert account.effects("vias.source_created") == []


def test_sources_have_unique_names_a_quota_and_users(account):
    account.inside.configure(vias_source_quota=2)
    _, (source_id,) = account.group("cam a")
    assert code(account.call("POST", "/source", SOURCE)) == (400, "VIAS.00010010")
    account.ok("POST", "/source", {**SOURCE, "video_source_name": "cam b"})
    assert code(account.call("POST", "/source", {**SOURCE, "video_source_name": "cam c"})) == (400, "VIAS.0010047")
    create(account, [source_id])
    assert code(account.call("DELETE", f"/source/{source_id}")) == (500, "VIAS.00010012")


def test_a_group_is_made_listed_shown_changed_and_removed(account):
    _, sources = account.group("cam-a", "cam-b")
    told = {"video_group_name": "yard", "access_type": "cloud", "description": "d", "video_source_ids": sources[:1]}
    group_id = account.ok("POST", "/video-group", told)["video_group_id"]
    assert account.ok("GET", f"/video-group/{group_id}")["description"] == "d"
    account.ok("PUT", f"/video-group/{group_id}", {"video_source_ids": sources[1:]})
    members = account.ok("GET", "/source/sources", params={"video_group_id": group_id})["video_source_list"]
    assert [source["video_source_id"] for source in members] == sources[1:]
    (line,) = account.ok("GET", "/video-group/groups", params={"name": "yard"})["video_group_list"]
    assert (line["num_video_source"], line["group_status"]["num_online"], line["type"]) == (1, 1, "obs")
    assert code(account.call("POST", "/video-group", told)) == (400, "VIAS.00010003")
    assert account.call("DELETE", f"/video-group/{group_id}").status_code == 200
    assert code(account.call("GET", f"/video-group/{group_id}")) == (400, "VIAS.00010008")
    assert len(account.ok("GET", "/source/sources")["video_source_list"]) == 2


def test_a_group_takes_only_sources_of_its_own_kind(account):
    _, sources = account.group("cam-a")
    told = {"video_group_name": "edge", "access_type": "edge", "video_source_ids": sources}
    assert code(account.call("POST", "/video-group", told)) == (400, "VIAS.00010001")


def test_the_lists_of_sources_and_groups_come_whole_unless_pages_are_asked_for(account):
    account.group(*(f"cam-{number:02}" for number in range(12)))
    assert len(account.ok("GET", "/source/sources")["video_source_list"]) == 12
    page = account.ok("GET", "/source/sources", params={"is_paged": "true", "page_size": 5, "page_num": 3})
    assert (page["video_source_number"], page["total_number"]) == (2, 12)


def test_services_tell_the_word_for_tasks_only_in_their_detail(account):
    account.inside.vias.places.add_service(
        "c-umbrella-edge", title="Umbrella", deploy_type="edge", output_types=("OBS",)
    )
    (line,) = account.ok("GET", "/algorithm/services/user")["service_list"]
    assert (line["service_name"], line["deploy_type"], "api" in line) == ("Umbrella", "edge", False)
    shown = account.ok("GET", f"/algorithm/services/{line['service_id']}")
    assert (shown["api"], shown["service_version"]) == ("c-umbrella-edge", "1.0")
    assert shown["deployment_constraints"]["output_types"] == ["OBS"]
    assert code(account.call("GET", "/algorithm/services/none")) == (400, "VIAS.00010008")
    group, sources = account.group("cam-a")
    told = account.request(
        group, sources, service_name="c-umbrella-edge", output={"obs": {"bucket": "abc", "path": "p"}}
    )
    account.ok("POST", "/batch-tasks", told)
    assert account.batches()[0]["type"] == "1"


def test_edge_pools_are_made_with_201_and_removed_with_204(account):
    made = account.call("POST", "/edge-pools", {"name": "pool-1", "node_ids": ["node-1"]})
    pool_id = made.json()["id"]
    assert made.status_code == 201
    assert account.ok("GET", "/edge-pools")["count"] == 1
    assert account.ok("GET", f"/edge-pools/{pool_id}")["name"] == "pool-1"
    gone = account.call("DELETE", f"/edge-pools/{pool_id}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert code(account.call("GET", f"/edge-pools/{pool_id}")) == (400, "VIAS.00010008")
    assert code(account.call("POST", "/edge-pools", {"name": "Pool", "node_ids": ["node-1"]})) == (400, "VIAS.00010001")


def test_faults_are_met_on_every_family(account):
    calls = {
        "vias.tasks.list": "/tasks",
        "vias.sources.list": "/source/sources",
        "vias.groups.list": "/video-group/groups",
        "vias.services.list": "/algorithm/services/user",
        "vias.edge_pools.list": "/edge-pools",
    }
    for operation, path in calls.items():
        plan = account.plan(operation, "return-503")
        assert code(account.call("GET", path)) == (503, "APIGW.0201")
        assert plan.completed
        assert account.call("GET", path).status_code == 200
