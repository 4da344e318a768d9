"""Rows of many files as one table: nothing lost, nothing made up, and what is broken set aside."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visionbatch.errors import BrokenLine, ConfigError
from visionbatch.pipelines.quarantine import FILE_NAME as QUARANTINE
from visionbatch.pipelines.row_settings import RowOrigin, RowSettings, RowSource
from visionbatch.pipelines.row_table import TABLE, RowTable, join_rows

PROVENANCE = {"source_batch": "b", "source_part": "p", "source_archive": "b/p/r.tar"}


def source(content: bytes, member: str = "rows.jsonl", archive: str = "b/p/r.tar") -> RowSource:
    return RowSource(RowOrigin("b", "p", archive, member), lambda: io.BytesIO(content))


def jsonl(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def joined(target: Path, *sources: RowSource, **settings) -> tuple[RowTable, list[dict]]:
    told = join_rows(sources, target, RowSettings(**settings))
    return told, pq.read_table(target / TABLE).to_pylist()


def values(rows: list[dict]) -> list[dict]:
    return [{name: value for name, value in row.items() if not name.startswith("source_")} for row in rows]


def quarantine(target: Path) -> list[tuple[int, str]]:
    entries = [json.loads(line) for line in (target / QUARANTINE).read_text().splitlines()]
    return [(entry["line"], entry["rule"]) for entry in entries]


def test_each_row_says_where_it_comes_from(tmp_path):
    told, rows = joined(tmp_path / "t", source(jsonl({"a": 1}, {"a": 2})), source(b"x\n1\n", "more.csv", ""))
    assert rows == [
        {"source_batch": "b", "source_part": "p", "source_archive": "", "source_member": "more.csv",
         "source_line": 2, "x": "1", "a": None},
        *({**PROVENANCE, "source_member": "rows.jsonl", "source_line": n, "x": None, "a": n} for n in (1, 2)),
    ]  # fmt: skip
    assert (told.rows, told.sources, told.quarantined) == (3, 2, 0)


AGREEMENTS = {
    "flags": ([True, None, False], "flag", [True, None, False]),
    "integers": ([1, 2**62], "integer", [1, 2**62]),
    "numbers": ([1, 0.5, None], "number", [1.0, 0.5, None]),
    "texts": (["a", "007", ""], "text", ["a", "007", ""]),
    "nothing at all": ([None, None], "text", [None, None]),
    "objects": ([{"b": 1, "a": [2]}, []], "json", ['{"b": 1, "a": [2]}', "[]"]),
    "of two kinds": ([1, "1", True, None], "json", ["1", '"1"', "true", None]),
    "integers that no number holds": ([2**53 + 1, 0.5], "json", ["9007199254740993", "0.5"]),
    "integers that no column holds": ([2**63, 1], "json", ["9223372036854775808", "1"]),
}


@pytest.mark.parametrize("case", AGREEMENTS)
def test_a_column_has_a_type_where_every_value_agrees_and_else_json_text(tmp_path, case):
    found, kind, expected = AGREEMENTS[case]
    told, rows = joined(tmp_path / "t", source(jsonl(*({"v": value} for value in found))))
    assert told.columns == {"v": kind}
    assert [row["v"] for row in rows] == expected
    metadata = pq.read_schema(tmp_path / "t" / TABLE).field("v").metadata or {}
    assert metadata.get(b"visionbatch") == (b"json" if kind == "json" else None)


def test_the_columns_do_not_depend_on_the_order_in_which_files_arrive(tmp_path):
    sources = [source(jsonl({f"c{number}": number, "same": 1}), f"{number}.jsonl") for number in range(4)]
    first = join_rows(sources, tmp_path / "a")
    second = join_rows(sources[::-1], tmp_path / "b")
    assert list(first.columns) == ["c0", "same", "c1", "c2", "c3"]
    assert first == second


def test_a_column_that_is_called_as_one_of_ours_is_renamed(tmp_path):
    told, rows = joined(tmp_path / "t", source(jsonl({"source_line": "x", "source_line_": "y"})))
    assert told.columns == {"source_line__": "text", "source_line_": "text"}
    assert (rows[0]["source_line"], rows[0]["source_line__"], rows[0]["source_line_"]) == (1, "x", "y")


def test_cells_of_csv_are_data_whatever_they_look_like(tmp_path):
    cells = ["=1+1", "@cmd", "-2", "007", "1e5", "true", "", 'a"b,c', "two\nlines", " x ", '{"a": [1]}']
    held = io.StringIO(newline="")
    writer = csv.writer(held)
    writer.writerow(["", "v", "v"])
    writer.writerows([str(number), cell, ""] for number, cell in enumerate(cells))
    told, rows = joined(tmp_path / "t", source(b"\xef\xbb\xbf" + held.getvalue().encode(), "r.csv"))
    assert told.columns == {"column_1": "text", "v": "text", "v_2": "text"}
    assert [row["v"] for row in rows] == cells


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(
        st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(["x", "y", "z"]), JSON, max_size=3), max_size=6))
def test_every_value_comes_back(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("rows") / "t"
    told, found = joined(folder, source(jsonl(*rows)))
    assert (told.rows, told.quarantined) == (len(rows), 0)
    for row, back in zip(rows, found, strict=True):
        for name, kind in told.columns.items():
            value = back[name]
            if kind == "json" and value is not None:
                value = json.loads(value)
            assert value == row.get(name)
            assert isinstance(value, bool) == isinstance(row.get(name), bool)


def test_broken_lines_are_set_aside_with_number_and_rule(tmp_path):
    content = b'{"a": 1}\n\nnot json\n[1]\n{"a": NaN}\n{"a": "\xff"}\n{"a": "\\ud800"}\n{"a": 2}\r\n{"a": 3'
    content += b"\n" + b'{"a": "' + b"x" * 2000 + b'"}\n{"a": "u\xe2\x80\xa8v"}\n'
    told, rows = joined(tmp_path / "t", source(content), max_line_bytes=1000)
    assert [(row["source_line"], row["a"]) for row in rows] == [(1, "1"), (8, "2"), (11, '"u\u2028v"')]
    assert quarantine(tmp_path / "t") == [
        (3, "not-json"), (4, "not-an-object"), (5, "not-json"), (6, "not-json"), (7, "not-json"), (9, "not-json"),
        (10, "line-too-long"),
    ]  # fmt: skip
    assert told.quarantined == 7
    with pytest.raises(BrokenLine, match=r"line 3 of b/p/r\.tar/rows\.jsonl breaks the rule not-json"):
        join_rows([source(content)], tmp_path / "other", RowSettings(on_broken_line="fail"))
    assert not (tmp_path / "other").exists()


def test_broken_csv_is_set_aside(tmp_path):
    content = b'a,b\n1,2\n1\n1,2,3\n\xff,2\n3,4\n5,"6\n7,8\n'
    told, rows = joined(tmp_path / "t", source(content, "r.csv"))
    assert values(rows) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
    assert [rule for _, rule in quarantine(tmp_path / "t")] == ["cells", "cells", "not-utf8", "not-csv"]
    assert told.quarantined == 4
    before = csv.field_size_limit()
    joined(tmp_path / "long", source(b"a\n" + b"x" * 3000 + b"\n", "r.csv"), max_line_bytes=1000)
    assert quarantine(tmp_path / "long") == [(1, "not-csv")]
    assert csv.field_size_limit() == before


def test_a_line_with_too_many_columns_does_not_make_the_table_wide(tmp_path):
    wide = {f"c{number}": 1 for number in range(100)}
    told, rows = joined(tmp_path / "t", source(jsonl({"a": 1}, wide, {"a": 2, "b": 3})), max_columns=10)
    assert values(rows) == [{"a": 1, "b": None}, {"a": 2, "b": 3}]
    assert (list(told.columns), quarantine(tmp_path / "t")) == (["a", "b"], [(2, "too-many-columns")])


def test_no_rows_make_an_empty_table(tmp_path):
    told, rows = joined(tmp_path / "t", source(b""), source(b"", "r.csv"))
    assert (told.rows, rows) == (0, [])
    assert pq.read_schema(tmp_path / "t" / TABLE).field("source_line").type == pa.int64()


def test_the_lists_of_failed_files_are_no_rows():
    settings = RowSettings()
    taken = ["a/aggregated_results.jsonl", "workflow_results_source_0.csv", "failed_files_processing_17.jsonl",
             "x/results.json", "a.jpg"]  # fmt: skip
    assert [name for name in taken if settings.takes(name)] == taken[:2]
    with pytest.raises(ConfigError, match="on_broken_line"):
        RowSettings(on_broken_line="ignore")


PROGRAM = """
import io, resource, sys
from pathlib import Path
from visionbatch.pipelines.row_settings import RowOrigin, RowSource
from visionbatch.pipelines.row_table import join_rows

class Rows(io.RawIOBase):
    def __init__(self, count):
        self.left, self.held = count, b""
    def readable(self):
        return True
    def read(self, size=-1):
        block = LINE * min(self.left, 500)
        self.left -= min(self.left, 500)
        return block

LINE = b'{"image": "a.jpg", "count": 3, "predictions": [' + b'{"class": "rust"},' * 60 + b'{}]}\\n'
origin = RowOrigin("b", "p", "", "rows.jsonl")
told = join_rows([RowSource(origin, lambda: Rows(int(sys.argv[1])))], Path(sys.argv[2]))
assert told.rows == int(sys.argv[1]), told
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_the_memory_does_not_grow_with_the_rows(tmp_path):
    def peak(rows: int) -> int:
        command = [sys.executable, "-c", PROGRAM, str(rows), str(tmp_path / str(rows))]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
        return int(done.stdout) // 1024

    few, many = peak(10_000), peak(60_000)
    assert many < few + 40, f"{few} MiB for 11 MB of rows, {many} MiB for 66 MB"
