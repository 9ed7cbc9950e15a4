from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labeling import media_scorer
from labeling.errors import BadMedia
from labeling.media import MediaReader
from labeling.media_scorer import ImageItems, MediaScorer, VideoItems
from labeling.records import Item
from labeling.score_run import ScoredChunk, ScoreRun
from labeling.scorebook import embedding_group, failure_group, note_group, notes_of, score_group, scores_of
from scoring.frame_scorer import F32
from scoring.video import VideoByFrames
from tests.labeling.shop import Shop, items
from tests.scoring.fake_images import Means
from tests.scoring.pictures import encoded
from tests.scoring.test_video import Words
from tests.scoring.videos import BLACK, GREEN, RED, plain, video


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "media"
    root.mkdir()
    (root / "red.png").write_bytes(encoded(Image.fromarray(plain(RED))))
    (root / "green.png").write_bytes(encoded(Image.fromarray(plain(GREEN))))
    (root / "broken.png").write_bytes(b"no picture")
    (root / "clip.mp4").write_bytes(video([plain(BLACK)] * 20 + [plain(RED)] * 20 + [plain(BLACK)] * 20))
    return root


@pytest.fixture
def reader(folder: Path) -> Iterator[MediaReader]:
    opened = MediaReader(folder)
    yield opened
    opened.close()


def image(number: int, media: str, **changes: str) -> Item:
    item_id = f"it-i{number:04}"
    return Item(
        item_id, f"image-{number}", changes.pop("text", ""), item_id, changes.pop("modality", "image"), media=media
    )


def test_images_are_read_and_scored_and_what_cannot_be_read_fails_by_its_id(reader: MediaReader, folder: Path) -> None:
    scorer = ImageItems(Means(), reader)
    assert isinstance(scorer, MediaScorer)
    inline = "data:image/png;base64," + base64.b64encode((folder / "green.png").read_bytes()).decode()
    media = ["red.png", "../red.png", "broken.png", inline, "http://not.allowed.test/a.png"]
    heard: list[tuple[int, int]] = []
    scores = scorer.score_media(list("abcde"), media, [""] * 5, lambda done, total: heard.append((done, total)))
    assert (scores.ids, scores.policies) == (("a", "d"), ("red", "green"))
    np.testing.assert_allclose(scores.probabilities, [[1, 0], [0, 1]], atol=0.01)
    why = {failure.item_id: failure.reason for failure in scores.failures}
    assert set(why) == {"b", "c", "e"}
    assert why["b"] == "the image cannot be found below media_dir (No such file or directory); put the file there"
    assert why["e"].startswith("the image is at not.allowed.test:80, which is not allowed")
    assert heard == [(5, 5)]
    assert scores.hashes == {"a": 0, "d": 0}  # of one colour each


def test_only_two_batches_are_in_memory(reader: MediaReader, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_scorer, "BATCH", 3)
    lock, held = threading.Lock(), [0, 0]

    class Counting(MediaReader):
        def read(self, media: str) -> bytes:
            with lock:
                held[0] += 1
                held[1] = max(held)
            return super().read(media)

    def let_go(inputs: Sequence[F32]) -> None:
        with lock:
            held[0] -= len(inputs)

    ids = [str(n) for n in range(20)]
    scores = ImageItems(Means(hook=let_go), Counting(folder)).score_media(ids, ["red.png"] * 20, [""] * 20)
    assert scores.ids == tuple(ids)
    assert held[0] == 0
    assert held[1] <= 6
    assert ImageItems(Means(), reader).score_media([], [], []).ids == ()


def test_videos_tell_where_to_look(reader: MediaReader) -> None:
    scorer = VideoItems(VideoByFrames(Means()), reader, transcripts=False)
    heard: list[int] = []
    scores = scorer.score_media(["a", "b"], ["clip.mp4", "none.mp4"], ["red", ""], lambda done, _: heard.append(done))
    assert scores.ids == ("a",)
    assert scores.probabilities[0, 0] > 0.6
    assert [failure.item_id for failure in scores.failures] == ["b"]
    assert scores.failures[0].reason.startswith("the video cannot be found below media_dir")
    assert any(note.text.startswith("red 0.9") and " at 2.0-" in note.text for note in scores.notes), scores.notes
    assert heard == [1, 2]


def test_what_is_said_in_a_video_is_scored_where_a_scorer_reads_it(reader: MediaReader) -> None:
    scorer = VideoItems(VideoByFrames(Means(), transcript=Words()), reader, transcripts=True)
    scores = scorer.score_media(["a", "b"], ["clip.mp4"] * 2, ["a slur", ""], None)
    hate = scores.policies.index("hate")
    assert scores.probabilities[0, hate] > scores.probabilities[1, hate] == 0


def test_a_run_scores_what_its_scorer_takes_and_nothing_else(shop: Shop, reader: MediaReader) -> None:
    images = [image(0, "red.png"), image(1, "green.png", text="a caption"), image(2, "broken.png"), image(3, "no.png")]
    clips = [image(8, "clip.mp4", modality="video"), image(9, "clip.mp4", modality="video")]
    shop.ingest([*items(range(3)), *images, *clips])
    assert ScoreRun(shop.lake, shop.scorer(), 10).go() == ScoredChunk(3, 0, 0)
    assert shop.encoder.encoded == ["it-00000", "it-00001", "it-00002"]
    pictures = ImageItems(Means(), reader)
    gone = "the image cannot be found below media_dir (No such file or directory); put the file there"
    assert ScoreRun(shop.lake, pictures, 3).go() == ScoredChunk(2, 2, 0, 1, gone)
    assert ScoreRun(shop.lake, pictures, 3).go() == ScoredChunk(0, 1, 0, 1, gone)
    assert shop.lake.ids(score_group(pictures)) == shop.lake.ids(embedding_group(pictures)) == ["it-i0000", "it-i0001"]
    assert shop.lake.ids(failure_group(pictures)) == ["it-i0002"]
    found = scores_of(shop.lake, "it-i0000")[pictures.version]
    assert found["red"] == pytest.approx(1, abs=0.01)
    films = VideoItems(VideoByFrames(Means()), reader, transcripts=False)
    assert ScoreRun(shop.lake, films, 1).go() == ScoredChunk(2, 0, 0)
    assert shop.lake.ids(note_group(films)) == ["it-i0008", "it-i0009"]
    assert "red" in notes_of(shop.lake, "it-i0008")[films.embedding_version]


def test_what_could_not_be_read_for_a_while_is_scored_later_and_keeps_nobody_waiting(shop: Shop, folder: Path) -> None:
    away = [image(n, "http://127.0.0.1:9/a.png") for n in range(4)]
    shop.ingest([*away, image(4, "late.png"), image(5, "broken.png"), image(6, "red.png"), image(7, "green.png")])
    pictures = ImageItems(Means(), MediaReader(folder))
    first = ScoreRun(shop.lake, pictures, 2).go(most=2)
    assert (first.scored, first.failed, first.passing) == (1, 6, 5)
    assert ScoreRun(shop.lake, pictures, 2).go(most=2).scored == 1
    (folder / "late.png").write_bytes((folder / "red.png").read_bytes())
    again = ScoreRun(shop.lake, pictures, 2).go()
    assert (again.scored, again.passing) == (1, 4)
    assert again.trouble.startswith("the image is at 127.0.0.1:9, which is not allowed")
    assert shop.lake.ids(failure_group(pictures)) == ["it-i0005"]


@pytest.mark.parametrize(("media", "passing"), [("data:x", False), ("ftp://a/b", False), ("x.png", True)])
def test_what_is_worth_trying_again_is_told(tmp_path: Path, media: str, passing: bool) -> None:
    with pytest.raises(BadMedia) as error:
        MediaReader(tmp_path).read(media)
    assert error.value.passing is passing


def test_a_round_asks_about_texts_only(shop: Shop, reader: MediaReader) -> None:
    shop.ingest([*items(range(30)), *(image(n, "red.png") for n in range(30))])
    shop.score()
    ScoreRun(shop.lake, ImageItems(Means(), reader), 50).go()
    shop.open()
    shop.select()
    picks = shop.ledger.rounds.picks("r1")
    assert len(picks) == 8
    assert all(pick.item_id.startswith("it-0") for pick in picks)
    assert shop.ledger.rounds.get("r1").frame["items_scored"] == 30
