"""Fit a cascade: distil its first stage on one part of a sample, choose its cut and bound its loss on another."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.bounds import losses_allowed, positives_needed, upper_bound
from scoring.cascade_report import CascadeReport, PolicyLoss
from scoring.clearing import Bool, Clearing
from scoring.distil import EPOCHS, clipped_logits, distil
from scoring.errors import LossTooHigh
from scoring.first_stage import FirstStage
from scoring.vocabulary import Vocabulary

F64 = npt.NDArray[np.float64]
DISTIL, TUNE, HELD_OUT = 0, 1, 2
TUNE_SHARE = 0.05  # of the sample, taken for the spreads alone
LEAST_ITEMS = 100  # distinct texts, below which nothing can be learned


@dataclass(frozen=True, slots=True)
class Sample:
    """What the full scorer of ``full_version`` said of n items drawn at random from all there are.

    ``probabilities`` (n, k) in the order of ``policies``; ``thresholds`` tau by policy; ``keys`` (n,): items with an
    equal key count as one text; ``embeddings`` (n, d) or None; ``full_s``: CPU seconds a text of the full scorer;
    ``seen`` (n,): items that the full scorer was trained on, which it judges with more certainty than what will come:
    they teach the stage, and are never held out.
    """

    texts: Sequence[str]
    keys: Sequence[str]
    probabilities: npt.NDArray[np.floating[Any]]
    policies: tuple[str, ...]
    thresholds: tuple[float, ...]
    full_version: str
    embeddings: npt.NDArray[np.floating[Any]] | None = None
    full_s: float | None = None
    seen: Bool | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What a cascade must keep to. ``loss``: the most that the upper bound of the share of positives lost may be, and
    the most of a round's picks; ``picks``: the share of all items that a round picks for being uncertain;
    ``held_out``: the share of the sample that the loss is measured on; ``trickle`` and ``seed`` as in ``Clearing``."""

    loss: float = 0.005
    picks: float = 0.005
    held_out: float = 0.5
    trickle: float = 0.01
    seed: int = 0
    epochs: int = EPOCHS
    max_tokens: int = 256

    def __post_init__(self) -> None:
        for name in ("loss", "picks"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")
        if not 0 < self.held_out < 1 - TUNE_SHARE:
            raise ValueError(f"held_out must lie between 0 and {1 - TUNE_SHARE}, not {self.held_out}")
        if not 0 <= self.trickle <= 1:
            raise ValueError(f"trickle must lie between 0 and 1, not {self.trickle}")
        if not -(2**63) <= self.seed < 2**63:
            raise ValueError(f"seed: {self.seed} does not fit in 64 bits")


@dataclass(frozen=True, slots=True)
class Fitted:
    """A first stage, its rule, and what it was seen to lose."""

    stage: FirstStage
    clearing: Clearing
    report: CascadeReport


def fit(sample: Sample, vocabulary: Vocabulary, wish: Wish | None = None) -> Fitted:
    """Positives are items at or above the threshold of any policy. The cut clears as much as it may while the exact
    one-sided 95 % bound of the share of positives lost, on texts that nothing was learned from, stays within ``loss``,
    and no more than that share of the picks is lost. The bound takes the held-out texts as drawn independently from
    what will come; the trickle tells when that no longer holds. The same sample gives the same stage and rule.

    Raises LossTooHigh when the held-out part has too few positives to show it, or too few texts; ValueError when the
    sample's lengths differ.
    """
    wish = wish or Wish()
    _check(sample)
    rows, part = _parts(sample, wish)
    held = rows[part == HELD_OUT]
    positives = _positives(sample, held)
    spare = losses_allowed(int(positives.sum()), wish.loss)
    _refuse_too_few(len(rows), len(held), int(positives.sum()), spare, wish.loss)  # before the costly part
    stage = _distilled(sample, rows[part == DISTIL], vocabulary, wish)
    clearing = _rule(stage, sample, rows[part == TUNE], wish)
    start = time.process_time()
    reading = stage.read([sample.texts[i] for i in held])
    stage_s = (time.process_time() - start) / len(held)
    margins = np.where(reading.whole, clearing.margins(reading), np.inf)
    picks = _picks(sample, held, wish.picks)
    cut = min(_cut(margins[positives], spare), _cut(margins[picks], math.floor(wish.loss * int(picks.sum()))))
    clearing = replace(clearing, cut=cut)
    lost = margins < clearing.cut
    report = _report(sample, wish, rows, held, lost, positives, picks, spare, stage_s)
    return Fitted(stage, clearing, report)


def split(keys: Sequence[str], wish: Wish) -> npt.NDArray[np.int64]:
    """(n,) the part of each text, by a hash of its key: the same text is always on the same side."""
    seed = wish.seed.to_bytes(8, "little", signed=True)
    digests = b"".join(hashlib.blake2b(key.encode(), digest_size=8, key=seed, person=b"split").digest() for key in keys)
    places = np.frombuffer(digests, "<u8") * 2.0**-64
    parts = np.where(places < wish.held_out, HELD_OUT, np.where(places < wish.held_out + TUNE_SHARE, TUNE, DISTIL))
    return np.asarray(parts, np.int64)


def held_out(sample: Sample, wish: Wish) -> npt.NDArray[np.int64]:
    """The rows of the sample that ``fit`` learns nothing from: one for each text that is held out."""
    rows, part = _parts(sample, wish)
    return np.asarray(rows[part == HELD_OUT], np.int64)


def _parts(sample: Sample, wish: Wish) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The first row of each distinct text, and its part."""
    rows = np.array(sorted({key: i for i, key in reversed(list(enumerate(sample.keys)))}.values()), np.int64)
    part = split([sample.keys[i] for i in rows], wish)
    if sample.seen is not None:
        seen = {key for key, known in zip(sample.keys, sample.seen, strict=True) if known}
        part[[sample.keys[i] in seen for i in rows]] = DISTIL
    return rows, part


def _check(sample: Sample) -> None:
    n, k = len(sample.texts), len(sample.policies)
    if len(sample.keys) != n or sample.probabilities.shape != (n, k) or len(sample.thresholds) != k:
        raise ValueError(f"a sample of {n} texts and {k} policies needs as many keys, probabilities and thresholds")
    if sample.seen is not None and sample.seen.shape != (n,):
        raise ValueError(f"seen must say of each of the {n} texts whether the full scorer was trained on it")


def _refuse_too_few(distinct: int, held: int, positives: int, spare: int, loss: float) -> None:
    if distinct < LEAST_ITEMS:
        raise LossTooHigh(
            f"the sample has {distinct} distinct texts, and a first stage needs {LEAST_ITEMS} at the very least: "
            "score more items fully"
        )
    if spare >= 0:
        return
    least = upper_bound(0, positives)
    needed = positives_needed(loss)
    more = f"about {math.ceil(distinct * needed / positives)} items" if positives else "many more items"
    cure = f", or allow a loss of {math.ceil(least * 1000) / 1000:g}" if positives > 1 else ""
    raise LossTooHigh(
        f"{positives} of {held} held-out texts are positive, which bounds the lost share at {least:.2%} at best, while "
        f"{loss:.2%} takes {needed} positives: score {more} fully{cure}"
    )


def _distilled(sample: Sample, rows: npt.NDArray[np.int64], vocabulary: Vocabulary, wish: Wish) -> FirstStage:
    return distil(
        [sample.texts[i] for i in rows],
        sample.probabilities[rows],
        sample.policies,
        sample.thresholds,
        vocabulary,
        embeddings=None if sample.embeddings is None else sample.embeddings[rows],
        max_tokens=wish.max_tokens,
        seed=wish.seed,
        epochs=wish.epochs,
    )


def _rule(stage: FirstStage, sample: Sample, rows: npt.NDArray[np.int64], wish: Wish) -> Clearing:
    """Spreads from texts that neither the stage nor the cut has seen; the cut is not chosen yet."""
    reading = stage.read([sample.texts[i] for i in rows])
    spreads = np.ones(len(sample.policies))
    if reading.whole.any():
        off = reading.logits - clipped_logits(sample.probabilities[rows], sample.thresholds)
        spreads = np.maximum(np.sqrt((off[reading.whole] ** 2).mean(axis=0)), 1e-3)
    return Clearing(
        policies=sample.policies,
        thresholds=tuple(float(tau) for tau in sample.thresholds),
        spreads=tuple(float(spread) for spread in spreads),
        cut=0.0,
        trickle=wish.trickle,
        seed=wish.seed,
        full_version=sample.full_version,
    )


def _positives(sample: Sample, rows: npt.NDArray[np.int64]) -> Bool:
    return np.asarray((sample.probabilities[rows] >= np.asarray(sample.thresholds)).any(axis=1), np.bool_)


def _picks(sample: Sample, rows: npt.NDArray[np.int64], share: float) -> Bool:
    """The items that the uncertain lane would see first: closest to a threshold, on either side, by the full scorer."""
    taus = clipped_logits(np.asarray(sample.thresholds)[None, :], sample.thresholds)
    distance = np.abs(clipped_logits(sample.probabilities[rows], sample.thresholds) - taus).min(axis=1)
    chosen = np.zeros(len(rows), np.bool_)
    chosen[np.argsort(distance, kind="stable")[: max(1, round(share * len(rows)))]] = True
    return chosen


def _cut(margins: F64, spare: int) -> float:
    """The highest cut below which at most ``spare`` of the margins lie; finite."""
    place = np.sort(margins)[spare]
    return float(min(place, np.finfo(np.float64).max))


def _report(
    sample: Sample,
    wish: Wish,
    rows: npt.NDArray[np.int64],
    held: npt.NDArray[np.int64],
    cleared: Bool,
    positives: Bool,
    picks: Bool,
    spare: int,
    stage_s: float,
) -> CascadeReport:
    losses = {}
    for j, (policy, tau) in enumerate(zip(sample.policies, sample.thresholds, strict=True)):
        mine = sample.probabilities[held, j] >= tau
        n, lost = int(mine.sum()), int((mine & cleared).sum())
        losses[policy] = PolicyLoss(n, lost, upper_bound(lost, n) if n else 1.0)
    n, lost = int(positives.sum()), int((positives & cleared).sum())
    taken, missed = int(picks.sum()), int((picks & cleared).sum())
    share = float(cleared.mean()) * (1 - wish.trickle)
    full_s = sample.full_s
    return CascadeReport(
        items=len(sample.texts),
        distinct=len(rows),
        held_out=len(held),
        positives=n,
        lost=lost,
        loss_upper=upper_bound(spare, n),
        loss_allowed=wish.loss,
        picks=taken,
        picks_lost=missed,
        picks_lost_upper=upper_bound(missed, taken),
        cleared=share,
        trickle=wish.trickle,
        stage_s=stage_s,
        full_s=full_s,
        speed_up=None if full_s is None else full_s / (stage_s + (1 - share) * full_s),
        policies=losses,
    )
