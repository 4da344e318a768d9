"""Whether bytes are a photo that can be analysed."""

import io
import zlib
from dataclasses import dataclass


class UnreadableImage(ValueError):
    """Bytes that do not open as an image of a wanted kind."""


@dataclass(frozen=True, slots=True)
class Photo:
    """What the mock's analysis knows of a photo; `checksum` is the CRC-32 of its bytes."""

    width: int
    height: int
    checksum: int

    @property
    def verdict(self) -> bool:
        """A stand-in for a model's answer: the same for the same bytes, and not always yes."""
        return self.checksum % 4 != 0


def inspect(content: bytes, formats: tuple[str, ...] = ("JPEG", "PNG")) -> Photo:
    """Open and verify a photo held in memory, of one of Pillow's `formats`; raises `UnreadableImage`.

    An image that unpacks to more pixels than Pillow finds decent counts as unreadable.
    """
    # Loaded with the first photo: a mock that starts has none to look at.
    from PIL import Image  # noqa: PLC0415 - the line above argues it

    try:
        with Image.open(io.BytesIO(content), formats=formats) as image:
            width, height = image.size
            image.verify()
    # Pillow raises SyntaxError and struct-level ValueErrors from its decoders for damaged files.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Warning) as cause:
        raise UnreadableImage(str(cause)) from cause
    return Photo(width, height, zlib.crc32(content))
