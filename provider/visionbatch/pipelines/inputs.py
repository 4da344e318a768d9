"""From a place to a checked archive: one walk over the source yields the findings and the plan."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from visionbatch.deepomatic.check_settings import CheckSettings
from visionbatch.deepomatic.rules import survey
from visionbatch.errors import InputMissing, InvalidInput
from visionbatch.io.local_tree import LocalTree
from visionbatch.io.object_tree import ObjectTree
from visionbatch.io.zip_tree import ZipTree
from visionbatch.model.finding import Finding, Severity
from visionbatch.model.tree import Tree
from visionbatch.transfer.object_source import ObjectSource
from visionbatch.transfer.plan import Plan
from visionbatch.transfer.source import FileSource, Source
from visionbatch.transfer.zip_archive import ZipArchive

FINDINGS_KEPT = 1000
"""Findings kept in a report; all are counted, but a folder of 70,000 broken photos needs no 70,000 lines."""


@dataclass
class Report:
    """What a check found.

    :param location: what was checked.
    :param work_orders: work orders fit to be sent.
    :param files: their files.
    :param bytes: bytes of those files.
    :param by_rule: findings by rule, all of them.
    :param findings: the first of them, `FINDINGS_KEPT` at most.
    :param fingerprint: identity of the input, see `visionbatch.transfer.plan.Plan.fingerprint`; empty with errors.
    """

    location: str
    work_orders: int = 0
    files: int = 0
    bytes: int = 0
    errors: int = 0
    warnings: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    fingerprint: str = ""

    def add(self, finding: Finding) -> None:
        """Count a finding, and keep it while there is room."""
        self.errors += finding.severity is Severity.ERROR
        self.warnings += finding.severity is Severity.WARNING
        self.by_rule[finding.rule] += 1
        # Warnings take half of the room, or a thousand of them would leave a refusal without a reason.
        room = FINDINGS_KEPT if finding.severity is Severity.ERROR else FINDINGS_KEPT // 2
        if len(self.findings) < room:
            self.findings.append(finding)

    def require(self) -> None:
        """Refuse the input if anything is wrong with it.

        :raises InvalidInput: with the findings; nothing was sent.
        """
        if self.errors:
            worst = [f for f in self.findings if f.severity is Severity.ERROR]
            raise InvalidInput(
                f"{self.location} was refused: {self.errors} errors, {self.warnings} warnings", findings=worst
            )

    def summary(self) -> str:
        """One line for a log."""
        size = f"{self.work_orders} work orders, {self.files} files, {self.bytes} bytes"
        return f"{self.location}: {size}; {self.errors} errors, {self.warnings} warnings"

    def to_json(self) -> dict[str, Any]:
        """JSON primitives only."""
        return {**vars(self), "by_rule": dict(self.by_rule), "findings": [vars(f) for f in self.findings]}


@dataclass(frozen=True)
class Checked:
    """A source that was looked at, open for reading.

    :param source: its archive; ``None`` when the report has errors.
    """

    report: Report
    source: Source | None

    def ready(self) -> Source:
        """The archive.

        :raises InvalidInput: when the report has errors.
        """
        self.report.require()
        if self.source is None:
            raise InvalidInput(f"{self.report.location} holds nothing to send")
        return self.source


@contextmanager
def opened(place: str | Path, settings: CheckSettings, filesystem: Any = None) -> Iterator[Checked]:
    """Check a folder of work orders or a ready-made zip, and keep it open for sending.

    :param place: path, in ``filesystem`` if that is given, else on the local disk.
    :param filesystem: any fsspec filesystem.
    :raises InputMissing: when there is nothing at that place.
    """
    with ExitStack() as stack:
        if filesystem is None:
            path = Path(place)
            if not path.exists():
                raise InputMissing(f"there is no {path} on this machine, {platform.node()}")
            if path.is_dir():
                yield _checked_folder(stack.enter_context(LocalTree(path)), path.resolve().name, settings)
                return
            source: Source = stack.enter_context(FileSource(path))
            file: BinaryIO = stack.enter_context(path.open("rb"))
        else:
            place = str(place).rstrip("/")
            if filesystem.isdir(place):
                yield _checked_folder(ObjectTree(filesystem, place), place.rsplit("/", 1)[-1], settings)
                return
            source = ObjectSource(filesystem, place)
            file = stack.enter_context(filesystem.open(place, "rb"))
        yield _checked_archive(ZipTree(file, location=str(place)), source, settings)


def _checked_folder(tree: Tree, name: str, settings: CheckSettings) -> Checked:
    plan = Plan(name)
    report = _walk(tree, settings, plan)
    if report.errors:
        return Checked(report, None)
    report.fingerprint = plan.fingerprint
    return Checked(report, ZipArchive(plan, tree))


def _checked_archive(tree: ZipTree, source: Source, settings: CheckSettings) -> Checked:
    report = _walk(tree, settings, None)
    if report.errors:
        return Checked(report, None)
    report.fingerprint = source.fingerprint
    return Checked(report, source)


def _walk(tree: Tree, settings: CheckSettings, plan: Plan | None) -> Report:
    report = Report(tree.location)
    for item in survey(tree, settings):
        if isinstance(item, Finding):
            report.add(item)
            continue
        report.work_orders += 1
        for member in item.members:
            report.files += 1
            report.bytes += member.size
            if plan is not None:
                plan.add(member)
    return report
