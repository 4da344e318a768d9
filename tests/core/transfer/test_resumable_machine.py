"""The protocol's table against scripts of mishaps, on a model of the server that shares no line with it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.gcs_model import Event, GcsSession, Mishap
from visionbatch.errors import (
    Corrupted,
    Redirected,
    SessionLost,
    SessionRejected,
    UploadCancelled,
    UploadRefused,
    UploadStalled,
)
from visionbatch.transfer.request_size import RequestSize
from visionbatch.transfer.resumable import Probe, Put, ResumableUpload, Standing
from visionbatch.transfer.session_reply import Reply, Stored

ATTEMPTS = 4
TRANSIENT = (408, 429, 500, 502, 503, 504)


@dataclass
class Service:
    """One batch: its sessions one after the other, and every object that was ever finished."""

    content: bytes
    script: list[Event]
    sessions: list[GcsSession] = field(default_factory=list)

    @property
    def objects(self) -> list[bytes]:
        return [session.committed for session in self.sessions if session.committed is not None]

    @property
    def gaps(self) -> int:
        return sum(session.gaps for session in self.sessions)

    def run_one_session(self, chunk: int, *, resumed: bool) -> ResumableUpload:
        """Drive the table over a session until it is done or raises, looking at every step."""
        if not resumed:
            self.sessions.append(GcsSession())
        session = self.sessions[-1]
        upload = ResumableUpload(len(self.content), sizes=RequestSize(chunk), attempts=ATTEMPTS, resumed=resumed)
        # Between two advances at most ATTEMPTS requests fail, and each failure costs one question more.
        for _ in range(2 * (ATTEMPTS + 1) * (len(self.content) + 1)):
            best = upload.best
            try:
                self._step(upload, session)
            finally:
                assert upload.best >= best, "the acknowledged count went back"
                if session.committed is not None:
                    assert upload.all_sent, "the object exists and the client believes that bytes are missing"
            if upload.done:
                return upload
        pytest.fail("the upload does not end")

    def _step(self, upload: ResumableUpload, session: GcsSession) -> None:
        step = upload.next_step()
        event = self.script.pop(0) if self.script else Event()
        body = b""
        if isinstance(step, Put):
            assert step.start <= len(session.persisted) or session.gone, "a byte was skipped"
            body = self.content[step.start : step.stop]
            if event.mishap is Mishap.BREAKS_OFF:
                body = body[: max(1, len(body) - event.amount)]
            if event.mishap is not Mishap.NEVER_ARRIVES:
                upload.sending(step.start + len(body))
        reply = session.request(step, body, event)
        if reply is None:
            upload.broke(step, "no answer")
        else:
            upload.answered(step, reply)


def deliver(service: Service, chunk: int, tries: int) -> bool:
    """What a careful caller does: a lost session is replaced, unless the object is there; a stalled one goes on."""
    resumed = False
    for _ in range(tries):
        try:
            upload = service.run_one_session(chunk, resumed=resumed)
        except SessionLost as lost:
            committed = bool(service.objects)
            if committed and not lost.all_sent:
                pytest.fail("the caller would send it all once more")
            if lost.all_sent and committed:
                return True
            resumed = False
        except UploadStalled:
            resumed = True
        else:
            assert upload.stored.size in (None, len(service.content))
            return True
    return False


EVENTS = st.builds(
    Event,
    mishap=st.sampled_from(Mishap),
    amount=st.integers(0, 9),
    status=st.sampled_from(TRANSIENT),
)


@settings(max_examples=2500, suppress_health_check=[HealthCheck.too_slow])
@given(
    size=st.integers(1, 24),
    chunk=st.sampled_from([0, 1, 4, 5]),
    script=st.lists(EVENTS, max_size=30),
)
def test_no_script_of_mishaps_makes_two_objects_or_a_wrong_one(size: int, chunk: int, script: list[Event]) -> None:
    content = bytes(range(size))
    service = Service(content, list(script))

    delivered = deliver(service, chunk, tries=len(script) + 2)

    assert delivered, "nothing goes wrong any more and still it does not arrive"
    assert service.objects == [content]
    assert service.gaps == 0


@settings(max_examples=500)
@given(
    kept=st.integers(0, 10),
    script=st.lists(EVENTS.filter(lambda event: event.mishap is not Mishap.DIES_AFTERWARDS), max_size=10),
)
def test_a_session_of_an_earlier_process_is_continued_where_it_stands(kept: int, script: list[Event]) -> None:
    content = bytes(range(10))
    service = Service(content, list(script), [GcsSession(bytearray(content[:kept]))])
    upload = ResumableUpload(10, sizes=RequestSize(4), attempts=ATTEMPTS, resumed=True)

    assert upload.next_step() == Probe(10)
    assert upload.all_sent, "nobody here knows what that process had sent"
    try:
        finished = service.run_one_session(4, resumed=True)
    except (SessionLost, UploadStalled):
        return

    assert finished.done
    assert service.objects == [content]


def range_to(count: int) -> Reply:
    return Reply(308, {"range": f"bytes=0-{count - 1}"} if count else {})


MIB = 1 << 20
GIB = 1 << 30


def upload_of(total: int = 12, *, chunk: int = 4, sent: int = 0, attempts: int = ATTEMPTS) -> ResumableUpload:
    """An upload of which ``sent`` bytes were acknowledged, chunk by chunk."""
    upload = ResumableUpload(total, sizes=RequestSize(chunk), attempts=attempts)
    for start in range(0, sent, chunk):
        step = Put(start, start + chunk, total)
        upload.sending(step.stop)
        upload.answered(step, range_to(step.stop))
    return upload


def test_a_fresh_session_is_not_asked_before_the_first_chunk() -> None:
    assert upload_of().next_step() == Put(0, 4, 12)


def acknowledge(upload: ResumableUpload) -> None:
    step = upload.next_step()
    assert isinstance(step, Put)
    upload.sending(step.stop)
    upload.answered(step, range_to(step.stop))


def test_one_request_carries_all_there_is() -> None:
    assert ResumableUpload(GIB, sizes=RequestSize(0), attempts=1).next_step() == Put(0, GIB, GIB)


def test_a_session_that_was_used_before_gets_all_the_rest_after_one_question() -> None:
    upload = ResumableUpload(GIB, sizes=RequestSize(0), attempts=ATTEMPTS, resumed=True)
    upload.answered(Probe(GIB), range_to(3 * MIB))
    assert upload.next_step() == Put(3 * MIB, GIB, GIB)


def test_no_request_is_longer_than_the_longest() -> None:
    upload = ResumableUpload(GIB, sizes=RequestSize(4 * MIB), attempts=ATTEMPTS)
    for number in range(3):
        assert upload.next_step() == Put(4 * number * MIB, 4 * (number + 1) * MIB, GIB)
        acknowledge(upload)


@pytest.mark.parametrize("trouble", [None, Reply(503, {}), Reply(413, {})], ids=["breaks", "503", "413"])
def test_requests_become_shorter_after_a_failure_and_longer_again_step_by_step(trouble: Reply | None) -> None:
    upload = ResumableUpload(GIB, sizes=RequestSize(0), attempts=ATTEMPTS)
    step = upload.next_step()
    upload.broke(step, "no answer") if trouble is None else upload.answered(step, trouble)
    upload.answered(Probe(GIB), range_to(0))

    for length in (8, 64, 512):
        step = upload.next_step()
        assert isinstance(step, Put)
        assert step.stop - step.start == length * MIB
        acknowledge(upload)


def test_a_proxy_that_takes_no_body_at_all_ends_it_with_its_answer() -> None:
    upload = ResumableUpload(GIB, sizes=RequestSize(256 << 10), attempts=ATTEMPTS)
    with pytest.raises(UploadRefused, match="413"):
        upload.answered(upload.next_step(), Reply(413, {}))


def test_ranges_are_written_with_inclusive_ends() -> None:
    assert Put(4, 8, 12).content_range == "bytes 4-7/12"
    assert Probe(12).content_range == "bytes */12"


@pytest.mark.parametrize("status", TRANSIENT)
def test_after_a_transient_status_the_next_step_is_a_question(status: int) -> None:
    upload = upload_of(sent=4)
    upload.answered(Put(4, 8, 12), Reply(status, {}))

    assert upload.next_step() == Probe(12)
    assert upload.offset == 4


def test_an_acknowledged_byte_forgives_all_failures_before_it() -> None:
    upload = upload_of()
    for _ in range(ATTEMPTS - 1):
        upload.broke(upload.next_step(), "no answer")
    upload.sending(4)
    upload.answered(Probe(12), range_to(4))

    assert upload.failures == 0


def test_failures_in_a_row_end_it_with_both_counts() -> None:
    upload = upload_of(sent=8, attempts=2)
    upload.broke(upload.next_step(), "no answer")

    with pytest.raises(UploadStalled, match="8 of 12 bytes") as caught:
        upload.broke(upload.next_step(), "no answer")
    assert (caught.value.persisted, caught.value.total, caught.value.retry_safe) == (8, 12, True)


def test_a_server_that_never_takes_a_byte_is_given_up() -> None:
    upload = upload_of(attempts=3)
    for _ in range(2):
        upload.sending(4)
        upload.answered(Put(0, 4, 12), range_to(0))
    with pytest.raises(UploadStalled):
        upload.answered(Put(0, 4, 12), range_to(0))


def test_a_whole_archive_that_never_completes_is_given_up() -> None:
    upload = upload_of(sent=8, attempts=3)
    upload.sending(12)
    for _ in range(3):
        upload.answered(upload.next_step(), range_to(12))
    with pytest.raises(UploadStalled):
        upload.answered(upload.next_step(), range_to(12))


def test_a_count_that_went_back_is_asked_about_once_more_and_then_is_a_lost_session() -> None:
    upload = upload_of(sent=8)
    upload.answered(Put(8, 12, 12), range_to(4))
    assert upload.standing is Standing.UNSURE

    with pytest.raises(SessionLost, match="4 bytes after it had acknowledged 8"):
        upload.answered(Probe(12), range_to(4))


def test_more_bytes_than_were_sent_are_never_skipped() -> None:
    upload = upload_of(sent=4)
    upload.sending(8)
    with pytest.raises(Corrupted, match="acknowledges 9 bytes where 8 of 12 were sent"):
        upload.answered(Put(4, 8, 12), range_to(9))


def test_on_a_resumed_session_an_earlier_process_may_send_a_little_more() -> None:
    upload = ResumableUpload(12, sizes=RequestSize(4), attempts=3, resumed=True)
    upload.answered(Probe(12), range_to(4))
    upload.sending(8)
    upload.answered(Put(4, 8, 12), range_to(12))

    assert upload.next_step() == Probe(12)


@pytest.mark.parametrize("value", ["bytes=5-9", "bytes 0-9", "bytes=0--1", "0-9", "bytes=0-" + "9" * 40, "", "é"])
def test_a_malformed_range_is_a_reason_to_ask(value: str) -> None:
    upload = upload_of(sent=4)
    upload.answered(Put(4, 8, 12), Reply(308, {"range": value}))

    assert upload.next_step() == Probe(12)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, UploadRefused),
        (412, UploadRefused),
        (413, UploadRefused),
        (401, SessionRejected),
        (403, SessionRejected),
        (404, SessionLost),
        (410, SessionLost),
        (499, UploadCancelled),
        (301, Redirected),
        (302, Redirected),
        (307, Redirected),
    ],
)
def test_every_final_status_has_one_error(status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=str(status)):
        upload_of().answered(Put(0, 4, 12), Reply(status, {}, b"because"))


def test_a_308_with_a_location_is_a_redirect_and_shows_the_host_only() -> None:
    reply = Reply(308, {"location": "https://elsewhere.example/o?upload_id=secret", "range": "bytes=0-3"})
    with pytest.raises(Redirected, match=r"elsewhere\.example") as caught:
        upload_of().answered(Put(0, 4, 12), reply)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("sent", "all_sent"), [(11, False), (12, True)])
def test_a_lost_session_says_whether_the_last_byte_had_left(sent: int, all_sent: bool) -> None:
    upload = upload_of(sent=8)
    upload.sending(sent)
    with pytest.raises(SessionLost) as caught:
        upload.answered(Put(8, 12, 12), Reply(410, {}))
    assert caught.value.all_sent is all_sent


def test_the_refusal_of_a_gap_is_counted_and_asked_about() -> None:
    upload = upload_of(sent=4)
    upload.answered(Put(4, 8, 12), Reply(503, {"content-type": "text/plain"}, b"see Content-Range"))

    assert upload.gaps == 1
    assert upload.next_step() == Probe(12)


def test_a_gateways_page_is_not_taken_for_a_gap() -> None:
    assert not Reply(503, {"content-type": "text/html"}, b"<html>Content-Range</html>").is_gap


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, {}, b'{"size": "12"}'),
        Reply(201, {}, b'{"size": 12}'),
        Reply(200, {"x-goog-stored-content-length": "12"}),
        Reply(200, {}, b"{}"),
        Reply(200, {}, b'{"size": null}'),
    ],
)
def test_a_final_answer_of_either_kind_ends_the_upload(reply: Reply) -> None:
    upload = upload_of(sent=8)
    upload.sending(12)
    upload.answered(Put(8, 12, 12), reply)

    assert upload.done


@pytest.mark.parametrize("body", [b'{"size": "1', b"<html>", b"[]", b"7", b"\xff", b"[" * 5000])
def test_a_final_answer_that_cannot_be_read_is_asked_for_again(body: bytes) -> None:
    upload = upload_of(sent=8)
    upload.sending(12)
    upload.answered(Put(8, 12, 12), Reply(200, {}, body))

    assert upload.next_step() == Probe(12)


def test_a_finished_object_of_another_size_is_damage() -> None:
    upload = upload_of(sent=8)
    upload.sending(12)
    with pytest.raises(Corrupted, match="13 bytes where the archive has 12"):
        upload.answered(Put(8, 12, 12), Reply(200, {}, b'{"size": "13"}'))


def test_an_end_before_the_last_byte_left_is_not_believed_without_a_size() -> None:
    with pytest.raises(Corrupted, match="complete after 4 of 12"):
        upload_of(sent=4).answered(Put(4, 8, 12), Reply(200, {}))


@pytest.mark.parametrize(
    ("headers", "body", "crc32c"),
    [
        ({}, b'{"crc32c": "AAAAAQ=="}', 1),
        ({"x-goog-hash": "crc32c=AAAAAg==,md5=AAAAAAAAAAAAAAAAAAAAAA=="}, b"", 2),
        ({"x-goog-hash": "md5=AAAAAAAAAAAAAAAAAAAAAA==, crc32c=AAAAAw=="}, b"", 3),
        ({}, b'{"crc32c": "not base64"}', None),
        ({}, b'{"crc32c": "AAAA"}', None),
        ({}, b'{"crc32c": 7}', None),
        ({}, b"", None),
    ],
)
def test_the_checksum_is_read_from_either_kind_of_answer(
    headers: dict[str, str], body: bytes, crc32c: int | None
) -> None:
    stored = Stored.read(Reply(200, headers, body))

    assert stored is not None
    assert stored.crc32c == crc32c


@settings(max_examples=500)
@given(
    status=st.integers(100, 599),
    headers=st.dictionaries(
        st.sampled_from(["range", "location", "x-goog-hash", "x-goog-stored-content-length", "content-type"]),
        st.text(max_size=30),
    ),
    body=st.binary(max_size=60) | st.sampled_from([b'{"size": true}', b'{"size": "-1"}', b'{"crc32c": []}']),
)
def test_no_answer_however_strange_escapes_the_table(status: int, headers: dict[str, str], body: bytes) -> None:
    upload = upload_of(sent=4)
    upload.sending(8)
    known = (Corrupted, Redirected, SessionLost, SessionRejected, UploadCancelled, UploadRefused, UploadStalled)
    try:
        upload.answered(Put(4, 8, 12), Reply(status, headers, body))
    except known:
        return
    assert upload.best in range(4, 13)
