"""Members cut into archives: within every limit, in order, as few as can be, and of even size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.orders import read_whole
from support.trees import MemoryTree
from visionbatch.errors import ConfigError, InvalidInput
from visionbatch.model.tree import Member
from visionbatch.transfer.plan import Plan
from visionbatch.transfer.shards import ARCHIVE_RULE, MEMBER_RULE, ShardLimits, Shards
from visionbatch.transfer.tar_format import member_size
from visionbatch.transfer.tar_shard import TarShard

SIZES = st.lists(st.integers(0, 20_000), max_size=60)
END = 1024


def members(sizes: Sequence[int]) -> list[Member]:
    return [Member(f"{number}.jpg", size, b"%d" % number) for number, size in enumerate(sizes)]


def content(plan: Plan) -> list[tuple[bytes, int]]:
    return list(plan)


def archive_bytes(plan: Plan) -> int:
    return END + sum(member_size(path, size) for path, size in plan)


def fewest(sizes: Sequence[int], most: int, room: int) -> int:
    """By filling each to the brim, which no other cutting in this order betters."""
    count = held = used = 0
    for number, size in enumerate(sizes):
        cost = member_size(f"{number}.jpg".encode(), size)
        if not count or held == most or used + cost > room:
            count, held, used = count + 1, 0, 0
        held, used = held + 1, used + cost
    return count


@settings(max_examples=500)
@given(sizes=SIZES, most=st.integers(1, 20), archive=st.integers(25_000, 200_000))
def test_the_limits_hold_the_order_stays_and_nothing_is_cut_more_often_than_need_be(
    sizes: list[int], most: int, archive: int
) -> None:
    limits = ShardLimits(members=most, archive_bytes=archive)
    shards = Shards("batch", members(sizes), limits)
    plans = list(shards)

    assert [line for plan in plans for line in content(plan)] == [
        (f"{number}.jpg".encode(), size) for number, size in enumerate(sizes)
    ]
    assert all(0 < len(plan) <= most for plan in plans)
    assert all(archive_bytes(plan) <= archive for plan in plans)
    assert len(shards) == len(plans) == fewest(sizes, most, archive - END)


@settings(max_examples=300)
@given(count=st.integers(1, 400), most=st.integers(1, 60))
def test_shards_cut_by_number_differ_by_one_member_at_most(count: int, most: int) -> None:
    shards = Shards("batch", members(range(count)), ShardLimits(members=most))
    lengths = [len(plan) for plan in shards]
    assert max(lengths) - min(lengths) <= 1


@settings(max_examples=300)
@given(count=st.integers(1, 200), size=st.integers(0, 5000), archive=st.integers(10_000, 200_000))
def test_shards_cut_by_bytes_differ_by_one_member_at_most_where_all_are_alike(
    count: int, size: int, archive: int
) -> None:
    shards = Shards("batch", members([size] * count), ShardLimits(archive_bytes=archive))
    lengths = [len(plan) for plan in shards]
    assert max(lengths) - min(lengths) <= 1


@settings(max_examples=500)
@given(sizes=SIZES.filter(bool), archive=st.integers(25_000, 200_000))
def test_no_shard_is_far_from_an_equal_share_of_what_was_left_to_cut(sizes: list[int], archive: int) -> None:
    """One member's bytes from it, or the next member would not have fitted, or the rest needs every other shard."""
    plans = list(Shards("batch", members(sizes), ShardLimits(archive_bytes=archive)))
    costs = [archive_bytes(plan) - END for plan in plans]
    largest = max(member_size(b"00.jpg", size) for size in sizes)
    room = archive - END
    for index, cost in enumerate(costs):
        share = sum(costs[index:]) / (len(costs) - index)
        full = cost > room - largest
        rest_is_full = sum(costs[index + 1 :]) > (len(costs) - index - 1) * (room - largest)
        assert abs(cost - share) <= largest or full or rest_is_full


def test_a_single_member_too_many_makes_two_halves_and_no_tiny_tail() -> None:
    assert [len(plan) for plan in Shards("b", members([50] * 501), ShardLimits(members=500))] == [250, 251]
    assert [len(plan) for plan in Shards("b", members([50] * 1001), ShardLimits(members=500))] == [334, 333, 334]
    one_video = Shards("b", members([200_000, *[1000] * 100]), ShardLimits(archive_bytes=250_000))
    assert [archive_bytes(plan) for plan in one_video] == [201_728, 154_624]


def test_the_same_members_make_the_same_shards_and_another_byte_makes_another_identity() -> None:
    def identities(changed: int | None = None) -> list[str]:
        listed = members([1000] * 30)
        if changed is not None:
            listed[changed] = Member(listed[changed].path, 1000, b"another head")
        return [plan.fingerprint for plan in Shards("b", listed, ShardLimits(members=10))]

    assert identities() == identities()
    assert len(set(identities())) == 3
    before, after = identities(), identities(changed=15)
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True]


def test_a_plan_may_be_asked_for_again_and_in_any_order() -> None:
    shards = Shards("b", iter(members([10] * 25)), ShardLimits(members=10))
    assert shards.plan(2).fingerprint == list(shards)[2].fingerprint
    assert [plan.name for plan in shards] == ["b-00001-of-00003", "b-00002-of-00003", "b-00003-of-00003"]
    whole = Plan("b")
    for member in members([10] * 25):
        whole.add(member)
    assert shards.fingerprint == whole.fingerprint


def test_names_follow_the_template() -> None:
    shards = Shards("night shift", members([1] * 3), ShardLimits(members=2), template="{number}_{name}.tar")
    assert [plan.name for plan in shards] == ["1_night shift.tar", "2_night shift.tar"]


@pytest.mark.parametrize(
    "template", ["", "{name}", "{count}", "{number}{place}", "{}", "{number", "{name:d}{number}", "{number.real}"]
)
def test_a_template_that_cannot_tell_shards_apart_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match="name template"):
        Shards("b", [], ShardLimits(), template=template)


def test_files_too_large_are_refused_all_at_once_by_the_name_of_their_rule() -> None:
    limits = ShardLimits(members=500, archive_bytes=40_000, member_bytes=20_000)
    with pytest.raises(InvalidInput) as refused:
        Shards("b", members([20_000, 20_001, 5, 30_000]), limits)
    assert [(finding.rule, finding.path) for finding in refused.value.findings] == [
        (MEMBER_RULE, "1.jpg"),
        (MEMBER_RULE, "3.jpg"),
    ]
    with pytest.raises(InvalidInput, match="alone it is an archive of 11776 bytes") as refused:
        Shards("b", members([10_000]), ShardLimits(archive_bytes=11_775))
    assert refused.value.findings[0].rule == ARCHIVE_RULE
    assert len(Shards("b", members([10_000]), ShardLimits(archive_bytes=11_776))) == 1


def test_nothing_to_cut_is_no_shard_and_no_limit_is_one() -> None:
    assert list(Shards("b", [], ShardLimits(members=10))) == []
    assert [len(plan) for plan in Shards("b", members([1] * 1000), ShardLimits())] == [1000]
    with pytest.raises(ConfigError, match="members is -1"):
        ShardLimits(members=-1)


def test_a_shard_is_as_large_as_was_reckoned() -> None:
    files = {f"{'long' * 30}/\N{SNOWMAN}{number}": bytes(number) for number in range(40)}
    listed = [Member(path, len(data), data) for path, data in files.items()]
    for plan in Shards("b", listed, ShardLimits(archive_bytes=20_000)):
        shard = TarShard(plan, MemoryTree(files.__getitem__))
        assert len(read_whole(shard)) == shard.size == archive_bytes(plan) <= 20_000


def test_a_million_members_take_the_memory_of_a_list_of_names() -> None:
    told = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("many_shards.py")), "1000000", "500"],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    found = json.loads(told.stdout)
    assert found["shards"] == 2000
    assert found["lengths"] == [500]
    assert found["peak"] < 140 * 1000 * 1000
