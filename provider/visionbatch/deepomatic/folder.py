"""The check of one folder, which becomes one work order."""

from __future__ import annotations

from collections.abc import Iterator

from visionbatch.deepomatic.archive_rules import defect_finding
from visionbatch.deepomatic.check_settings import CheckSettings
from visionbatch.deepomatic.documents import document_findings, missing_document
from visionbatch.deepomatic.images import read_up_to
from visionbatch.deepomatic.litter import Litter
from visionbatch.deepomatic.names import (
    DOCUMENTS,
    PhotoName,
    is_archive,
    is_photo,
    name_findings,
    parse_photo,
    photo_findings,
    same_name,
)
from visionbatch.deepomatic.photos import PhotoCheck
from visionbatch.deepomatic.rulebook import blocks, finding
from visionbatch.model.finding import Finding
from visionbatch.model.text import printable
from visionbatch.model.tree import HEAD_BYTES, Entry, Kind, Member, Tree, WorkOrder


def unreadable(path: str, error: OSError) -> Finding:
    """What is said of a place that the system will not let us read."""
    reason = printable(error.strerror or str(error), 200)
    return finding("unreadable", path, f"it cannot be read: {reason}")


def stranger(path: str, entry: Entry) -> Finding | None:
    """What is said of a link, pipe, socket or device, none of which is ever opened."""
    if entry.kind is Kind.LINK:
        return finding("link", path, "this is a symbolic link")
    if entry.kind is Kind.OTHER:
        return finding("special-file", path, "this is a pipe, a socket or a device")
    return None


class FolderCheck:
    """One folder under check."""

    def __init__(self, tree: Tree, name: str, settings: CheckSettings, litter: Litter) -> None:
        self._tree = tree
        self._name = name
        self._settings = settings
        self._litter = litter
        self._findings: list[Finding] = []
        self._documents: dict[str, Member] = {}
        self._photos: list[tuple[tuple[bool, int, str], Member]] = []
        self._names: dict[str, str] = {}
        self._numbers: dict[int, str] = {}
        self._photo_tried = False

    def run(self, found: Iterator[Finding]) -> Iterator[WorkOrder | Finding]:
        """All findings, and the work order if none of them blocks it.

        :param found: what is known against it already.
        """
        self._findings.extend(found)
        try:
            self._read_entries()
        except OSError as error:
            self._findings.append(unreadable(self._name, error))
        else:
            self._judge_whole()
        yield from self._findings
        if not any(map(blocks, self._findings)):
            yield WorkOrder(self._name, self._members())

    def _read_entries(self) -> None:
        count = 0
        for entry in self._tree.entries(self._name):
            path = f"{self._name}/{entry.name}"
            if self._litter.takes(entry.name, path):
                continue
            count += 1
            if count > self._settings.max_files:
                self._add("too-many-files", self._name, f"there are more than {count - 1} files")
                return
            self._photo_tried |= is_photo(entry.name)
            self._check_entry(path, entry)

    def _judge_whole(self) -> None:
        if not self._photo_tried:
            self._add("no-image", self._name, "there is no photo in this work order")
        for document in DOCUMENTS:
            # Any spelling of its name has had its say; a second finding would hide what to do.
            if document not in self._names:
                required = self._settings.required(document)
                self._findings.extend(missing_document(f"{self._name}/{document}", required))

    def _check_entry(self, path: str, entry: Entry) -> None:
        if (odd := stranger(path, entry)) is not None:
            self._findings.append(odd)
        elif entry.kind is Kind.FOLDER:
            self._add("nested-folder", path, "this is a folder inside a work order")
        elif self._is_sound(path, entry):
            try:
                self._check_file(path, entry)
            except OSError as error:
                self._findings.append(unreadable(path, error))

    def _is_sound(self, path: str, entry: Entry) -> bool:
        """Whether a file may be looked into: its name and place are all right."""
        found = list(name_findings(path, entry.name))
        if entry.defect is not None:
            found.append(defect_finding(path, entry.defect))
        key = same_name(entry.name)
        twin = self._names.setdefault(key, entry.name)
        if twin != entry.name:
            message = f"it differs from {twin!a} only in case or Unicode form"
            found.append(finding("name-twins", path, message))
        self._findings.extend(found)
        return not any(map(blocks, found))

    def _check_file(self, path: str, entry: Entry) -> None:
        if entry.name in DOCUMENTS:
            self._check_document(path, entry)
        elif is_photo(entry.name):
            self._check_photo(path, entry)
        elif is_archive(entry.name):
            self._add("nested-archive", path, "this is an archive inside a work order")
        elif entry.name.lower() in DOCUMENTS:
            self._add("document-name", path, f"it must be spelt {entry.name.lower()}")
        else:
            self._add("unsupported-file", path, "this is neither a photo nor a known document")

    def _check_document(self, path: str, entry: Entry) -> None:
        limit = self._settings.max_document_bytes
        if entry.size > limit:
            self._add("document-too-large", path, f"the document has {entry.size} bytes")
            return
        with self._tree.open(path) as stream:
            raw = read_up_to(stream, limit + 1)
        if len(raw) != entry.size:
            self._add("size-changed", path, f"listed with {entry.size} bytes, holds {len(raw)}")
            return
        required = self._settings.required(entry.name)
        self._findings.extend(document_findings(path, raw, required))
        self._documents[entry.name] = Member(path, entry.size, raw[:HEAD_BYTES])

    def _check_photo(self, path: str, entry: Entry) -> None:
        groups = self._settings.task_groups
        photo = parse_photo(entry.name, groups)
        self._findings.extend(photo_findings(path, photo, groups))
        self._check_number(path, entry.name, photo)
        check = PhotoCheck(self._tree, path, entry.size, self._settings)
        try:
            check.run()
        finally:
            self._findings.extend(check.findings)
        member = Member(path, entry.size, check.head)
        self._photos.append((photo.place(entry.name), member))

    def _check_number(self, path: str, name: str, photo: PhotoName) -> None:
        if photo.number is None:
            return
        first = self._numbers.setdefault(photo.number, name)
        if first != name:
            self._add("duplicate-index", path, f"{first!r} has the number {photo.number} too")

    def _members(self) -> tuple[Member, ...]:
        documents = [self._documents[name] for name in DOCUMENTS if name in self._documents]
        return (*documents, *(member for _, member in sorted(self._photos, key=lambda p: p[0])))

    def _add(self, rule: str, path: str, message: str) -> None:
        self._findings.append(finding(rule, path, message))
