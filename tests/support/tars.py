"""Tars made member by member, honest ones and others."""

from __future__ import annotations

import gzip
import io
import tarfile

END = bytes(1024)


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, form: int = tarfile.PAX_FORMAT, **more):
    """The bytes of one member, header and padding included.

    :param more: further fields of its header, such as ``linkname`` or a ``size`` that is not true.
    """
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(content)
    for field, value in more.items():
        setattr(info, field, value)
    return info.tobuf(form, "utf-8", "surrogateescape") + content + bytes(-len(content) % 512)


def tar(*members: bytes, end: bytes = END) -> bytes:
    """An archive of such members."""
    return b"".join(members) + end


def of_files(files: dict[str, bytes], mode: str = "w") -> bytes:
    """An honest archive, made by `tarfile`."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode=mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def packed(content: bytes) -> bytes:
    """The same as gzip."""
    return gzip.compress(content, mtime=0)
