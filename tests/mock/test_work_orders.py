"""`/v0.2/work-orders` and `/v0.2/task-groups`, by the vendor's work-order pages."""

import base64

import pytest


@pytest.fixture
def order(tenant, archive) -> dict:
    """A work order that a batch made."""
    tenant.processed(archive)
    made = tenant.inside.work_orders.named("WO_1")[0]
    return tenant.get(f"/v0.2/work-orders/{made.id}/").json()


def analysis(photo: bytes, group: str | None = "cabinet", head: str = "data:image/jpg;base64") -> dict:
    value = f"{head},{base64.b64encode(photo).decode()}"
    inputs = [{"name": "image_input", "data": {"type": "image", "value": value}}]
    if group:
        inputs.append({"name": "context", "data": {"type": "text", "value": group}})
    return {"inputs": inputs}


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_work_order_is_created_read_changed_and_deleted(tenant, slash):
    made = tenant.post(f"/v0.2/work-orders{slash}", json={"name": "WO-9", "metadata": {"a": 1}})
    assert made.status_code == 201
    path = f"/v0.2/work-orders/{made.json()['id']}{slash}"
    changed = tenant.call("PATCH", path, json={"tags": ["x"], "field_engineer_email": "a@b.c"})
    assert changed.status_code == 200
    shown = tenant.get(path).json()
    assert (shown["name"], shown["metadata"], shown["tags"]) == ("WO-9", {"a": 1}, ["x"])
    assert tenant.call("DELETE", path).status_code == 204
    assert tenant.get(path).status_code == 404
    assert tenant.call("DELETE", path).status_code == 404


@pytest.mark.parametrize("body", [{}, {"name": "a b"}, {"name": ""}, {"name": "x" * 129}, {"name": "a", "tags": "t"}])
def test_a_bad_work_order_is_refused_by_field(tenant, body):
    answer = tenant.post("/v0.2/work-orders/", json=body)
    assert answer.status_code == 400
    assert set(answer.json()) <= {"name", "tags"}


def test_a_work_order_has_the_documented_keys(order):
    assert {
        "id", "name", "site_id", "create_date", "update_date", "review_date", "progress_score",
        "tags", "metadata", "parameters", "assigned_user_id", "engage_app_id", "first_analysis_id",
        "latest_analysis_id", "task_groups", "tasks", "inputs",
    } == set(order)  # fmt: skip
    assert order["progress_score"] == 100
    assert order["tasks"][0]["state"].keys() == {"analyzed_value", "corrected_value", "message"}


def test_inputs_can_be_left_out(tenant, order):
    path = f"/v0.2/work-orders/{order['id']}"
    assert "inputs" not in tenant.get(f"{path}?include_inputs=false").json()
    assert len(tenant.get(f"{path}?include_inputs=true").json()["inputs"]) == 1
    assert tenant.get(f"{path}?include_inputs=maybe").status_code == 400


def test_an_analysis_answers_the_tasks(tenant, photo):
    order_id = tenant.post("/v0.2/work-orders/", json={"name": "WO"}).json()["id"]
    path = f"/v0.2/work-orders/{order_id}"
    answer = tenant.post(f"{path}/analyze/", json=analysis(photo()))
    assert answer.status_code == 200
    assert isinstance(answer.json()["tasks"][0]["state"]["analyzed_value"], bool)
    assert len(tenant.get(path).json()["inputs"]) == 1


def test_the_same_photo_gets_the_same_value_in_a_batch_and_in_an_analysis(tenant, order, photo):
    answer = tenant.post(f"/v0.2/work-orders/{order['id']}/analyze/", json=analysis(photo()))
    assert answer.json()["tasks"] == order["tasks"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"inputs": "x"},
        {"inputs": []},
        {"inputs": [{"name": "image_input", "data": {"type": "image", "value": "ftp://x"}}]},
        {"inputs": [{"name": "image_input", "data": {"type": "image", "value": "data:x;base64,?"}}]},
        analysis(b"not a photo"),
        analysis(bytes(5 * 1024 * 1024 + 1)),
        analysis(bytes(8 * 1024 * 1024 + 1), head="data:application/pdf;base64"),
    ],
)
def test_a_bad_analysis_is_refused(tenant, order, body):
    answer = tenant.post(f"/v0.2/work-orders/{order['id']}/analyze/", json=body)
    assert answer.status_code == 400


def test_pdfs_and_links_are_taken_unseen(tenant, order):
    path = f"/v0.2/work-orders/{order['id']}/analyze/"
    pdf = analysis(b"%PDF", None, "data:application/pdf;base64")
    link = {"inputs": [{"name": "image_input", "data": {"type": "image", "value": "https://a/b"}}]}
    assert tenant.post(path, json=pdf).status_code == 200
    assert tenant.post(path, json=link).status_code == 200


def test_a_correction_is_final(tenant, order):
    path = f"/v0.2/work-orders/{order['id']}/tasks/{order['tasks'][0]['id']}/correction/"
    assert tenant.call("PATCH", path, json={"corrected_value": "yes"}).status_code == 400
    answer = tenant.call("PATCH", path, json={"corrected_value": False})
    assert (answer.status_code, answer.json()["state"]["corrected_value"]) == (200, False)
    assert tenant.call("PATCH", path, json={"corrected_value": True}).status_code == 400


def test_a_correction_needs_a_known_task(tenant, order):
    path = f"/v0.2/work-orders/{order['id']}/tasks/nothing/correction/"
    assert tenant.call("PATCH", path, json={"corrected_value": False}).status_code == 404


def test_task_groups_are_those_of_the_application(tenant, order):
    assert [g["name"] for g in tenant.get("/v0.2/task-groups/").json()] == ["cabinet"]
    tenant.inside.configure(task_groups=["roof", "cabinet"])
    groups = tenant.get("/v0.2/task-groups").json()
    assert [g["name"] for g in groups] == ["roof", "cabinet"]
    assert groups[1]["tasks"][0]["id"] == order["tasks"][0]["id"]


def test_listing_work_orders_by_name_is_assumed(tenant, order):
    assert tenant.get("/v0.2/work-orders?name=WO_1").status_code == 404
    tenant.inside.configure(profile="rich")
    found = tenant.get("/v0.2/work-orders/?name=WO_1").json()
    assert [o["id"] for o in found["results"]] == [order["id"]]
