"""Every rule of the check in one table, which the documentation prints and every finding quotes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from visionbatch.model.finding import Finding, Severity

_BATCH = "Using work order batch processing"
_FORMAT = "Work order batch processing, Format"
_NAMES = "Work order management"
_ANALYZE = "Analyze a work order"
_METADATA = "Configure metadata"
_RFC_8259 = "RFC 8259"
_OURS = "visionbatch"


@dataclass(frozen=True)
class Rule:
    """One thing that is checked.

    :param id: stable, in kebab-case; scripts may filter by it.
    :param severity: unless a finding says otherwise.
    :param description: what the rule asks for, in one sentence.
    :param hint: what to do when it is broken.
    :param source: title of the vendor's page or the standard that asks for it, or ``visionbatch``
        where no document speaks and this package decided.
    """

    id: str
    severity: Severity
    description: str
    hint: str
    source: str


def _error(id_: str, description: str, hint: str, source: str = _OURS) -> Rule:
    return Rule(id_, Severity.ERROR, description, hint, source)


def _warning(id_: str, description: str, hint: str, source: str = _OURS) -> Rule:
    return Rule(id_, Severity.WARNING, description, hint, source)


_SOURCE = (
    _error("empty-source", "The source exists and holds work orders.", "Check the path."),
    _error(
        "unreadable",
        "Every file and folder can be read.",
        "Check that it is still there, undamaged, and open to the user that runs this.",
    ),
    _error(
        "size-changed",
        "A file holds as many bytes as its folder says.",
        "Wait until it is written to its end, and store it without content encoding.",
    ),
    _error(
        "file-at-root",
        "The root holds nothing but one folder for each work order.",
        "Move the file into the folder of its work order, or remove it.",
        _BATCH,
    ),
    _error(
        "wrapping-folder",
        "Work orders lie at the root, not inside one more folder.",
        "Remove the top folder: give its content as the source.",
        _BATCH,
    ),
    _error(
        "nested-folder",
        "All files of a work order lie directly in its folder.",
        "Move the files up and remove the inner folder.",
        _BATCH,
    ),
    _error(
        "nested-archive",
        "No archive lies among the photos.",
        "Unpack it first, or give it alone as the source.",
        _BATCH,
    ),
    _error(
        "link",
        "Nothing is a symbolic link: what it leads to may lie outside of the source.",
        "Put a copy of the file in its place.",
    ),
    _error("special-file", "Nothing is a pipe, a socket or a device.", "Remove it."),
    _warning(
        "skipped-litter",
        "Files that operating systems leave behind are not part of a work order.",
        "Nothing to do; remove them to be rid of this warning.",
    ),
    _error(
        "too-many-files",
        "A work order has no more files than max_files.",
        "Check that this folder is one work order; if it is, raise max_files.",
    ),
)

_NAMING = (
    _error(
        "work-order-name",
        "A work order's name is 1 to 128 letters, digits, hyphens and underscores.",
        "Rename the folder.",
        _NAMES,
    ),
    _error(
        "duplicate-work-order",
        "Names of work orders differ by more than case and Unicode form.",
        "Rename one of them.",
        _BATCH,
    ),
    _error(
        "name-twins",
        "Names in one folder differ by more than case and Unicode form.",
        "Rename one of them: many file systems would keep only one.",
    ),
    _error("name-not-utf8", "Names can be written as UTF-8.", "Rename the file."),
    _error(
        "name-unsafe",
        "Names hold no path separator and no control character.",
        "Rename the file.",
    ),
    _error(
        "name-direction",
        "Names hold no characters that turn the direction of reading.",
        "Rename the file: it is not what it looks like.",
    ),
    _error("name-too-long", "Names have no more than 255 bytes in UTF-8.", "Shorten the name."),
    _warning(
        "name-not-portable",
        "Names are possible on every operating system.",
        "Rename it if the archive is also unpacked on Windows.",
    ),
    _error(
        "unsupported-file",
        "A work order holds JPEG and PNG photos, metadata.json and parameters.json.",
        "Convert the file to JPEG or PNG, or remove it.",
        _FORMAT,
    ),
    _error(
        "document-name",
        "metadata.json and parameters.json are spelt in lower case.",
        "Rename the file.",
        _BATCH,
    ),
    _error(
        "photo-name",
        "A photo's name begins with its task group.",
        "Name it <task group>-<number>.jpg.",
        _BATCH,
    ),
    _warning(
        "photo-suffix",
        "What follows the last hyphen of a photo's name is its number, if it looks like one.",
        "Name it <task group>-<number>.jpg; a number has digits only.",
        _BATCH,
    ),
    _error(
        "unknown-task-group",
        "A photo's task group is one of those of the application version.",
        "Compare with the list on the page of your application version.",
        _BATCH,
    ),
    _warning(
        "duplicate-index",
        "The numbers of the photos of one work order differ: they set the processing order.",
        "Number them anew; as they are, equal numbers are ordered by name.",
        _BATCH,
    ),
    _error(
        "no-image",
        "A work order has at least one photo.",
        "Add its photos, or leave the work order out.",
        _BATCH,
    ),
)

_DOCUMENTS = (
    _error("document-too-large", "A document is not larger than max_document_bytes.", "Shorten it."),
    _error("document-bom", "A document begins without a byte order mark.", "Save it without.", _RFC_8259),
    _error("document-not-utf8", "A document is UTF-8.", "Save it as UTF-8.", _RFC_8259),
    _error(
        "document-not-json",
        "A document is JSON.",
        "Correct it; if there is nothing to say, leave the file out.",
        _BATCH,
    ),
    _error("document-not-object", "A document is a JSON object.", "Put it into braces.", _BATCH),
    _error("document-too-deep", "Values are nested at most 32 deep.", "Flatten it."),
    _error("document-not-finite", "Numbers are finite.", "Leave the value out.", _RFC_8259),
    _error(
        "document-huge-number",
        "Whole numbers fit into 64 bits.",
        "Write it as text, in quotes.",
        _RFC_8259,
    ),
    _error(
        "document-duplicate-key",
        "Each name appears once in its object.",
        "Remove all but one: readers differ in which one counts.",
        _RFC_8259,
    ),
    _error(
        "document-lone-surrogate",
        "Text consists of whole characters.",
        "Correct the \\u escapes: half of a pair cannot be stored.",
        _RFC_8259,
    ),
    _error("required-missing", "Everything that the application requires is there.", "Add it.", _BATCH),
    _error("required-type", "Required values have the type that is configured.", "Correct it.", _METADATA),
)

_IMAGES = (
    _error("image-empty", "A photo is not an empty file.", "Copy it again."),
    _error("image-format", "A photo is JPEG or PNG inside as well.", "Convert it.", _FORMAT),
    _warning("image-extension", "A photo's extension says what it is.", "Rename it.", _FORMAT),
    _error("image-header", "A photo's header can be read.", "Copy or take it again."),
    _error(
        "image-pixels",
        "A photo has no more pixels than max_pixels.",
        "Check it: a small file that claims a vast picture is how decoders are attacked.",
    ),
    _warning("image-truncated", "A photo is complete to its end.", "Copy it again and look at it."),
    _warning(
        "image-large",
        "A photo is not larger than max_image_bytes.",
        "Scale it down if the service reports an error for it.",
        _ANALYZE,
    ),
    _error("image-damaged", "A photo can be decoded (deep check only).", "Copy or take it again."),
)

_ARCHIVES = (
    _error("not-a-zip", "A ready-made archive is a zip file.", "Pack the work orders again."),
    _error(
        "archive-path",
        "Members of an archive have plain relative paths.",
        "Pack again from within the folder that holds the work orders.",
    ),
    _error("archive-encrypted", "Members are not encrypted.", "Pack again without a password."),
    _error("archive-compression", "Members are stored or deflated.", "Pack again with deflate."),
    _error(
        "archive-expansion",
        "Members do not swell beyond reason when unpacked.",
        "Check where the archive comes from; photos hardly compress.",
    ),
    _error("archive-duplicate", "Each path appears once in an archive.", "Pack it again."),
    _warning(
        "archive-name-encoding",
        "Names outside of ASCII are marked as UTF-8.",
        "Pack again with a tool that marks them, or use plain ASCII names.",
    ),
)

RULES: Mapping[str, Rule] = MappingProxyType(
    {rule.id: rule for rule in (*_SOURCE, *_NAMING, *_DOCUMENTS, *_IMAGES, *_ARCHIVES)}
)
"""All rules by id, in the order in which the documentation prints them."""


def finding(rule_id: str, path: str, message: str, severity: Severity | None = None) -> Finding:
    """What the rule says about a path.

    :param severity: where a setting makes the rule stricter than the table.
    """
    rule = RULES[rule_id]
    return Finding(rule_id, severity or rule.severity, path, message, rule.hint)


def blocks(found: Finding) -> bool:
    """Whether the work order it is about cannot be sent."""
    return found.severity is Severity.ERROR
