"""Records of a data export, and a second, slow reading of them that knows nothing of the first."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from visionbatch import ExportSource, ExportTables, export_tables

TABLES = ("work_orders", "work_items", "inputs", "data_conformity", "job_conformity")
Rows = dict[str, list[dict[str, Any]]]

JOB = {
    "task_name": "label_readable",
    "analyzed_value": True,
    "corrected_value": None,
    "corrected_date": None,
    "message": "",
    "is_conformity_validated": True,
}
CHECK = {"check": "blur", "code": "image_blurred", "level": "Warning"}
RECORD = {
    "id": "0c0f0d6e-6f5c-4a6b-9f55-0d8f6b1f6a10",
    "name": "WO_123456",
    "site_id": "ed8cf35c-6325-4d38-86da-e8fb21c3d792",
    "create_date": "2026-11-12T08:14:03.120000+00:00",
    "update_date": "2026-11-12T08:20:41.004000+00:00",
    "metadata": {"region": "North"},
    "progress_score": 0.5,
    "work_items": [
        {
            "id": "7b6b7a1c-2d4c-4a9f-8a07-0f6f0f4a9a11",
            "name": "cabinet-open",
            "input": [
                {
                    "id": "b0f3d4f2-91d2-4f8e-9c36-1d2f3a4b5c6d",
                    "file_extension": ".jpg",
                    "metadata": {"taken_at": "2026-11-12T08:13:55Z"},
                    "data_conformity": [CHECK],
                    "job_conformity": [JOB],
                }
            ],
        }
    ],
}


def record(**fields: Any) -> dict[str, Any]:
    """The example with other fields."""
    return {**copy.deepcopy(RECORD), **fields}


def changed(where: tuple[Any, ...], **fields: Any) -> dict[str, Any]:
    """The example with other fields in the object at a path."""
    made = record()
    place: Any = made
    for step in where:
        place = place[step]
    place.update(fields)
    return made


def without(where: tuple[Any, ...], name: str) -> dict[str, Any]:
    """The example without one field of the object at a path."""
    made = changed(where)
    place: Any = made
    for step in where:
        place = place[step]
    del place[name]
    return made


def write_lines(path: Path, records: Iterable[Mapping[str, Any] | bytes]) -> Path:
    """A file of records, and of lines that are none."""
    lines = [found if isinstance(found, bytes) else json.dumps(found).encode() for found in records]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def read_tables(folder: Path) -> Rows:
    """What the files say, in their order."""
    import pyarrow.parquet as pq  # noqa: PLC0415  # most tests do without

    return {name: pq.read_table(folder / f"{name}.parquet").to_pylist() for name in TABLES}


def latest(found: Iterable[tuple[str, int, dict[str, Any]]]) -> list[tuple[str, int, dict[str, Any]]]:
    """Of records in the order of the export, with file and line, those that count."""
    listed = list(found)
    best: dict[str, tuple[datetime, int]] = {}
    for place, (_, _, one) in enumerate(listed):
        key = (datetime.fromisoformat(one["update_date"]), place)
        best[one["id"]] = max(best.get(one["id"], key), key)
    kept = {place for _, place in best.values()}
    return [one for place, one in enumerate(listed) if place in kept]


def expected(found: Iterable[tuple[str, int, dict[str, Any]]]) -> Rows:
    """The rows of records that are as documented, with file and line."""
    rows: Rows = {name: [] for name in TABLES}
    for source, line, order in found:
        origin = {"extra": None, "source_file": source, "source_line": line}
        rows["work_orders"].append(
            {
                "work_order_id": order["id"],
                "name": order["name"],
                "site_id": order["site_id"],
                "create_date": _moment(order["create_date"]),
                "update_date": _moment(order["update_date"]),
                "progress_score": order.get("progress_score"),
                "metadata": _text(order, "metadata"),
                **origin,
            }
        )
        for place, item in enumerate(order.get("work_items") or []):
            ids = {"work_order_id": order["id"], "work_item_id": item["id"]}
            rows["work_items"].append({**ids, "task_group": item["name"], "position": place, **origin})
            for number, photo in enumerate(item.get("input") or []):
                _photo(rows, {**ids, "input_id": photo["id"]}, number, photo, origin)
    return rows


def _photo(rows: Rows, ids: dict[str, Any], number: int, photo: dict[str, Any], origin: dict[str, Any]) -> None:
    extension = photo.get("file_extension")
    rows["inputs"].append(
        {
            **ids,
            "position": number,
            "file_extension": extension and "." + extension.lstrip(".").lower(),
            "metadata": _text(photo, "metadata"),
            **origin,
        }
    )
    for place, check in enumerate(photo.get("data_conformity") or []):
        level = check.get("level")
        told = {"check": check["check"], "code": check.get("code"), "level": level and level.lower()}
        rows["data_conformity"].append({**ids, "position": place, **told, "level_text": level, **origin})
    for place, job in enumerate(photo.get("job_conformity") or []):
        corrected = job.get("corrected_value") is not None
        rows["job_conformity"].append(
            {
                **ids,
                "position": place,
                "task_name": job["task_name"],
                **_value("analyzed", job, "analyzed_value"),
                **_value("corrected", job, "corrected_value"),
                "corrected_date": job.get("corrected_date") and _moment(job["corrected_date"]),
                **_value("effective", job, "corrected_value" if corrected else "analyzed_value"),
                "message": job.get("message"),
                "is_conformity_validated": job["is_conformity_validated"],
                **origin,
            }
        )


def _value(name: str, job: dict[str, Any], key: str) -> dict[str, Any]:
    value = job.get(key)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return {
        f"{name}_text": _text(job, key),
        f"{name}_string": value if isinstance(value, str) else None,
        f"{name}_number": float(value) if is_number else None,
        f"{name}_bool": value if isinstance(value, bool) else None,
    }


def _text(holder: dict[str, Any], key: str) -> str | None:
    return None if holder.get(key) is None else json.dumps(holder[key])


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def tables(tmp_path: Path, *records: Any, **options: Any) -> ExportTables:
    path = write_lines(tmp_path / "export.jsonl", records)
    return export_tables([ExportSource(path, "export.jsonl")], tmp_path / "tables", **options)


def quarantined(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "quarantine.jsonl").read_text().splitlines()]


def contents(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
