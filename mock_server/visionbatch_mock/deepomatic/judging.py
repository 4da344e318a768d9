"""From what an archive holds to work orders and the verdict on its batch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from visionbatch_mock.config import DuplicatePolicy
from visionbatch_mock.deepomatic.archive import Examination
from visionbatch_mock.deepomatic.problems import Code, Problem
from visionbatch_mock.lifecycle import BatchState

if TYPE_CHECKING:
    from visionbatch_mock.tenant import Tenant


@dataclass(frozen=True, slots=True)
class Tally:
    """How a batch's work orders fared."""

    succeeded: int = 0
    failed: int = 0

    def as_json(self) -> dict[str, int]:
        """The counters of the rich profile."""
        total = self.succeeded + self.failed
        return {"total": total, "succeeded": self.succeeded, "failed": self.failed}


@dataclass(frozen=True, slots=True)
class Judged:
    """The end of a batch, known as soon as its processing starts and shown when it ends."""

    verdict: BatchState
    tally: Tally
    problems: list[Problem]


def judge(found: Examination, tenant: "Tenant", batch_id: str) -> Judged:
    """Make the work orders that can be analysed, and say how the batch ends.

    Success has no problem at all. A batch of which not one work order could be analysed ends in
    error; that much is assumed, the vendor shows only that single work orders may fail.
    """
    _refuse_known_names(found, tenant)
    sound = [folder for folder in found.folders if not folder.failed]
    for folder in sound:
        tenant.work_orders.adopt(folder, batch_id)
    problems = found.all_problems
    verdict = BatchState.PARTIAL_SUCCESS if problems else BatchState.SUCCESS
    return Judged(
        verdict if sound else BatchState.ERROR,
        Tally(len(sound), len(found.folders) - len(sound)),
        problems,
    )


def _refuse_known_names(found: Examination, tenant: "Tenant") -> None:
    if tenant.behaviour.duplicate_policy is not DuplicatePolicy.ERROR:
        return
    for folder in found.folders:
        if tenant.work_orders.named(folder.name):
            folder.report(Code.DUPLICATE_WORK_ORDER, "the site has a work order of this name")
