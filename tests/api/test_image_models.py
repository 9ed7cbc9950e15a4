"""A head for images from gold to champion, over a tiny ViT with random weights and pictures made for the test."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from api.coverage import open_round, read_coverage
from api.golden import enclosing
from api.image_models import IMAGE_SCORER
from api.jobs import steps
from configs.settings import PACKAGED_POLICIES
from labeling.errors import Conflict, NothingToDo
from labeling.exports import hand_out
from labeling.golden.publish import publish
from labeling.judging.thresholds import Wanted
from labeling.media_links import read_link
from labeling.records import Answer, Outcome
from labeling.score_run import ScoreRun
from labeling.store.lake import LanceLake
from scoring.errors import ModelRefused
from tests.api.site import WordGoldfold, settings
from tests.labeling.golden.images import Album, bring_images, fold_image
from tests.labeling.golden.made import NO
from tests.scoring.test_perceptual import picture
from tests.scoring.tiny_images import write_classifier

POLICY = "sexual"
COUNT = 72
PARTITIONS = {"train": 0.4, "dev": 0.2, "calibration": 0.2, "sealed": 0.2}


def tinted(seed: int) -> bytes:
    """A picture of its own; red where ``seed`` is odd, blue where it is even."""
    pixels = np.asarray(picture(seed, (64, 48)), np.float32)
    pixels *= (1.0, 0.4, 0.1) if seed % 2 else (0.1, 0.4, 1.0)
    file = BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WordGoldfold]:
    """Image gold in a version, and a head trained on what the image scorer sees."""
    folder = tmp_path_factory.mktemp("images")
    write_classifier(folder / "vit", "vit", labels=("fine", "bad"))
    (folder / "own.yaml").write_text(f"kind: hf-image\nmodel: vit\nlabels: {{bad: {POLICY}}}\nactivation: softmax\n")
    (folder / "policies").mkdir()
    (folder / "policies" / f"{POLICY}.yaml").write_text((PACKAGED_POLICIES / f"{POLICY}.yaml").read_text())
    album, media = Album(), folder / "media"
    (media / "shots").mkdir(parents=True)
    given = settings(
        folder / "data",
        policies_dir=folder / "policies",
        media_dir=media,
        image_scorer=str(folder / "own.yaml"),
        media_link_secret="s" * 32,
        partitions=PARTITIONS,
        sealed_min_cell=13,
        duplicate_cosine=None,
    )
    goldfold = WordGoldfold(given)
    bring_images(goldfold, album, {f"p{seed:03}": (tinted(seed), "") for seed in range(COUNT)})
    for name, data in album.files.items():
        (media / name).write_bytes(data)
    scorer = goldfold.media_scorer("image")
    assert scorer is not None
    ScoreRun(goldfold.lake, scorer, 100).go()
    policy = goldfold.policies[POLICY]
    yes, groups = Answer(Outcome.VIOLATES, policy.rules[0].id, 2), goldfold.groups()
    for seed in range(COUNT):
        answer = yes if seed % 2 else NO
        fold_image(goldfold, groups, album, f"p{seed:03}", answer=answer, policy=(POLICY, policy.version))
    publish(goldfold.ledger.golden, goldfold.golden_dir, datetime.now(UTC))
    steps.train(goldfold, "seer", "1.0.0", 0, "image")
    yield goldfold
    goldfold.close()


def test_a_head_learns_from_what_the_image_scorer_sees(built: WordGoldfold) -> None:
    model = built.ledger.models.get("seer")
    scorer = built.media_scorer("image")
    assert scorer is not None
    assert (model.modality, model.family) == ("image", f"head on {scorer.embedding_version}")
    again = steps.train(built, "seer", "1.0.0", 0, "image")
    assert (again["version"], again["report"][POLICY]["trained"]) == (model.version, True)
    found = built.report("seer", "cli")
    figures = next(cell for cell in found["slices"] if cell["dimension"] == "all")["figures"]
    assert (figures["accuracy"]["value"], found["unread"]) == (1.0, {})
    assert figures["accuracy"]["n"] >= 10


def test_training_texts_on_image_gold_names_what_is_left_out(built: WordGoldfold) -> None:
    with pytest.raises(
        NothingToDo, match=r"no usable label in its train .* of another kind .* the image p0\d\d: train"
    ):
        steps.train(built, "reader", "1.0.0", 0)


def test_coverage_of_images_is_in_the_space_of_their_own_scorer(built: WordGoldfold) -> None:
    told = read_coverage(built, POLICY, modality="image")
    assert (told["items"], told["looked_at"], told["gold"]["items"], told["others"]) == (COUNT, COUNT, COUNT, {})
    assert (told["near"]["value"], told["near"]["n"]) == (1.0, COUNT)  # each is near itself
    cluster = told["clusters"][0]["cluster"]
    with pytest.raises(NothingToDo, match="every item of it lies near gold"):
        open_round(built, cluster, "ann", budget=1, policies=[POLICY], dry_run=True)


def test_thresholds_calibration_and_the_gate_judge_it_on_images(built: WordGoldfold) -> None:
    told = built.threshold("seer", POLICY, Wanted("miss rate", 0.4), "cli", dry_run=True)
    assert 6 <= told["n"] < built.ledger.golden.version("1.0.0").counts["calibration"]  # those that violate
    with pytest.raises(NothingToDo, match="calibration partition"):  # fewer labels than a calibration takes
        built.calibrate("seer", "cli", dry_run=True)
    verdict = built.gate("seer", "cli")
    assert verdict["champion"]["model_id"] == IMAGE_SCORER
    assert (verdict["n"], verdict["unread"]) == (built.ledger.golden.version("1.0.0").counts["sealed"], {})
    asked = built.report("seer", "cli", sealed=True)
    assert asked["slices"][0]["n"] == verdict["n"]


def test_promoting_it_puts_it_on_top_of_the_image_scorer_and_leaves_texts_alone(built: WordGoldfold) -> None:
    before, texts = built.media_scorer("image"), built.scorer().version
    assert before is not None
    assert built.image_frame().whose == ""
    built.threshold("seer", POLICY, Wanted("miss rate", 0.4), "cli")
    built.promote("seer", "cli", without_gate="a test")
    after, frame = built.media_scorer("image"), built.image_frame()
    assert after is not None
    assert after is built.media_scorer("image")
    assert (after.name, after.embedding_version) == (f"{before.name} + head", before.embedding_version)
    assert after.version != before.version
    assert (built.champion(), built.scorer().version) == (None, texts)
    told = built.ledger.models.get("seer").metrics["thresholds"][POLICY]["threshold"]  # type: ignore[index]
    assert (frame.whose, frame.thresholds[POLICY]) == ("seer", told)
    ScoreRun(built.lake, after, 100).go()
    table = built.lake.take([f"p{n:03}" for n in range(COUNT)], [POLICY], f"scores-{after.version}")
    scores = np.array(table[POLICY].to_pylist())
    assert scores[1::2].min() > scores[::2].max()
    kept = built.contender(built.ledger.models.get("seer")).score([f"p{n:03}" for n in range(COUNT)])
    assert np.allclose(kept[:, 0], scores, atol=1e-6)
    with pytest.raises(NothingToDo, match="first champion"):
        built.rollback("cli", modality="image")


def test_a_head_for_another_image_scorer_is_not_promoted(built: WordGoldfold, tmp_path: Path) -> None:
    given = built.settings.model_copy(update={"image_scorer": "opennsfw"})
    other = WordGoldfold(given)
    with pytest.raises(Conflict, match="judges what another image scorer sees"):
        other.promote("seer", "cli", without_gate="a test")
    with pytest.raises(ModelRefused, match="set image_scorer back, or train a head on what it sees"):
        other.media_scorer("image")  # its champion is for the scorer before
    with pytest.raises(NothingToDo, match="run the score job first"):
        steps.train(other, "other", "1.0.0", 0, "image")
    bare = WordGoldfold(given.model_copy(update={"image_scorer": None}))
    with pytest.raises(NothingToDo, match="image_scorer: nothing scores images here"):
        steps.train(bare, "blind", "1.0.0", 0, "image")
    other.close()
    bare.close()
    assert isinstance(built.lake, LanceLake)
    assert hashlib.sha256(tinted(3)).hexdigest() == built.ledger.golden.rows_of("p003")[0].content_hash


@pytest.mark.parametrize("how", ["none", "bytes"])
def test_an_export_of_the_service_has_images_or_links_to_them(built: WordGoldfold, tmp_path: Path, how: str) -> None:
    form = "parquet" if how == "bytes" else "label-studio"
    done = hand_out(
        built.ledger, "1.0.0", tmp_path / "out", actor="cli", form=form, enclosing=enclosing(built, how, "CC0")
    )
    assert done.rows == built.ledger.golden.version("1.0.0").counts["train"]
    assert "licence of the images: CC0" in (done.folder / "README.md").read_text(encoding="utf-8")
    if how == "bytes":
        rows = pq.read_table(done.folder / "data/train.parquet").to_pylist()
        assert all(row["image"]["bytes"] == tinted(int(row["item_id"][1:])) for row in rows)
        return
    for task in json.loads((done.folder / "data/train-images.json").read_text(encoding="utf-8")):
        for field, blurred in (("image", False), ("image_blurred", True)):
            address, token = task["data"][field].rsplit("/media/", 1)
            link = read_link(token, "s" * 32, datetime.now(UTC))
            assert (link.item_id, link.blurred) == (task["data"]["item_id"], blurred)
            assert address == built.settings.public_url
