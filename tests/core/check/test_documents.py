from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.check.builders import JPEG, broken, check_files, document_rules
from visionbatch.deepomatic.documents import document_findings
from visionbatch.deepomatic.rules import CheckSettings
from visionbatch.errors import ConfigError

REQUIRED = {"site": "text", "age": "number", "urgent": "boolean"}
BAD = {
    b"": "document-not-json",
    b"{": "document-not-json",
    b'{"a": 1,}': "document-not-json",
    b"[]": "document-not-object",
    b"null": "document-not-object",
    b"\xef\xbb\xbf{}": "document-bom",
    b'{"a": "\xe9"}': "document-not-utf8",
    '{"a": 1}'.encode("utf-16"): "document-not-utf8",
    b'{"a": NaN}': "document-not-finite",
    b'{"a": -Infinity}': "document-not-finite",
    b'{"a": 1e999}': "document-not-finite",
    b'{"a": 1, "a": 2}': "document-duplicate-key",
    b'{"x": {"a": 1, "\\u0061": 2}}': "document-duplicate-key",
    b'{"a": ' + b"9" * 5000 + b"}": "document-huge-number",
    b'{"a": -9223372036854775809}': "document-huge-number",
    b'{"a": 0.' + b"1" * 500_000 + b"}": "document-huge-number",
    b'{"a": "\\ud800"}': "document-lone-surrogate",
    b'{"a": ["\\udc00x"]}': "document-lone-surrogate",
    b'{"\\ud800": 1}': "document-lone-surrogate",
    b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}": "document-too-deep",
    b"[" * 1_000_000: "document-too-deep",
    b'{"a": "' + b"x" * 2_000_000 + b'"}': "document-too-large",
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
)


@pytest.mark.fault("AR6")
def test_every_malformed_document_is_a_finding_in_bounded_time():
    begun = time.process_time()
    for content, rule in BAD.items():
        assert document_rules(content) == [rule], content[:40]
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("content", [b'"' * 1_000_000, b'\\"' * 500_000, b'{"' + b"\\" * 999_999, b'["",' * 200_000])
def test_text_that_makes_careless_scanners_quadratic_takes_no_time(content):
    begun = time.process_time()
    assert len(list(document_findings("d", content, {}))) == 1
    assert time.process_time() - begun < 2


def test_ordinary_values_pass():
    content = json.dumps({"site": "Orléans ☃ [{", "age": -1.5, "urgent": False, "more": {"n": 2**63 - 1}}).encode()
    assert document_rules(content, required_metadata=REQUIRED) == []


@pytest.mark.fault("AR7")
def test_a_required_value_must_be_there_with_its_type_when_the_application_is_known():
    files = {
        "WO_1/door-0.jpg": JPEG,
        "WO_1/metadata.json": b'{"site": 7, "age": true}',
    }
    results = check_files(files, required_metadata=REQUIRED, required_parameters={"mode": "text"})
    document = "WO_1/metadata.json"
    assert broken(results) == {
        ("required-type", document),
        ("required-missing", document),
        ("required-missing", "WO_1/parameters.json"),
    }
    assert broken(check_files(files)) == set()


def test_a_misspelt_document_is_told_once_and_not_called_missing_too():
    files = {"WO_1/door-0.jpg": JPEG, "WO_1/Metadata.JSON": b"{}"}
    results = check_files(files, required_metadata=REQUIRED)
    assert broken(results) == {("document-name", "WO_1/Metadata.JSON")}


def test_a_setting_with_an_unknown_type_is_refused():
    with pytest.raises(ConfigError, match="'date'"):
        CheckSettings(required_metadata={"day": "date"})


@pytest.mark.parametrize("groups", ["door", [1]])
def test_task_groups_that_are_no_list_of_names_are_refused(groups):
    with pytest.raises(ConfigError, match="task_groups"):
        CheckSettings(task_groups=groups)


@given(st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()))
def test_no_document_makes_the_check_fail_and_what_passes_is_a_plain_object(content):
    if not list(document_findings("d", content, {})):
        value = json.loads(content)
        assert isinstance(value, dict)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
