"""Archives, by the vendor's batch page: what is accepted, what is reported, and in which order."""

import io
import json
import struct
import tracemalloc
import zipfile
import zlib

import pytest
from PIL import Image

from visionbatch_mock.config import Behaviour
from visionbatch_mock.deepomatic.archive import examine
from visionbatch_mock.deepomatic.naming import parse_photo_name, processing_order

MIB = 1024 * 1024


def codes(view: dict) -> list[tuple[str | None, str | None, str]]:
    return [(e["work_order"], e["file"], e["code"]) for e in view["errors"]]


def test_a_sound_archive_makes_its_work_orders(tenant, archive):
    view = tenant.processed(archive)
    assert view["state"] == "success"
    assert [o["name"] for o in view["work_orders"]] == ["WO_1", "WO_2"]
    assert view["counts"] == {"total": 2, "succeeded": 2, "failed": 0}
    assert view["errors"] == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 but not really", b"\x1f\x8b gzip"])
def test_what_is_no_archive_ends_in_error_without_processing(tenant, content):
    view = tenant.processed(content)
    assert view["state"] == "error"
    assert codes(view) == [(None, None, "invalid_archive")]
    assert [step["state"] for step in view["history"]][-2:] == ["uploaded", "error"]
    assert tenant.effects("batch.processing") == []
    assert tenant.effects("batch.processed")[0]["outcome"] == "error"


def test_a_truncated_archive_is_invalid(tenant, archive):
    assert codes(tenant.processed(archive[:-30])) == [(None, None, "invalid_archive")]


def test_an_empty_archive_ends_in_error(tenant, zipped):
    view = tenant.processed(zipped({}))
    assert (view["state"], codes(view)) == ("error", [(None, None, "empty_archive")])


def test_deflated_members_are_read(tenant, zipped, photo):
    view = tenant.processed(zipped({"WO_1/a-0.jpg": photo()}, zipfile.ZIP_DEFLATED))
    assert view["state"] == "success"


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("a-0.gif", "unsupported_extension"),
        ("a-0", "unsupported_extension"),
        ("notes.txt", "unsupported_extension"),
        ("deep/a-0.jpg", "unexpected_entry"),
    ],
)
def test_a_wrong_file_is_reported_and_left_out(tenant, zipped, photo, file, code):
    view = tenant.processed(zipped({"WO_1/a-0.jpg": photo(), f"WO_1/{file}": photo()}))
    assert codes(view) == [("WO_1", file, code)]
    assert view["state"] == "partial_success"
    assert view["counts"] == {"total": 1, "succeeded": 1, "failed": 0}
    assert view["work_orders"][0]["inputs"] == ["a-0.jpg"]


@pytest.mark.parametrize("name", ["photo.jpg", "/WO_1/a.jpg"])
def test_a_file_at_the_root_is_unexpected(tenant, zipped, photo, name):
    view = tenant.processed(zipped({"WO_1/a-0.jpg": photo(), name: photo()}))
    assert codes(view) == [(None, name, "unexpected_entry")]
    assert view["state"] == "partial_success"


@pytest.mark.parametrize("name", ["WO 1", "WO.1", "é", "x" * 129, ".."])
def test_a_folder_name_beyond_the_rule_fails_its_work_order(tenant, zipped, photo, name):
    view = tenant.processed(zipped({f"{name}/a-0.jpg": photo(), "WO_2/a-0.jpg": photo()}))
    assert codes(view) == [(name, None, "invalid_work_order_name")]
    assert view["counts"] == {"total": 2, "succeeded": 1, "failed": 1}


def test_folders_that_differ_by_case_only_are_duplicates(tenant, zipped, photo):
    view = tenant.processed(zipped({"WO_a/a-0.jpg": photo(), "WO_A/a-0.jpg": photo()}))
    assert codes(view) == [("WO_A", None, "duplicate_work_order")]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_is_there_twice_is_unexpected(tenant, photo):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("WO_1/a-0.jpg", photo())
        archive.writestr("WO_1/a-0.jpg", photo())
    assert codes(tenant.processed(held.getvalue())) == [("WO_1", "a-0.jpg", "unexpected_entry")]


@pytest.mark.parametrize("members", [{"WO_1/": ""}, {"WO_1/metadata.json": "{}"}])
def test_a_work_order_needs_a_photo(tenant, zipped, photo, members):
    view = tenant.processed(zipped({**members, "WO_2/a-0.jpg": photo()}))
    assert codes(view) == [("WO_1", None, "no_image")]
    assert view["state"] == "partial_success"


def test_a_batch_without_any_good_work_order_ends_in_error(tenant, zipped):
    view = tenant.processed(zipped({"WO_1/": ""}))
    assert (view["state"], view["counts"]["failed"]) == ("error", 1)


@pytest.mark.parametrize("content", [b"", b"not a photo", b"\xff\xd8\xff\xe0 hardly"])
def test_an_unreadable_photo_is_reported(tenant, zipped, photo, content):
    view = tenant.processed(zipped({"WO_1/a-0.jpg": content, "WO_1/a-1.jpg": photo()}))
    assert codes(view) == [("WO_1", "a-0.jpg", "unreadable_image")]


def test_a_damaged_member_is_an_unreadable_photo(tenant, zipped, photo):
    content = photo()
    archive = zipped({"WO_1/a-0.jpg": content, "WO_1/a-1.jpg": photo(shade=3)})
    place = archive.index(content) + len(content) // 2
    damaged = archive[:place] + bytes([archive[place] ^ 255]) + archive[place + 1 :]
    assert codes(tenant.processed(damaged)) == [("WO_1", "a-0.jpg", "unreadable_image")]


def test_png_and_any_case_are_accepted(tenant, zipped, photo):
    view = tenant.processed(zipped({"WO_1/a-0.PNG": photo("PNG"), "WO_1/a-1.JPeG": photo()}))
    assert view["errors"] == []


def test_a_photo_above_the_limit_is_too_large(tenant, zipped, photo):
    tenant.inside.configure(max_image_bytes=2000)
    view = tenant.processed(zipped({"WO_1/a-0.jpg": photo() + bytes(2000), "WO_1/a-1.jpg": photo()}))
    assert codes(view) == [("WO_1", "a-0.jpg", "image_too_large")]


def test_an_archive_made_to_explode_costs_one_photos_worth_of_memory(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in ("WO_1/a-0.jpg", "WO_1/metadata.json"):
            with archive.open(file, "w") as member:
                for _ in range(100):
                    member.write(bytes(MIB))
    tracemalloc.start()
    try:
        found = examine(path, Behaviour())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    reported = [problem.code for problem in found.all_problems]
    assert reported == ["invalid_json", "image_too_large", "no_image"]
    assert peak < 24 * MIB


def test_the_size_in_a_members_header_is_not_believed(tenant, zipped):
    """A member that claims ten bytes and unpacks to 200 MiB is read up to the limit only."""
    name = b"WO_1/a-0.jpg"
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(packer.compress(bytes(MIB)) for _ in range(200)) + packer.flush()
    fields = (20, 0, 8, 0, 0, 0, len(packed), 10, len(name))
    local = struct.pack("<IHHHHHIIIHH", 0x04034B50, *fields, 0) + name + packed
    central = struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 20, *fields, 0, 0, 0, 0, 0, 0) + name
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, len(central), len(local), 0)
    view = tenant.processed(local + central + end)
    assert codes(view)[0][2] in {"image_too_large", "unreadable_image"}


def test_an_image_of_absurd_dimensions_is_unreadable(tenant, zipped, photo):
    held = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(held, "PNG")
    view = tenant.processed(zipped({"WO_1/a-0.png": held.getvalue(), "WO_1/a-1.jpg": photo()}))
    assert codes(view) == [("WO_1", "a-0.png", "unreadable_image")]


def test_an_encrypted_member_is_an_unreadable_photo(tenant, zipped, photo):
    archive = bytearray(zipped({"WO_1/a-0.jpg": photo()}))
    archive[6] |= 1
    archive[archive.index(b"PK\x01\x02") + 8] |= 1
    assert ("WO_1", "a-0.jpg", "unreadable_image") in codes(tenant.processed(bytes(archive)))


# -- task groups and order


@pytest.mark.parametrize(
    ("file", "groups", "expected"),
    [
        ("cabinet-3.jpg", None, ("cabinet", 3)),
        ("cabinet.jpg", None, ("cabinet", None)),
        ("pm-ouvert-apres.jpg", None, ("pm-ouvert-apres", None)),
        ("pm-ouvert-apres-2.jpg", ["pm-ouvert-apres"], ("pm-ouvert-apres", 2)),
        ("meter-2.jpg", ["meter-2", "meter"], ("meter-2", None)),
        ("meter-2-0.jpg", ["meter-2"], ("meter-2", 0)),
        ("meter-2.jpg", ["meter"], ("meter", 2)),
        ("other-2.jpg", ["meter"], None),
        ("a.b-007.png", None, ("a.b", 7)),
        ("-1.jpg", None, ("-1", None)),
    ],
)
def test_a_photos_name_is_taken_apart(file, groups, expected):
    found = parse_photo_name(file, groups)
    assert (found and (found.task_group, found.number)) == expected


def test_an_unknown_task_group_is_reported(tenant, zipped, photo):
    tenant.inside.configure(task_groups=["cabinet"])
    view = tenant.processed(zipped({"WO_1/cabinet-0.jpg": photo(), "WO_1/roof-1.jpg": photo()}))
    assert codes(view) == [("WO_1", "roof-1.jpg", "unknown_task_group")]


def test_numbered_photos_come_first_and_numerically(tenant, zipped, photo):
    files = ["z.jpg", "b-10.jpg", "a-2.jpg", "c-0.jpg", "a.jpg", "b-02.jpg", "a-1.jpg"]
    view = tenant.processed(zipped({f"WO_1/{f}": photo() for f in files}))
    assert view["work_orders"][0]["inputs"] == [
        "c-0.jpg", "a-1.jpg", "a-2.jpg", "b-02.jpg", "b-10.jpg", "a.jpg", "z.jpg",
    ]  # fmt: skip


def test_the_order_does_not_depend_on_the_archives_order():
    names = [parse_photo_name(f) for f in ("b-1.jpg", "a-1.jpg", "c.jpg", "b.jpg")]
    shown = [n.file for n in processing_order(n for n in reversed(names) if n)]
    assert shown == ["a-1.jpg", "b-1.jpg", "b.jpg", "c.jpg"]


# -- metadata and parameters


def test_metadata_and_parameters_reach_the_work_order(tenant, zipped, photo):
    members = {
        "WO_1/a-0.jpg": photo(),
        "WO_1/metadata.json": '{"region": "North"}',
        "WO_1/parameters.json": '{"depth": 3}',
    }
    order = tenant.processed(zipped(members))["work_orders"][0]
    assert (order["metadata"], order["parameters"]) == ({"region": "North"}, {"depth": 3})


@pytest.mark.parametrize("file", ["metadata.json", "parameters.json"])
@pytest.mark.parametrize("content", ["{", "[]", "7", b"\xff", "[" * 100_000])
def test_a_json_file_has_to_hold_an_object(tenant, zipped, photo, file, content):
    view = tenant.processed(zipped({"WO_1/a-0.jpg": photo(), f"WO_1/{file}": content}))
    assert codes(view) == [("WO_1", file, "invalid_json")]
    assert view["state"] == "error"


def test_required_metadata_is_checked(tenant, zipped, photo):
    tenant.inside.configure(required_metadata={"n": "number", "b": "boolean", "t": "text"})
    view = tenant.processed(
        zipped(
            {
                "WO_ok/a.jpg": photo(),
                "WO_ok/metadata.json": json.dumps({"n": 1.5, "b": False, "t": ""}),
                "WO_none/a.jpg": photo(),
                "WO_types/a.jpg": photo(),
                "WO_types/metadata.json": json.dumps({"n": True, "b": 0, "t": "x"}),
            }
        )
    )
    assert codes(view) == [
        *[("WO_none", "metadata.json", "missing_metadata")] * 3,
        *[("WO_types", "metadata.json", "invalid_metadata_type")] * 2,
    ]
    assert view["counts"] == {"total": 3, "succeeded": 1, "failed": 2}


def test_required_parameters_are_checked(tenant, zipped, photo):
    tenant.inside.configure(required_parameters={"depth": "number"})
    view = tenant.processed(zipped({"WO_1/a.jpg": photo()}))
    assert codes(view) == [("WO_1", "parameters.json", "missing_parameters")]


def test_an_analysis_can_be_made_to_fail(tenant, archive):
    tenant.inside.configure(analysis_failures={"WO_2": "the model was tired"})
    view = tenant.processed(archive)
    assert codes(view) == [("WO_2", None, "analysis_failed")]
    assert view["errors"][0]["message"] == "the model was tired"
    entry = tenant.effects("batch.processed")[0]
    assert (entry["outcome"], entry["ok"], entry["failed"]) == ("partial_success", 1, 1)


@pytest.mark.parametrize(("policy", "state"), [("allow", "success"), ("error", "error")])
def test_a_name_that_the_site_knows_is_a_matter_of_policy(tenant, archive, policy, state):
    tenant.inside.configure(duplicate_policy=policy)
    assert tenant.processed(archive)["state"] == "success"
    again = tenant.processed(archive)
    assert again["state"] == state
    if policy == "error":
        assert {code for _, _, code in codes(again)} == {"duplicate_work_order"}
