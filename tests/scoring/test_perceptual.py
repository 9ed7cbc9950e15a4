from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from scoring.errors import BadImage
from scoring.images import Pixels, decode
from scoring.perceptual import image_hash, perceptual_hash


def picture(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Blobs of colour, as different from each other as photographs are."""
    small = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, **how: object) -> Pixels:
    """Through a file and back, as pictures come."""
    file = BytesIO()
    image.save(file, **how)  # type: ignore[arg-type]
    return decode(file.getvalue()).frames[0]


def apart(one: Pixels, two: Pixels) -> int:
    return int(np.bitwise_count(perceptual_hash(one) ^ perceptual_hash(two)))


@pytest.mark.parametrize("seed", range(8))
def test_copies_stay_within_the_distance_that_groups_them(seed: int) -> None:
    image = picture(seed)
    first = encoded(image, format="PNG")
    copies = [
        encoded(image, format="JPEG", quality=30),
        encoded(image.resize((160, 120)), format="WEBP", quality=60),
        encoded(image.resize((640, 500)), format="PNG"),
        encoded(ImageEnhance.Brightness(image).enhance(1.1), format="JPEG"),
        encoded(image.filter(ImageFilter.GaussianBlur(2)), format="PNG"),
    ]
    assert max(apart(first, copy) for copy in copies) <= 4


def test_other_pictures_are_far_away() -> None:
    frames = [np.asarray(picture(seed)) for seed in range(30)]
    assert min(apart(frames[i], frames[j]) for i in range(30) for j in range(i)) > 10


@pytest.mark.parametrize("quality", [20, 90])
def test_one_colour_says_nothing(quality: int) -> None:
    plain = Image.new("RGB", (64, 48), (200, 30, 90))
    assert perceptual_hash(encoded(plain, format="JPEG", quality=quality)) == 0
    assert perceptual_hash(np.zeros((1, 1, 3), np.uint8)) == 0


def test_a_hash_is_never_that_of_one_colour() -> None:
    """The lowest frequency is the mean, which is above the median unless the picture is black."""
    assert all(perceptual_hash(np.asarray(picture(seed))) != 0 for seed in range(30))


@pytest.mark.parametrize("seed", range(4))
def test_a_file_has_the_hash_of_its_first_frame(seed: int) -> None:
    image = picture(seed, (2000, 1500))
    for how in ({"format": "JPEG", "quality": 85}, {"format": "PNG"}, {"format": "WEBP"}):
        file = BytesIO()
        image.save(file, **how)
        whole = perceptual_hash(decode(file.getvalue()).frames[0])
        assert int(np.bitwise_count(image_hash(file.getvalue()) ^ whole)) <= 1


def test_an_animation_has_the_hash_of_its_first_frame() -> None:
    first, other = picture(1), picture(2)
    file = BytesIO()
    first.save(file, "GIF", save_all=True, append_images=[other], duration=50)
    assert int(np.bitwise_count(image_hash(file.getvalue()) ^ perceptual_hash(np.asarray(first)))) <= 2


def test_what_is_no_image_has_no_hash() -> None:
    with pytest.raises(BadImage):
        image_hash(b"no picture")
    with pytest.raises(BadImage):
        image_hash(b"")
