"""Making text from outside safe to print."""

from __future__ import annotations

import re

TEXT_SHOWN = 300
"""Characters of a foreign text that go into a message: enough to recognise a gateway's page."""


def printable(text: str, limit: int | None = None) -> str:
    """Text with control characters, direction overrides and lone surrogates escaped.

    A file name or a server's answer may hold a newline, an ANSI sequence or a right-to-left override; in
    a log line each of them would lie about what happened.

    :param limit: cut to this many characters, with an ellipsis.
    """
    if limit is not None and len(text) > limit:
        text = text[:limit] + "…"
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


_ADDRESS = re.compile(
    r"""(https?(?::|%(?:25)*3A)(?:\\?/|%(?:25)*2F){2})(?:[^\s/\\?#"'<>@%]*@)?([^\s/\\?#"'<>@%]*)[^\s"'<>]*""",
    re.IGNORECASE,
)


def excerpt(body: bytes) -> str:
    """The beginning of a foreign body, safe to print on one line.

    Of an address only the host is left: in an answer that was cut or garbled it may be an upload session's, which is a
    credential.
    """
    text = _ADDRESS.sub(r"\1\2/…", body[: TEXT_SHOWN * 4].decode("utf-8", "replace"))
    return printable(" ".join(text.split()), TEXT_SHOWN)
