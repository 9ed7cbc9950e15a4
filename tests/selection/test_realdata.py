"""A cold round on a real set: no label yet, only the policies' own words to go by."""

from __future__ import annotations

import gzip
import json
from collections import Counter

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from selection.estimation import hajek
from selection.select import select
from selection.types import Lane, Plan, Pool, Quota
from tests.realdata import real_set
from tests.selection.made import shuffled

PROTOTYPES = {
    "sexual": "sexual content: sex, naked bodies, porn, erotic stories, penis, vagina, fuck",
    "hate": "hate: contempt for people of a race, religion, gender or nation, Jews, blacks, Muslims, immigrants, women",
    "violence": "violence: kill, shoot, murder, beat, attack, blood, weapons, threats",
    "self-harm": "self-harm: suicide, kill myself, cut myself, want to die, overdose",
}
Truth = dict[tuple[str, str], bool]


@pytest.fixture(scope="module")
def moderation() -> tuple[Pool, Truth]:
    with gzip.open(real_set("moderation.jsonl.gz"), "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    words = TfidfVectorizer(sublinear_tf=True, stop_words="english", min_df=2)
    weights = words.fit_transform([row["text"] for row in rows])
    likeness = (weights @ words.transform(PROTOTYPES.values()).T).toarray()
    probabilities = 1 / (1 + np.exp(-(likeness / likeness.std(axis=0) - 2)))
    vectors = normalize(TruncatedSVD(64, random_state=0).fit_transform(weights) + 1e-6)
    known = np.array([[policy in row["labels"] for policy in PROTOTYPES] for row in rows])
    pool = Pool(
        ids=tuple(row["external_id"] for row in rows),
        policies=tuple(PROTOTYPES),
        probabilities=probabilities.astype(np.float32),
        embeddings=vectors.astype(np.float16),
        eligible=known,
        languages=("en",) * len(rows),
    )
    truth = {(row["external_id"], policy): bool(row["labels"][policy]) for row in rows for policy in row["labels"]}
    return pool, truth


def cold_plan(seed: int, *lanes: Lane) -> Plan:
    tau, weight = dict.fromkeys(PROTOTYPES, 0.3), {"sexual": 2.0, "hate": 3.0, "violence": 3.0, "self-harm": 4.0}
    quotas = (Quota("policy", "self-harm", at_least=10),)
    return Plan(200, seed, lanes, tau, weight, quotas, duplicate_cosine=0.97)


def test_a_cold_round_is_whole_and_repeatable(moderation: tuple[Pool, Truth]) -> None:
    pool, _ = moderation
    plan = cold_plan(3, Lane("random", 0.1), Lane("risk", 0.3), Lane("uncertain", 0.6))
    selection = select(pool, plan)
    assert len(selection.picks) == 200
    assert select(shuffled(pool, 9), plan) == selection
    uncertain = Counter(pick.policy for pick in selection.picks if pick.lane == "uncertain")
    assert uncertain["self-harm"] >= 10
    assert isinstance(selection.frame["units"], int)
    assert selection.frame["units"] < int(pool.eligible.sum())  # the set does hold near-copies


def test_cold_risk_finds_more_harm_and_still_estimates_it(moderation: tuple[Pool, Truth]) -> None:
    pool, truth = moderation
    share = np.mean([truth[pool.ids[row], pool.policies[column]] for row, column in np.argwhere(pool.eligible)])
    found, covered = [], []
    for seed in range(30):
        picks = select(pool, cold_plan(seed, Lane("risk", 1.0))).picks
        y = [truth[pick.item_id, pick.policy] for pick in picks]
        estimate = hajek(y, [pick.pi for pick in picks])
        found.append(np.mean(y))
        covered.append(estimate.low <= share <= estimate.high)
    assert np.mean(found) > 1.3 * share
    assert np.mean(covered) >= 0.85
