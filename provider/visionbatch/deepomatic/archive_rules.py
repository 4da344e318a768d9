"""Rules for archives made by somebody else."""

from __future__ import annotations

from collections.abc import Mapping

from visionbatch.deepomatic.rulebook import finding
from visionbatch.model.finding import Finding
from visionbatch.model.tree import Defect, Trouble

_RULE_OF: Mapping[Trouble, str] = {
    Trouble.NOT_AN_ARCHIVE: "not-a-zip",
    Trouble.PATH: "archive-path",
    Trouble.ENCRYPTED: "archive-encrypted",
    Trouble.COMPRESSION: "archive-compression",
    Trouble.EXPANSION: "archive-expansion",
    Trouble.DUPLICATE: "archive-duplicate",
    Trouble.NAME_ENCODING: "archive-name-encoding",
}


def defect_finding(path: str, defect: Defect) -> Finding:
    """What the rules say to a defect that the archive itself reported.

    The container is a working rule: Deepomatic's page on work order batch processing says only "archive".
    """
    return finding(_RULE_OF[defect.trouble], path, defect.detail)
