"""Any configured scorer as a contender: it reads the golden items' own content, of text or of images, from the lake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np

from labeling.judging.contender import EXTERNAL, F32, TEXT, Contender
from labeling.media_scorer import MediaScorer
from labeling.policies import Policies
from labeling.records import GoldenItem
from labeling.scorebook import LakeScorer
from labeling.store.interfaces import ITEMS, Lake
from labeling.store.rows import chunks
from scoring.base import Failure, Progress, Scores

CHUNK = 256  # items read from the lake at once
TOLD = 10  # reasons that are told, the most common ones
GONE = "it is not in the lake any more"
Fit = Callable[[Sequence[GoldenItem]], list[GoldenItem]]


@dataclass(slots=True)
class Unread:
    """Items that were asked about and have no score, each once, by the reason; their ids are never told."""

    reasons: dict[str, str] = field(default_factory=dict)

    def add(self, failures: Iterable[Failure]) -> None:
        """Count failures, each item under its last reason."""
        self.reasons |= {failure.item_id: failure.reason for failure in failures}

    def told(self) -> dict[str, object]:
        """JSON-able: ``items``, and how many of them for each of the most common ``reasons``."""
        common = Counter(self.reasons.values()).most_common(TOLD)
        return {"items": len(self.reasons), "reasons": dict(common)}


def of_scorer(
    lake: Lake,
    policies: Policies,
    scorer: LakeScorer | MediaScorer,
    name: str,
    *,
    fit: Fit = list,
    family: str = EXTERNAL,
    progress: Progress | None = None,
) -> Contender:
    """``scorer`` as it is configured, under the policies' thresholds; policies that it judges and nobody has are left
    out. What it cannot read, or fails on, is NaN and counted in ``beside``. ``fit``: as ``Contender`` has it, for one
    that has learnt of our gold; ``progress`` hears of each chunk. Scoring raises what the scorer raises."""
    unread = Unread()

    def score(ids: Sequence[str]) -> F32:
        found = np.full((len(ids), len(scorer.policies)), np.nan, np.float32)
        places = {item_id: place for place, item_id in enumerate(ids)}
        there = set(lake.ids()).intersection(ids)
        unread.add(Failure(item_id, GONE) for item_id in ids if item_id not in there)
        done = len(ids) - len(there)
        for part in chunks([item_id for item_id in ids if item_id in there], CHUNK):
            scores = _scores(lake, scorer, part)
            unread.add(scores.failures)
            found[[places[item_id] for item_id in scores.ids]] = scores.probabilities
            done += len(part)
            if progress is not None:
                progress(done, len(ids))
        return found

    return Contender(
        model_id=name,
        version=scorer.version,
        family=family,
        policies=scorer.policies,
        thresholds={policy: policies[policy].threshold for policy in scorer.policies if policy in policies},
        calibration_version=None,
        score=score,
        fit=fit,
        modality=scorer.modality if isinstance(scorer, MediaScorer) else TEXT,
        details={"scorer": scorer.name},
        beside=lambda: {"unread": unread.told()},
    )


def _scores(lake: Lake, scorer: LakeScorer | MediaScorer, ids: Sequence[str]) -> Scores:
    if not isinstance(scorer, MediaScorer):
        return scorer.score(ids, lake.take(ids, ["text"])["text"].to_pylist())
    table = lake.take(ids, ["text", "media"], ITEMS)
    media = [str(one or "") for one in table["media"].to_pylist()]
    return scorer.score_media(ids, media, [str(one or "") for one in table["text"].to_pylist()])


def limited(rows: Sequence[GoldenItem], most: int) -> list[GoldenItem]:
    """The rows of at most ``most`` items, drawn by a hash of their ids, so that a larger ``most`` adds to them."""
    drawn = sorted({row.item_id for row in rows}, key=lambda item_id: sha256(f"limit {item_id}".encode()).digest())
    kept = set(drawn[:most])
    return [row for row in rows if row.item_id in kept]
