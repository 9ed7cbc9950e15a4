"""How good answers are: what an update of the consensus costs beside a full fit, whether flipped labels are found, and
what aggregators make of HateCheck's ten annotators.

The crowd of the update is made: 200,000 items, three of 300 people each. The tweets and HateCheck are real; where they
are not there, their rows say so and hold no figure.
"""

from __future__ import annotations

import gzip
import json
import math
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from benchmarks.learning_sets import folder, load
from benchmarks.row import Row, hardware
from labeling.quality.aggregate import AGGREGATORS
from labeling.quality.label_errors import suspicion
from labeling.quality.pooled import Fit, fit, update
from labeling.quality.votes import Votes

CLASSES = ("allowed", "context_missing", "violates")
ITEMS, PEOPLE, OVERLAP, NEW = 200_000, 300, 3, 1000
LABELS = ("hate", "offensive")
FLIPPED, TOP, SEEDS = 0.03, 0.10, 3
HATECHECK = "hatecheck.jsonl.gz"
UPDATE = "consensus_update_cpu"
FLIPS = tuple(f"label_errors_found_{label}" for label in LABELS)
ACCURACY = tuple(f"hatecheck_accuracy_{name}" for name in AGGREGATORS)
NAMES = (UPDATE, *FLIPS, *ACCURACY)
Triple = tuple[str, str, str]


def rows() -> list[Row]:
    """One row an update, one a label of the tweets, one an aggregator."""
    real = [
        row
        for name, file, make in (("tweets", "tweets.jsonl.gz", flips), ("hatecheck", HATECHECK, hatecheck))
        for row in _where_there(name, file, make)
    ]
    return [updates(), *real]


def updates(items: int = ITEMS, people: int = PEOPLE, new: int = NEW) -> Row:
    """CPU seconds of taking in the last ``new`` votes, and of a fit from scratch."""
    triples = made_votes(items, people)
    state = fit(Votes.of(triples[:-new], CLASSES), {})
    late, everything = Votes.of(triples[-new:], CLASSES), Votes.of(triples, CLASSES)
    update_s, updated = _timed(lambda: update(state, late))
    full_s, full = _timed(lambda: fit(everything, {}))
    same = float((updated.consensus().labels == full.consensus().labels).mean())
    worst = float(np.abs(updated.posterior - full.posterior).max())
    on = (
        f"{hardware()}; {new} votes on top of {len(triples) - new}; {same:.4%} of the answers are the full fit's, "
        f"the largest difference of a probability is {worst:.3f}"
    )
    return Row(UPDATE, update_s, "CPU s", "full refit", full_s, full_s / update_s, "< 1 s", on)


def made_votes(items: int, people: int, seed: int = 0) -> list[Triple]:
    """People of different quality, in no order."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, items, p=(0.7, 0.05, 0.25))
    right = rng.uniform(0.6, 0.98, people)
    teams = np.stack([rng.permutation(people)[:OVERLAP] for _ in range(1000)])
    triples = []
    for i, team in enumerate(rng.integers(0, len(teams), items)):
        for who in teams[team]:
            said = truth[i] if rng.random() < right[who] else rng.integers(3)
            triples.append((f"i{i:07}", f"p{who:04}", CLASSES[said]))
    return [triples[i] for i in rng.permutation(len(triples))]


def flips() -> list[Row]:
    """The share of flipped labels in the top tenth, mean over seeds; the peer is chance."""
    tweets = load("tweets")
    groups = [str(group) for group in tweets.groups]
    made = []
    for name, label in zip(FLIPS, LABELS, strict=True):
        answers = tweets.answers[:, tweets.policies.index(label)].astype(np.float64)
        found = [found_flips(tweets.embeddings, answers, groups, seed) for seed in range(SEEDS)]
        on = (
            f"{hardware()}; {len(answers)} tweets, {FLIPPED:.0%} flipped, {SEEDS} seeds: "
            f"{min(found):.1%} to {max(found):.1%} of the flips"
        )
        value = 100 * float(np.mean(found))
        made.append(Row(name, value, "% in the top 10 %", "chance", 100 * TOP, value / (100 * TOP), ">= 50 %", on))
    return made


def found_flips(
    embeddings: npt.NDArray[np.float32], answers: npt.NDArray[np.float64], groups: list[str], seed: int
) -> float:
    """The share of ``FLIPPED`` of the labels, flipped by chance, that stand in the top ``TOP``."""
    flipped = np.random.default_rng(seed).permutation(len(answers))[: round(FLIPPED * len(answers))]
    labels = answers.copy()
    labels[flipped] = 1 - labels[flipped]
    told = suspicion(embeddings, labels, groups)
    if told is None:
        raise ValueError("there are too few labels of a kind")
    top = told.rows[: round(TOP * len(answers))]
    return float(np.isin(flipped, top).mean())


def hatecheck() -> list[Row]:
    """Accuracy against the set's gold with two of the five answers of each item, without any gold, mean over seeds.
    With all five every majority is gold."""
    with gzip.open(folder() / HATECHECK, "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    truth = {str(record["external_id"]): str(record["label"]) for record in records}
    told = [[(str(r["external_id"]), who, said) for who, said in sorted(r["annotations"].items())] for r in records]
    accuracy = {name: [accuracies(told, truth, name, k) for k in (2, 3, 5)] for name in AGGREGATORS}
    made = []
    for row, name in zip(ACCURACY, AGGREGATORS, strict=True):
        two, three, five = (100 * value for value in accuracy[name])
        on = f"{hardware()}; {len(truth)} items; three answers {three:.2f} %, five {five:.2f} %; {SEEDS} seeds"
        peer = 100 * accuracy["majority"][0]
        made.append(Row(row, two, "% right of two answers", "majority", peer, two / peer, "", on))
    return made


def accuracies(told: list[list[Triple]], truth: dict[str, str], name: str, overlap: int) -> float:
    """Mean over seeds that choose ``overlap`` of each item's answers."""
    found = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        chosen = [one[i] for one in told for i in sorted(rng.permutation(len(one))[:overlap])]
        votes = Votes.of(chosen)
        labels = AGGREGATORS[name](votes, {}).labels
        right = [votes.classes[k] == truth[item] for item, k in zip(votes.item_names, labels, strict=True)]
        found.append(float(np.mean(right)))
    return float(np.mean(found))


def _timed(call: Callable[[], Fit]) -> tuple[float, Fit]:
    began = time.process_time()
    found = call()
    return time.process_time() - began, found


def _where_there(name: str, file: str, make: Callable[[], list[Row]]) -> list[Row]:
    if (folder() / file).is_file():
        return make()
    why = f"not measured: {file} not in {folder()}; point GOLDFOLD_DATA_DIR at the real sets"
    names = FLIPS if name == "tweets" else ACCURACY
    return [Row(row, math.nan, "not measured", hardware=why) for row in names]
