"""The check of a folder of work orders, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator

from visionbatch.deepomatic.archive_rules import defect_finding
from visionbatch.deepomatic.check_settings import CheckSettings
from visionbatch.deepomatic.decode import require_decoder
from visionbatch.deepomatic.folder import FolderCheck, stranger, unreadable
from visionbatch.deepomatic.litter import Litter
from visionbatch.deepomatic.names import (
    DOCUMENTS,
    is_archive,
    is_photo,
    name_findings,
    same_name,
    work_order_findings,
)
from visionbatch.deepomatic.rulebook import RULES, Rule, blocks, finding
from visionbatch.model.finding import Finding
from visionbatch.model.litter import litter_kind
from visionbatch.model.tree import Archive, Entry, Kind, Tree, Trouble, WorkOrder

__all__ = ["RULES", "CheckSettings", "Rule", "survey"]


def survey(tree: Tree, settings: CheckSettings) -> Iterator[WorkOrder | Finding]:
    """Every finding, and every work order without an error, folder by folder in the order of names.

    The members of a work order come in the order of Deepomatic's page on work order batch processing:
    metadata, parameters, photos by ascending number, then photos without one. A work order is given
    as soon as its own folder is checked; a twin of its name that comes later is the twin's error.
    Only the names of the work orders are kept, so memory does not grow with the photos.

    :raises ConfigError: at once, when a deep check is asked for without a decoder. What the source
        holds, or does not let us read, becomes findings.
    """
    if settings.deep:
        require_decoder()
    return _Survey(tree, settings).run()


class _Survey:
    def __init__(self, tree: Tree, settings: CheckSettings) -> None:
        self._tree = tree
        self._settings = settings
        self._litter = Litter()
        self._names: dict[str, str] = {}
        self._anything = False

    def run(self) -> Iterator[WorkOrder | Finding]:
        if isinstance(self._tree, Archive):
            for path, defect in self._tree.defects():
                self._anything = True
                yield defect_finding(path, defect)
                if defect.trouble is Trouble.NOT_AN_ARCHIVE:
                    return
        yield from self._root()
        yield from self._litter.findings()

    def _root(self) -> Iterator[WorkOrder | Finding]:
        try:
            yield from self._work_orders()
        except (FileNotFoundError, NotADirectoryError):
            yield finding("empty-source", "", f"there is no folder {self._tree.location}")
        except OSError as error:
            yield unreadable("", error)
        else:
            if not self._anything:
                yield finding("empty-source", "", f"{self._tree.location} holds no work orders")

    def _work_orders(self) -> Iterator[WorkOrder | Finding]:
        # The first folder waits for a second: alone it may be a wrapping one, which is one mistake
        # and would otherwise be reported once for each work order in it.
        first: Entry | None = None
        folders = 0
        for entry in self._tree.entries():
            if self._litter.takes(entry.name, entry.name):
                continue
            self._anything = True
            if entry.kind is not Kind.FOLDER:
                yield from _at_root(entry)
                continue
            folders += 1
            if first is None and folders == 1:
                first = entry
                continue
            if first is not None:
                yield from self._work_order(first.name)
                first = None
            yield from self._work_order(entry.name)
        if first is not None:
            yield from self._only_folder(first.name)

    def _only_folder(self, name: str) -> Iterator[WorkOrder | Finding]:
        if _is_place(name) and self._wraps(name):
            yield finding("wrapping-folder", name, "the work orders lie inside this one folder")
        else:
            yield from self._work_order(name)

    def _wraps(self, name: str) -> bool:
        """Whether a folder holds folders and nothing that belongs to a work order."""
        wraps = False
        try:
            for entry in self._tree.entries(name):
                if entry.name in DOCUMENTS or is_photo(entry.name):
                    return False
                wraps |= entry.kind is Kind.FOLDER and litter_kind(entry.name) is None
        except OSError:
            return False
        return wraps

    def _work_order(self, name: str) -> Iterator[WorkOrder | Finding]:
        found = list(work_order_findings(name))
        if not _is_place(name):
            yield from found
            return
        twin = self._names.setdefault(same_name(name), name)
        if twin != name:
            message = f"it differs from {twin!a} only in case or Unicode form"
            found.append(finding("duplicate-work-order", name, message))
        yield from FolderCheck(self._tree, name, self._settings, self._litter).run(iter(found))


def _is_place(name: str) -> bool:
    """Whether a name, however bad, leads to a folder below the root and not back to it or out of it."""
    return name not in {"", ".", ".."} and "/" not in name and "\0" not in name


def _at_root(entry: Entry) -> Iterator[Finding]:
    if (odd := stranger(entry.name, entry)) is not None:
        yield odd
    elif flaws := [flaw for flaw in name_findings(entry.name, entry.name) if blocks(flaw)]:
        yield from flaws
    elif is_archive(entry.name):
        yield finding("nested-archive", entry.name, "this is an archive beside the work orders")
    else:
        yield finding("file-at-root", entry.name, "this file belongs to no work order")
