"""One image as a browser's form sends it: the only body of Roboflow's that is not JSON."""

from __future__ import annotations

from hashlib import blake2b
from mimetypes import guess_type

from visionbatch.flow.effects import Body

_IN_QUOTES = {ord('"'): "%22", ord("\r"): "%0D", ord("\n"): "%0A"}
"""What would end a name in quotes, as the HTML standard wants it written ("multipart/form-data encoding algorithm")."""


def image_form(name: str, content: bytes) -> Body:
    """``multipart/form-data`` with one file in it, in the field ``file``."""
    # What separates the parts must not stand in one, and nobody can write the hash of a text into it.
    boundary = blake2b(content, digest_size=16).hexdigest()
    kind = guess_type(name)[0] or "application/octet-stream"
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="file"; filename="{name.translate(_IN_QUOTES)}"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    )
    tail = f"\r\n--{boundary}--\r\n"
    return Body(head.encode() + content + tail.encode(), f"multipart/form-data; boundary={boundary}")
