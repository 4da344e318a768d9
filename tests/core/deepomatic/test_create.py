"""Making a batch, whose answer may be lost, unreadable or a lie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.books import CREATE, GET, Books
from support.clocks import HandClock, TenantClock
from support.runs import run_through
from support.silence import Silence
from visionbatch import DeepomaticSettings, Secret
from visionbatch.deepomatic.api import DeepomaticApi
from visionbatch.errors import (
    ConfigError,
    NotAuthorized,
    OutcomeUnknown,
    Refused,
    Throttled,
    Unavailable,
    UnreadableAnswer,
    UnsafeUrl,
    VisionBatchError,
)
from visionbatch.flow.effects import Request, Response
from visionbatch.io.drive import drive
from visionbatch_mock.tenant import Tenant

LIST = "deepomatic.batches.list"


@pytest.mark.fault("CR1")
@pytest.mark.parametrize("lost", ["drop-response", "truncate-30B"])
def test_a_creation_whose_answer_is_lost_ends_in_one_processed_batch(
    site: Any, orders: Path, archive: bytes, books: Books, profile: str, faults: Any, lost: str
) -> None:
    faults(CREATE, lost)

    manifest = run_through(site(), orders)

    assert books.processed_once(archive) == manifest.batch_id
    created = [entry["batch_id"] for entry in books.effects("batch.created")]
    if profile == "rich":
        assert created == [manifest.batch_id], "the batch was found by its label"
        assert len(books.requests(CREATE)) == 1
    else:
        assert len(created) == 2, "the empty one is never processed"
        assert set(books.stored_runs()) >= {manifest.batch_id}
        assert [len(runs[0]) for runs in books.stored_runs().values()].count(0) == 1


def answer(body: str, *, content_type: str = "application/json", status: int = 201) -> dict[str, Any]:
    return {"fault": "answer", "status": status, "body": body, "content_type": content_type, "effect": True}


UNREADABLE = {
    "html": "html-200",
    "gateway-page": answer("<html>Please log in</html>", content_type="text/html", status=200),
    "empty": answer("", status=200),
    "cut": answer('{"batch_id": "b-1", "upload_url": "https://storage.googleapis.com/o?upload_id=cut-session-id'),
    "escaped": answer('{"upload_url": "https:\\/\\/storage.googleapis.com\\/o?upload_id=cut-session-id", '),
    "list": answer("[]"),
    "deep": answer("[" * 2000 + "]" * 2000),
    "not-utf-8": answer('{"batch_id": "\udce9"}'.encode("utf-8", "surrogateescape").decode("latin-1")),
}


@pytest.mark.fault("CR9")
@pytest.mark.parametrize("kind", [*UNREADABLE, "html-of-a-site-that-lists"])
def test_a_creation_whose_answer_cannot_be_read_is_never_repeated_blindly(
    site: Any, orders: Path, archive: bytes, books: Books, tenant: Tenant, faults: Any, silence: Silence, kind: str
) -> None:
    silence.guard("cut-session-id")
    if kind in UNREADABLE:
        faults(CREATE, UNREADABLE[kind])
        with silence.raises((OutcomeUnknown), match="its answer cannot be used") as caught:
            run_through(site(), orders)
        assert caught.value.retry_safe
        assert not books.on_sessions
    else:
        tenant.configure(profile="rich")
        faults(CREATE, UNREADABLE["gateway-page"])
        assert run_through(site(), orders).batch_id == books.processed_once(archive)
    assert len(books.requests(CREATE)) == 1


ODD: dict[str, tuple[dict[str, Any] | str, str | None]] = {
    "no-upload-url": ("omit-upload_url", "no upload_url"),
    "null-upload-url": ({"fault": "set-upload_url", "value": None}, "no upload_url"),
    "empty-upload-url": ({"fault": "set-upload_url", "value": ""}, "no upload_url"),
    "number-as-upload-url": ({"fault": "set-upload_url", "value": 5}, "upload_url is int"),
    "list-as-upload-url": ({"fault": "set-upload_url", "value": ["https://a"]}, "upload_url is list"),
    "no-batch-id": ("omit-batch_id", "no batch_id"),
    "number-as-batch-id": ({"fault": "set-batch_id", "value": 7}, "id is not a printable string"),
    "endless-batch-id": ({"fault": "set-batch_id", "value": "x" * 1000}, "id is not a printable string"),
    "hostile-batch-id": ({"fault": "set-batch_id", "value": "a\n\x1b[2Jb"}, "id is not a printable string"),
    "extra-field": ({"fault": "set", "key": "colour", "value": {"deep": [1, {"er": None}]}}, None),
    "strange-status": ({"fault": "set-status", "value": {"word": 1}}, None),
}


@pytest.mark.fault("CR10")
@pytest.mark.parametrize("case", ODD)
def test_a_creation_without_what_is_needed_names_the_field_and_more_is_ignored(
    site: Any, orders: Path, archive: bytes, books: Books, faults: Any, silence: Silence, case: str
) -> None:
    instruction, complaint = ODD[case]
    faults(CREATE, instruction)
    if complaint is None:
        run_through(site(), orders)
        books.processed_once(archive)
        return
    with silence.raises(OutcomeUnknown, match=complaint):
        run_through(site(), orders)
    assert len(books.requests(CREATE)) == 1
    assert not books.on_sessions


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "file:///etc/passwd", "not a url", "https://[::1]/"])
def test_an_upload_url_that_leads_astray_is_refused_and_nothing_is_sent(
    site: Any, orders: Path, books: Books, faults: Any, url: str
) -> None:
    faults(CREATE, {"fault": "set-upload_url", "value": url})
    with pytest.raises(UnsafeUrl):
        run_through(site(), orders)
    assert not books.on_sessions


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
ANSWERS = JSON | st.fixed_dictionaries(
    {},
    optional={
        "batch_id": JSON | st.just("b-1"),
        "id": JSON,
        "upload_url": JSON | st.just("https://storage.googleapis.com/o?upload_id=hidden"),
        "status": JSON,
        "work_orders": JSON | st.fixed_dictionaries({"total": JSON, "succeeded": JSON, "failed": JSON}),
    },
)


class Canned:
    """A plane whose creation gets one answer, and whose site has no list."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.posts = 0

    def send(self, request: Request, refused: int | None = None) -> Response | None:
        if request.method != "POST":
            return Response(404)
        self.posts += 1
        return Response(201, {"content-type": "application/json"}, self._body)


API = DeepomaticApi(DeepomaticSettings("https://api.example.com"))


@settings(max_examples=500)
@given(value=ANSWERS)
def test_whatever_json_a_creation_is_answered_with_there_is_a_batch_or_one_of_our_errors(value: Any) -> None:
    plane = Canned(json.dumps(value).encode())
    told, batch = "", None
    try:
        batch = drive(API.create("label"), plane, HandClock())
    except (OutcomeUnknown, UnsafeUrl) as error:
        told = str(error)
    assert "hidden" not in told
    if batch is not None:
        assert batch.batch_id
        assert batch.upload_url
        assert batch.snapshot.native.isprintable(), "what the service says goes into log lines"
    assert plane.posts == 1


@settings(max_examples=300)
@given(body=st.binary(max_size=200))
def test_whatever_bytes_a_creation_is_answered_with_there_is_one_of_our_errors(body: bytes) -> None:
    with pytest.raises((OutcomeUnknown, UnsafeUrl)):
        drive(API.create("label"), Canned(body), HandClock())


@pytest.mark.fault("CR11")
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("refused", ["the-key", "by-fault"])
def test_a_refused_key_is_not_retried_and_says_what_to_do(
    *,
    site: Any,
    orders: Path,
    books: Books,
    tenant: Tenant,
    clock: TenantClock,
    faults: Any,
    silence: Silence,
    status: int,
    refused: str,
) -> None:
    if refused == "the-key":
        tenant.configure(auth_status=status)
        tenant.revoke()
    else:
        faults(CREATE, f"return-{status}")

    with silence.raises(NotAuthorized, match=f"answered {status}") as caught:
        run_through(site(), orders)

    error = caught.value
    assert (error.status, error.permanent, error.retry_safe) == (status, True, False)
    assert "Check the API key in the connection" in str(error)
    assert len(tenant.journal.entries()) == 1
    assert not clock.pauses


def test_a_key_that_was_rotated_is_picked_up_once(site: Any, orders: Path, books: Books, tenant: Tenant) -> None:
    keys = iter([{"Authorization": Secret("Token invalid")}])
    asked: list[int] = []

    def credentials() -> Any:
        asked.append(1)
        return next(keys, site.credentials())

    manifest = run_through(site(credentials=credentials), orders)

    assert len(asked) == 2
    assert len(books.requests(CREATE)) == 1, "the refused one was nobody's"
    assert manifest.outcome == "done"


@pytest.mark.parametrize("status", [500, 502, 504, 408])
def test_a_status_from_behind_the_effect_is_looked_up_before_it_is_repeated(
    site: Any, orders: Path, archive: bytes, books: Books, tenant: Tenant, faults: Any, status: int
) -> None:
    tenant.configure(profile="rich")
    faults(CREATE, answer("oops", content_type="text/plain", status=status))

    run_through(site(), orders)

    books.processed_once(archive)
    assert len(books.effects("batch.created")) == 1


@pytest.mark.parametrize(("status", "kind"), [(429, Throttled), (503, Unavailable)])
def test_patience_with_a_busy_service_has_an_end(
    site: Any, orders: Path, books: Books, clock: TenantClock, faults: Any, status: int, kind: type[Throttled]
) -> None:
    faults(CREATE, *[{"fault": f"return-{status}", "retry_after": 20}] * 6)

    with pytest.raises(kind) as caught:
        run_through(site(), orders)

    assert caught.value.retry_after_s == 20
    assert [pause.at_least for pause in clock.pauses] == [20] * 5
    assert not books.effects("batch.created")


def test_a_service_that_asks_for_hours_is_not_slept_for(
    site: Any, orders: Path, clock: TenantClock, faults: Any
) -> None:
    faults(CREATE, {"fault": "return-429", "retry_after": 999_999})

    with pytest.raises(Throttled) as caught:
        run_through(site(), orders)

    assert (caught.value.retry_after_s, caught.value.retry_safe) == (999_999, True)
    assert not clock.pauses


def test_a_wrong_request_is_shown_and_not_repeated(site: Any, orders: Path, books: Books, faults: Any) -> None:
    faults(CREATE, answer('{"filename": ["Too long.\\n\\u001b[31m"]}', status=400))

    with pytest.raises(Refused, match="answered 400") as caught:
        run_through(site(), orders)

    assert "Too long." in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert len(books.requests(CREATE)) == 1


def test_a_label_that_two_batches_have_is_no_proof_of_either(
    site: Any, tenant: Tenant, books: Books, faults: Any
) -> None:
    tenant.configure(profile="rich")
    client = site()
    client.create("twin")
    client.create("twin")
    faults(CREATE, "drop-response")

    batch = client.create("twin")

    assert len(books.effects("batch.created")) == 4
    assert batch.upload_url is not None


@pytest.mark.parametrize("listed", ["return-500", "html-200", {"fault": "answer", "body": '{"results": 7}'}])
def test_a_list_that_does_not_help_does_not_keep_the_batch_from_being_made(
    site: Any, tenant: Tenant, faults: Any, listed: Any
) -> None:
    tenant.configure(profile="rich")
    faults.plan({CREATE: ["drop-response"], LIST: [listed]})

    assert site().create("label").upload_url is not None


def test_a_batch_that_was_found_but_takes_nothing_more_is_not_adopted(
    site: Any, orders: Path, books: Books, tenant: Tenant
) -> None:
    tenant.configure(profile="rich")
    client = site()
    submitted = run_through(client, orders)
    batch = tenant.batches.get(submitted.batch_id)
    assert batch is not None
    assert batch.filename is not None

    assert client.perform(client.api.find(batch.filename)) is None
    assert client.perform(client.api.find("another")) is None


def test_reading_a_batch_keeps_its_id_when_the_answer_has_none(site: Any, faults: Any) -> None:
    client = site()
    made = client.create("label")
    faults(GET, "omit-batch_id")

    found = client.get(made.batch_id)
    assert (found.batch_id, found.upload_url) == (made.batch_id, made.upload_url)


def test_paths_take_strange_ids_as_one_part(site: Any, books: Books) -> None:
    with pytest.raises(VisionBatchError):
        site().get("../../etc?x=1#y")
    (entry,) = books.tenant.journal.entries()
    assert entry.query == ()


def test_deleting_what_is_gone_is_no_error(site: Any, books: Books) -> None:
    client = site()
    batch = client.create("label")
    client.delete(batch.batch_id)
    client.delete(batch.batch_id)

    assert len(books.effects("batch.deleted")) == 1


@pytest.mark.parametrize("status", [404, 405])
def test_a_site_without_an_error_report_gives_none(site: Any, faults: Any, status: int) -> None:
    client = site()
    batch = client.create("label")
    faults("deepomatic.batches.errors", f"return-{status}")

    assert client.errors(batch.batch_id) is None


def test_a_refused_error_report_is_an_error(site: Any, faults: Any) -> None:
    client = site()
    batch = client.create("label")
    faults("deepomatic.batches.errors", "return-400")

    with pytest.raises(Refused) as caught:
        client.errors(batch.batch_id)
    assert caught.value.ref == batch.batch_id


@pytest.mark.parametrize("status", [None, 7, [], {}])
def test_a_look_without_a_status_is_unreadable(site: Any, faults: Any, status: Any) -> None:
    client = site()
    batch = client.create("label")
    faults(GET, {"fault": "set-status", "value": status})

    with pytest.raises(UnreadableAnswer, match="without a status"):
        client.status(batch.batch_id)


@pytest.mark.parametrize("name", ["batch_path", "errors_path"])
def test_a_path_without_a_place_for_the_batch_is_a_setting_error(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        DeepomaticSettings("https://api.example.com", **{name: "/v0.2/batches"})


def test_the_page_for_people_carries_the_batch_and_no_key() -> None:
    api = DeepomaticApi(DeepomaticSettings("https://a.example", console_url="https://c.example/{batch_id}/view"))
    assert api.console_url("a/b") == "https://c.example/a%2Fb/view"
