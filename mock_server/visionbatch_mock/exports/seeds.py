"""Records that no batch made: given ones, and as many generated ones as a test wants.

A generator is a value: the same seed gives the same records, one at a time, so an export of any
size costs the memory of one record. Every oddity that it is told comes up in turn.
"""

import random
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Self, TypeVar

from visionbatch_mock.clock import iso
from visionbatch_mock.exports.oddities import STRANGE, Oddity
from visionbatch_mock.exports.records import Record
from visionbatch_mock.readers import SettingError, amount, choices, moment, positive

_T = TypeVar("_T")

DAY_S = 86_400.0
GROUPS = ("cabinet-open", "cabinet-closed", "cable-entry", "label", "pm-open-after")
TASKS = ("label_readable", "cable_count", "serial_number", "door_closed")
CHECKS = (("blur", "image_blurred"), ("exposure", "image_too_dark"), ("framing", "object_cut_off"))
LEVELS = ("warning", "information", "error", "WARNING", "Error")


@dataclass(frozen=True, kw_only=True)
class Generator:
    """How many records, of which shape. Construction checks and raises `SettingError`."""

    count: int
    seed: int = 0
    work_items: int = 2
    inputs: int = 2
    """Per work item."""
    first_day: float = 1_735_689_600.0
    """Epoch seconds of the oldest `create_date`."""
    days: float = 30.0
    """The records' dates are spread over so many."""
    oddities: tuple[Oddity, ...] = field(default_factory=tuple)
    every: int = 3
    """Every so-manieth record is odd."""

    def __post_init__(self) -> None:
        for name in ("count", "work_items", "inputs", "every"):
            positive(name, getattr(self, name))
        moment("first_day", self.first_day)
        moment("first_day and days", self.first_day + amount("days", self.days) * DAY_S + DAY_S)
        object.__setattr__(self, "oddities", choices(Oddity, "oddities", self.oddities))

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """The generator that an object describes."""
        known = {each.name for each in fields(cls)}
        if unknown := sorted(set(told) - known):
            raise SettingError(f"generate: unknown {unknown}; known are {sorted(known)}")
        if "count" not in told:
            raise SettingError("generate: count is required")
        return cls(**told)

    def records(self, site_id: str) -> Iterator[Record]:
        """The records, one after the other."""
        chance = random.Random(f"{self.seed}/{site_id}")  # noqa: S311 - repeatable, not secret
        odd = [each for each in self.oddities if not each.of_files]
        for number in range(self.count):
            record = self._sound(chance, site_id, number)
            turn, rest = divmod(number, self.every)
            if rest or not odd:
                yield record
            else:
                yield from STRANGE[odd[turn % len(odd)]](record, turn)

    def _sound(self, chance: random.Random, site_id: str, number: int) -> Record:
        created = self.first_day + self.days * DAY_S * chance.random()
        return {
            "id": _id(chance),
            "name": f"WO_{number:06}",
            "site_id": site_id,
            "create_date": iso(created),
            "update_date": iso(created + chance.uniform(60, DAY_S)),
            "metadata": {
                "region": _pick(chance, ("North", "South", "Île-de-France")),
                "crew": int(40 * chance.random()),
            },
            "progress_score": round(chance.random(), 3),
            "work_items": [self._item(chance, place, created) for place in range(self.work_items)],
        }

    def _item(self, chance: random.Random, place: int, created: float) -> Record:
        inputs = [_input(chance, created + minute * 60) for minute in range(self.inputs)]
        return {"id": _id(chance), "name": GROUPS[place % len(GROUPS)], "input": inputs}


def _id(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def _input(chance: random.Random, taken: float) -> Record:
    return {
        "id": _id(chance),
        "file_extension": _pick(chance, (".jpg", ".jpeg", ".png")),
        "metadata": {"taken_at": iso(taken), "latitude": round(chance.uniform(-90, 90), 6)},
        "data_conformity": [_check(chance) for _ in range(_pick(chance, (0, 0, 0, 1, 2)))],
        "job_conformity": [_job(chance, task, taken) for task in TASKS],
    }


def _check(chance: random.Random) -> Record:
    check, code = _pick(chance, CHECKS)
    return {"check": check, "code": code, "level": _pick(chance, LEVELS)}


def _job(chance: random.Random, task: str, taken: float) -> Record:
    analyzed = _VALUES.get(task, _sight)(chance)
    corrected = chance.random() < 0.1
    return {
        "task_name": task,
        "analyzed_value": analyzed,
        "corrected_value": (not analyzed if isinstance(analyzed, bool) else analyzed) if corrected else None,
        "corrected_date": iso(taken + 3600) if corrected else None,
        "message": "corrected by the back office" if corrected else "",
        "is_conformity_validated": chance.random() < 0.85,
    }


def _sight(chance: random.Random) -> bool | int | str:
    return chance.random() < 0.8


_VALUES: Mapping[str, Callable[[random.Random], bool | int | str]] = MappingProxyType(
    {
        "cable_count": lambda chance: int(12 * chance.random()),
        "serial_number": lambda chance: f"SN-{int(10**6 * chance.random()):06}",
    }
)
"""What is read off a photo for the tasks that ask for more than yes or no."""


def _pick(chance: random.Random, among: Sequence[_T]) -> _T:
    """One of them. `Random.choice` takes four times as long, and a large export picks millions of times."""
    return among[int(len(among) * chance.random())]
