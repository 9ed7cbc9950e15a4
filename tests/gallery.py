"""Pictures that hurt nobody, for tests of images in rounds: a landscape of plain shapes, made at test time."""

from __future__ import annotations

from PIL import Image, ImageDraw

from tests.scoring.pictures import encoded


def landscape(number: int, size: tuple[int, int] = (480, 300)) -> bytes:
    """A PNG of a sky, a hill, a house and ``number`` + 1 suns; no two of the first four are near-duplicates."""
    width, height = size
    image = Image.new("RGB", size, (150, 200, 235))
    draw = ImageDraw.Draw(image)
    draw.ellipse((-width // 4, height // 2, width, height * 2), fill=(90, 150, 80))
    draw.rectangle((width * 3 // 5, height // 2, width * 4 // 5, height * 4 // 5), fill=(190, 90, 70))
    for sun in range(number + 1):
        left = 30 + 90 * sun
        draw.ellipse((left, 30, left + 60, 90), fill=(245, 200, 60))
    turns = (None, Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.ROTATE_180)
    turn = turns[number % 4]
    return encoded(image if turn is None else image.transpose(turn))
