"""Export tables made by hand, by the contract of docs/export.md, and figures counted the slow way."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

TIME = pa.timestamp("us", "UTC")
TEXT, WHOLE, REAL, TRUTH = pa.string(), pa.int64(), pa.float64(), pa.bool_()
_SOURCE = {"extra": TEXT, "source_file": TEXT, "source_line": WHOLE}
_IDS = {"work_order_id": TEXT, "work_item_id": TEXT, "input_id": TEXT}


def _side(name: str) -> dict[str, pa.DataType]:
    return {f"{name}_text": TEXT, f"{name}_string": TEXT, f"{name}_number": REAL, f"{name}_bool": TRUTH}


SCHEMAS: dict[str, dict[str, pa.DataType]] = {
    "work_orders": {
        "work_order_id": TEXT,
        "name": TEXT,
        "site_id": TEXT,
        "create_date": TIME,
        "update_date": TIME,
        "progress_score": REAL,
        "metadata": TEXT,
        **_SOURCE,
    },
    "work_items": {"work_order_id": TEXT, "work_item_id": TEXT, "task_group": TEXT, "position": WHOLE, **_SOURCE},
    "inputs": {**_IDS, "position": WHOLE, "file_extension": TEXT, "metadata": TEXT, **_SOURCE},
    "data_conformity": {
        **_IDS,
        "position": WHOLE,
        "check": TEXT,
        "code": TEXT,
        "level": TEXT,
        "level_text": TEXT,
        **_SOURCE,
    },
    "job_conformity": {
        **_IDS,
        "position": WHOLE,
        "task_name": TEXT,
        **_side("analyzed"),
        **_side("corrected"),
        "corrected_date": TIME,
        **_side("effective"),
        "message": TEXT,
        "is_conformity_validated": TRUTH,
        **_SOURCE,
    },
}


def values(side: str, value: Any) -> dict[str, Any]:
    """The typed columns of one value, beside its text."""
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    return {
        f"{side}_text": None if value is None else json.dumps(value, ensure_ascii=False),
        f"{side}_string": value if isinstance(value, str) else None,
        f"{side}_number": number,
        f"{side}_bool": value if isinstance(value, bool) else None,
    }


def rows_of(records: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The rows of the five tables for records as the vendor delivers them."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SCHEMAS}
    for line, order in enumerate(records, 1):
        source = {"source_file": "day.jsonl", "source_line": line}
        here = {"work_order_id": order["id"], **source}
        dates = {name: order.get(name) for name in ("create_date", "update_date")}
        rows["work_orders"].append(here | dates | {"name": order.get("name"), "site_id": order.get("site_id")})
        for item in order.get("work_items", ()):
            below = here | {"work_item_id": item["id"]}
            rows["work_items"].append(below | {"task_group": item.get("name")})
            for position, photo in enumerate(item.get("input", ())):
                _input_rows(rows, below | {"input_id": photo["id"]}, position, photo)
    return rows


def _input_rows(
    rows: dict[str, list[dict[str, Any]]], here: dict[str, Any], position: int, photo: dict[str, Any]
) -> None:
    rows["inputs"].append(here | {"position": position, "file_extension": photo.get("file_extension")})
    rows["data_conformity"].extend(here | code for code in photo.get("data_conformity", ()))
    for job in photo.get("job_conformity", ()):
        analyzed, corrected = job.get("analyzed_value"), job.get("corrected_value")
        rows["job_conformity"].append(
            here
            | {"task_name": job.get("task_name"), "is_conformity_validated": job.get("is_conformity_validated")}
            | values("analyzed", analyzed)
            | values("corrected", corrected)
            | values("effective", analyzed if corrected is None else corrected)
        )


def write_tables(folder: Path, records: Sequence[dict[str, Any]], row_group: int = 1000) -> Path:
    """The five tables in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in rows_of(records).items():
        schema = pa.schema(list(SCHEMAS[name].items()))
        table = pa.Table.from_pylist([dict.fromkeys(SCHEMAS[name]) | row for row in rows], schema=schema)
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=row_group)
    return folder


def day_of(order: dict[str, Any], timezone: str = "UTC") -> date | None:
    moment: datetime | None = order.get("update_date") or order.get("create_date")
    return None if moment is None else moment.astimezone(ZoneInfo(timezone)).date()


def jobs_of(records: Iterable[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Every verdict with its work order and its work item."""
    for order in records:
        for item in order.get("work_items", ()):
            for photo in item.get("input", ()):
                yield from ((order, item, job) for job in photo.get("job_conformity", ()))


def differs(job: dict[str, Any]) -> bool:
    analyzed, corrected = job.get("analyzed_value"), job.get("corrected_value")
    if corrected is None:
        return False
    same_kind = isinstance(analyzed, bool) == isinstance(corrected, bool) and isinstance(analyzed, str) == isinstance(
        corrected, str
    )
    return not (same_kind and analyzed == corrected)


def tally_of(jobs: Iterable[dict[str, Any]]) -> tuple[int, int, int, int, int]:
    listed = list(jobs)
    flags = [job.get("is_conformity_validated") for job in listed]
    reviewed = [job for job in listed if job.get("corrected_value") is not None]
    return len(listed), flags.count(True), flags.count(False), len(reviewed), sum(map(differs, listed))


def is_blocked(photo: dict[str, Any]) -> bool:
    return any(code.get("level") == "error" for code in photo.get("data_conformity", ()))


def first_time(item: dict[str, Any]) -> tuple[bool, bool]:
    """Whether it was assessed, and whether it was right first time."""
    photos = item.get("input", ())
    jobs = [job for photo in photos for job in photo.get("job_conformity", ())]
    decided = [job for job in jobs if job.get("is_conformity_validated") is not None]
    if not decided and not any(map(is_blocked, photos)):
        return False, False
    good = all(job["is_conformity_validated"] for job in decided) and not any(map(differs, jobs))
    return True, bool(decided) and good and len(photos) == 1 and not is_blocked(photos[0])


def demo(orders: int = 400, days: int = 21, seed: int = 7) -> list[dict[str, Any]]:
    """Records of a fibre roll-out in which one task gets worse on the last day."""
    chance = random.Random(seed)
    return [_demo_order(chance, number, days) for number in range(orders)]


_DEMO = {
    "cabinet-open": {"label_readable": 0.93, "cables_tidy": 0.86, "splice_tray_closed": 0.95},
    "cabinet-closed": {"door_locked": 0.98, "no_damage": 0.96},
    "meter": {"serial_number": 0.9, "seal_intact": 0.97},
    "wall-outlet": {"level": 0.91, "cover_mounted": 0.94},
}
_CODES = (("blur", "image_blurred"), ("exposure", "image_too_dark"), ("framing", "object_cut_off"))


def _demo_order(chance: random.Random, number: int, days: int) -> dict[str, Any]:
    day = int(days * number / 400) if days < 0 else chance.randrange(days)
    moment = datetime(2026, 11, 1, 6, tzinfo=UTC) + timedelta(days=day, minutes=chance.randrange(720))
    worse = 0.45 if day == days - 1 else 0.0
    groups = chance.sample(sorted(_DEMO), k=chance.randint(2, 4))
    return {
        "id": f"wo-{number:06d}",
        "name": f"WO_{100_000 + number}",
        "site_id": chance.choice(["site-north", "site-north", "site-south", "site-harbour"]),
        "create_date": moment - timedelta(hours=chance.randrange(30)),
        "update_date": moment,
        "work_items": [_demo_item(chance, number, place, group, worse) for place, group in enumerate(groups)],
    }


def _demo_item(chance: random.Random, number: int, place: int, group: str, worse: float) -> dict[str, Any]:
    photos = [_demo_photo(chance, f"in-{number:06d}-{place}-0", group, worse)]
    while not _is_fine(photos[-1]) and chance.random() < 0.6 and len(photos) < 4:
        photos.append(_demo_photo(chance, f"in-{number:06d}-{place}-{len(photos)}", group, worse / 2))
    return {"id": f"wi-{number:06d}-{place}", "name": group, "input": photos}


def _is_fine(photo: dict[str, Any]) -> bool:
    return bool(photo["job_conformity"]) and all(job["is_conformity_validated"] for job in photo["job_conformity"])


def _demo_photo(chance: random.Random, name: str, group: str, worse: float) -> dict[str, Any]:
    codes = []
    if chance.random() < 0.05:
        check, code = chance.choice(_CODES)
        codes.append({"check": check, "code": code, "level": chance.choice(["error", "warning", "warning"])})
    blocked = any(code["level"] == "error" for code in codes)
    tasks = {} if blocked else _DEMO[group]
    jobs = [_demo_job(chance, task, rate - (worse if task == "cables_tidy" else 0)) for task, rate in tasks.items()]
    return {"id": name, "file_extension": ".jpg", "data_conformity": codes, "job_conformity": jobs}


def _demo_job(chance: random.Random, task: str, rate: float) -> dict[str, Any]:
    good = chance.random() < rate
    value: Any = good
    given: Any = None
    if task == "serial_number":
        value = f"SN{chance.randrange(10**6):06d}" if good else ""
    if task == "level":
        value = "ok" if good else chance.choice(["tilted", "upside-down"])
    if chance.random() < (0.3 if not good else 0.02):
        given = {"serial_number": f"SN{chance.randrange(10**6):06d}", "level": "ok"}.get(task, chance.random() < 0.7)
        good = bool(given)
    return {"task_name": task, "analyzed_value": value, "corrected_value": given, "is_conformity_validated": good}
