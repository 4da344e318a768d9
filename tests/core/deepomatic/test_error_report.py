"""Counting an error report of any of the forms that a site may give; what cannot be read is no failure."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visionbatch.deepomatic.error_report import LINE_CHARS, summarise

LINES = [
    {"work_order": "WO_1", "file": "a.jpg", "code": "too_dark", "message": "too dark"},
    {"work_order": "WO_1", "file": "b.jpg", "code": "too_dark", "message": "too dark"},
    {"work_order": "WO_2", "file": None, "code": "litter", "message": "ignored", "level": "warning"},
    {"folder": "WO_3", "code": "no_photo", "message": "empty"},
]
CSV = "work_order,file,code,message,level\nWO_1,a.jpg,too_dark,too dark,error\nWO_2,,litter,ignored,warning\n"


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(LINES),
        json.dumps({"results": LINES}),
        json.dumps({"errors": LINES}),
        "\n".join(map(json.dumps, LINES)),
        "\r\n".join(map(json.dumps, [*LINES, "no object"])) + "\n\n{cut",
    ],
    ids=["array", "results", "errors", "lines", "untidy-lines"],
)
def test_lines_codes_and_failed_work_orders_are_counted(body: str) -> None:
    summary = summarise(body.encode(), "application/json")

    assert (summary.lines, summary.work_orders) == (4, 2)
    assert summary.by_code == {"too_dark": 2, "litter": 1, "no_photo": 1}
    assert summary.examples[0] == "WO_1/a.jpg: too dark [too_dark]"


def test_a_table_is_counted_too() -> None:
    summary = summarise(b"\xef\xbb\xbf" + CSV.encode(), "text/csv; charset=utf-8")
    assert (summary.lines, summary.work_orders, summary.by_code) == (2, 1, {"too_dark": 1, "litter": 1})


def test_a_line_separator_inside_a_text_does_not_split_a_line() -> None:
    body = json.dumps({"work_order": "WO_1", "message": "a\u2028b", "code": "x"}, ensure_ascii=False)
    assert summarise(f"{body}\n{body}".encode(), "application/jsonl").lines == 2


def test_no_more_examples_than_asked_for_and_each_is_one_short_line() -> None:
    line = {"work_order": "WO\n\x1b[2J", "code": "c" * 1000, "message": "m" * 1000}
    summary = summarise(json.dumps([line] * 50).encode(), "application/json", examples=3)
    assert summary.lines == 50
    assert len(summary.examples) == 3
    assert all(example.isprintable() and len(example) < LINE_CHARS + 20 for example in summary.examples)


@given(
    body=st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["results", "errors", "code", "name"]), inner, max_size=3)
        ),
    ).map(lambda value: json.dumps(value).encode()),
    kind=st.sampled_from(["application/json", "text/csv", ""]),
)
def test_no_report_breaks_the_counting(body: bytes, kind: str) -> None:
    summary = summarise(body, kind)
    assert 0 <= summary.work_orders <= summary.lines
