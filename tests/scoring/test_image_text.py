from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from scoring.base import ImageScorer
from scoring.errors import ModelRefused
from scoring.image_text import ImageTextScorer, Prompts
from scoring.images import Limits
from tests.contracts.image_scorer import FILES, IDS, PICTURES, ImageScorerContract
from tests.scoring.tiny import MAX_TOKENS
from tests.scoring.tiny_images import DUAL, write_classifier, write_dual

VIOLATES = {"hate": ("bad words can hurt people",), "violence": ("the quick brown fox jumps", "a lazy dog")}
NEUTRAL = {"hate": ("a lovely day", "a walk in the park"), "violence": ("small birds sing",)}
IMAGES: Any = AutoImageProcessor  # has no types


def prompts(kind: str, policies: tuple[str, ...] = ("hate", "violence")) -> dict[str, Prompts]:
    return {p: Prompts(VIOLATES[p], NEUTRAL[p] if kind == "clip" else ()) for p in policies}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("dual")
    return {kind: write_dual(root / kind, kind) for kind in DUAL}


class TinyContract(ImageScorerContract):
    kind: str
    folder: Path

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _folders(cls, folders: dict[str, Path]) -> None:
        cls.folder = folders[cls.kind]

    @classmethod
    def make(cls) -> ImageScorer:
        return ImageTextScorer(cls.folder, prompts(cls.kind), device="cpu")

    @classmethod
    def make_other(cls) -> ImageScorer:
        return ImageTextScorer(cls.folder, prompts(cls.kind, ("hate",)), device="cpu")


class TestClip(TinyContract):
    kind = "clip"


class TestSiglip(TinyContract):
    kind = "siglip"


class TestSiglip2(TinyContract):
    kind = "siglip2"


def their_logits(folder: Path, kind: str, captions: tuple[str, ...]) -> npt.NDArray[np.float32]:
    """(pictures, captions) by transformers' own forward pass."""
    model: Any = AutoModel.from_pretrained(str(folder)).eval()
    words = AutoTokenizer.from_pretrained(str(folder))(
        list(captions),
        padding=True if kind == "clip" else "max_length",
        truncation=True,
        max_length=MAX_TOKENS,
        return_tensors="pt",
    )
    pixels = IMAGES.from_pretrained(str(folder), backend="pil")(list(PICTURES), return_tensors="pt")
    mask = {"attention_mask": words["attention_mask"]} if kind == "clip" else {}
    with torch.inference_mode():
        out = model(input_ids=words["input_ids"], **pixels, **mask)
    return np.asarray(out.logits_per_image.numpy(), np.float32)


@pytest.mark.parametrize("policy", ["hate", "violence"])
@pytest.mark.parametrize("kind", ["siglip", "siglip2"])
def test_siglip_is_the_sigmoid_of_its_own_logits(folders: dict[str, Path], kind: str, policy: str) -> None:
    found = ImageTextScorer(folders[kind], prompts(kind, (policy,)), device="cpu").score(IDS, FILES)
    logits = their_logits(folders[kind], kind, VIOLATES[policy])
    np.testing.assert_allclose(found.probabilities[:, 0], (1 / (1 + np.exp(-logits))).max(axis=1), atol=1e-5)


@pytest.mark.parametrize("policy", ["hate", "violence"])
def test_clip_is_the_softmax_of_its_own_logits(folders: dict[str, Path], policy: str) -> None:
    found = ImageTextScorer(folders["clip"], prompts("clip", (policy,)), device="cpu").score(IDS, FILES)
    shares = np.exp(their_logits(folders["clip"], "clip", VIOLATES[policy] + NEUTRAL[policy]))
    expected = shares[:, : len(VIOLATES[policy])].sum(axis=1) / shares.sum(axis=1)
    np.testing.assert_allclose(found.probabilities[:, 0], expected, atol=1e-5)


@pytest.mark.parametrize("kind", DUAL)
def test_policies_do_not_touch_each_other(folders: dict[str, Path], kind: str) -> None:
    both = ImageTextScorer(folders[kind], prompts(kind), device="cpu").score(IDS, FILES)
    alone = ImageTextScorer(folders[kind], prompts(kind, ("violence",)), device="cpu").score(IDS, FILES)
    np.testing.assert_allclose(both.probabilities[:, 1], alone.probabilities[:, 0], atol=1e-6)


@pytest.mark.parametrize("kind", DUAL)
def test_new_captions_need_no_new_pass_over_the_pictures(folders: dict[str, Path], kind: str) -> None:
    old = ImageTextScorer(folders[kind], prompts(kind, ("hate",)), device="cpu")
    new = ImageTextScorer(folders[kind], prompts(kind), device="cpu")
    assert (old.embedding_version == new.embedding_version, old.version == new.version) == (True, False)
    kept = old.score(IDS, FILES).embeddings
    found = new.score_embeddings(IDS, kept)
    assert (found.ids, found.policies) == (IDS, new.policies)
    np.testing.assert_allclose(found.probabilities, new.score(IDS, FILES).probabilities, atol=5e-3)
    np.testing.assert_array_equal(found.embeddings, kept)


def test_embeddings_of_another_width_are_refused(folders: dict[str, Path]) -> None:
    scorer = ImageTextScorer(folders["clip"], prompts("clip"), device="cpu")
    with pytest.raises(ValueError, match=r"must be \(1, 24\), not \(1, 7\)"):
        scorer.score_embeddings(["a"], np.zeros((1, 7), np.float16))


@pytest.mark.parametrize(
    ("kind", "asked", "reason"),
    [
        ("siglip", {}, "no policy to score"),
        ("siglip", {"hate": Prompts(())}, "policy hate needs captions"),
        ("siglip", {"hate": Prompts(("  ",))}, "policy hate needs captions"),
        ("siglip", {"hate": Prompts(("bad",), ("good",))}, "leave out neutral"),
        ("clip", {"hate": Prompts(("bad",))}, "give some in neutral"),
        ("clip", {"hate": Prompts(("fox " * 40,), ("a dog",))}, "42 tokens, the model reads 32"),
    ],
)
def test_captions_the_model_cannot_use_are_refused(
    folders: dict[str, Path], kind: str, asked: dict[str, Prompts], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        ImageTextScorer(folders[kind], asked, device="cpu")


def test_another_kind_of_model_is_refused_by_name(tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "vit", "vit")
    with pytest.raises(ModelRefused):
        ImageTextScorer(folder, prompts("siglip"), device="cpu")


def test_pixels_of_another_size_are_refused_at_load(tmp_path: Path) -> None:
    folder = write_dual(tmp_path / "siglip", "siglip")
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"size": {"height": 16, "width": 16}}))
    with pytest.raises(ModelRefused, match="cannot read what its image processor makes"):
        ImageTextScorer(folder, prompts("siglip"), device="cpu")


def test_the_limits_are_part_of_what_embeddings_mean(folders: dict[str, Path]) -> None:
    made = [
        ImageTextScorer(folders["siglip"], prompts("siglip"), limits=Limits(frames=n), device="cpu") for n in (2, 4)
    ]
    assert made[0].embedding_version != made[1].embedding_version
