from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labeling import pictures
from labeling.media import MediaReader
from labeling.media_scorer import ImageItems
from labeling.pictures import PICTURES, LakePictures, fill, no_pictures
from labeling.score_run import ScoreRun
from labeling.scorebook import failure_group, keep, score_group
from scoring.base import Scores
from tests.labeling.shop import Shop
from tests.labeling.test_media_scorer import image
from tests.scoring.fake_images import Means
from tests.scoring.pictures import encoded, noise


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[MediaReader]:
    root = tmp_path / "media"
    root.mkdir()
    for n in range(6):
        (root / f"{n}.png").write_bytes(encoded(noise(n)))
    (root / "again.jpg").write_bytes(encoded(noise(0, (90, 60)), "JPEG", quality=70))
    (root / "broken.png").write_bytes(b"no picture")
    opened = MediaReader(root)
    yield opened
    opened.close()


NAMES = [*(f"{n}.png" for n in range(6)), "again.jpg", "broken.png"]
ROWS = [image(n, name) for n, name in enumerate(NAMES)]
IDS = [row.item_id for row in ROWS]


def never() -> bool:
    return False


def apart(one: np.uint64, two: np.uint64) -> int:
    return int(np.bitwise_count(one ^ two))


def test_a_score_run_keeps_the_hash_of_each_image_it_reads(shop: Shop, reader: MediaReader) -> None:
    shop.ingest([*ROWS, replace(image(90, ""), text="words", modality="text", media="")])
    scorer = ImageItems(Means(), reader)
    ScoreRun(shop.lake, scorer, 4).go()
    found = LakePictures(shop.lake)([*IDS, "it-i0090", "nobody"])
    assert set(found) == set(IDS[:7])
    assert apart(found[IDS[0]], found[IDS[6]]) <= 4
    assert min(apart(found[IDS[i]], found[IDS[j]]) for i in range(6) for j in range(i)) > 4
    assert shop.lake.ids(failure_group(scorer)) == [IDS[7]]
    assert fill(shop.lake, reader, score_group(scorer), never) == 0
    assert shop.lake.count(PICTURES) == 7


def scored_before(shop: Shop, scorer: ImageItems, upto: int) -> None:
    """As a Goldfold without hashes left it."""
    shop.ingest(ROWS)
    made = np.full((upto, 2), 0.5, np.float32)
    scores = Scores(tuple(IDS[:upto]), scorer.policies, made, np.ones((upto, 3), np.float16))
    keep(shop.lake.add_columns, scorer, scores, embeddings=True)


def test_images_that_were_scored_before_are_hashed_by_and_by(
    shop: Shop, reader: MediaReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "_READERS", 3)
    scorer = ImageItems(Means(), reader)
    scored_before(shop, scorer, 8)
    assert LakePictures(shop.lake)(IDS) == {}
    assert fill(shop.lake, reader, score_group(scorer), lambda: True) == 5
    assert shop.lake.count(PICTURES) == 3
    assert fill(shop.lake, reader, score_group(scorer), never) == 0
    found = LakePictures(shop.lake)(IDS)
    assert set(found) == set(IDS)
    assert found[IDS[7]] == 0  # no image any more: nothing to compare
    assert apart(found[IDS[0]], found[IDS[6]]) <= 4


def test_what_cannot_be_read_now_is_tried_by_a_later_call_and_holds_up_none(
    shop: Shop, reader: MediaReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "_READERS", 1)
    scorer = ImageItems(Means(), reader)
    scored_before(shop, scorer, 3)
    (tmp_path / "media/0.png").rename(tmp_path / "elsewhere.png")
    assert fill(shop.lake, reader, score_group(scorer), lambda: True) == 0  # going on would read the same again
    assert fill(shop.lake, reader, score_group(scorer), never) == 0
    assert set(LakePictures(shop.lake)(IDS)) == set(IDS[1:3])
    (tmp_path / "elsewhere.png").rename(tmp_path / "media/0.png")
    fill(shop.lake, reader, score_group(scorer), never)
    assert set(LakePictures(shop.lake)(IDS)) == set(IDS[:3])


def test_a_delete_meanwhile_ends_the_plan_and_the_next_call_looks_anew(shop: Shop, reader: MediaReader) -> None:
    scorer = ImageItems(Means(), reader)
    scored_before(shop, scorer, 8)

    def erase() -> bool:
        shop.lake.delete([IDS[1]])
        return True

    assert fill(shop.lake, reader, score_group(scorer), erase) == 1
    assert fill(shop.lake, reader, score_group(scorer), never) == 0
    assert set(LakePictures(shop.lake)(IDS)) == set(IDS) - {IDS[1]}


def test_an_erased_item_has_no_hash_any_more(shop: Shop, reader: MediaReader) -> None:
    shop.ingest(ROWS)
    ScoreRun(shop.lake, ImageItems(Means(), reader), 64).go()
    shop.lake.delete([IDS[2]])
    assert IDS[2] not in LakePictures(shop.lake)(IDS)


def test_without_a_lake_nothing_is_known_to_be_an_image() -> None:
    assert no_pictures(["a"]) == {}
