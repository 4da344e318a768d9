"""Creating, acting, listing and asking, at a mock that verifies signatures and keeps a ledger."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.conftest import Faults
from core.vias.bodies import batch_task, groups
from core.vias.conftest import Project
from support.books import Books
from support.clocks import TenantClock
from visionbatch.errors import (
    ConfigError,
    IdTaken,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    Refused,
    Unavailable,
    UnreadableAnswer,
    error_from_json,
)
from visionbatch.flow.effects import Request, Response
from visionbatch.pipelines.vias import Vias
from visionbatch.vias.decode import ERRORS_SHOWN, answer_of, trouble
from visionbatch.vias.operations import OPERATIONS
from visionbatch.vias.settings import ViasSettings
from visionbatch_mock.tenant import Tenant

CREATE, LIST = "vias.batch_tasks.create", "vias.batch_tasks.list"
MADE = "vias.batch_created"


def answer(body: str, status: int = 200, *, effect: bool = True) -> dict[str, Any]:
    return {"fault": "answer", "status": status, "body": body, "content_type": "application/json", "effect": effect}


PARTS = ("VIAS.0010048", "the message", "the detail", "the parameter", "the reason", "the advice")


def complaint(code: str, status: int = 400) -> dict[str, Any]:
    body = {
        "error_code": code,
        "error_msg": "the message",
        "detail": "the detail",
        "params": ["the parameter"],
        "reason": "the reason",
        "advice": "the advice",
    }
    return answer(json.dumps(body), status, effect=False)


def test_a_batch_is_made_once_and_told_with_its_counts(vias: Vias, books: Books) -> None:
    made = vias.create(batch_task(groups=groups("source-0001", "source-0002")))
    assert made.answer is not None
    assert (made.answer.total, made.answer.failed, made.answer.succeeded) == (2, 0, 2)
    assert [effect["name"] for effect in books.effects(MADE)] == ["nightly"]
    assert len(vias.tasks(made.batch_id)) == 2


def test_a_batch_that_breaks_a_rule_is_refused_before_any_request(vias: Vias, books: Books) -> None:
    with pytest.raises(InvalidInput, match=r"\[name\]"):
        vias.create(batch_task(name="night shift"))
    assert not books.tenant.journal.entries()


def test_a_batch_that_has_the_name_is_adopted_and_not_made_twice(vias: Vias, books: Books) -> None:
    first = vias.create(batch_task())
    again = vias.create(batch_task(), adopt=True)
    assert (again.batch_id, again.answer, again.adopted) == (first.batch_id, None, True)
    assert len(books.requests(CREATE)) == 1


def test_a_name_that_only_contains_ours_is_not_adopted(vias: Vias, books: Books) -> None:
    vias.create(batch_task(name="nightly-2"))
    vias.create(batch_task(name="nightly"))
    assert len(books.effects(MADE)) == 2


def test_a_taken_name_can_be_an_error(vias: Vias, books: Books) -> None:
    vias.create(batch_task())
    with pytest.raises(IdTaken, match="name of its own"):
        vias.create(batch_task())
    assert len(books.effects(MADE)) == 1


def test_neither_a_batch_that_has_ended_nor_one_of_another_size_is_adopted(
    vias: Vias, books: Books, tenant: Tenant
) -> None:
    vias.create(batch_task())
    with pytest.raises(IdTaken, match="1 tasks and not 2"):
        vias.create(batch_task(groups=groups("source-0001", "source-0002")), adopt=True)
    tenant.clock.advance(86_400)
    with pytest.raises(IdTaken, match="it has ended"):
        vias.create(batch_task(), adopt=True)
    assert len(books.effects(MADE)) == 1


def test_several_batches_of_one_name_are_an_error_and_none_is_taken(vias: Vias, books: Books, tenant: Tenant) -> None:
    tenant.configure(vias_unique_names=False)
    for _ in range(2):
        vias.ask("CreateBatchTask", body=batch_task().to_json())
    with pytest.raises(IdTaken, match="2 batches named"):
        vias.create(batch_task())
    assert len(books.effects(MADE)) == 2


@pytest.mark.parametrize("lost", ["drop-response", "truncate-30B", answer("<html>Please log in</html>"), answer("")])
def test_a_creation_without_a_usable_answer_is_looked_up_and_not_repeated(
    vias: Vias, books: Books, faults: Faults, lost: Any
) -> None:
    faults(CREATE, lost)
    made = vias.create(batch_task())
    assert [effect["batch_id"] for effect in books.effects(MADE)] == [made.batch_id]
    assert made.answer is None
    assert len(books.requests(CREATE)) == 1


@pytest.mark.parametrize(("refused", "least_s"), [("return-503", 60), ("return-429", 0)])
def test_a_creation_that_was_turned_away_is_repeated_after_a_look(
    vias: Vias, books: Books, faults: Faults, clock: TenantClock, refused: Any, least_s: int
) -> None:
    faults(CREATE, refused)
    vias.create(batch_task())
    assert len(books.effects(MADE)) == 1
    operations = [str(entry.operation) for entry in books.tenant.journal.entries() if "batch" in str(entry.operation)]
    assert [operations[0], operations[1], *sorted(set(operations[2:-1])), operations[-1]] == [
        LIST,
        CREATE,
        LIST,
        CREATE,
    ]
    assert clock.elapsed >= least_s


@pytest.mark.parametrize(
    "lost", ["return-500", "return-504", "return-reset-connection", complaint("VIAS.00010006", 500)]
)
def test_a_creation_that_may_still_be_at_work_is_looked_for_over_a_minute_and_not_repeated(
    vias: Vias, books: Books, faults: Faults, clock: TenantClock, lost: Any
) -> None:
    faults(CREATE, lost)
    with pytest.raises(OutcomeUnknown) as unknown:
        vias.create(batch_task())
    assert unknown.value.retry_safe
    assert clock.elapsed >= 60
    assert len(books.requests(CREATE)) == 1


@pytest.mark.parametrize("status", [503, 504])
def test_a_batch_that_shows_up_long_after_its_request_failed_is_found(
    vias: Vias, books: Books, faults: Faults, tenant: Tenant, clock: TenantClock, status: int
) -> None:
    tenant.configure(vias_unique_names=False)
    faults(CREATE, answer("", status))
    # What was made shows up late.
    faults(LIST, "pass", *[answer('{"count": 0, "batch_task_list": []}', effect=False)] * 3)
    made = vias.create(batch_task())
    assert [effect["batch_id"] for effect in books.effects(MADE)] == [made.batch_id]
    assert clock.elapsed > 8
    assert len(books.requests(CREATE)) == 1


def test_a_creation_that_left_nothing_and_said_nothing_is_not_repeated(
    vias: Vias, books: Books, faults: Faults
) -> None:
    faults(CREATE, answer("<html>", effect=False))
    with pytest.raises(OutcomeUnknown, match="may have been made") as unknown:
        vias.create(batch_task())
    assert unknown.value.retry_safe
    assert len(books.requests(CREATE)) == 1


def test_a_name_that_was_taken_in_the_meantime_is_adopted_only_where_that_is_wanted(
    vias: Vias, books: Books, faults: Faults
) -> None:
    first = vias.create(batch_task())
    faults(LIST, *[answer('{"count": 0, "batch_task_list": []}', effect=False)] * 2)
    with pytest.raises(IdTaken, match="somebody else"):
        vias.create(batch_task())
    assert vias.create(batch_task(), adopt=True).batch_id == first.batch_id
    assert len(books.effects(MADE)) == 1


@pytest.mark.fault("CR13")
def test_a_complaint_is_shown_with_code_message_reason_and_advice_and_not_retried(
    vias: Vias, books: Books, faults: Faults
) -> None:
    faults(CREATE, complaint("VIAS.0010048"))
    with pytest.raises(Refused) as refused:
        vias.create(batch_task())
    text = str(refused.value)
    assert all(part in text for part in PARTS)
    assert refused.value.code == "VIAS.0010048"
    assert getattr(error_from_json(refused.value.to_json()), "code", "") == "VIAS.0010048"
    assert not refused.value.retry_safe
    assert len(books.requests(CREATE)) == 1


def test_not_found_is_a_400_here_and_not_allowed_a_500(vias: Vias, books: Books, faults: Faults) -> None:
    with pytest.raises(NotFound, match=r"VIAS\.00010008"):
        vias.stop("0" * 32)
    faults("vias.batch_tasks.stop", complaint("VIAS.00010012", 500))
    with pytest.raises(Refused):
        vias.stop("0" * 32)
    assert len(books.requests("vias.batch_tasks.stop")) == 2


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (
            {"error_code": "APIGW.0308", "error_msg": "throttled", "request_id": "r-1"},
            "APIGW.0308: throttled; request id r-1",
        ),
        ({"error": {"code": 401, "message": "wrong", "title": "Unauthorized"}}, "401: wrong"),
        ({"error_msg": "verify aksk signature fail, canonicalRequest:GET|/|x-security-token:SECRET"}, "left out"),
    ],
)
def test_gateway_and_identity_complain_in_shapes_of_their_own(body: dict[str, Any], shown: str) -> None:
    error = trouble(ViasSettings())(Request("GET", "/x"), Response(400, body=json.dumps(body).encode()), 0)
    assert shown in str(error)
    assert "SECRET" not in str(error)


@given(
    st.binary(max_size=60)
    | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(
        lambda value: json.dumps({"error_code": value, "error_msg": value}).encode()
    )
)
def test_any_body_makes_a_printable_error(body: bytes) -> None:
    error = trouble(ViasSettings())(Request("GET", "/x"), Response(400, body=body), 0)
    assert str(error).isprintable()


COUNT = st.integers(-3, 5) | st.none() | st.booleans() | st.text(max_size=2) | st.floats()


@pytest.mark.fault("CR15")
@given(COUNT, COUNT, COUNT, st.sampled_from(["0d47bbf52962414bb7ae27fb6ea24230", None, 7, "", "../x"]))
def test_counts_that_do_not_add_up_are_refused_and_the_id_is_kept(
    total: Any, failed: Any, succeeded: Any, batch_id: Any
) -> None:
    body = {"total_count": total, "failed_count": failed, "succeed_count": succeeded, "id": batch_id}
    sound = all(type(count) is int and count >= 0 for count in (total, failed, succeeded))
    known = batch_id if isinstance(batch_id, str) and len(batch_id) == 32 else ""
    if sound and total == failed + succeeded and known:
        assert answer_of(Response(200, body=json.dumps(body).encode())).batch_id == batch_id
        return
    with pytest.raises(UnreadableAnswer) as odd:
        answer_of(Response(200, body=json.dumps(body).encode()))
    assert odd.value.ref == known


def test_a_long_error_list_is_cut_and_counted() -> None:
    body = {"total_count": 99, "failed_count": 99, "succeed_count": 0, "id": "abcd", "error_list": ["e\n"] * 99}
    read = answer_of(Response(200, body=json.dumps(body).encode()))
    assert (len(read.errors), read.unlisted) == (ERRORS_SHOWN, 99 - ERRORS_SHOWN)
    assert "and 79 more" in str(read)
    assert str(read).isprintable()


def test_a_batch_is_stopped_started_changed_and_deleted(vias: Vias, books: Books) -> None:
    batch_id = vias.create(batch_task()).batch_id
    assert vias.stop(batch_id).succeeded == 1
    assert vias.start(batch_id).succeeded == 1
    assert vias.update(batch_id, batch_task(description="another")).succeeded == 1
    assert vias.delete(batch_id) is not None
    assert [len(books.effects(f"vias.batch_{what}")) for what in ("updated", "deleted")] == [1, 1]


def test_what_is_gone_is_deleted(vias: Vias) -> None:
    assert vias.delete("0" * 32) is None
    vias.cancel("0" * 32)


def test_cancelling_stops_or_deletes_by_the_setting(project: Project, books: Books) -> None:
    batch_id = project().create(batch_task()).batch_id
    project().cancel(f"{batch_id}?wait_for=running")
    assert len(books.requests("vias.batch_tasks.stop")) == 1
    project(on_cancel="delete").cancel(batch_id)
    assert len(books.effects("vias.batch_deleted")) == 1


def test_an_update_names_neither_algorithm_nor_version(vias: Vias, books: Books) -> None:
    batch_id = vias.create(batch_task()).batch_id
    vias.update(batch_id, batch_task(name="renamed"))
    assert "renamed" in [entry.name for entry in vias.batches()]
    [effect] = books.effects("vias.batch_updated")
    assert not {"service_name", "service_version"} & set(effect["fields"])


def test_the_table_has_all_operations_and_paths_take_only_what_they_can() -> None:
    assert len(OPERATIONS) == 29
    for operation in OPERATIONS.values():
        values = {place: "start" if place == "command" else "abcd" for place in operation.places}
        assert "{" not in operation.at("p", values)
        for place in operation.places:
            with pytest.raises(ConfigError):
                operation.at("p", {**values, place: "../../../v3"})
    with pytest.raises(ConfigError):
        OPERATIONS["ShowTaskInfo"].at("p", {})


def test_sources_groups_and_services_are_asked_by_the_vendors_names(vias: Vias) -> None:
    source = {"video_source_name": "cam-a", "access_type": "cloud", "type": "url", "type_config": "<type>URL</type>"}
    made = vias.ask("CreateVideoSource", body=source)["video_source_id"]
    assert vias.ask("ShowVideoSourceDetail", {"video_source_id": made})["video_source_name"] == "cam-a"
    group = vias.ask("CreateVideoGroup", body={"video_group_name": "yard", "access_type": "cloud"})["video_group_id"]
    listed = vias.ask("ListVideoGroups", query=(("name", "yard"),))
    assert [item["video_group_id"] for item in listed["video_group_list"]] == [group]
    vias.ask("DeleteVideoSource", {"video_source_id": made})
    with pytest.raises(Refused, match=r"VIAS\."):
        vias.ask("CreateVideoSource", body={})


def test_an_operation_that_is_none_is_refused_before_any_request(vias: Vias) -> None:
    with pytest.raises(ConfigError, match="none of VIAS's operations"):
        vias.ask("ShowBatchTask")


def test_a_list_longer_than_a_page_is_read_to_its_end(vias: Vias, tenant: Tenant) -> None:
    for number in range(205):
        vias.ask("CreateBatchTask", body=batch_task(name=f"run-{number:03}").to_json())
    assert len({entry.batch_id for entry in vias.batches()}) == 205
    assert len(vias.perform(vias.api.newest(lambda listed: len(listed) >= 10))) == 200


def test_a_service_in_trouble_is_asked_again(vias: Vias, faults: Faults, books: Books) -> None:
    faults(LIST, *["return-503"] * 4)
    with pytest.raises(Unavailable):
        vias.batches()
    assert len(books.requests(LIST)) == 4
