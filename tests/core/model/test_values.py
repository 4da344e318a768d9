"""The small values that everything else is made of."""

from __future__ import annotations

import json
import logging
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visionbatch import Counts, OnPartial, Phase, Policies, Secret, SecretUrl, Snapshot, settings_from
from visionbatch.config import TransferSettings
from visionbatch.deepomatic.words import PHASES, interpret, phases_with
from visionbatch.errors import ConfigError
from visionbatch.model.text import TEXT_SHOWN, excerpt, printable

CANARY = "c4n4ry-t0ken"
URL = f"https://storage.googleapis.com/bucket/o?upload_id={CANARY}"


@pytest.mark.parametrize("secret", [Secret(CANARY), SecretUrl(URL)], ids=["secret", "url"])
def test_a_secret_prints_nothing_of_use(secret: Secret, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("%s %r", secret, secret)
    logging.getLogger("test").warning("%s", {"key": secret})
    forms = [str(secret), repr(secret), f"{secret}", f"{secret!r:>40}", "%s" % secret, caplog.text, repr([secret])]  # noqa: UP031  # every way to print
    assert not [form for form in forms if CANARY in form]
    with pytest.raises(TypeError):
        json.dumps(secret)


def test_a_secret_does_not_survive_a_pickle() -> None:
    for secret in (Secret(CANARY), SecretUrl(URL)):
        packed = pickle.dumps(secret)
        assert CANARY.encode() not in packed
        assert not pickle.loads(packed)


def test_two_urls_can_be_told_apart_without_being_shown() -> None:
    one, other = SecretUrl(URL), SecretUrl(URL + "2")
    assert str(one).startswith("<storage.googleapis.com #")
    assert str(one) != str(other)
    assert one == SecretUrl(URL) != other
    assert len({one, SecretUrl(URL), other}) == 2
    assert one.host == "storage.googleapis.com"
    assert Secret("") != ""
    assert not Secret("")


@given(text=st.text())
def test_printable_text_is_printable_and_keeps_what_was(text: str) -> None:
    shown = printable(text)
    assert all(char.isprintable() for char in shown)
    if text.isprintable():
        assert shown == text


@pytest.mark.parametrize("hostile", ["\n", "\r", "\x1b[2J", "\N{RIGHT-TO-LEFT OVERRIDE}", "\ud800", "\0", "\x85"])
def test_what_could_fake_a_log_line_is_escaped(hostile: str) -> None:
    assert printable(f"a{hostile}b").isprintable()
    assert excerpt(f"a{hostile}b".encode("utf-8", "surrogatepass")).isprintable()


@given(body=st.binary(max_size=3000))
def test_an_excerpt_is_short_and_on_one_line(body: bytes) -> None:
    # An escape is at most ten characters long.
    assert len(excerpt(body)) <= 10 * TEXT_SHOWN + 1
    assert excerpt(body).isprintable()


@pytest.mark.parametrize(
    "body",
    [
        f'{{"upload_url": "{URL}", "x": 1}}',
        f'{{"upload_url": "{URL}',
        f'{{"upload_url": "{URL}"'.replace("/", "\\/"),
        f"<a href='{URL}'>",
        f"see {URL.upper()} please".replace(CANARY.upper(), CANARY),
        f"https://host?{CANARY}",
        f"https://host#{CANARY}",
        f"https://user:{CANARY}@host/",
    ],
)
def test_an_excerpt_shows_of_an_address_only_its_host(body: str) -> None:
    shown = excerpt(body.encode())
    assert CANARY not in shown
    assert "host" in shown or "googleapis" in shown.lower()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fail", (OnPartial.parse("fail").action, None, None)),
        ("accept:5", ("accept", 5, None)),
        ("accept:2.5%", ("accept", None, 0.025)),
        (" warn ", ("warn", None, None)),
    ],
)
def test_partial_policies_are_read_and_written(text: str, expected: tuple[Any, ...]) -> None:
    policy = OnPartial.parse(text)
    assert (policy.action, policy.most, policy.share) == expected
    assert str(policy) == text.strip()
    assert OnPartial.parse(policy) is policy


@pytest.mark.parametrize("text", ["", "maybe", "accept:", "accept:-1", "accept:101%", "fail:5", "warn:", "accept:1.5"])
def test_a_partial_policy_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="on_partial"):
        OnPartial.parse(text)


@pytest.mark.parametrize("name", ["on_timeout", "on_clear", "on_input_change"])
def test_a_policy_word_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="maybe"):
        Policies.of(**{name: "maybe"})


SNAPSHOTS = st.builds(
    Snapshot,
    phase=st.sampled_from(Phase),
    native=st.text(max_size=8),
    counts=st.none() | st.builds(Counts, st.integers(0), st.integers(0), st.integers(0)),
    detail=st.text(max_size=8),
)


@given(snapshot=SNAPSHOTS)
def test_a_snapshot_survives_json(snapshot: Snapshot) -> None:
    assert Snapshot.from_json(json.loads(json.dumps(snapshot.to_json()))) == snapshot


def test_a_phase_of_a_newer_version_is_unknown_and_more_keys_are_ignored() -> None:
    assert Snapshot.from_json({"phase": "resting", "mood": 1}) == Snapshot(Phase.UNKNOWN)


def test_a_snapshot_reads_like_a_sentence() -> None:
    assert str(Snapshot(Phase.RUNNING, "processing", Counts(40, 11, 1))) == (
        'running ("processing"), 12 of 40 done, 1 failed'
    )
    assert str(Snapshot(Phase.QUEUED)) == "queued"


@pytest.mark.parametrize(("word", "phase"), [*PHASES.items(), ("In Progress", Phase.RUNNING), ("brooding", None)])
def test_status_words_become_phases(word: str, phase: Phase | None) -> None:
    assert interpret({"status": word}, PHASES).phase is (phase or Phase.UNKNOWN)


def test_no_word_stands_for_two_phases_and_aliases_win() -> None:
    assert phases_with({"Done ": "failed"})["done"] is Phase.FAILED
    with pytest.raises(ConfigError, match="status_aliases"):
        phases_with({"done": "finished"})


@pytest.mark.parametrize(
    ("counters", "expected"),
    [
        ({"total": 3, "succeeded": 2, "failed": 1}, Counts(3, 2, 1)),
        ({"total": 3, "succeeded": 2}, None),
        ({"total": 3, "succeeded": 2, "failed": -1}, None),
        ({"total": True, "succeeded": 2, "failed": 1}, None),
        ({"total": "3", "succeeded": 2, "failed": 1}, None),
        ([3, 2, 1], None),
        (None, None),
    ],
)
def test_counters_are_taken_whole_or_not_at_all(counters: Any, expected: Counts | None) -> None:
    assert interpret({"status": "done", "work_orders": counters}, PHASES).counts == expected


def test_a_misspelt_setting_is_named_with_those_that_exist() -> None:
    assert settings_from(TransferSettings, {"chunk_bytes": 0}, where="here") == TransferSettings(chunk_bytes=0)
    with pytest.raises(ConfigError, match=r"here has unknown keys \['chunk_byte'\]; known are .*chunk_bytes"):
        settings_from(TransferSettings, {"chunk_byte": 0}, where="here")
    with pytest.raises(ConfigError, match="here: chunk_bytes is '8 MiB', which is not int"):
        settings_from(TransferSettings, {"chunk_bytes": "8 MiB"}, where="here")
