"""The deep check: decode a photo wholly, as the service will."""

from __future__ import annotations

import warnings
from typing import BinaryIO

from visionbatch.errors import ConfigError


def require_decoder() -> None:
    """Fail before the first file is read rather than at the first photo.

    :raises ConfigError: when Pillow is not installed.
    """
    try:
        import PIL.Image  # noqa: F401, PLC0415  # optional: only the deep check needs a decoder
    except ImportError as error:
        raise ConfigError(
            "the deep check decodes photos and needs the package pillow, which is not installed"
        ) from error


def why_undecodable(photo: BinaryIO) -> str:
    """The decoder's complaint, or nothing when it is content.

    :param photo: its size in pixels must have been checked before; a decoder allocates what it claims.
    :raises OSError: never for what the photo holds; a failing disk looks like a damaged photo.
    """
    from PIL import Image  # noqa: PLC0415  # optional: only the deep check needs a decoder

    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures and odd metadata, both of which are none of our errors.
            warnings.simplefilter("ignore")
            with Image.open(photo, formats=("JPEG", "PNG")) as image:
                image.load()
    except Exception as error:  # noqa: BLE001  # hostile pictures make decoders raise anything
        return str(error) or type(error).__name__
    return ""
