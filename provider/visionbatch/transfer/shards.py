"""Many members cut into archives of even size, none beyond a service's limits."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from string import Formatter

from visionbatch.errors import ConfigError, InvalidInput
from visionbatch.model.finding import Finding, Severity
from visionbatch.model.tree import Member
from visionbatch.transfer.plan import Plan
from visionbatch.transfer.tar_format import END_OF_ARCHIVE, member_size

MEMBER_RULE = "shard-member-size"
ARCHIVE_RULE = "shard-archive-size"

NAME_TEMPLATE = "{name}-{number:05}-of-{count:05}"

_HEAD_MARK_BYTES = 16
"""What is kept of a member's head, for the identity of the shard that it will be in: a million heads would not fit."""

_FINDINGS_KEPT = 1000


@dataclass(frozen=True)
class ShardLimits:
    """What one archive may hold; 0 stands for no limit.

    :param members: files in one archive.
    :param archive_bytes: bytes of one archive, headers and padding included.
    :param member_bytes: bytes of one file.
    """

    members: int = 0
    archive_bytes: int = 0
    member_bytes: int = 0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 0:
                raise ConfigError(f"{name} is {value}: it must be 0 or more")


class Shards:
    """The plans of all archives, in order: as few as the limits allow, and evened out.

    Cutting keeps the order, and depends on nothing but the members' order and sizes, so every process that lists the
    same input gets the same archives under the same names. Some seventy bytes are kept of a member, its path included.

    :param name: of the whole, for the names of the archives.
    :param members: read once.
    :param template: an archive's name, from ``name``, ``number`` (from 1) and ``count``, as `str.format` takes them.
    :param footprint: bytes that a member of a path and size takes in an archive.
    :param around: bytes that an archive has beside its members.
    :raises ConfigError: for a template that names all archives alike or asks for what there is not.
    :raises InvalidInput: when a member is larger than a file or an archive may be, with all such members.
    """

    def __init__(
        self,
        name: str,
        members: Iterable[Member],
        limits: ShardLimits,
        *,
        template: str = NAME_TEMPLATE,
        footprint: Callable[[bytes, int], int] = member_size,
        around: int = len(END_OF_ARCHIVE),
    ) -> None:
        _require_names(template)
        self._name = name
        self._template = template
        self._listed = Plan(name)
        self._marks = bytearray()
        ends = array("Q", [0])
        refused = _Refused(limits, around)
        for member in members:
            self._listed.add(member)
            self._marks += _mark(member.head)
            cost = footprint(member.path.encode(), member.size)
            ends.append(ends[-1] + cost)
            refused.look(member, cost)
        refused.settle()
        room = max(limits.archive_bytes - around, 0) or ends[-1]
        self._cuts = even_cuts(ends, limits.members or len(self._listed), room)

    @property
    def fingerprint(self) -> str:
        """Identity of all members in their order, wherever they are cut."""
        return self._listed.fingerprint

    def __len__(self) -> int:
        return len(self._cuts) - 1

    def __iter__(self) -> Iterator[Plan]:
        return (self.plan(index) for index in range(len(self)))

    def plan(self, index: int) -> Plan:
        """What goes into one archive, made anew on each call; counted from 0.

        Its identity covers names, sizes, and a hash of each member's head.
        """
        plan = Plan(self.name(index))
        for position in self.span(index):
            mark = self._marks[position * _HEAD_MARK_BYTES : (position + 1) * _HEAD_MARK_BYTES]
            path, size = self._listed.member(position)
            plan.add(Member(path.decode(), size, bytes(mark)))
        return plan

    def span(self, index: int) -> range:
        """Which of the members go into one archive; counted from 0."""
        return range(self._cuts[index], self._cuts[index + 1])

    def name(self, index: int) -> str:
        """What one archive is called; counted from 0."""
        return self._template.format(name=self._name, number=index + 1, count=len(self))


def even_cuts(ends: Sequence[int], most: int, room: int) -> list[int]:
    """Where to cut a row of members: positions from 0 to their number, as few as possible and evened out.

    What makes the cuts necessary is evened out: the members' number where that asks for as many shards, else their
    bytes.

    :param ends: 0, then the sum of bytes up to and with each member.
    :param most: members of one shard.
    :param room: bytes of one shard; no member has more.
    """
    last = len(ends) - 1
    # The earliest place from which one shard, two shards, ... can take the rest.
    floors = [last]
    while floors[-1] > 0:
        floors.append(max(floors[-1] - most, bisect_left(ends, ends[floors[-1]] - room), 0))
    count = len(floors) - 1
    measure = range(last + 1) if count == -(-last // max(most, 1)) else ends
    cuts = [0]
    for left in range(count - 1, -1, -1):
        furthest = min(cuts[-1] + most, bisect_right(ends, ends[cuts[-1]] + room) - 1)
        cuts.append(min(max(_nearest(measure, cuts[-1], left + 1), floors[left]), furthest))
    return cuts


def _nearest(measure: Sequence[int], start: int, shards: int) -> int:
    """The position whose measure is closest to an equal share of what is left, the earlier of two."""
    rest = measure[-1] - measure[start]
    # In whole numbers, so that no machine rounds differently.
    after = max(bisect_left(measure, measure[start] + -(-rest // shards)), start + 1)
    before = max(after - 1, start + 1)
    share = rest + shards * measure[start]
    return min((before, after), key=lambda position: abs(measure[position] * shards - share))


class _Refused:
    """Members that no archive may hold."""

    def __init__(self, limits: ShardLimits, around: int) -> None:
        self._limits = limits
        self._around = around
        self._findings: list[Finding] = []
        self._count = 0

    def look(self, member: Member, cost: int) -> None:
        whole = cost + self._around
        if 0 < self._limits.member_bytes < member.size:
            self._add(MEMBER_RULE, member, f"{member.size} bytes, a file may have {self._limits.member_bytes}")
        elif 0 < self._limits.archive_bytes < whole:
            most = self._limits.archive_bytes
            self._add(ARCHIVE_RULE, member, f"alone it is an archive of {whole} bytes, one may have {most}")

    def _add(self, rule: str, member: Member, message: str) -> None:
        self._count += 1
        if len(self._findings) < _FINDINGS_KEPT:
            hint = "Make it smaller, or leave it out."
            self._findings.append(Finding(rule, Severity.ERROR, member.path, message, hint))

    def settle(self) -> None:
        if self._count:
            rules = " and ".join(sorted({found.rule for found in self._findings}))
            raise InvalidInput(f"files too large to be sent: {self._count} [{rules}]", findings=self._findings)


def _mark(head: bytes) -> bytes:
    return blake2b(head, digest_size=_HEAD_MARK_BYTES).digest()


def _require_names(template: str) -> None:
    try:
        fields = {field for _, field, _, _ in Formatter().parse(template) if field is not None}
        names = {template.format(name="", number=number, count=2) for number in (1, 2)}
    except (ValueError, LookupError, AttributeError) as error:
        raise ConfigError(f"the name template {template!r} cannot be filled in: {error}") from error
    if not fields <= {"name", "number", "count"} or len(names) < 2:
        raise ConfigError(
            f"the name template {template!r} must hold {{number}}; {{name}} and {{count}} may be there too"
        )
