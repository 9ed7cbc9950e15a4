"""The scorer as online scoring uses it: the one of the next round without a cascade, and what it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labeling.model_records import Model
from scoring.base import Scorer, Scores

if TYPE_CHECKING:
    from api.composition import Goldfold


@dataclass(frozen=True, slots=True)
class Served:
    """A scorer, and the ``model`` that it is: None for prototypes, and for what Goldfold did not train alone."""

    scorer: Scorer
    model: Model | None

    @property
    def version(self) -> str:
        return self.scorer.version

    def score(self, ids: Sequence[str], texts: Sequence[str]) -> Scores:
        """As ``Scorer.score``."""
        return self.scorer.score(ids, texts)


def served(goldfold: Goldfold) -> Served:
    """What scores now; loads it when needed, and again when another model was promoted. Raises ScoringError,
    SettingsError, LabelingError."""
    champion = goldfold.ledger.models.champion()
    scorer = goldfold.scorer_of(champion)
    return Served(scorer, champion if champion is not None and goldfold.learns else None)
