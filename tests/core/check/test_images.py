from __future__ import annotations

import io
import struct
import sys
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.check.builders import JPEG, PNG, MemoryTree, accepted, check_files, photo_rules, picture
from visionbatch.deepomatic.images import HEADER_BYTES, ImageFormat, read_header
from visionbatch.deepomatic.rules import CheckSettings, survey
from visionbatch.errors import ConfigError

BIG_JPEG, BIG_PNG = picture("JPEG", 400, 300), picture("PNG", 400, 300)


def png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


def jpeg_size_after(padding: int) -> bytes:
    """A JPEG whose size comes after that many bytes of application segments."""
    segments = b"".join(
        b"\xff\xe1" + struct.pack(">H", min(65535, padding - at)) + b"\0" * (min(65535, padding - at) - 2)
        for at in range(0, padding, 65537)
    )
    return JPEG[:2] + segments + JPEG[2:]


BROKEN = {
    b"": ["image-empty"],
    BIG_JPEG[:-20]: ["image-truncated"],
    BIG_PNG[: len(BIG_PNG) // 2]: ["image-extension", "image-truncated"],
    JPEG[:60]: ["image-header"],
    JPEG[:2] + b"\xff" * 100: ["image-header"],
    b"\xff\xd8\xff\xd9": ["image-header"],
    b"\xff\xd8\xff\xe0\0\0" + b"x" * 50: ["image-header"],
    PNG[:20]: ["image-header"],
    PNG[:20] + b"\xff" + PNG[21:]: ["image-header"],
    png_header(0, 5): ["image-header"],
    PNG: ["image-extension"],
    b"GIF89a" + bytes(50): ["image-format"],
    b"\0\0\0\x18ftypheic" + bytes(50): ["image-format"],
    b"<html>not found</html>": ["image-format"],
    png_header(60_000, 60_000) + PNG[33:]: ["image-extension", "image-pixels"],
}


@pytest.mark.fault("AR10")
def test_every_broken_picture_is_found_by_its_header_and_decoded_only_on_demand():
    for content, rules in BROKEN.items():
        assert photo_rules(content) == rules, content[:30]
    at = len(BIG_PNG) // 2
    spoilt = BIG_PNG[:at] + bytes(50) + BIG_PNG[at + 50 :]
    assert photo_rules(spoilt, "a.png") == []
    assert photo_rules(spoilt, "a.png", deep=True) == ["image-damaged"]
    assert photo_rules(BIG_JPEG[:-20], deep=True) == ["image-truncated", "image-damaged"]


@pytest.mark.parametrize(("content", "name"), [(JPEG, "a.JPG"), (JPEG, "a.jpeg"), (PNG, "a.Png"), (BIG_JPEG, "a.jpg")])
def test_a_sound_picture_passes_shallow_and_deep(content, name):
    assert photo_rules(content, name) == photo_rules(content, name, deep=True) == []


@pytest.mark.parametrize("options", [{"progressive": True}, {"optimize": True}, {"comment": b"x" * 60_000}])
def test_the_size_is_what_a_decoder_says(options):
    body = io.BytesIO()
    Image.effect_noise((123, 45), 50).save(body, "JPEG", **options)
    header = read_header(ImageFormat.JPEG, b"", io.BytesIO(body.getvalue()))
    assert (header.width, header.height) == (123, 45)


def test_a_jpeg_with_megabytes_of_metadata_before_its_size_passes():
    assert photo_rules(jpeg_size_after(4_000_000), max_image_bytes=10**9) == []


def test_the_search_for_the_size_stops_at_its_limit():
    assert photo_rules(jpeg_size_after(HEADER_BYTES + 1000), max_image_bytes=10**9) == ["image-header"]


@pytest.mark.parametrize("filling", [b"\xff", b"\xff\xe0\0\x02", b"\xff\xd0"])
def test_a_jpeg_of_nothing_but_filling_costs_no_time(filling):
    begun = time.process_time()
    content = b"\xff\xd8" + filling * (10_000_000 // len(filling))
    assert photo_rules(content, max_image_bytes=10**9) == ["image-header"]
    assert time.process_time() - begun < 1


def test_the_end_mark_of_a_thumbnail_does_not_count_as_the_photo_s():
    thumbnail = b"\xff\xe1" + struct.pack(">H", len(JPEG) + 2) + JPEG
    whole = BIG_JPEG[:2] + thumbnail + BIG_JPEG[2:]
    assert photo_rules(whole) == []
    assert photo_rules(whole[: len(JPEG) + 2000]) == ["image-truncated"]


def test_padding_after_the_end_mark_is_fine():
    assert photo_rules(BIG_JPEG + bytes(2000)) == []


def test_a_large_photo_is_a_warning_only():
    results = check_files({"WO_1/door-0.jpg": JPEG}, max_image_bytes=len(JPEG) - 1)
    assert [item.rule for item in results[:-1]] == ["image-large"]
    assert accepted(results) == ["WO_1"]


def test_a_deep_check_without_a_decoder_fails_before_anything_is_read(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ConfigError, match="pillow"):
        survey(MemoryTree({}), CheckSettings(deep=True))


@given(st.sampled_from([JPEG, PNG, BIG_JPEG]), st.data())
def test_no_damage_makes_the_check_fail(content, data):
    damaged = bytearray(content[: data.draw(st.integers(0, len(content)))])
    for at in data.draw(st.lists(st.integers(0, 700), max_size=5)):
        if at < len(damaged):
            damaged[at] = data.draw(st.integers(0, 255))
    # Only what the header lets through is decoded, and it must not claim much here.
    photo_rules(bytes(damaged), deep=True, max_pixels=1_000_000)
