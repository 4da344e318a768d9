"""A run or a check as JUnit XML, which build servers show as a table of what passed and what did not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from visionbatch.errors import VisionBatchError
from visionbatch.model.text import printable


@dataclass(frozen=True)
class Case:
    """One line of the table.

    :param failure: why it did not pass; empty when it did.
    """

    name: str
    failure: str = ""


@contextmanager
def reported(path: Path | None, suite: str, name: str) -> Iterator[None]:
    """Write what is done here as a suite of one line, on every way out of it.

    :param path: ``None`` writes nothing.
    """
    failure = ""
    try:
        yield
    except VisionBatchError as error:
        failure = str(error)
        raise
    finally:
        if path is not None:
            write_junit(path, suite, [Case(name, failure)])


def write_junit(path: Path, suite: str, cases: Sequence[Case]) -> None:
    """Write one suite.

    :param suite: its name, such as ``visionbatch deepomatic run``.
    """
    failures = sum(bool(case.failure) for case in cases)
    root = ET.Element("testsuite", name=suite, tests=str(len(cases)), failures=str(failures), errors="0")
    for case in cases:
        element = ET.SubElement(root, "testcase", classname=suite, name=printable(case.name))
        if case.failure:
            text = printable(case.failure)
            ET.SubElement(element, "failure", message=text).text = text
    path.write_bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))
