"""The forms of `Content-Range` in requests, by Google's resumable upload documentation.

```
bytes a-b/total   bytes a-b/*      a chunk, the total known or not
bytes a-*/total   bytes a-*/*      open-ended: up to the end of the body
bytes */total     bytes */*        no data: a probe, or the end of a stream
```
"""

import re
from dataclasses import dataclass

_FORM = re.compile(r"bytes (?:(?P<first>\d+)-(?P<last>\d+|\*)|(?P<none>\*))/(?P<total>\d+|\*)", re.ASCII)


class MalformedRange(ValueError):
    """A `Content-Range` that has none of the forms."""


@dataclass(frozen=True, slots=True)
class ContentRange:
    """A parsed header: `first` is None without data, `last` when open-ended, `total` when `*`."""

    first: int | None
    last: int | None
    total: int | None

    @property
    def carries_data(self) -> bool:
        """Whether a body belongs to it."""
        return self.first is not None


def parse_content_range(text: str) -> ContentRange:
    """The range that `text` writes; raises `MalformedRange`."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise MalformedRange(f"Content-Range {text!r} has no valid form")
    total = _number(match["total"])
    if match["none"]:
        return ContentRange(None, None, total)
    first, last = int(match["first"]), _number(match["last"])
    if last is not None and last < first:
        raise MalformedRange(f"Content-Range {text!r} ends before it begins")
    return ContentRange(first, last, total)


def _number(text: str) -> int | None:
    return None if text == "*" else int(text)
