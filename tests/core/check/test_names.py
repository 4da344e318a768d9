from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.check.builders import JPEG, MemoryTree, accepted, broken, check, check_files, findings
from visionbatch.deepomatic.names import PhotoName, parse_photo, same_name
from visionbatch.io.local_tree import LocalTree
from visionbatch.model.finding import Severity
from visionbatch.model.tree import WorkOrder

HOSTILE_PHOTO_NAMES = {
    "door\udce9-0.jpg": ("name-not-utf8", Severity.ERROR),
    "lock\ud800.jpg": ("name-not-utf8", Severity.ERROR),
    "do\0or-0.jpg": ("name-unsafe", Severity.ERROR),
    "do\\or-0.jpg": ("name-unsafe", Severity.ERROR),
    "do\nor-0.jpg": ("name-unsafe", Severity.ERROR),
    "do\x9bor-0.jpg": ("name-unsafe", Severity.ERROR),
    "do\u2028or-0.jpg": ("name-unsafe", Severity.ERROR),
    "door\u202egpj-0.jpg": ("name-direction", Severity.ERROR),
    "d" * 252 + ".jpg": ("name-too-long", Severity.ERROR),
    "é" * 126 + ".jpg": ("name-too-long", Severity.ERROR),
    "do:or-0.jpg": ("name-not-portable", Severity.WARNING),
    "CON.jpg": ("name-not-portable", Severity.WARNING),
    "con .x.jpg": ("name-not-portable", Severity.WARNING),
    "door-0.jpg.": ("name-not-portable", Severity.WARNING),
    "door-0.jpg ": ("name-not-portable", Severity.WARNING),
}
names = st.text(st.characters(), max_size=300) | st.text("WOwo_-09 .\\:é\u0301\u202e\udce9", max_size=12)


@pytest.mark.fault("AR1")
def test_every_hostile_name_is_a_finding_of_its_rule_and_can_be_printed(tmp_path):
    for name, (rule, severity) in HOSTILE_PHOTO_NAMES.items():
        results = check_files({f"WO_1/{name}": JPEG})
        found = {item.rule: item for item in findings(results)}
        assert found[rule].severity is severity, name
        assert str(found[rule]).isprintable()
        assert (severity is Severity.ERROR) <= (accepted(results) == []), name
    on_disk = os.fsencode(tmp_path) + b"/WO_1"
    os.mkdir(on_disk)  # noqa: PTH102  # pathlib cannot spell this name
    with open(on_disk + b"/door\xe9-0.jpg", "wb") as photo:  # noqa: PTH123  # the same
        photo.write(JPEG)
    assert broken(check(LocalTree(tmp_path))) == {("name-not-utf8", "WO_1/door\udce9-0.jpg")}


def test_an_emoji_is_fine_in_a_photo_and_not_in_a_work_order():
    assert broken(check_files({"WO_1/👩\u200d🔧-0.jpg": JPEG})) == set()
    assert broken(check_files({"👩\u200d🔧/door-0.jpg": JPEG})) == {("work-order-name", "👩\u200d🔧")}


@pytest.mark.parametrize("name", ["a b", "é", "a.b", "a\n", "a\\b", "x" * 129, "a\udce9", "a\u202eb", "a:b"])
def test_a_work_order_of_any_other_name_is_one_finding(name):
    assert broken(check_files({f"{name}/door-0.jpg": JPEG})) == {("work-order-name", name)}


def test_a_work_order_named_like_a_device_is_a_warning():
    results = check_files({"nul/door-0.jpg": JPEG})
    assert broken(results) == {("name-not-portable", "nul")}
    assert accepted(results) == ["nul"]


@pytest.mark.fault("AR2")
def test_names_that_differ_only_in_case_or_unicode_form_are_reported():
    work_orders = check_files({"WO_1/d-0.jpg": JPEG, "wo_1/d-0.jpg": JPEG, "é/d-0.jpg": JPEG, "e\u0301/d-0.jpg": JPEG})
    photos = check_files({f"W/{name}-0.jpg": JPEG for name in ("Door", "door", "é", "e\u0301")})
    assert {path for rule, path in broken(work_orders) if rule == "duplicate-work-order"} == {"wo_1", "é"}
    assert {path for rule, path in broken(photos) if rule == "name-twins"} == {"W/door-0.jpg", "W/é-0.jpg"}
    assert accepted(photos) == []


@pytest.mark.parametrize(
    ("name", "groups", "expected"),
    [
        ("door-0.jpg", None, PhotoName("door", 0)),
        ("door-07.JPG", None, PhotoName("door", 7)),
        ("door.jpg", None, PhotoName("door", None)),
        ("pm-ouvert-apres.jpg", None, PhotoName("pm-ouvert-apres", None)),
        ("pm-ouvert-apres-3.png", None, PhotoName("pm-ouvert-apres", 3)),
        ("box-2.jpg", {"box-2"}, PhotoName("box-2", None)),
        ("box-2-1.jpg", {"box-2"}, PhotoName("box-2", 1)),
        ("box-2.jpg", {"box"}, PhotoName("box", 2)),
        ("v1.2-3.jpg", None, PhotoName("v1.2", 3)),
        ("door-٣.jpg", None, PhotoName("door-٣", None)),
    ],
)
def test_a_photo_s_name_is_taken_apart_as_documented(name, groups, expected):
    assert parse_photo(name, groups) == expected


@pytest.mark.parametrize("name", ["door-.jpg", "door-1a.jpg", "door-1 (2).jpg", "door--1.jpg"])
def test_a_bad_suffix_is_a_doubt_without_the_list_and_an_error_with_it(name):
    path = f"WO_1/{name}"
    without, with_list = check_files({path: JPEG}), check_files({path: JPEG}, task_groups=("door",))
    assert broken(without) == broken(with_list) == {("photo-suffix", path)}
    assert (accepted(without), accepted(with_list)) == (["WO_1"], [])


def test_an_unknown_task_group_that_is_nearly_a_known_one_is_explained():
    [found] = findings(check_files({"WO_1/Door-0.jpg": JPEG}, task_groups=["door"]))
    assert found.rule == "unknown-task-group"
    assert "did you mean 'door'" in found.message


def test_a_photo_without_a_task_group_is_an_error():
    assert broken(check_files({"WO_1/-0.jpg": JPEG})) == {("photo-name", "WO_1/-0.jpg")}


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_component_that_is_no_name_is_refused_and_not_entered(name):
    tree = MemoryTree({f"{name}/door-0.jpg": JPEG})
    assert broken(check(tree)) == {("work-order-name", name)}
    assert tree.opened == []


@given(names, names)
def test_no_name_makes_the_check_fail_and_what_passes_keeps_the_rules(work_order, photo):
    results = check_files({f"{work_order}/{photo}": JPEG, "other/door-0.jpg": JPEG})
    for item in results:
        if isinstance(item, WorkOrder):
            assert re.fullmatch(r"[A-Za-z0-9_-]{1,128}", item.name)
            for member in item.members:
                name = member.path.split("/", 1)[1]
                assert len(name.encode()) <= 255
                assert re.fullmatch(r"[^/\\\0]+\.(jpe?g|png)", name, re.IGNORECASE)
        else:
            assert str(item).isprintable()


@given(st.text(max_size=20))
def test_the_key_of_a_name_is_its_own_key(name):
    assert same_name(same_name(name)) == same_name(name) == same_name(name.casefold())
