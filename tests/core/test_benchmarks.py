"""Every benchmark still works with the product as it is: at its smallest, without peers, and whatever time it takes."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIGURE = re.compile(r"\d+(\.\d+)?( \(.*\))?x?")
JPEG = b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 17, 8, 480, 640, 3) + b"\x01\x22\x00\x02\x11\x01\x03\x11\x01\xff\xd9"

WHOLE = {
    "roboflow": ("roboflow", ["--photos", "40", "--vendor", "none"], ["ours, 500 an archive", "ours, 256 an archive"]),
    "roboflow, a video": ("roboflow", ["--video", "1"], ["ours, 500 an archive"]),
    "roboflow_fetch": ("roboflow_fetch", ["--files", "3", "--size", "1"], ["visionbatch"]),
    "export_tables": ("export_tables", ["--size", "1", "--methods", "visionbatch"], ["visionbatch"]),
    "mock": ("mock", ["--size", "2", "--gets", "16", "--servers", "visionbatch-mock"], ["visionbatch-mock"]),
}
"""Benchmarks that need nothing but the product: module, options, and methods that there must be figures of."""


@pytest.fixture
def sink() -> Iterator[str]:
    """What takes uploads and drops them."""
    command = [sys.executable, "-m", "benchmarks.sink"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield child.stdout.readline().strip()
        finally:
            child.terminate()


def output(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("name", WHOLE)
def test_a_benchmark_runs_with_the_product_as_it_is_and_has_figures(name: str) -> None:
    module, options, methods = WHOLE[name]
    rows = [
        line.strip("| ").split("|") for line in output(f"benchmarks.{module}", "--rounds", "1", *options).splitlines()
    ]
    figures = {row[0].strip(): [cell.strip() for cell in row[1:3]] for row in rows if len(row) > 3}
    for method in methods:
        assert all(FIGURE.fullmatch(cell) for cell in figures[method]), (method, figures.get(method))


def test_a_file_is_uploaded_as_the_benchmark_of_uploads_does_it(sink: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("WO_1/door.jpg", JPEG)
    told = json.loads(output("benchmarks.upload_clients", "visionbatch", sink, str(tmp_path / "archive.zip")))
    assert told.keys() == {"wall_s", "cpu_s", "peak_mib"}


@pytest.mark.parametrize("method", ["visionbatch", "visionbatch, checked", "visionbatch, tar"])
def test_a_folder_is_uploaded_as_the_benchmark_of_archives_does_it(method: str, sink: str, tmp_path: Path) -> None:
    place = tmp_path / "in" / "WO_1"
    place.mkdir(parents=True)
    (place / "cabinet-0.jpg").write_bytes(JPEG)
    (place / "metadata.json").write_text("{}")
    told = json.loads(output("benchmarks.archive_clients", method, sink, str(tmp_path / "in"), str(tmp_path)))
    assert told["peak_mib"] > 0
    assert told["written_mib"] < 1
