"""What a Workflow says of a file: made up, but the same for the same seed, name and bytes."""

import csv
import io
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from visionbatch_mock.roboflow.files import StagedFile

CLASSES = ("crack", "rust", "missing-bolt", "bird-nest")
DEDUCTED = "<deducted_image>"
"""Stands for an image output, by the vendor's own code that runs Workflows."""

SOURCE_FPS, MOST_SECONDS = 10, 3
"""Ours: a video of the mock is short, because it makes a row for each frame."""

Row = Mapping[str, Any]


def image_row(seed: int | None, file: StagedFile, outputs: Sequence[str]) -> Row:
    """The outputs of one image, with the column that names it."""
    chance = _chance(seed, file, 0)
    return {"image": file.name, **_outputs(chance), **dict.fromkeys(outputs, DEDUCTED)}


def video_rows(seed: int | None, file: StagedFile, outputs: Sequence[str], max_fps: float | None) -> Iterator[Row]:
    """A row for each frame that is processed."""
    seconds = 1 + file.content.checksum % MOST_SECONDS
    frames = int(seconds * min(SOURCE_FPS, max_fps or SOURCE_FPS)) or 1
    for frame in range(frames):
        chance = _chance(seed, file, frame)
        yield {"video": file.name, "frame": frame, **_outputs(chance), **dict.fromkeys(outputs, DEDUCTED)}


def as_jsonl(rows: Iterable[Row]) -> bytes:
    """JSON Lines."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def as_csv(rows: Iterable[Row]) -> bytes:
    """CSV with a header; lists and objects are JSON texts."""
    held, writer = io.StringIO(newline=""), None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(held, list(row))
            writer.writeheader()
        writer.writerow({k: json.dumps(v) if isinstance(v, list | dict) else v for k, v in row.items()})
    return held.getvalue().encode()


def _chance(seed: int | None, file: StagedFile, number: int) -> random.Random:
    return random.Random(f"{seed}/{file.name}/{file.content.checksum}/{number}")  # noqa: S311 - repeatable, not secret


def _outputs(chance: random.Random) -> dict[str, Any]:
    predictions = [_prediction(chance) for _ in range(chance.randrange(4))]
    return {"count_objects": len(predictions), "predictions": {"predictions": predictions}}


def _prediction(chance: random.Random) -> dict[str, Any]:
    box = {side: chance.randrange(1, 640) for side in ("x", "y", "width", "height")}
    return {"class": chance.choice(CLASSES), "confidence": round(chance.uniform(0.4, 1.0), 3), **box}
