"""Thumbnails are small, few and safe, whatever lies in the folder."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from visionbatch.errors import InputMissing
from visionbatch.report.figures import Shot
from visionbatch.report.thumbnails import MAX_FILE_BYTES, Thumbnail, thumbnails


def shot(input_id: str = "photo", extension: str = ".jpg") -> Shot:
    return Shot("WO_1", "cabinet", input_id, extension, None, (("door", "true", "false"),))


def jpeg(width: int = 800, height: int = 600, **options: object) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((width, height), 60).convert("RGB").save(out, "JPEG", **options)
    return out.getvalue()


def huge_png(side: int) -> bytes:
    """A PNG of a few bytes that claims a great picture."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b""))
    parts = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def one(folder: Path, of: Shot | None = None) -> Thumbnail:
    (thumbnail,) = thumbnails(folder, [of or shot()])
    return thumbnail


def opened(thumbnail: Thumbnail) -> Image.Image:
    kind, _, content = thumbnail.source.partition(",")
    assert kind == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_a_photo_becomes_a_small_jpeg_of_its_shape(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg(1600, 900))
    found = one(tmp_path)
    with opened(found) as image:
        assert image.size == (found.width, found.height) == (320, 180)
    assert len(found.source) < 40_000


def test_a_photo_is_turned_upright_and_keeps_no_metadata(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "maker of the camera"
    (tmp_path / "photo.jpg").write_bytes(jpeg(800, 600, exif=exif))
    with opened(one(tmp_path)) as image:
        assert image.height > image.width
        assert not image.getexif()


def test_a_photo_with_transparency_is_shown(tmp_path: Path) -> None:
    Image.new("RGBA", (10, 10), (1, 2, 3, 4)).save(tmp_path / "photo.png")
    assert one(tmp_path, shot(extension=".png")).source


def test_what_is_not_there_is_absent(tmp_path: Path) -> None:
    assert one(tmp_path).absent == "not among the images"


@pytest.mark.parametrize("content", [b"", b"no picture", jpeg()[:40], b"<svg onload='x'/>"])
def test_what_is_no_picture_is_not_shown(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(content)
    assert one(tmp_path).absent == "cannot be shown"


@pytest.mark.parametrize("side", [9_000, 60_000])
def test_a_decompression_bomb_is_refused_unopened(side: int, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(huge_png(side))
    assert one(tmp_path).absent == "cannot be shown"


def test_a_file_larger_than_any_photo_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "photo.jpg").open("wb") as stream:
        stream.truncate(MAX_FILE_BYTES + 1)
    assert one(tmp_path).absent == "not among the images"


@pytest.mark.parametrize("input_id", ["../outside", "/etc/hostname", "a/b", "..", "", "x\0y", "x" * 300])
def test_an_id_that_is_a_path_leads_nowhere(input_id: str, tmp_path: Path) -> None:
    inside = tmp_path / "images"
    (inside / "a").mkdir(parents=True)
    (inside / "a" / "b").write_bytes(jpeg(20, 20))
    (tmp_path / "outside").write_bytes(jpeg(20, 20))
    assert one(inside, shot(input_id, "")).absent == "not among the images"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(jpeg(20, 20))
    (tmp_path / "photo.jpg").symlink_to(tmp_path / "secret.jpg")
    assert one(tmp_path).absent == "not among the images"


def test_a_folder_under_a_photos_name_is_absent(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").mkdir()
    assert one(tmp_path).absent == "not among the images"


def test_all_together_stay_below_a_number_of_bytes(tmp_path: Path) -> None:
    shots = [shot(str(number)) for number in range(5)]
    for each in shots:
        (tmp_path / f"{each.input_id}.jpg").write_bytes(jpeg())
    room = 2 * max(len(each.source) for each in thumbnails(tmp_path, shots)) + 100
    made = thumbnails(tmp_path, shots, max_bytes=room)
    assert sum(bool(each.source) for each in made) == 2
    assert {each.absent for each in made[2:]} == {"left out to keep the page small"}


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputMissing, match="nowhere"):
        thumbnails(tmp_path / "nowhere", [])
