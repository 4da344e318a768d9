"""What a try does with what the tries before it left, as a table."""

from __future__ import annotations

import dataclasses

import pytest

from visionbatch import Counts, Phase, Policies, Snapshot
from visionbatch.errors import InputChanged
from visionbatch.model.run import RunRecord, Stage
from visionbatch.pipelines.decide import Action, decide

HERE = "fingerprint"


def record(stage: Stage = Stage.CREATED, *, fingerprint: str = HERE, generation: int = 3) -> RunRecord:
    ref = "" if stage is Stage.INTENT else "batch-1"
    return RunRecord("deepomatic", fingerprint, generation=generation, stage=stage, ref=ref)


def look(phase: Phase, failed: int | None = None) -> Snapshot:
    return Snapshot(phase, phase.value, None if failed is None else Counts(10, 10 - failed, failed))


@pytest.mark.parametrize(
    ("stored", "remote", "policies", "cleared", "action", "generation"),
    [
        (None, None, {}, False, Action.BEGIN, 1),
        (None, None, {"on_clear": "cancel_and_new"}, True, Action.BEGIN, 1),
        (record(Stage.INTENT), None, {}, False, Action.SEEK, 3),
        (record(Stage.INTENT), None, {"on_clear": "cancel_and_new"}, True, Action.SEEK, 3),
        (record(), look(Phase.AWAITING_DATA), {}, False, Action.RESUME, 3),
        (record(), look(Phase.AWAITING_DATA), {}, True, Action.RESUME, 3),
        (record(), look(Phase.AWAITING_DATA), {"on_clear": "cancel_and_new"}, True, Action.REPLACE, 4),
        (record(), look(Phase.AWAITING_DATA), {"on_clear": "cancel_and_new"}, False, Action.RESUME, 3),
        (record(), look(Phase.QUEUED), {}, False, Action.ADOPT, 3),
        (record(), look(Phase.RUNNING), {}, False, Action.ADOPT, 3),
        (record(), look(Phase.UNKNOWN), {}, False, Action.ADOPT, 3),
        (record(Stage.UPLOADED), look(Phase.SUCCEEDED), {}, False, Action.TAKE, 3),
        (record(Stage.ENDED), look(Phase.SUCCEEDED), {}, False, Action.TAKE, 3),
        (record(Stage.ENDED), look(Phase.PARTIAL), {}, False, Action.TAKE, 3),
        (record(Stage.ENDED), look(Phase.PARTIAL), {"on_partial": "fail"}, False, Action.REPLACE, 4),
        (record(Stage.ENDED), look(Phase.SUCCEEDED, failed=2), {"on_partial": "accept:1"}, False, Action.REPLACE, 4),
        (record(Stage.ENDED), look(Phase.SUCCEEDED), {"on_retry": "fresh"}, False, Action.REPLACE, 4),
        (record(), look(Phase.AWAITING_DATA), {"on_retry": "fresh"}, False, Action.REPLACE, 4),
        (record(), look(Phase.AWAITING_DATA), {"on_retry": "fresh"}, True, Action.RESUME, 3),
        (record(Stage.INTENT), None, {"on_retry": "fresh"}, False, Action.SEEK, 3),
        (record(Stage.ENDED), look(Phase.FAILED), {}, False, Action.REPLACE, 4),
        (record(Stage.ENDED), look(Phase.CANCELLED), {}, False, Action.REPLACE, 4),
        (record(Stage.UPLOADED), None, {}, False, Action.REPLACE, 4),
        (record(fingerprint="other"), look(Phase.RUNNING), {"on_input_change": "cancel_and_new"}, False,
         Action.REPLACE, 4),
        (record(Stage.INTENT, fingerprint="other"), None, {"on_input_change": "cancel_and_new"}, False,
         Action.REPLACE, 4),
    ],
)  # fmt: skip
def test_a_try_does_what_the_table_says(
    stored: RunRecord | None,
    remote: Snapshot | None,
    policies: dict[str, str],
    cleared: bool,
    action: Action,
    generation: int,
) -> None:
    decision = decide(stored, HERE, Policies.of(**policies), remote, cleared=cleared)

    assert (decision.action, decision.generation) == (action, generation)
    assert decision.reason


@pytest.mark.parametrize("cleared", [False, True])
@pytest.mark.parametrize("stage", [Stage.INTENT, Stage.CREATED, Stage.UPLOADED])
def test_another_input_is_refused_by_default_and_names_the_batch(stage: Stage, cleared: bool) -> None:
    stored = record(stage, fingerprint="other")
    with pytest.raises(InputChanged) as caught:
        decide(stored, HERE, Policies(), look(Phase.RUNNING), cleared=cleared)
    assert caught.value.ref == stored.ref


def test_another_input_after_the_end_is_the_next_generation() -> None:
    stored = record(Stage.ENDED, fingerprint="other")
    decision = decide(stored, HERE, Policies(), look(Phase.SUCCEEDED))
    assert (decision.action, decision.generation) == (Action.REPLACE, stored.generation + 1)


def test_an_archive_that_arrived_is_not_sent_again_while_the_state_lags() -> None:
    assert decide(record(Stage.UPLOADED), HERE, Policies(), look(Phase.AWAITING_DATA)).action is Action.ADOPT


def test_a_word_nobody_knows_is_no_proof_that_an_archive_arrived() -> None:
    stored, strange = record(Stage.CREATED), look(Phase.UNKNOWN)
    assert decide(stored, HERE, Policies(), strange, takes_data=True).action is Action.RESUME
    assert decide(stored, HERE, Policies(), strange, takes_data=False).action is Action.ADOPT


@pytest.mark.parametrize(
    ("stored_place", "place", "fingerprint", "action"),
    [
        ("/a", "/a", HERE, Action.RESUME),
        ("/a", "/b", HERE, Action.RESUME),
        ("", "/b", HERE, Action.RESUME),
        ("/a", "", HERE, Action.RESUME),
        ("/a", "/b", "other", Action.BEGIN),
        ("/a", "/a", "other", None),
        ("", "/b", "other", None),
        ("/a", "", "other", None),
    ],
)
def test_another_input_at_another_place_is_another_run_and_at_the_same_place_a_change(
    stored_place: str, place: str, fingerprint: str, action: Action | None
) -> None:
    stored = dataclasses.replace(record(), place=stored_place)
    if action is None:
        with pytest.raises(InputChanged):
            decide(stored, fingerprint, Policies(), look(Phase.AWAITING_DATA), place=place)
    else:
        found = decide(stored, fingerprint, Policies(), look(Phase.AWAITING_DATA), place=place)
        assert (found.action, found.generation) == (action, 1 if action is Action.BEGIN else 3)
