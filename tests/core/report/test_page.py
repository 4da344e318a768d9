"""The page says what the figures are, to everybody, and does nothing else."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from core.report.builders import SCHEMAS, demo, write_tables
from core.report.pages import Page, plain, read, require_self_contained
from visionbatch import export_report
from visionbatch.cli import main
from visionbatch.errors import ConfigError
from visionbatch.report import export
from visionbatch.report.figures import Figures
from visionbatch.report.words import NOTHING, percent, points, whole

NOW = datetime(2026, 11, 22, 5, 30, tzinfo=UTC)
DOCUMENT = Path(__file__).parents[3] / "docs" / "export.md"
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><script>",
    "{{ 7 * 7 }}",
    "&lt;b&gt;",
    "\u202egnp.exe",
    "مرحبا",
    "🏗️👷",
    "a\x00b\x1b[31m",
    "W" * 5000,
    "]]><!--",
    " ",
]


def made(folder: Path, records: list[dict[str, Any]], **options: Any) -> tuple[Figures, Page]:
    tables = write_tables(folder / "tables", records)
    figures = export_report(tables, folder / "report.html", generated_at=NOW, **options)
    page = read(folder / "report.html")
    require_self_contained(page)
    return figures, page


def order(number: int, name: str, task: str, value: Any = True) -> dict[str, Any]:
    job = {"task_name": task, "analyzed_value": value, "corrected_value": task, "is_conformity_validated": False}
    code = {"check": name, "code": task, "level": name}
    photo = {"id": name, "file_extension": name, "data_conformity": [code], "job_conformity": [job]}
    item = {"id": "i", "name": name, "input": [photo]}
    return {"id": f"{number}{name}", "name": name, "site_id": name, "update_date": NOW, "work_items": [item]}


def test_the_page_shows_the_figures(tmp_path: Path) -> None:
    figures, page = made(tmp_path, demo(300))
    text = page.text()
    total = figures.total
    for rate in (total.tally.pass_rate, total.items.rate, total.tally.correction_rate, total.inputs.blocked_rate):
        assert plain(percent(rate)) in text
    assert f"Sun 1 Nov 2026 {NOTHING} Sat 21 Nov 2026" in text
    for row, task in zip(page.rows("Tasks"), figures.tasks, strict=True):
        change = points(task.previous.pass_rate, task.latest.pass_rate)
        counts = [whole(task.tally.failed), whole(task.tally.verdicts)]
        cells = [f"{task.task} {task.task_group}", percent(task.tally.pass_rate), *counts, change]
        assert row == [plain(cell) for cell in cells]
    for row, group in zip(page.rows("Task groups"), figures.groups, strict=True):
        rates = [plain(percent(group.tally.pass_rate)), plain(percent(group.items.rate))]
        assert row[:3] == [group.task_group, *rates]
    assert len(page.rows("Day by day")) == len(figures.days)
    assert len(page.rows("Sites")) == 3
    assert {f"{one.code} {one.check}" for one in figures.codes} == {row[0] for row in page.rows("Image checks")}


def test_a_change_beyond_chance_is_told_and_noise_is_not(tmp_path: Path) -> None:
    _, page = made(tmp_path, demo(1200))
    (told,) = [one for one in page.elements("ul") if one.get("class") == "told"]
    sentences = ["".join(one.itertext()) for one in told]
    fell = [sentence for sentence in sentences if " fell " in sentence or " rose " in sentence]
    assert [sentence.split(" fell ")[0] for sentence in fell] == ["cables_tidy in cabinet-open"]


@pytest.mark.fault("SC8")
@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_outside_stays_text(text: str, tmp_path: Path) -> None:
    _, page = made(tmp_path, [order(0, text, text)], title=text, images=tmp_path)
    shown = " ".join("".join(one.itertext()) for one in page.elements("bdi"))
    assert "\u202e" not in page.source
    assert "\x00" not in page.source
    assert "49" not in shown
    assert text.strip()[:4] in shown or not text.isprintable() or not text.strip()
    assert len(page.source) < 60_000


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.text(max_size=30),
    task=st.text(max_size=30),
    value=st.text(max_size=12) | st.floats() | st.booleans() | st.none(),
)
def test_any_text_gives_a_page_and_a_picture(name: str, task: str, value: Any, tmp_path: Path) -> None:
    try:
        f"{name}{task}{value}".encode()
    except UnicodeEncodeError:
        return  # a lone surrogate is no text that a table can hold
    made(tmp_path, [order(0, name, task, value)], png=tmp_path / "report.png", title=name, images=tmp_path)


def test_ten_thousand_tasks_are_a_page_that_adds_up(tmp_path: Path) -> None:
    records = [order(number, f"group {number % 300}", f"task {number}") for number in range(10_000)]
    figures, page = made(tmp_path, records, png=tmp_path / "report.png")
    rows = page.rows("Tasks")
    assert len(figures.tasks) == 10_000
    assert len(rows) == 21
    assert rows[-1][0] == "9 980 other tasks"
    assert sum(int(row[2].replace(" ", "")) for row in rows) == figures.total.tally.failed
    for heading in ("Task groups", "Image checks", "Sites"):
        assert len(page.rows(heading)) == 21
    assert len(page.source) < 150_000


def test_empty_tables_say_so(tmp_path: Path) -> None:
    _, page = made(tmp_path, [], png=tmp_path / "report.png", images=tmp_path)
    assert "The tables hold no verdicts." in page.text()
    assert "No photo failed" in page.text()


def test_tables_of_nothing_but_nulls_give_a_page(tmp_path: Path) -> None:
    for name, schema in SCHEMAS.items():
        pq.write_table(pa.table({column: pa.nulls(3) for column in schema}), tmp_path / f"{name}.parquet")
    export_report(tmp_path, tmp_path / "report.html", png=tmp_path / "report.png", images=tmp_path, generated_at=NOW)
    page = read(tmp_path / "report.html")
    require_self_contained(page)
    assert "3 verdicts without that flag are undecided" in page.text()
    assert "3 work orders without a date are in the totals only" in page.text()


def test_a_single_verdict_gives_a_page(tmp_path: Path) -> None:
    _, page = made(tmp_path, [order(0, "g", "t")], png=tmp_path / "report.png")
    assert "0 of 1 verdict " in page.text()
    assert "There is nothing in the 7 days before to compare it with." in page.text()


def test_the_same_tables_and_time_give_the_same_bytes(tmp_path: Path) -> None:
    digests = set()
    for number in range(3):
        folder = tmp_path / str(number)
        made(folder, demo(200), png=folder / "report.png")
        files = (folder / "report.html", folder / "report.png")
        digests.add(tuple(hashlib.sha256(file.read_bytes()).hexdigest() for file in files))
    assert len(digests) == 1


def test_the_picture_is_a_sheet_that_opens(tmp_path: Path) -> None:
    made(tmp_path, demo(100), png=tmp_path / "report.png")
    with Image.open(tmp_path / "report.png") as image:
        image.load()
        assert (image.format, image.width) == ("PNG", 2400)
        colours = image.convert("RGB").getcolors(maxcolors=1 << 24)
    assert colours is not None
    assert {(15, 118, 110), (196, 66, 26), (23, 32, 42)} <= {colour for _, colour in colours}  # passed, failed, ink


def test_the_picture_has_letters_on_a_machine_without_fonts(tmp_path: Path) -> None:
    made(tmp_path, demo(50), png=tmp_path / "a.png", title="Quality")
    made(tmp_path, demo(50), png=tmp_path / "b.png", title="Qvality")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


def test_a_page_without_a_chosen_time_is_made_now(tmp_path: Path) -> None:
    export_report(write_tables(tmp_path, []), tmp_path / "report.html")
    assert f"Made {datetime.now(UTC):%Y-}" in read(tmp_path / "report.html").text()


def test_a_time_without_timezone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="timezone"):
        export_report(tmp_path, tmp_path / "report.html", generated_at=datetime(2026, 1, 1))  # noqa: DTZ001


def test_a_missing_package_is_told_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "find_spec", lambda module: None if module in {"jinja2", "resvg_py"} else module)
    with pytest.raises(ConfigError, match=r"jinja2, resvg-py, which is not installed.*visionbatch\[report\]"):
        export_report(tmp_path, tmp_path / "report.html", png=tmp_path / "report.png")


def test_a_failed_report_leaves_the_old_page(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("yesterday's")
    with pytest.raises(Exception, match="work_orders"):
        export_report(tmp_path / "nowhere", tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == "yesterday's"


def test_the_command_writes_both_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = write_tables(tmp_path, demo(10))
    arguments = ["--quiet", "deepomatic", "export", "report", str(tables)]
    arguments += ["--out", str(tmp_path / "r.html"), "--png", str(tmp_path / "r.png"), "--images", str(tmp_path)]
    assert main([*arguments, "--title", "Week 47", "--timezone", "Europe/Paris", "--thumbnails", "3"]) == 0
    assert capsys.readouterr().out.startswith("10 work orders: ")
    page = read(tmp_path / "r.html")
    require_self_contained(page)
    assert "Week 47" in page.text()
    assert len(page.elements("figcaption")) >= 3
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


def test_the_documented_command_runs(tmp_path: Path) -> None:
    (command,) = re.findall(
        r"^\$ (visionbatch deepomatic export report (?:.*\\\n)*.*)$", DOCUMENT.read_text(), re.MULTILINE
    )
    write_tables(tmp_path / "tables", demo(10))
    (tmp_path / "images").mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = command.replace("/data/exports/today", str(tmp_path))
    subprocess.run(["sh", "-c", command], cwd=tmp_path, env={**os.environ, "PATH": path}, timeout=60, check=True)
    assert "Fibre roll-out, week 47" in read(tmp_path / "report.html").text()
    assert (tmp_path / "report.png").exists()


def test_the_command_says_which_table_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deepomatic", "export", "report", str(tmp_path), "--out", str(tmp_path / "r.html")]) == 3
    assert "work_orders.parquet is not there" in capsys.readouterr().err


def test_the_command_line_starts_without_the_packages_of_the_extra() -> None:
    program = (
        "import sys, visionbatch.cli; sys.exit(str({'pyarrow', 'jinja2', 'PIL', 'resvg_py'} & set(sys.modules) or ''))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ran.stderr.strip() == ""
