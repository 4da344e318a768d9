"""The picture: one sheet with the page's first figures, for a message or a slide.

It is drawn by the same functions as the page's charts and rendered by resvg with FiraGO, which both come as wheels: a
bare server has neither a browser nor a font. Fonts of the machine are not used, so that the picture is the same
everywhere; letters that FiraGO lacks, such as Chinese ones, show as boxes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pymupdf_fonts
import resvg_py

from visionbatch.report.charts import ranking, trend
from visionbatch.report.figures import PREVIOUS_DAYS, Figures, Tally
from visionbatch.report.insights import insights
from visionbatch.report.page import Headline, headlines, period
from visionbatch.report.svg import EMPTY, Drawing, element, fitted, line, rectangle, text
from visionbatch.report.words import name, plural, whole

WIDTH = 1200
MARGIN = 56
ROWS = 8
_INNER = WIDTH - 2 * MARGIN
_ROW_HEIGHT = 52.0
_FRAME = 64.0
_FONTS = ("figo", "figbo")
_STYLE = """
text { font-family: FiraGO; fill: #55606d; font-size: 14px }
.paper { fill: #f6f5f2 } .card { fill: #ffffff; stroke: #dfe1e4; stroke-width: 1 }
.title { font-size: 40px; font-weight: 700; fill: #17202a } .kicker { font-size: 17px; font-weight: 700 }
.scope { font-size: 16px } .heading { font-size: 20px; font-weight: 700; fill: #17202a }
.label { font-size: 15px; font-weight: 700 } .big { font-size: 44px; font-weight: 700; fill: #17202a }
.told { font-size: 16px; fill: #17202a } .axis { font-size: 13px } .end { font-size: 16px; font-weight: 700 }
.name { font-weight: 700; fill: #17202a } .rate { font-weight: 700; fill: #17202a } .small { font-size: 12px }
.good { fill: #0b5f58; font-weight: 700 } .bad { fill: #9c2f0e; font-weight: 700 }
.pass-text { fill: #0f766e } .right-text { fill: #4353b3 }
.grid { stroke: #dfe1e4 } .base { stroke: #55606d } .bullet { fill: #4353b3 }
.curve { fill: none; stroke-width: 2.25; stroke-linejoin: round; stroke-linecap: round }
.pass-curve { stroke: #0f766e } .right-curve { stroke: #4353b3; stroke-dasharray: 6 4 }
.pass-dot, .pass { fill: #0f766e } .right-dot, .right { fill: #4353b3 } .fail { fill: #c4421a }
.undecided { fill: #a9b2bd } .track { fill: #e9eaec } .column { fill: #c3cad3 }
"""


def picture(figures: Figures, *, title: str, generated_at: datetime) -> bytes:
    """The sheet as PNG, 2400 pixels wide."""
    drawing = sheet(figures, title=title, generated_at=generated_at)
    document = element(
        "svg",
        drawing.body,
        xmlns="http://www.w3.org/2000/svg",
        width=drawing.width,
        height=drawing.height,
        viewBox=f"0 0 {drawing.width:g} {drawing.height:g}",
    )
    return rendered(str(document))


def rendered(document: str) -> bytes:
    """An SVG document as PNG at twice its size; the renderer takes fonts as files only."""
    with tempfile.TemporaryDirectory(prefix="visionbatch-fonts-") as folder:
        files = [Path(folder) / f"{font}.ttf" for font in _FONTS]
        for font, file in zip(_FONTS, files, strict=True):
            file.write_bytes(pymupdf_fonts.myfont(font))
        png: bytes = resvg_py.svg_to_bytes(
            svg_string=document,
            style_sheet=_STYLE,
            skip_system_fonts=True,
            font_files=[str(file) for file in files],
            font_family="FiraGO",
            sans_serif_family="FiraGO",
            zoom=2,
        )
    return bytes(png)


def sheet(figures: Figures, *, title: str, generated_at: datetime) -> Drawing:
    """All of it, one block below the other."""
    blocks = [
        _head(figures, title),
        _cards(headlines(figures)),
        *_told(insights(figures)),
        *_trend(figures),
        *_rankings(figures),
        _foot(figures, generated_at),
    ]
    shapes, y = [], 48.0
    for block in blocks:
        shapes.append(block.at(MARGIN, y))
        y += block.height + 28
    height = y + 12
    return Drawing(WIDTH, height, rectangle(0, 0, WIDTH, height, "paper") + EMPTY.join(shapes))


def _head(figures: Figures, title: str) -> Drawing:
    total = figures.total
    scope = " · ".join(
        (
            plural(total.work_orders, "work order"),
            plural(len(figures.sites), "site"),
            plural(total.inputs.total, "input"),
            plural(total.tally.verdicts, "verdict"),
        )
    )
    shapes = (
        text(0, 14, period(figures), "kicker"),
        text(0, 60, fitted(name(title), _INNER, 40), "title"),
        text(0, 92, scope, "scope"),
    )
    return Drawing(_INNER, 94, EMPTY.join(shapes))


def _cards(cards: Sequence[Headline]) -> Drawing:
    gap, height = 16, 156
    width = (_INNER - gap * (len(cards) - 1)) / len(cards)
    placed = (_card(one, width, height).at(place * (width + gap), 0) for place, one in enumerate(cards))
    return Drawing(_INNER, height, EMPTY.join(placed))


def _card(one: Headline, width: float, height: float) -> Drawing:
    tone = "axis" if one.is_better is None else "good" if one.is_better else "bad"
    shapes = (
        rectangle(0, 0, width, height, "card", 12),
        text(20, 32, one.title, "label"),
        text(20, 82, one.value, "big"),
        text(20, 106, fitted(one.basis, width - 40, 13), "axis"),
        text(20, 136, fitted(f"Latest day {one.latest}", 130, 13), "axis"),
        text(width - 20, 136, f"{one.change} pts", tone, "end"),
    )
    return Drawing(width, height, EMPTY.join(shapes))


def _told(sentences: Sequence[str]) -> Iterator[Drawing]:
    if sentences:
        lines = (
            element("circle", cx=4, cy=place * 27 + 9, r=3, class_="bullet")
            + text(18, place * 27 + 15, fitted(sentence, _INNER - 18, 16), "told")
            for place, sentence in enumerate(sentences)
        )
        yield Drawing(_INNER, len(sentences) * 27 - 6, EMPTY.join(lines))


def _trend(figures: Figures) -> Iterator[Drawing]:
    if figures.days:
        yield _framed("Day by day", trend(figures.days, _INNER - 40, 280), _INNER)


def _rankings(figures: Figures) -> Iterator[Drawing]:
    """Tasks on the left; groups, and below them as many sites as there is room for, on the right."""
    if not figures.tasks:
        return
    width = (_INNER - 16) / 2
    tasks = [_row(one.task, name(one.task_group, 40), one.tally) for one in figures.tasks]
    groups = [_row(one.task_group, plural(one.items.assessed, "work item"), one.tally) for one in figures.groups]
    sites = [_row(site, plural(part.work_orders, "work order"), part.tally) for site, part in figures.sites.items()]
    left = _ranking("Tasks, most failures first", tasks, ROWS, width)
    right = _ranking("Task groups", groups, ROWS, width)
    room = int((left.height - right.height - 16 - _FRAME) // _ROW_HEIGHT)
    room += len(sites) == room + 1
    if len(sites) > 1 and room > 0:
        below = _ranking("Sites", sites, room, width)
        right = Drawing(width, right.height + 16 + below.height, right.body + below.at(0, right.height + 16))
    yield Drawing(_INNER, max(left.height, right.height), left.body + right.at(width + 16, 0))


def _row(title: str | None, under: str, tally: Tally) -> tuple[str, str, Tally]:
    return name(title), f"{under} · {whole(tally.failed)} of {plural(tally.decided, 'verdict')} failed", tally


def _ranking(heading: str, rows: Sequence[tuple[str, str, Tally]], shown: int, width: float) -> Drawing:
    cut = f"{heading}, {min(shown, len(rows))} of {whole(len(rows))}" if len(rows) > shown else heading
    return _framed(cut, ranking(rows[:shown], width - 40, _ROW_HEIGHT), width)


def _framed(heading: str, inside: Drawing, width: float) -> Drawing:
    shapes = text(20, 36, heading, "heading") + inside.at(20, 56)
    height = inside.height + _FRAME
    return Drawing(width, height, rectangle(0, 0, width, height, "card", 12) + shapes)


def _foot(figures: Figures, generated_at: datetime) -> Drawing:
    made = f"Made {generated_at:%Y-%m-%d %H:%M} {generated_at.tzname()}. Days by the clocks of {figures.timezone}."
    compared = f"Points compare the latest day with the {PREVIOUS_DAYS} days before it."
    return Drawing(_INNER, 16, line(0, 0, _INNER, 0, "grid") + text(0, 22, f"{made} {compared}", "axis"))
