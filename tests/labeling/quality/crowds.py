"""Made crowds with a known truth, of the kinds that break aggregators; and HateCheck's ten named annotators."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labeling.quality.votes import Votes

NO, UNCLEAR, YES = CLASSES = ("allowed", "context_missing", "violates")


@dataclass(frozen=True, slots=True)
class Crowd:
    """Votes and the truth by item. ``gold``: the part of it that a chooser may know."""

    votes: Votes
    truth: dict[str, str]

    def gold(self, count: int, seed: int = 0) -> dict[str, str]:
        names = sorted(self.truth)
        chosen = np.random.default_rng([seed, 1]).permutation(len(names))[:count]
        return {names[i]: self.truth[names[i]] for i in chosen}

    def accuracy(self, labels: np.ndarray[tuple[int, ...], np.dtype[np.int64]], without: dict[str, str]) -> float:
        """The share of right answers among items that are not in ``without``."""
        told = zip(self.votes.item_names, labels, strict=True)
        right = [self.votes.classes[label] == self.truth[name] for name, label in told if name not in without]
        return float(np.mean(right))


Answer = Callable[[np.random.Generator, int, int], int]  # (chance, the item, its true class) -> the class said


def crowd(
    people: list[Answer], shares: tuple[float, float, float], *, items: int = 1000, overlap: int = 3, seed: int = 0
) -> Crowd:
    """``overlap`` of the people, drawn by chance, judge each item; its true class is drawn by ``shares``."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, items, p=shares)
    triples = [
        (f"i{i:05}", f"p{who:03}", CLASSES[people[who](rng, i, int(truth[i]))])
        for i in range(items)
        for who in rng.permutation(len(people))[:overlap]
    ]
    return Crowd(Votes.of(triples, CLASSES), {f"i{i:05}": CLASSES[k] for i, k in enumerate(truth)})


def honest(right: float) -> Answer:
    """Right with that probability, else one of the other two."""
    return lambda rng, _item, k: k if rng.random() < right else int((k + rng.integers(1, 3)) % 3)


def spammer(shares: tuple[float, float, float]) -> Answer:
    """Does not look at the item."""
    return lambda rng, _item, _k: int(rng.choice(3, p=shares))


def adversary(wrong: float) -> Answer:
    """Says violates for allowed and the other way round."""
    return lambda rng, _item, k: 2 - k if rng.random() < wrong else k


def herd(wrong: float) -> Answer:
    """Wrong about the same items as the rest of the herd, and in the same way."""
    return lambda _rng, item, k: 2 - k if np.random.default_rng([7, item]).random() < wrong else k


def blind_to_harm(seen: float) -> Answer:
    """Sees a violation with that probability only; seldom calls anything else one."""
    return lambda rng, _item, k: k if k != 2 or rng.random() < seen else 0


COMMON, RARE = (0.65, 0.05, 0.30), (0.985, 0.005, 0.01)
KINDS: dict[str, Callable[[int], Crowd]] = {
    "good": lambda seed: crowd([honest(0.9)] * 12, COMMON, seed=seed),
    "mixed": lambda seed: crowd([honest(a) for a in np.linspace(0.5, 0.97, 15)], COMMON, overlap=5, seed=seed),
    "two_each": lambda seed: crowd([honest(a) for a in np.linspace(0.7, 0.97, 15)], COMMON, overlap=2, seed=seed),
    "spammers": lambda seed: crowd(
        [honest(0.9)] * 7 + [spammer((0.2, 0.1, 0.7))] * 5 + [spammer((1.0, 0.0, 0.0))] * 3, COMMON, seed=seed
    ),
    "adversarial": lambda seed: crowd([honest(0.9)] * 9 + [adversary(0.9)] * 4, COMMON, overlap=5, seed=seed),
    "herd": lambda seed: crowd([honest(0.85)] * 8 + [herd(0.25)] * 6, COMMON, overlap=5, seed=seed),
    "most_are_a_herd": lambda seed: crowd([honest(0.8)] * 4 + [herd(0.35)] * 8, COMMON, overlap=5, seed=seed),
    "rare": lambda seed: crowd([honest(0.97)] * 12, RARE, items=2500, seed=seed),
    "rare_and_missed": lambda seed: crowd([honest(0.98)] * 4 + [blind_to_harm(0.5)] * 8, RARE, items=2500, seed=seed),
    "few_votes": lambda seed: crowd([honest(0.8)] * 40, COMMON, items=60, overlap=3, seed=seed),
}


def hatecheck(path: Path, overlap: int = 5, seed: int = 0) -> Crowd:
    """HateCheck's annotators, ``overlap`` of the five of each item, drawn by chance."""
    rng = np.random.default_rng(seed)
    triples, truth = [], {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            told = sorted(row["annotations"].items())
            chosen = sorted(rng.permutation(len(told))[:overlap])
            triples += [(row["external_id"], *told[i]) for i in chosen]
            truth[row["external_id"]] = row["label"]
    return Crowd(Votes.of(triples, ("hateful", "non-hateful")), truth)
