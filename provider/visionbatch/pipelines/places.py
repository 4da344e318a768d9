"""Where fetched files are put when somebody else has named them: below one folder, none over another."""

from __future__ import annotations

from pathlib import PurePosixPath

from visionbatch.model.safe_names import tame_name

ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")
"""Ends of names, in any case, by which an archive is told."""


def archive_suffix(name: str) -> str:
    """The end of an archive's name; empty for any other file."""
    return next((name[-len(suffix) :] for suffix in ARCHIVES if name.lower().endswith(suffix)), "")


class Places:
    """Gives each file a path of its own; an archive's folder beside it, named without its ending, is its own too.

    :param reserved: paths that are not given out.
    """

    def __init__(self, *reserved: str) -> None:
        self._taken: set[str] = set()
        self._folders: set[str] = set()
        for path in reserved:
            self.take(path)

    def place(self, folder: str, name: str) -> str:
        """A path for a file from outside: its name made harmless, with a number when that is taken.

        :param folder: harmless itself.
        """
        tamed = tame_name(name, "unnamed")
        suffix = archive_suffix(tamed) or PurePosixPath(tamed).suffix
        stem = tamed[: len(tamed) - len(suffix)] or "unnamed"
        path, number = f"{folder}/{stem}{suffix}", 1
        while not self._free(path):
            number += 1
            path = f"{folder}/{stem}-{number}{suffix}"
        self.take(path)
        return path

    def take(self, path: str) -> None:
        """Give out a path that is known from before."""
        for one in {path, unpacked_path(path)}:
            self._taken.add(one)
            self._folders.update(_above(one))

    def _free(self, path: str) -> bool:
        both = (path, unpacked_path(path))
        return not any(
            one in self._taken or one in self._folders or any(up in self._taken for up in _above(one)) for one in both
        )


def unpacked_path(path: str) -> str:
    """The folder of an archive; the same path for any other file."""
    suffix = archive_suffix(path)
    return path[: len(path) - len(suffix)] if suffix else path


def _above(path: str) -> list[str]:
    return [str(up) for up in PurePosixPath(path).parents if str(up) != "."]
