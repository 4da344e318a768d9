"""What a line may lack, and what makes it broken."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from support.exports import changed, record, without
from visionbatch.deepomatic.export_records import Broken, RecordReader, file_extension, scalar

ITEM = ("work_items", 0)
PHOTO = (*ITEM, "input", 0)
CHECK = (*PHOTO, "data_conformity", 0)
JOB = (*PHOTO, "job_conformity", 0)
ORDER: tuple[Any, ...] = ()
REQUIRED = [
    *((ORDER, name) for name in ("id", "name", "site_id", "create_date", "update_date")),
    *((ITEM, name) for name in ("id", "name")),
    (PHOTO, "id"),
    (CHECK, "check"),
    *((JOB, name) for name in ("task_name", "is_conformity_validated")),
]


def broken(line: bytes, *, assume_utc: bool = False) -> Broken:
    with pytest.raises(Broken) as caught:
        RecordReader(assume_utc=assume_utc).read(line)
    return caught.value


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(("where", "name"), REQUIRED)
def test_a_line_without_a_required_field_names_it(where: tuple[Any, ...], name: str) -> None:
    error = broken(encoded(without(where, name)))
    assert error.rule == "missing-field"
    assert f".{name} is not there" in error.reason


@pytest.mark.parametrize("value", [None, 7, [], {}])
@pytest.mark.parametrize(("where", "name"), REQUIRED)
def test_a_required_field_of_another_type_is_named(where: tuple[Any, ...], name: str, value: Any) -> None:
    error = broken(encoded(changed(where, **{name: value})))
    assert error.rule == "wrong-type"
    assert f".{name}: " in error.reason


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b"{", "not-json"),
        (b'{"id": NaN}', "not-json"),
        (b'{"id": "\\ud800"}', "not-json"),
        (b'{"id": "a"} {"id": "b"}', "not-json"),
        (b"[]", "wrong-type"),
        (b"null", "wrong-type"),
        (b'{"id": "\xff"}', "not-utf-8"),
        (b'{"metadata":' + b"[" * 100_000, "too-deep"),
        (b'{"a":' * 100_000, "too-deep"),
        (encoded(record(id="")), "wrong-type"),
        (encoded(record(work_items={})), "wrong-type"),
        (encoded(record(work_items=[[]])), "wrong-type"),
        (encoded(changed(PHOTO, job_conformity="none")), "wrong-type"),
    ],
)
def test_a_line_that_is_no_record_names_its_rule(line: bytes, rule: str) -> None:
    assert broken(line).rule == rule


def test_bytes_that_are_not_utf_8_are_found_in_values_that_stay_text() -> None:
    line = encoded(record(metadata={"region": "place"})).replace(b"place", b"\xc3")
    assert broken(line).rule == "not-utf-8"


@pytest.mark.parametrize("bad", [b"\\q", b"\\ud800 x", b"\\udc00", b"\x01"])
def test_bad_strings_are_found_in_values_that_stay_text(bad: bytes) -> None:
    line = encoded(changed(JOB, analyzed_value="place")).replace(b"place", bad)
    assert broken(line).rule == "not-json"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-12T08:14:03Z", datetime(2026, 11, 12, 8, 14, 3, tzinfo=UTC)),
        ("2026-11-12t08:14:03z", datetime(2026, 11, 12, 8, 14, 3, tzinfo=UTC)),
        ("2026-11-12 10:14:03+0200", datetime(2026, 11, 12, 8, 14, 3, tzinfo=UTC)),
        ("2026-11-12T10:14:03.5+02", datetime(2026, 11, 12, 8, 14, 3, 500_000, tzinfo=UTC)),
        ("2026-11-12T02:44:03-05:30", datetime(2026, 11, 12, 8, 14, 3, tzinfo=UTC)),
        ("20261112T081403Z", datetime(2026, 11, 12, 8, 14, 3, tzinfo=UTC)),
        ("2026-11-12T08:14Z", datetime(2026, 11, 12, 8, 14, tzinfo=UTC)),
        ("2026-11-12T08:14:03.123456789Z", datetime(2026, 11, 12, 8, 14, 3, 123_457, tzinfo=UTC)),
    ],
)
def test_any_offset_and_precision_is_the_same_moment(text: str, moment: datetime) -> None:
    assert RecordReader().read(encoded(record(update_date=text))).update_date == moment


@pytest.mark.parametrize("text", ["2026-11-12T08:14:03.25", "2026-11-12 08:14:03.25"])
def test_a_time_without_an_offset_is_broken_unless_said_to_be_utc(text: str) -> None:
    line = encoded(record(create_date=text))
    assert broken(line).rule == "wrong-type"
    read = RecordReader(assume_utc=True).read(line)
    assert read.create_date == datetime(2026, 11, 12, 8, 14, 3, 250_000, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z", "2026-11-12T25:00:00Z"])
def test_a_time_that_is_none_is_broken(text: str) -> None:
    assert broken(encoded(record(update_date=text)), assume_utc=True).rule == "wrong-type"


def test_parts_of_a_broken_line_leave_nothing_behind() -> None:
    reader = RecordReader()
    line = encoded(changed(PHOTO, surprise=1) | {"site_id": None})
    with pytest.raises(Broken):
        reader.read(line)
    assert not reader.extras


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"gr\\u00fcn"', "grün"),
        ("7", 7.0),
        ("-1.5e3", -1500.0),
        ("true", True),
        ("null", None),
        ("[1]", None),
        ('{"a": 1}', None),
        ("1e999", None),
        ("9" * 5000, None),
        ("1" + "0" * 30, 1e30),
        ("[" * 100_000, None),
    ],
)
def test_a_value_has_one_type_or_none(text: str, value: Any) -> None:
    read = scalar(text)
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(("given", "wanted"), [(".JPG", ".jpg"), ("jpg", ".jpg"), ("", ""), (" .png ", ".png")])
def test_an_extension_has_a_dot_and_is_lower_case(given: str, wanted: str) -> None:
    assert file_extension(given) == wanted
