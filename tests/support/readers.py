"""Programs and libraries that read archives, each asked in two ways: to unpack, and to give all contents in order."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
from stream_unzip import stream_unzip

BLOCK = 1 << 20
PATIENCE_S = 500.0


@dataclass(frozen=True)
class Reader:
    """One reader.

    :param unpack: writes the members of an archive below a folder.
    :param contents: all members' bytes one after the other.
    """

    unpack: Callable[[Path, Path], None]
    contents: Callable[[Path], Iterator[bytes]]


def program(name: str, package: str) -> str:
    """Where a program is; without it a build fails, and a test on somebody's own machine is skipped."""
    found = shutil.which(name)
    if found is None:
        advice = f"{name} is not installed: make debian-packages, or install {package}"
        if "CI" in os.environ:
            pytest.fail(advice)
        pytest.skip(advice)
    return found


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C.UTF-8"}


def _run(command: list[str], stdin: Path) -> None:
    with stdin.open("rb") as given:
        done = subprocess.run(
            command, stdin=given, capture_output=True, timeout=PATIENCE_S, check=False, env=_environment()
        )
    said = (done.stdout + done.stderr)[-1000:]
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {said!r}"
    assert not done.stderr, f"{command} complained: {said!r}"


def _piped(command: list[str], stdin: Path) -> Iterator[bytes]:
    with (
        stdin.open("rb") as given,
        subprocess.Popen(command, stdin=given, stdout=subprocess.PIPE, env=_environment()) as child,
    ):
        assert child.stdout is not None
        while block := child.stdout.read(BLOCK):
            yield block
    assert child.returncode == 0, f"{command} ended with {child.returncode}"


def _programs(name: str, package: str, unpack: list[str], contents: list[str]) -> Reader:
    """A reader that is a program, with its arguments: ARCHIVE and TARGET in them stand for the archive and the folder.

    It always has the archive as its standard input too.
    """

    def filled(words: list[str], archive: Path, target: Path = Path("nowhere")) -> list[str]:
        return [
            program(name, package),
            *(word.replace("ARCHIVE", str(archive)).replace("TARGET", str(target)) for word in words),
        ]

    return Reader(
        lambda archive, target: _run(filled(unpack, archive, target), archive),
        lambda archive: _piped(filled(contents, archive), archive),
    )


def _read(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        yield block


def _zipfile_contents(archive: Path) -> Iterator[bytes]:
    with zipfile.ZipFile(archive) as found:
        for member in found.infolist():
            with found.open(member) as file:
                yield from _read(file)


def _zipfile_unpack(archive: Path, target: Path) -> None:
    with zipfile.ZipFile(archive) as found:
        found.extractall(target)


def _stream(archive: Path) -> Iterator[tuple[bytes, Iterator[bytes]]]:
    with archive.open("rb") as file:
        for name, _, chunks in stream_unzip(_read(file), chunk_size=BLOCK):
            yield name, chunks


def _stream_unpack(archive: Path, target: Path) -> None:
    for name, chunks in _stream(archive):
        place = target / name.decode()
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"".join(chunks))


def _stream_contents(archive: Path) -> Iterator[bytes]:
    for _, chunks in _stream(archive):
        yield from chunks


def _tarfile_unpack(mode: str) -> Callable[[Path, Path], None]:
    def unpack(archive: Path, target: Path) -> None:
        with archive.open("rb") as file, tarfile.open(fileobj=file, mode=mode) as found:  # type: ignore[call-overload]  # a mode in a variable
            found.extractall(target, filter="data")

    return unpack


def _tarfile_contents(mode: str) -> Callable[[Path], Iterator[bytes]]:
    def contents(archive: Path) -> Iterator[bytes]:
        with archive.open("rb") as file, tarfile.open(fileobj=file, mode=mode) as found:  # type: ignore[call-overload]  # a mode in a variable
            for member in found:
                if inner := found.extractfile(member):
                    yield from _read(inner)

    return contents


_SEVEN_ZIP = _programs("7zz", "7zip", ["x", "-bd", "-bso0", "-oTARGET", "ARCHIVE"], ["x", "-bd", "-so", "ARCHIVE"])
_LIBARCHIVE = _programs("bsdtar", "libarchive-tools", ["-xf", "ARCHIVE", "-C", "TARGET"], ["-xOf", "ARCHIVE"])
_LIBARCHIVE_STREAMING = _programs("bsdtar", "libarchive-tools", ["-xf", "-", "-C", "TARGET"], ["-xOf", "-"])

ZIP_READERS = {
    "zipfile": Reader(_zipfile_unpack, _zipfile_contents),
    "Info-ZIP": _programs("unzip", "unzip", ["-q", "ARCHIVE", "-d", "TARGET"], ["-p", "ARCHIVE"]),
    "7-Zip": _SEVEN_ZIP,
    "libarchive": _LIBARCHIVE,
    "libarchive, streaming": _LIBARCHIVE_STREAMING,
    "stream-unzip": Reader(_stream_unpack, _stream_contents),
}

TAR_READERS = {
    "tarfile": Reader(_tarfile_unpack("r:"), _tarfile_contents("r:")),
    "tarfile, streaming": Reader(_tarfile_unpack("r|"), _tarfile_contents("r|")),
    "GNU tar": _programs("tar", "tar", ["-xf", "ARCHIVE", "-C", "TARGET"], ["-xOf", "ARCHIVE"]),
    "GNU tar, streaming": _programs("tar", "tar", ["-xf", "-", "-C", "TARGET"], ["-xOf", "-"]),
    "7-Zip": _SEVEN_ZIP,
    "libarchive": _LIBARCHIVE,
    "libarchive, streaming": _LIBARCHIVE_STREAMING,
}

READERS = {"zip": ZIP_READERS, "tar": TAR_READERS}
