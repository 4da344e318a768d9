from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from support.memory import traced
from visionbatch.io.local_tree import LocalTree
from visionbatch.roboflow.media import Collection, Media, survey

JPEG = b"\xff\xd8\xff\xd9"


def surveyed(place: Path, paths: Iterable[str]) -> Collection:
    for path in paths:
        (place / path).parent.mkdir(exist_ok=True)
        (place / path).write_bytes(JPEG)
    with LocalTree(place) as tree:
        return survey(tree, Media.IMAGES)


def test_a_survey_keeps_little_of_each_image(tmp_path: Path) -> None:
    paths = [f"2026-01-01_line_{number % 5}/frame_{number:08}.jpg" for number in range(1000)]
    surveyed(tmp_path, paths)
    with LocalTree(tmp_path) as tree, traced() as held:
        found = survey(tree, Media.IMAGES)
        # Path, where that ends, size, and the mark of its head; with room to grow, and what does not grow.
        assert held() < 1000 * (len(paths[0]) + 8 + 8 + 16) * 1.3 + 10_000
    assert len(found) == found.renamed == 1000


def test_names_that_several_images_share_get_a_prefix_and_the_others_keep_theirs(tmp_path: Path) -> None:
    found = surveyed(tmp_path, ["a/door.jpg", "b/Door.jpg", "b/wall.jpg", "roof.jpg"])
    names = [found.name(index) for index in range(len(found))]
    assert [name.rpartition("-")[2] for name in names] == ["door.jpg", "Door.jpg", "wall.jpg", "roof.jpg"]
    assert ["-" in name for name in names] == [True, True, False, False]
    assert dict(found.origins()) == dict(zip(names[:3], ["a/door.jpg", "b/Door.jpg", "b/wall.jpg"], strict=True))
