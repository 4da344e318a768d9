"""Every line is a row or in quarantine."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.exports import (
    RECORD,
    changed,
    contents,
    quarantined,
    read_tables,
    record,
    tables,
    without,
)
from visionbatch import export_tables
from visionbatch.errors import BrokenLine


@pytest.mark.fault("EX15")
@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.binary(max_size=60).map(lambda line: line.replace(b"\n", b""))
        | st.sampled_from(
            [
                b"",
                b" \r",
                b"\xef\xbb\xbf",
                json.dumps(RECORD).encode(),
                json.dumps(RECORD).encode() + b"\r",
                json.dumps(RECORD | {"name": "two\u2028lines"}, ensure_ascii=False).encode(),
                json.dumps(RECORD).encode()[:-1],
                json.dumps(RECORD).replace("0.5", "NaN").encode(),
            ]
        ),
        max_size=10,
    ),
    st.booleans(),
)
def test_every_line_is_a_row_or_in_quarantine_with_its_number(found: list[bytes], ended: bool) -> None:
    """Line separators that are none, CRLF, byte order marks, blank and cut lines, NaN, and bytes of any kind."""
    content = b"\n".join(found) + (b"\n" if ended else b"")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "export.jsonl"
        path.write_bytes(content)
        told = export_tables([path], folder / "tables")
        lines = [line for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
        assert told.inputs[0]["lines"] == len(lines)
        assert told.rows["work_orders"] + told.superseded + told.quarantined == len(lines)
        kept = quarantined(folder / "tables")
        split = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        assert all(split[entry["line"] - 1].decode(errors="backslashreplace") == entry["text"] for entry in kept)
        assert len(kept) == told.quarantined
        whole = json.dumps(RECORD).encode()
        assert bool(told.rows["work_orders"]) == any(
            (line.startswith(whole[:-1]) and line != whole[:-1]) or "\u2028".encode() in line for line in lines
        )


def test_a_broken_line_is_kept_with_all_that_is_known_of_it(tmp_path: Path) -> None:
    told = tables(tmp_path, RECORD, b'{"id": "gr\xfcn"}', RECORD | {"id": "other"})
    assert told.rows["work_orders"] == 2
    assert quarantined(tmp_path / "tables") == [
        {
            "file": "export.jsonl",
            "line": 2,
            "rule": "not-utf-8",
            "reason": "byte 10 of the line is not UTF-8: invalid start byte",
            "text": '{"id": "gr\\xfcn"}',
            "cut": False,
        }
    ]


def test_a_verdict_without_its_task_breaks_its_line_and_none_beside_it(tmp_path: Path) -> None:
    """Verdicts are read together with those of other lines, and the odd one among them is kept."""
    verdict = ("work_items", 0, "input", 0, "job_conformity", 0)
    odd = changed(verdict, score=0.5) | {"id": "odd"}
    told = tables(tmp_path, odd, without(verdict, "task_name"), RECORD)
    assert (told.rows["work_orders"], told.quarantined) == (2, 1)
    (entry,) = quarantined(tmp_path / "tables")
    place = "$.work_items[0].input[0].job_conformity[0]"
    assert (entry["line"], entry["rule"]) == (2, "missing-field")
    assert entry["reason"] == f"{place}.task_name is not there"
    found = read_tables(tmp_path / "tables")["job_conformity"]
    assert [(row["source_line"], row["extra"]) for row in found] == [(1, '{"score":0.5}'), (3, None)]


def test_a_line_over_the_limit_is_broken_and_the_next_is_read(tmp_path: Path) -> None:
    long = record(name="x" * 300_000)
    told = tables(tmp_path, long, RECORD, max_line_bytes=200_000)
    assert told.rows["work_orders"] == 1
    (entry,) = quarantined(tmp_path / "tables")
    assert (entry["line"], entry["rule"], entry["cut"], len(entry["text"])) == (1, "line-too-long", True, 65_536)


def test_the_policy_may_be_to_fail_and_leaves_what_was_there(tmp_path: Path) -> None:
    tables(tmp_path, RECORD)
    before = contents(tmp_path / "tables")
    with pytest.raises(BrokenLine, match=r"line 2 of export\.jsonl is broken: .* \[not-json\]"):
        tables(tmp_path, RECORD | {"name": "newer"}, b"{", on_broken_line="fail")
    assert contents(tmp_path / "tables") == before


def test_blank_lines_are_no_reason_to_fail(tmp_path: Path) -> None:
    assert tables(tmp_path, b"", RECORD, b" \r", on_broken_line="fail").rows["work_orders"] == 1
