"""Plans in force, and the book that hands their instructions to requests."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from visionbatch_mock.faults.grammar import Fault, Instruction, Need, UnknownInstruction, parse
from visionbatch_mock.faults.presets import PRESETS
from visionbatch_mock.ids import IdSource
from visionbatch_mock.operations import Operation

_OF_READS = frozenset({Need.DESCRIPTION, Need.LONGER, Need.CONTENT, Need.COVERS, Need.RANGED_CONTENT, Need.CONTINUES})


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a request is about to do, as far as can be told before it is served.

    `stop` is the offset after its last byte (None when not announced), `body` its length,
    `final` whether it would complete the object, `acknowledged` how many bytes were persisted
    before it, and `live` whether there is still something to do. Of a read, `content` is the span
    of the object's bytes that it will get (None for a description), `ranged` whether it asked for a
    range, and `continues` whether it goes on with a listing.
    """

    stop: int | None = None
    body: int = 0
    final: bool = False
    acknowledged: int = 0
    live: bool = True
    content: range | None = None
    ranged: bool = False
    continues: bool = False

    def satisfies(self, instruction: Instruction) -> bool:
        """Whether this is the request that `instruction` waits for."""
        if instruction.need is Need.ANY:
            return True
        return self.live and self._has(instruction)

    def _has(self, instruction: Instruction) -> bool:
        return self._has_content(instruction) if instruction.need in _OF_READS else self._has_body(instruction)

    def _has_content(self, instruction: Instruction) -> bool:
        place = 0 if instruction.fault is Fault.THROTTLE else instruction.size
        content = self.content
        return {
            Need.DESCRIPTION: content is None,
            Need.LONGER: content is None or len(content) > place,
            Need.CONTENT: content is not None and len(content) > place,
            Need.COVERS: content is not None and place in content,
            Need.RANGED_CONTENT: bool(content) and self.ranged,
            Need.CONTINUES: self.continues,
        }[instruction.need]

    def _has_body(self, instruction: Instruction) -> bool:
        # A throttle's size is a rate; only for the others is it a place inside the body.
        place = 0 if instruction.fault is Fault.THROTTLE else instruction.size
        return {
            Need.OFFSET: self.stop is not None and self.stop >= instruction.size,
            Need.BODY: self.body > place,
            Need.FINAL: self.final,
            Need.UNFINISHED: not self.final,
            Need.RANGED: not self.final and (self.acknowledged > 0 or self.body > 0),
            Need.ACKNOWLEDGED: not self.final and self.acknowledged > 0,
        }[instruction.need]


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

    `remaining` shrinks, `met` grows; `completed` is true when nothing remains, which a test asserts
    at its end.
    """

    id: str
    queues: dict[Operation, list[Instruction]]
    retry_test: bool = False
    met: list[Met] = field(default_factory=list)

    @property
    def completed(self) -> bool:
        """Whether every instruction was met."""
        return not any(self.queues.values())

    @property
    def waiting(self) -> int:
        """How many instructions no request has met yet."""
        return sum(map(len, self.queues.values()))

    @property
    def remaining(self) -> dict[str, list[str | dict[str, Any]]]:
        """Instructions still to come, by operation."""
        return {op.value: [i.as_json() for i in queue] for op, queue in self.queues.items()}

    def as_json(self) -> dict[str, Any]:
        """The report that the control endpoint gives."""
        return {
            "id": self.id,
            "instructions": self.remaining,
            "met": [met.as_json() for met in self.met],
            "completed": self.completed,
        }

    def take(self, names: Iterable[Operation], outlook: Outlook, seq: int) -> Instruction | None:
        """Remove and return the instruction that a request meets, if the head of a list fits."""
        for name in names:
            queue = self.queues.get(name)
            if queue and outlook.satisfies(queue[0]):
                instruction = queue.pop(0)
                self.met.append(Met(instruction.text, name.value, seq))
                return instruction
        return None


class FaultBook:
    """All plans of one tenant."""

    def __init__(self, ids: IdSource) -> None:
        self._lock = threading.Lock()
        self._ids = ids
        self._plans: dict[str, FaultPlan] = {}

    def plan(self, told: Mapping[str, Any], *, retry_test: bool = False) -> FaultPlan:
        """Put `{"instructions": {operation: [..]}}`, or a preset by `{"preset": name}`, in force.

        Raises `UnknownInstruction`, before anything is in force, for a word it does not know.
        """
        queues = _read_queues(told)
        plan = FaultPlan(self._ids.uuid(), queues, retry_test)
        with self._lock:
            self._plans[plan.id] = plan
        return plan

    def meet(
        self, operation: Operation, outlook: Outlook, seq: int, retry_test_id: str | None = None
    ) -> Instruction | None:
        """The instruction for this request, taken from the oldest plan that has one for it.

        A request that carries a retry-test id meets that plan only.
        """
        with self._lock:
            if retry_test_id is not None:
                plan = self._plans.get(retry_test_id)
                return plan.take(operation.retry_test_names, outlook, seq) if plan else None
            for plan in self._plans.values():
                if not plan.retry_test and (met := plan.take(operation.plan_names, outlook, seq)):
                    return met
        return None

    def get(self, plan_id: str) -> FaultPlan | None:
        """The plan of that id."""
        with self._lock:
            return self._plans.get(plan_id)

    def remove(self, plan_id: str) -> bool:
        """Take a plan out of force; False when there is none of that id."""
        with self._lock:
            return self._plans.pop(plan_id, None) is not None

    def plans(self, *, retry_test: bool = False) -> list[FaultPlan]:
        """All plans of one kind, oldest first."""
        with self._lock:
            return [plan for plan in self._plans.values() if plan.retry_test is retry_test]

    def all(self) -> list[FaultPlan]:
        """Every plan, of both kinds, oldest first."""
        with self._lock:
            return list(self._plans.values())

    def clear(self) -> None:
        """Forget every plan, met or not."""
        with self._lock:
            self._plans.clear()


def _read_queues(told: Mapping[str, Any]) -> dict[Operation, list[Instruction]]:
    if set(told) == {"preset"}:
        if not isinstance(told["preset"], str) or told["preset"] not in PRESETS:
            raise UnknownInstruction(f"unknown preset {told['preset']!r}; known are {sorted(PRESETS)}")
        told = {"instructions": PRESETS[told["preset"]].instructions}
    instructions = told.get("instructions")
    if not isinstance(instructions, Mapping) or not instructions or set(told) != {"instructions"}:
        raise UnknownInstruction("a plan is an object with 'instructions': {operation: [..]}")
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
