"""Sample work orders with real JPEG photographs, drawn so that nobody's street cabinet has to be shipped."""

from __future__ import annotations

import json
import random
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

TASK_GROUPS = ("cabinet-closed", "cabinet-open", "meter")
_WALLS = ((186, 178, 160), (150, 160, 150), (170, 150, 140))


def make_work_orders(folder: Path, count: int = 6, *, seed: int = 7) -> list[str]:
    """Fill a folder with work orders and give their names; the same seed draws the same photos."""
    chance = random.Random(seed)
    names = [f"WO_{123456 + 111 * number}" for number in range(count)]
    for name in names:
        order = folder / name
        order.mkdir(parents=True)
        (order / "metadata.json").write_text(json.dumps({"region": chance.choice(["North", "South"]), "floor": 1}))
        for number, group in enumerate(TASK_GROUPS):
            picture = _cabinet(chance, name, is_open=group != "cabinet-closed")
            picture.save(order / f"{group}-{number}.jpg", quality=88)
    return names


def _cabinet(chance: random.Random, name: str, *, is_open: bool) -> Image.Image:
    """A grey cabinet on a wall, with grain, as a phone would see it."""
    size = (960, 720)
    picture = Image.new("RGB", size, chance.choice(_WALLS))
    draw = ImageDraw.Draw(picture)
    for row in range(0, size[1], 48):
        draw.line((0, row, size[0], row + chance.randint(-3, 3)), fill=(120, 115, 105), width=2)
    left, top = chance.randint(180, 260), chance.randint(60, 110)
    body = (left, top, left + 460, top + 560)
    draw.rectangle(body, fill=(205, 208, 210), outline=(90, 92, 95), width=8)
    if is_open:
        draw.rectangle((left + 24, top + 24, left + 436, top + 536), fill=(52, 56, 60))
        for row in range(5):
            for column in range(8):
                x, y = left + 50 + column * 48, top + 60 + row * 92
                lit = (70, 200, 90) if chance.random() > 0.2 else (210, 70, 60)
                draw.rectangle((x, y, x + 34, y + 60), fill=(25, 27, 30), outline=(110, 112, 115))
                draw.ellipse((x + 12, y + 8, x + 22, y + 18), fill=lit)
    else:
        draw.ellipse((left + 400, top + 270, left + 424, top + 294), fill=(40, 40, 42))
    draw.rectangle((left + 150, top - 40, left + 330, top - 6), fill=(240, 235, 120), outline=(60, 60, 60))
    draw.text((left + 170, top - 32), name, fill=(20, 20, 20), font_size=20)
    grain = Image.effect_noise(size, 22).convert("RGB")
    return Image.blend(picture, grain, 0.14).filter(ImageFilter.GaussianBlur(0.6))
