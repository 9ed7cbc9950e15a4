"""Models that read images: trained on what the image scorer sees, judged beside it, and put on top of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from labeling.artefacts import load_head
from labeling.errors import Conflict, NothingToDo
from labeling.golden.text import IMAGE, TEXT
from labeling.image_head import HeadOnImages
from labeling.judging.contender import Contender
from labeling.judging.operating import operating_thresholds
from labeling.judging.scorers import of_scorer
from labeling.media_scorer import MediaScorer
from labeling.model_records import Model
from labeling.training import Basis, calibration_version, load_calibrator

if TYPE_CHECKING:
    from api.composition import Goldfold

IMAGE_SCORER = "image-scorer"  # the model id of what scores images before one of ours does
UNSET = "image_scorer: nothing scores images here; set it, and run the score job (goldfold score)"


def basis(goldfold: Goldfold, modality: str) -> Basis:
    """What a head of a modality is fitted on. Raises NothingToDo where nothing scores images."""
    if modality == TEXT:
        return Basis.of(goldfold.prototypes)
    scorer = goldfold.bare_media_scorer(IMAGE)
    if scorer is None:
        raise NothingToDo(UNSET)
    return Basis(IMAGE, scorer.embedding_version, tuple(sorted(goldfold.policies)))


def champion_key(champion: Model | None) -> str:
    """Names what a champion of images adds to the scorer."""
    return "" if champion is None else f"{champion.version} {calibration_version(champion)}"


def headed(scorer: MediaScorer, champion: Model) -> MediaScorer:
    """The image scorer with the champion's head on it. Raises ModelRefused where that is for another scorer."""
    head, found = load_head(champion), load_calibrator(champion)
    limited = found.limited(head.policies) if found is not None else None
    return HeadOnImages(scorer, head, None if limited is None or limited.is_identity else limited)


def rival(goldfold: Goldfold) -> Contender:
    """What scores images while no model of ours does, at the policies' thresholds. Raises NothingToDo."""
    scorer = goldfold.bare_media_scorer(IMAGE)
    if scorer is None:
        raise NothingToDo(UNSET)
    return of_scorer(goldfold.lake, goldfold.policies, scorer, IMAGE_SCORER, family=IMAGE_SCORER)


def operating(goldfold: Goldfold) -> tuple[Mapping[str, float], str]:
    """What images are held against, by policy, and the model that it was set for: "" where it is the policies' own."""
    champion = goldfold.ledger.models.champion(IMAGE)
    taus = operating_thresholds(champion, goldfold.policies)
    own = champion is not None and any(taus[name] != policy.threshold for name, policy in goldfold.policies.items())
    return taus, champion.model_id if own and champion is not None else ""


def check_promotable(goldfold: Goldfold, model: Model) -> None:
    """Raises Conflict for a model of images that the image scorer of the settings cannot carry."""
    scorer = goldfold.bare_media_scorer(IMAGE)
    if scorer is None or load_head(model).encoder_version != scorer.embedding_version:
        raise Conflict(
            f"model {model.model_id!r} judges what another image scorer sees than the setting image_scorer names: set "
            "it to that one, or train a head on what this one sees"
        )
