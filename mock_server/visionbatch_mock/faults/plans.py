"""Plans in force, and the book that hands their instructions to requests."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from visionbatch_mock.faults.grammar import Instruction, UnknownInstruction, parse
from visionbatch_mock.faults.outlook import Outlook
from visionbatch_mock.faults.presets import PRESETS
from visionbatch_mock.faults.queues import Queue
from visionbatch_mock.ids import IdSource
from visionbatch_mock.operations import Operation


@dataclass(frozen=True, slots=True)
class Met:
    """One instruction that a request met; `seq` is the request's number in the journal."""

    instruction: str
    operation: str
    seq: int

    def as_json(self) -> dict[str, Any]:
        """The meeting as JSON."""
        return {"instruction": self.instruction, "operation": self.operation, "seq": self.seq}


@dataclass(slots=True)
class FaultPlan:
    """Lists of instructions by operation, consumed in order.

    `remaining` shrinks, `met` grows; `completed` is true when every instruction was met, which a test
    asserts at its end. One whose time was over before a request met it is in `lapsed`.
    """

    id: str
    queues: dict[Operation, Queue]
    retry_test: bool = False
    met: list[Met] = field(default_factory=list)

    @property
    def completed(self) -> bool:
        """Whether every instruction was met."""
        return not self.waiting

    @property
    def waiting(self) -> int:
        """How many instructions no request has met yet."""
        return sum(len(queue.unmet) for queue in self.queues.values())

    @property
    def remaining(self) -> dict[str, list[str | dict[str, Any]]]:
        """Instructions still to come, by operation."""
        return {op.value: [i.as_json() for i in queue.instructions] for op, queue in self.queues.items()}

    @property
    def unmet(self) -> dict[str, list[str | dict[str, Any]]]:
        """Instructions that no request has met, by operation, whether or not one still may."""
        return {op.value: [i.as_json() for i in queue.unmet] for op, queue in self.queues.items() if queue.unmet}

    @property
    def lapsed(self) -> dict[str, list[str | dict[str, Any]]]:
        """Instructions that no request met in time, by operation."""
        return {op.value: [i.as_json() for i in queue.lapsed] for op, queue in self.queues.items() if queue.lapsed}

    def as_json(self) -> dict[str, Any]:
        """The report that the control endpoint gives."""
        return {
            "id": self.id,
            "instructions": self.remaining,
            "met": [met.as_json() for met in self.met],
            "lapsed": self.lapsed,
            "completed": self.completed,
        }

    def take(self, names: Iterable[Operation], outlook: Outlook, seq: int, now: float) -> Instruction | None:
        """The instruction that a request meets, if the head of a list fits and chance will have it."""
        for name in names:
            queue = self.queues.get(name)
            if queue and (instruction := queue.take(outlook, now)):
                self.met.append(Met(instruction.text, name.value, seq))
                return instruction
        return None

    def settle(self, now: float) -> None:
        """Let go of instructions whose time is over."""
        for queue in self.queues.values():
            queue.settle(now)


class FaultBook:
    """All plans of one tenant."""

    def __init__(self, ids: IdSource, now: Callable[[], float]) -> None:
        self._lock = threading.Lock()
        self._ids = ids
        self._now = now
        self._plans: dict[str, FaultPlan] = {}

    def plan(self, told: Mapping[str, Any], *, retry_test: bool = False) -> FaultPlan:
        """Put `{"instructions": {operation: [..]}}`, or a preset by `{"preset": name}`, in force.

        Chance is drawn by `seed`, a text or a number beside the instructions, else by the plan's id.
        Raises `UnknownInstruction`, before anything is in force, for a word it does not know.
        """
        plan_id, rest = self._ids.uuid(), dict(told)
        seed = _read_seed(rest.pop("seed", plan_id))
        now = self._now()
        queues = {op: Queue(f"{seed}/{op}", queue, now) for op, queue in _read_queues(rest).items()}
        plan = FaultPlan(plan_id, queues, retry_test)
        with self._lock:
            self._plans[plan.id] = plan
        return plan

    def meet(
        self, operation: Operation, outlook: Outlook, seq: int, retry_test_id: str | None = None
    ) -> Instruction | None:
        """The instruction for this request, taken from the oldest plan that has one for it.

        A request that carries a retry-test id meets that plan only.
        """
        now = self._now()
        with self._lock:
            if retry_test_id is not None:
                plan = self._plans.get(retry_test_id)
                return plan.take(operation.retry_test_names, outlook, seq, now) if plan else None
            for plan in self._plans.values():
                if not plan.retry_test and (met := plan.take(operation.plan_names, outlook, seq, now)):
                    return met
        return None

    def get(self, plan_id: str) -> FaultPlan | None:
        """The plan of that id."""
        return next((plan for plan in self.all() if plan.id == plan_id), None)

    def remove(self, plan_id: str) -> bool:
        """Take a plan out of force; False when there is none of that id."""
        with self._lock:
            return self._plans.pop(plan_id, None) is not None

    def plans(self, *, retry_test: bool = False) -> list[FaultPlan]:
        """All plans of one kind, oldest first."""
        return [plan for plan in self.all() if plan.retry_test is retry_test]

    def all(self) -> list[FaultPlan]:
        """Every plan, of both kinds, oldest first."""
        now = self._now()
        with self._lock:
            for plan in self._plans.values():
                plan.settle(now)
            return list(self._plans.values())

    def clear(self) -> None:
        """Forget every plan, met or not."""
        with self._lock:
            self._plans.clear()


def _read_seed(told: object) -> str:
    if isinstance(told, bool) or not isinstance(told, str | int):
        raise UnknownInstruction(f"a seed is a text or a whole number, not {told!r}")
    return str(told)


def _read_queues(told: Mapping[str, Any]) -> dict[Operation, list[Instruction]]:
    if set(told) == {"preset"}:
        if not isinstance(told["preset"], str) or told["preset"] not in PRESETS:
            raise UnknownInstruction(f"unknown preset {told['preset']!r}; known are {sorted(PRESETS)}")
        told = {"instructions": PRESETS[told["preset"]].instructions}
    instructions = told.get("instructions")
    if not isinstance(instructions, Mapping) or not instructions or set(told) != {"instructions"}:
        raise UnknownInstruction("a plan is an object with 'instructions': {operation: [..]}, and perhaps a 'seed'")
    return {op: _read_queue(op, queue) for op, queue in _operations(instructions)}


def _operations(instructions: Mapping[str, Any]) -> list[tuple[Operation, Any]]:
    known = list(Operation)
    if unknown := sorted(set(instructions) - set(known)):
        raise UnknownInstruction(f"unknown operations {unknown}; known are {sorted(known)}")
    return [(Operation(name), queue) for name, queue in instructions.items()]


def _read_queue(operation: Operation, queue: object) -> list[Instruction]:
    if not isinstance(queue, list | tuple):
        raise UnknownInstruction(f"{operation}: expected a list of instructions, got {queue!r}")
    return [parse(operation, told) for told in queue]
