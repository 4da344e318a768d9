from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.check.builders import (
    JPEG,
    MemoryTree,
    accepted,
    broken,
    check,
    check_files,
    denied,
    errors,
    findings,
    write,
)
from visionbatch.deepomatic.rules import RULES, CheckSettings, survey
from visionbatch.io.local_tree import LocalTree
from visionbatch.model.finding import Finding
from visionbatch.model.tree import HEAD_BYTES, Kind, WorkOrder

SCRIPT = Path(__file__).with_name("large_survey.py")


def test_a_work_order_s_members_come_in_the_documented_order(tmp_path):
    names = ["B.jpg", "A.jpg", "A-10.jpg", "A-2.jpg", "B-0.jpg", "parameters.json", "metadata.json"]
    root = write(tmp_path, {f"WO_1/{name}": b"{}" if name.endswith("json") else JPEG for name in names})
    [order] = check(LocalTree(root))
    assert isinstance(order, WorkOrder)
    assert [member.path.removeprefix("WO_1/") for member in order.members] == [
        "metadata.json",
        "parameters.json",
        "B-0.jpg",
        "A-2.jpg",
        "A-10.jpg",
        "A.jpg",
        "B.jpg",
    ]
    photo = order.members[2]
    assert (photo.size, photo.head) == (len(JPEG), JPEG[:HEAD_BYTES])


@pytest.mark.fault("AR5")
def test_each_mistake_in_a_folder_is_a_finding_of_its_own_rule():
    files = {
        "EMPTY/metadata.json": b"{}",
        "GROUP/window-0.jpg": JPEG,
        "INDEX/door-0.jpg": JPEG,
        "INDEX/lock-0.jpg": JPEG,
        "SUFFIX/door-x.jpg": JPEG,
        "ZEROS/door-07.jpg": JPEG,
        "ZEROS/door-7.jpg": JPEG,
        "FINE/door-1.jpg": JPEG,
    }
    results = check_files(files, task_groups=("door", "lock"))
    assert broken(results) == {
        ("no-image", "EMPTY"),
        ("unknown-task-group", "GROUP/window-0.jpg"),
        ("duplicate-index", "INDEX/lock-0.jpg"),
        ("photo-suffix", "SUFFIX/door-x.jpg"),
        ("duplicate-index", "ZEROS/door-7.jpg"),
    }
    assert accepted(results) == ["FINE", "INDEX", "ZEROS"]


def test_a_survey_of_seventy_thousand_work_orders_stays_under_a_hundred_megabytes():
    done = subprocess.run([sys.executable, SCRIPT, "70000"], capture_output=True, text=True, check=True)
    measured = json.loads(done.stdout)
    assert measured["work_orders"] == 70_000
    assert measured["members"] == 210_000
    assert measured["grown_bytes"] < 100_000_000


@pytest.mark.fault("AR9")
def test_what_operating_systems_leave_behind_is_counted_and_not_sent(tmp_path):
    litter = [".DS_Store", "WO_1/.DS_Store", "WO_1/Thumbs.db", "WO_1/DESKTOP.INI", "WO_1/._door-0.jpg", ".git/config"]
    litter += ["WO_1/.hidden.jpg", "__MACOSX/WO_1/._door-0.jpg"]
    results = check(LocalTree(write(tmp_path, {"WO_1/door-0.jpg": JPEG} | dict.fromkeys(litter, b"x"))))
    assert [member.path for item in results if isinstance(item, WorkOrder) for member in item.members] == [
        "WO_1/door-0.jpg"
    ]
    told = {item.message.split(" left")[0]: item.path for item in findings(results)}
    assert told == {
        "2 x .DS_Store": ".DS_Store",
        "1 x Thumbs.db": "WO_1/Thumbs.db",
        "1 x desktop.ini": "WO_1/DESKTOP.INI",
        "1 x AppleDouble file (._*)": "WO_1/._door-0.jpg",
        "2 x hidden file": ".git",
        "1 x __MACOSX": "__MACOSX",
    }
    assert {item.rule for item in findings(results)} == {"skipped-litter"}


@pytest.mark.parametrize("files", [{}, {".DS_Store": b"x"}])
def test_a_source_with_nothing_in_it_is_an_error(files):
    assert ("empty-source", "") in errors(check_files(files))


def test_a_source_that_is_not_there_is_an_error(tmp_path):
    assert broken(check(LocalTree(tmp_path / "nowhere"))) == {("empty-source", "")}
    assert broken(check(LocalTree(write(tmp_path, {"file": b""}) / "file"))) == {("empty-source", "")}


def test_a_source_or_folder_that_cannot_be_listed_is_an_error_with_its_place():
    assert broken(check_files({"": denied()})) == {("unreadable", "")}
    results = check_files({"A/door-0.jpg": JPEG, "B": denied(), "B/door-0.jpg": JPEG})
    assert broken(results) == {("unreadable", "B")}
    assert accepted(results) == ["A"]


@pytest.mark.parametrize("code", [errno.EIO, errno.ELOOP, errno.ENAMETOOLONG, errno.ESTALE])
def test_a_file_that_cannot_be_read_keeps_only_its_work_order_back(code):
    results = check_files({"A/door-0.jpg": OSError(code, "no"), "A/door-1.jpg": JPEG, "B/door-0.jpg": JPEG})
    assert broken(results) == {("unreadable", "A/door-0.jpg")}
    assert accepted(results) == ["B"]


def test_one_folder_around_all_work_orders_is_one_finding_that_says_what_to_do():
    [found] = findings(check_files({"export/WO_1/door-0.jpg": JPEG, "export/WO_2/door-0.jpg": JPEG, ".x": b""}))[:1]
    assert (found.rule, found.path) == ("wrapping-folder", "export")
    assert "Remove the top folder" in found.hint


def test_a_single_work_order_with_an_inner_folder_is_not_taken_for_a_wrapping_one():
    results = check_files({"WO_1/door-0.jpg": JPEG, "WO_1/more/door-1.jpg": JPEG})
    assert broken(results) == {("nested-folder", "WO_1/more")}


def test_files_that_belong_nowhere_are_errors():
    files = {
        "readme.txt": b"x",
        "old.zip": b"x",
        "a\\b.jpg": JPEG,
        "WO_1/door-0.jpg": JPEG,
        "WO_1/notes.txt": b"x",
        "WO_1/film.GIF": b"x",
        "WO_1/more.tar": b"x",
        "WO_1/noextension": b"x",
    }
    assert errors(check_files(files)) == {
        ("file-at-root", "readme.txt"),
        ("nested-archive", "old.zip"),
        ("name-unsafe", "a\\b.jpg"),
        ("unsupported-file", "WO_1/notes.txt"),
        ("unsupported-file", "WO_1/film.GIF"),
        ("nested-archive", "WO_1/more.tar"),
        ("unsupported-file", "WO_1/noextension"),
    }


def test_a_folder_with_too_many_files_is_given_up_before_it_fills_the_memory():
    tree = MemoryTree({f"WO_1/door-{n}.jpg": JPEG for n in range(50)})
    assert broken(check(tree, max_files=10)) == {("too-many-files", "WO_1")}
    assert len(set(tree.opened)) == 10


def test_a_file_that_shrinks_after_listing_is_an_error():
    class Shrinking(MemoryTree):
        def open(self, path, offset=0):
            return super().open("WO_1/short", offset)

    tree = Shrinking({"WO_1/door-0.jpg": JPEG, "WO_1/metadata.json": b'{"a": 1}', "WO_1/short": JPEG[:5]})
    assert {path for rule, path in errors(check(tree)) if rule == "size-changed"} == {
        "WO_1/door-0.jpg",
        "WO_1/metadata.json",
    }


def test_findings_come_while_the_survey_goes_on():
    tree = MemoryTree({"A/notes.txt": JPEG, "B/door-0.jpg": JPEG, "C/door-0.jpg": JPEG})
    results = survey(tree, CheckSettings())
    assert isinstance(next(results), Finding)
    assert tree.opened == []
    assert isinstance(next(results), Finding)
    assert isinstance(next(results), WorkOrder)
    assert set(tree.opened) == {"B/door-0.jpg"}


def test_every_rule_can_be_printed_as_documentation():
    for rule_id, rule in RULES.items():
        assert rule.id == rule_id == rule_id.lower().replace("_", "-")
        assert rule.description.endswith(".")
        assert rule.hint.endswith(".")
        assert rule.source


components = st.sampled_from(["A", "a", "WO_1", "door-0.jpg", "x.txt", ".x", "é", "..", "metadata.json", "z.zip", "\0"])
contents = st.sampled_from([JPEG, b"", b"{}", b"[", Kind.LINK, Kind.OTHER]) | st.builds(denied)


@given(st.dictionaries(st.lists(components, min_size=1, max_size=4).map("/".join), contents, max_size=8))
def test_no_tree_makes_the_survey_fail_and_what_passes_has_no_error(files):
    results = check_files(files)
    assert results, "an empty source is said to be one"
    blocked = {path.split("/")[0] for _, path in errors(results)}
    assert blocked.isdisjoint(accepted(results))
    for order in results:
        if isinstance(order, WorkOrder):
            assert all(isinstance(files[member.path], bytes) for member in order.members)
