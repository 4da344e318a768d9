"""Batch tasks: what a request may say, what becomes of each source, and how the counters move."""

import pytest
import requests

RUNS = ["PENDING", "STARTING", "RUNNING"]


def counters(account, batch_id):
    (found,) = [each for each in account.batches() if each["id"] == batch_id]
    return found["batch_task_status_info"]


def test_a_batch_on_files_goes_through_its_states_and_ends(account):
    batch_id = account.new_batch("cam-a", "cam-b")
    seen = []
    for seconds in (0, 1, 1, 3):
        account.inside.clock.advance(seconds)
        seen.append((counters(account, batch_id), account.states(batch_id)))
    words = [*RUNS, "SUCCEEDED"]
    assert seen == [({word.lower(): 2}, [word, word]) for word in words]
    assert [entry["state"] for entry in account.effects("vias.task_ended")] == ["SUCCEEDED"] * 2
    assert len(account.effects("vias.batch_created")) == 1


@pytest.mark.parametrize(
    ("kind", "config", "ends"),
    [
        ("obs", "", True),
        ("url", "<url_address>http://127.0.0.1/a.mp4</url_address>", True),
        ("url", "<url_address>rtsp://127.0.0.1/live</url_address>", False),
        ("camera", "<EDGE_CAMERA_ID>7</EDGE_CAMERA_ID>", False),
    ],
)
def test_files_end_and_streams_run_until_they_are_stopped(account, kind, config, ends):
    batch_id = account.new_batch("cam-a", kind=kind, config=config)
    account.inside.clock.advance(80_000)
    assert account.states(batch_id) == ["SUCCEEDED" if ends else "RUNNING"]


def test_some_sources_fail_and_the_answer_is_200_all_the_same(account):
    group, sources = account.group("cam-a", "cam-b", "cam-c")
    account.inside.configure(vias_refusals={"create": ["cam-c"]})
    told = account.ok("POST", "/batch-tasks", account.request(group, [*sources, "source-unknown"]))
    assert {key: told[key] for key in ("total_count", "failed_count", "succeed_count")} == {
        "total_count": 4,
        "failed_count": 2,
        "succeed_count": 2,
    }
    assert told["error_list"] == [
        f"{sources[2]}: VIAS.00010012 create is refused by the mock's settings",
        "source-unknown: VIAS.00010002 the video source does not exist",
    ]
    assert counters(account, told["id"]) == {"pending": 2, "create_failed": 2}
    failed = account.tasks(told["id"], task_state="create_failed")
    assert account.ok("GET", f"/tasks/{failed[0]['id']}")["error"]["code"] == "VIAS.00010002"


def test_a_batch_without_a_single_success_may_be_kept_or_not(account):
    group, _ = account.group("cam-a")
    kept = account.ok("POST", "/batch-tasks", account.request(group, ["nobody"]))
    assert (kept["succeed_count"], counters(account, kept["id"])) == (0, {"create_failed": 1})
    account.inside.configure(vias_keep_failed=False)
    lost = account.ok("POST", "/batch-tasks", account.request(group, ["nobody"]))
    assert "id" not in lost
    assert len(account.effects("vias.batch_created")) == 1
    assert len(account.batches()) == 1


def test_an_empty_list_is_the_whole_group_or_nothing(account):
    group, sources = account.group("cam-a", "cam-b")
    assert account.ok("POST", "/batch-tasks", account.request(group, []))["total_count"] == len(sources)
    account.inside.configure(vias_empty_list_means_group=False)
    assert account.ok("POST", "/batch-tasks", account.request(group, []))["total_count"] == 0


def test_a_name_is_taken_once_unless_the_setting_says_otherwise(account):
    group, sources = account.group("cam-a")
    told = account.request(group, sources)
    account.ok("POST", "/batch-tasks", told)
    again = account.call("POST", "/batch-tasks", told)
    assert (again.status_code, again.json()["error_code"]) == (400, "VIAS.00010011")
    account.inside.configure(vias_unique_names=False)
    assert account.ok("POST", "/batch-tasks", told)["succeed_count"] == 1


def refused(account, told):
    answer = account.call("POST", "/batch-tasks", told)
    body = answer.json()
    assert set(body) == {"error_code", "error_msg", "detail", "params", "reason", "advice"}
    assert account.effects("vias.batch_created") == []
    return answer.status_code, body["error_code"], body["params"]


def weekly(**changes):
    plan = {"type": "weekly", "timezone": "+08:00", "days_of_week": [1, 5], "periods": [[], []]}
    return {"schedule": {**plan, **changes}}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": ""}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "n\n"}, "name"),
        ({"name": "n" * 101}, "name"),
        ({"description": "d" * 501}, "description"),
        ({"service_version": "1"}, "service_version"),
        ({"service_name": "Smoke and fire detection algorithm"}, "service_name"),
        ({"resource_order_id": "A"}, "resource_order_id"),
        ({"is_saved_as_template": "maybe"}, "is_saved_as_template"),
        ({"batch_input": {}}, "video_source_group"),
        ({"batch_input": {"video_source_group": [{"video_source_group_id": "group-1"}]}}, "video_source_list"),
        ({"output": {}}, "output"),
        ({"output": {"event_center": False}}, "output"),
        ({"output": {"obs": {"bucket": "a..b", "path": "p"}}}, "bucket"),
        ({"output": {"obs": {"bucket": "ab", "path": "p"}}}, "bucket"),
        ({"output": {"obs": {"bucket": "abc", "path": "/p"}}}, "path"),
        ({"output": {"obs": {"bucket": "abc", "path": "a//b"}}}, "path"),
        ({"output": {"dis": {"stream_name": "a b"}}}, "stream_name"),
        ({"output": {"webhook": {"url": "http://t", "headers": {"k": "v"}}}}, "url"),
        ({"output": {"webhook": {"url": "http://test", "headers": {}}}}, "output.webhook.headers"),
        (weekly(type="monthly"), "schedule.type"),
        (weekly(timezone="8"), "timezone"),
        (weekly(days_of_week=[1, 1]), "schedule.days_of_week"),
        (weekly(days_of_week=[8]), "schedule.days_of_week"),
        (weekly(periods=[[]]), "schedule.periods"),
        (weekly(periods=[[{"begin_at": "8", "end_at": "9"}], []]), "begin_at"),
    ],
)
def test_what_the_tables_do_not_allow_is_refused_with_its_field(account, change, where):
    group, sources = account.group("cam-a")
    assert refused(account, account.request(group, sources, **change)) == (400, "VIAS.00010001", [where])


@pytest.mark.parametrize(
    "change",
    [
        {"name": "名称_-1"},
        {"description": ""},
        {"output": {"obs": {"bucket": "my-bucket", "path": "output/"}, "event_center": 1}},
        {"output": {"obs": {"bucket": "my.bucket", "path": ""}}},
        {"output": {"dis": {"stream_name": "s"}, "webhook": {"url": "http://test", "headers": {"k": "v"}}}},
        {"output": {"event_center": "true"}},
        weekly(),
        weekly(periods=[[{"begin_at": "08:00:00", "end_at": "23:59:00"}]] * 7),
        {"priority": "low", "manufacturer": "VIAS"},
    ],
)
def test_what_the_tables_allow_is_taken(account, change):
    group, sources = account.group("cam-a")
    assert account.ok("POST", "/batch-tasks", account.request(group, sources, **change))["succeed_count"] == 1


def test_oddities_of_the_documents_are_taken_or_refused_by_setting(account):
    group, sources = account.group("cam-a")
    account.inside.configure(vias_reject_unknown=True)
    assert refused(account, account.request(group, sources, priority="low"))[2] == ["priority"]
    account.inside.configure(vias_strict_service_names=False, vias_reject_unknown=False)
    told = account.request(group, sources, service_name="Smoke and fire detection algorithm", priority="low")
    account.ok("POST", "/batch-tasks", told)
    assert account.batches()[0]["priority"] == "low"


def test_an_unknown_group_refuses_the_call_and_an_open_account_makes_it(account):
    told = account.request("group-0001", ["source-0001"])
    assert refused(account, told) == (400, "VIAS.00010002", ["group-0001"])
    account.inside.configure(vias_open_sources=True)
    assert account.ok("POST", "/batch-tasks", told)["succeed_count"] == 1


def test_bodies_that_are_no_object_are_refused(account):
    for body in (b"{", b"[]", b""):
        answer = account.call("POST", "/batch-tasks", data=body)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "VIAS.00010004")


def test_the_quota_of_tasks_refuses_the_whole_call(account):
    account.inside.configure(vias_task_quota=2)
    group, sources = account.group("cam-a", "cam-b", "cam-c")
    assert refused(account, account.request(group, sources))[:2] == (400, "VIAS.0010048")


def test_a_service_refuses_outputs_that_it_does_not_have_and_calls_while_it_is_stopped(account):
    account.inside.vias.places.add_service("fire", output_types=("Webhook",))
    group, sources = account.group("cam-a")
    obs = {"obs": {"bucket": "my-bucket", "path": "p"}}
    assert refused(account, account.request(group, sources, output=obs))[2] == ["output"]
    account.inside.configure(vias_open_services=False)
    assert refused(account, account.request(group, sources, service_name="smoke"))[1] == "VIAS.00010002"
    (service,) = account.ok("GET", "/algorithm/services/user")["service_list"]
    account.ok("PUT", f"/algorithm/{service['alg_id']}/deploy/stop")
    assert refused(account, account.request(group, sources))[:2] == (500, "VIAS.00010012")
    account.ok("POST", f"/algorithm/{service['alg_id']}/deploy", {"stream_count": 1})
    assert account.ok("POST", "/batch-tasks", account.request(group, sources))["succeed_count"] == 1


def test_the_list_has_pages_an_order_and_filters(account):
    for number in range(6):
        account.inside.clock.advance(60)
        account.new_batch(f"cam-{number}", name=f"nightly-{number}")
    every = [each["batch_task_name"] for each in account.batches()]
    assert every == [f"nightly-{number}" for number in reversed(range(6))]
    assert [each["batch_task_name"] for each in account.batches(page_size=5, page_num=2)] == ["nightly-0"]
    assert account.batches(page_size=5, page_num=3) == []
    assert account.ok("GET", "/batch-tasks", params={"page_size": 5})["count"] == 6
    assert len(account.batches(is_paged="false")) == 6
    assert [each["batch_task_name"] for each in account.batches(order_by="asc")] == every[::-1]
    assert len(account.batches(type_like="batch_task_name", name_like="LY-3")) == 1
    assert len(account.batches(task_state="PENDING")) == 1
    assert len(account.batches(task_state="succeeded")) == 5
    assert account.batches(title="nothing") == []
    for wrong in ({"page_size": 4}, {"page_size": 201}, {"order_by": "up"}, {"sort_name": "x"}, {"is_paged": "x"}):
        assert account.call("GET", "/batch-tasks", params=wrong).json()["error_code"] == "VIAS.00010001"


def test_creation_is_a_number_of_milliseconds_in_the_list(account):
    account.new_batch("cam-a")
    assert account.batches()[0]["created_at"] == int(account.inside.clock.now() * 1000)


def test_stop_start_and_delete_act_on_every_task(account):
    batch_id = account.new_batch("cam-a", "cam-b", kind="camera")
    account.inside.clock.advance(10)
    assert account.ok("PUT", f"/batch-tasks/{batch_id}/action/stop")["succeed_count"] == 2
    assert account.states(batch_id) == ["STOPPING"] * 2
    account.inside.clock.advance(1)
    assert account.states(batch_id) == ["STOPPED"] * 2
    account.ok("PUT", f"/batch-tasks/{batch_id}/action/start")
    account.inside.clock.advance(1)
    assert account.states(batch_id) == ["RUNNING"] * 2
    assert account.ok("DELETE", f"/batch-tasks/{batch_id}")["total_count"] == 2
    assert counters(account, batch_id) == {"deleting": 2}
    account.inside.clock.advance(1)
    assert account.batches() == []
    gone = account.call("DELETE", f"/batch-tasks/{batch_id}")
    assert (gone.status_code, gone.json()["error_code"]) == (400, "VIAS.00010008")
    kinds = ("task_started", "task_stopped", "task_deleted", "batch_deleted")
    assert [len(account.effects(f"vias.{kind}")) for kind in kinds] == [4, 2, 2, 1]


def test_acting_twice_is_success_or_failure_by_setting(account):
    batch_id = account.new_batch("cam-a", kind="camera")
    account.inside.clock.advance(10)
    assert account.ok("PUT", f"/batch-tasks/{batch_id}/action/start")["failed_count"] == 0
    account.inside.configure(vias_strict_actions=True)
    told = account.ok("PUT", f"/batch-tasks/{batch_id}/action/start")
    assert told["failed_count"] == 1
    assert "VIAS.00010012" in told["error_list"][0]
    assert account.states(batch_id) == ["RUNNING"]


@pytest.mark.parametrize("action", ["start", "stop", "delete"])
def test_single_tasks_of_a_batch_refuse_an_action(account, action):
    batch_id = account.new_batch("cam-a", "cam-b", kind="camera")
    account.inside.clock.advance(10)
    account.inside.configure(vias_refusals={action: ["cam-b"]})
    method, path = ("DELETE", "") if action == "delete" else ("PUT", f"/action/{action}")
    told = account.ok(method, f"/batch-tasks/{batch_id}{path}")
    assert (told["succeed_count"], told["failed_count"], told["id"]) == (1, 1, batch_id)
    account.inside.clock.advance(10)
    assert len(account.batches()) == 1


def test_an_update_changes_settings_and_no_state(account):
    batch_id = account.new_batch("cam-a", kind="camera")
    account.inside.clock.advance(10)
    change = {"description": "new", "service_name": "other", "output": {"event_center": True}}
    assert account.ok("PUT", f"/batch-tasks/{batch_id}", change)["succeed_count"] == 1
    (task,) = account.tasks(batch_id)
    shown = account.ok("GET", f"/tasks/{task['id']}")
    assert (shown["description"], shown["state"], shown["title"]) == ("new", "RUNNING", "fire")
    assert account.call("PUT", f"/batch-tasks/{batch_id}", {"name": "a b"}).status_code == 400
    assert account.call("PUT", f"/batch-tasks/{batch_id}", {"batch_input": {}}).status_code == 400
    account.new_batch("cam-b", name="taken")
    assert account.call("PUT", f"/batch-tasks/{batch_id}", {"name": "taken"}).json()["error_code"] == "VIAS.00010011"
    account.ok("PUT", f"/batch-tasks/{batch_id}", {"name": "free"})
    assert {each["batch_task_name"] for each in account.batches()} == {"free", "taken"}


def test_a_source_may_lead_any_life_even_one_that_goes_back_or_has_unknown_words(account):
    account.inside.configure(
        vias_lives={
            "cam-a": ["RUNNING", "SUCCEEDED", "RUNNING", "SUCCEEDED"],
            "cam-b": ["HIBERNATING", "ABNORMAL", "RUNNING"],
            "*": ["LACK_OF_RESOURCES"],
        },
        vias_durations={"RUNNING": 1, "SUCCEEDED": 1},
    )
    batch_id = account.new_batch("cam-a", "cam-b", "cam-c")
    seen = []
    for seconds in (0, 1, 1, 1):
        account.inside.clock.advance(seconds)
        seen.append(account.states(batch_id)[:2])
    assert seen == [
        ["RUNNING", "HIBERNATING"],
        ["SUCCEEDED", "ABNORMAL"],
        ["RUNNING", "RUNNING"],
        ["SUCCEEDED", "RUNNING"],
    ]
    assert counters(account, batch_id) == {"succeeded": 1, "running": 1, "lack_of_resources": 1}


def test_tasks_may_wait_for_a_start(account):
    account.inside.configure(vias_auto_start=False)
    batch_id = account.new_batch("cam-a")
    account.inside.clock.advance(1000)
    assert account.states(batch_id) == ["PENDING"]
    account.ok("PUT", f"/batch-tasks/{batch_id}/action/start")
    account.inside.clock.advance(4)
    assert account.states(batch_id) == ["SUCCEEDED"]


def test_counts_can_be_made_to_disagree(account):
    account.inside.configure(vias_count_errors={"failed_count": -3})
    group, sources = account.group("cam-a")
    told = account.ok("POST", "/batch-tasks", account.request(group, sources))
    assert (told["total_count"], told["failed_count"], told["succeed_count"]) == (1, -3, 1)


def test_a_single_batch_cannot_be_got_and_no_other_path_exists(account):
    batch_id = account.new_batch("cam-a")
    for method, path in (("GET", f"/batch-tasks/{batch_id}"), ("PATCH", "/batch-tasks"), ("GET", "/nothing/here")):
        answer = account.call(method, path)
        assert (answer.status_code, answer.json()["error_code"]) == (404, "APIGW.0101")
    assert account.call("PUT", f"/batch-tasks/{batch_id}/action/restart").status_code == 404
    assert account.call("DELETE", "/batch-tasks/UPPER").json()["error_code"] == "VIAS.00010004"


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "VIAS.00010001"), (401, "APIGW.0301"), (403, "APIGW.0302"), (429, "APIGW.0308"), (500, "VIAS.00010006")],
)
def test_injected_errors_speak_as_the_one_who_would_give_them(account, status, code):
    plan = account.plan("vias.batch_tasks.list", {"fault": f"return-{status}", "retry_after": 7})
    answer = account.call("GET", "/batch-tasks")
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert (answer.headers["Retry-After"], len(answer.headers["X-Request-Id"])) == ("7", 32)
    assert plan.completed


def test_a_lost_answer_leaves_a_batch_that_the_list_finds(account):
    group, sources = account.group("cam-a")
    account.token()
    plan = account.plan("vias.batch_tasks.create", "drop-response")
    with pytest.raises(requests.ConnectionError):
        account.call("POST", "/batch-tasks", account.request(group, sources, name="nightly"))
    assert plan.completed
    assert len(account.batches(type_like="batch_task_name", name_like="nightly")) == 1
    assert len(account.effects("vias.batch_created")) == 1
