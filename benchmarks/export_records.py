"""Made-up exports of any size: the same seed gives the same bytes, and nothing is held in memory.

Run: ``python -m benchmarks.export_records PATH MIB [--seed 1] [--again 0.02]``
"""

from __future__ import annotations

import argparse
import json
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

GROUPS = {
    "cabinet-open": ["label_readable", "door_open", "port_count", "cabinet_type"],
    "cabinet-closed": ["door_closed", "lock_present"],
    "cable-route": ["slack_cm", "bend_radius_ok", "colour", "route_tidy"],
    "meter": ["meter_reading", "seal_intact"],
}
NUMBERS = {"port_count": 48, "slack_cm": 240.0, "meter_reading": 99999.0}
WORDS = {"cabinet_type": ["PM-48", "PM-96", "PB-12"], "colour": ["red", "blue", "grün", "yellow"]}
MESSAGES = ["", "", "", "", "too dark", "label not found", "more than one cabinet in view"]
START = datetime(2026, 11, 1, 6, tzinfo=UTC)


def records(seed: int, again: float) -> Iterator[bytes]:
    """Lines without end.

    :param again: share of work orders that come a second time, with a later date.
    """
    chance = random.Random(seed)
    recent: list[dict[str, Any]] = []
    number = 0
    while True:
        number += 1
        if recent and chance.random() < again:
            order = chance.choice(recent)
            order["update_date"] = _later(chance, order["update_date"])
        else:
            order = _order(chance, number)
            recent = [*recent[-63:], order]
        yield json.dumps(order, ensure_ascii=False).encode() + b"\n"


def write(path: Path, size: int, *, seed: int = 1, again: float = 0.0) -> int:
    """A file of at least a size in bytes; gives the number of its lines."""
    count = 0
    with path.open("wb") as file:
        for line in records(seed, again):
            file.write(line)
            count += 1
            if file.tell() >= size:
                break
    return count


def _order(chance: random.Random, number: int) -> dict[str, Any]:
    created = START + timedelta(seconds=number * 3, microseconds=chance.randrange(1_000_000))
    return {
        "id": _id(chance),
        "name": f"WO_{number:07}",
        "site_id": "ed8cf35c-6325-4d38-86da-e8fb21c3d792",
        "create_date": created.isoformat(),
        "update_date": (created + timedelta(minutes=chance.randrange(1, 600))).isoformat(),
        "metadata": {"region": chance.choice(["North", "South", "Île-de-France"]), "team": chance.randrange(40)},
        "progress_score": round(chance.random(), 2),
        "work_items": [_item(chance, group) for group in chance.sample(sorted(GROUPS), chance.randint(1, 3))],
    }


def _item(chance: random.Random, group: str) -> dict[str, Any]:
    inputs = [_input(chance, group) for _ in range(chance.choice([1, 1, 1, 2, 3]))]
    return {"id": _id(chance), "name": group, "input": inputs}


def _input(chance: random.Random, group: str) -> dict[str, Any]:
    checks = [("blur", "image_blurred"), ("exposure", "too_dark"), ("framing", "cut_off")]
    return {
        "id": _id(chance),
        "file_extension": chance.choice([".jpg", ".jpg", ".png"]),
        "metadata": {"taken_at": START.isoformat(), "latitude": round(48 + chance.random(), 6)},
        "data_conformity": [
            {"check": check, "code": code, "level": chance.choice(["warning", "information", "error"])}
            for check, code in checks[: chance.choice([0, 1, 1, 3])]
        ],
        "job_conformity": [_job(chance, task) for task in GROUPS[group]],
    }


def _job(chance: random.Random, task: str) -> dict[str, Any]:
    corrected = chance.random() < 0.08
    return {
        "task_name": task,
        "analyzed_value": _value(chance, task),
        "corrected_value": _value(chance, task) if corrected else None,
        "corrected_date": START.isoformat() if corrected else None,
        "message": chance.choice(MESSAGES),
        "is_conformity_validated": chance.random() < 0.9,
    }


def _value(chance: random.Random, task: str) -> str | float | bool:
    if task in WORDS:
        return chance.choice(WORDS[task])
    if task in NUMBERS:
        most = NUMBERS[task]
        return chance.randrange(most) if isinstance(most, int) else round(chance.random() * most, 1)
    return chance.random() < 0.85


def _later(chance: random.Random, date: str) -> str:
    return (datetime.fromisoformat(date) + timedelta(minutes=chance.randrange(1, 90))).isoformat()


def _id(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("mib", type=float)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--again", type=float, default=0.0)
    asked = parser.parse_args()
    print(write(asked.path, int(asked.mib * 1024 * 1024), seed=asked.seed, again=asked.again))


if __name__ == "__main__":
    main()
