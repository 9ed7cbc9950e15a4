from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from labeling.errors import NothingToDo
from labeling.golden.partition import Shares
from labeling.judging.population import Judged, _policy, population_figures, population_items, rounds_since
from labeling.quality.evaluation import POPULATION
from selection.errors import NoLicence
from tests.figures import assert_whole
from tests.labeling.shop import NO, Shop, items, yes


@pytest.fixture
def audited(shop: Shop) -> Shop:
    """A round of chance lanes alone whose answers are in; a third of the items violate."""
    shop.shares = Shares(train=0.8, calibration=0.0, dev=0.0, sealed=0.2)
    shop.ingest(items(range(0, 90, 3), "cheat money w{n} v{n}", policies=("fraud",)))
    shop.ingest(items(range(1, 90, 3), "a walk w{n} v{n}", policies=("fraud",)))
    shop.ingest(items(range(2, 90, 3), "the sea w{n} v{n}", policies=("fraud",)))
    shop.score()
    for task in shop.send("r1", 60, policies=("fraud",), lanes={"random": 0.5, "risk": 0.5}):
        verdict = yes() if "cheat" in task.text else NO
        shop.answer(task, verdict, verdict)
    shop.settle()
    return shop


def test_a_round_of_chance_speaks_for_its_frame(audited: Shop) -> None:
    round_ = audited.ledger.rounds.get("r1")
    told: Any = population_figures(audited.ledger, [round_])
    assert_whole(told, 3)
    for policy, figures in told["policies"].items():
        named = population_items(audited.ledger, [round_], (), policy, "answered")
        assert len(named) == figures["prevalence"]["n"]
        assert figures["prevalence"]["items"].startswith(f"/v1/population/items?round_id={round_.round_id}&policy=")
    fraud = told["policies"]["fraud"]
    assert told["picks"] == told["settled"] + told["withheld"] > told["settled"] > 30
    prevalence = fraud["prevalence"]
    assert prevalence["low"] < 1 / 3 < prevalence["high"]
    assert (prevalence["licence"], prevalence["policy_version"], prevalence["n"]) == (
        POPULATION,
        "1.0.0",
        told["settled"],
    )
    assert fraud["precision"]["n"] + 0 <= told["settled"]
    assert 0 <= fraud["recall"]["floor"] <= 1


def test_one_purposive_pick_takes_the_licence_away_and_naming_the_lanes_gives_it_back(audited: Shop) -> None:
    audited.ingest(items(range(100, 130), "cheat slow w{n} v{n}", policies=("fraud",)))
    audited.score()
    for task in audited.send("r2", 12, policies=("fraud",), lanes={"random": 0.5, "uncertain": 0.5}):
        audited.answer(task, NO, NO)
    audited.settle()
    both = [audited.ledger.rounds.get(name) for name in ("r1", "r2")]
    with pytest.raises(NoLicence, match=r"picked on purpose by the lane 'uncertain' of round 'r2'.*lanes of chance"):
        population_figures(audited.ledger, both)
    told: Any = population_figures(audited.ledger, both, ["random", "risk"])
    assert told["policies"]["fraud"]["prevalence"]["n"] > 30


def test_rounds_without_answers_have_no_figure(audited: Shop) -> None:
    since = audited.ledger.rounds.get("r1").created_at
    assert [one.round_id for one in rounds_since(audited.ledger.rounds, since)] == ["r1"]
    with pytest.raises(NothingToDo, match="no round was created since"):
        rounds_since(audited.ledger.rounds, since + timedelta(seconds=1))
    audited.ingest(items(range(200, 240), policies=("fraud",)))
    audited.score()
    audited.send("r3", 10, policies=("fraud",), lanes={"random": 1.0})
    with pytest.raises(NothingToDo, match="goldfold sync"):
        population_figures(audited.ledger, [audited.ledger.rounds.get("r3")])


HERE = dict.fromkeys(("answered", "flagged", "violating"), "/v1/x")


def test_a_side_in_which_nothing_was_found_is_named_and_bounded() -> None:
    """DOMAIN section 5 in small: what was not flagged was audited 0 of 400."""
    removed = [Judged("p", "1.0.0", 1 / 30, n < 285, True, f"a{n}") for n in range(300)]
    passed = [Judged("p", "1.0.0", 1 / 2375, False, False, f"b{n}") for n in range(400)]
    told: Any = _policy([*removed, *passed], "1.0.0", HERE)
    assert told["recall"]["value"] == 1.0
    assert told["recall"]["empty"] == ["not flagged"]
    found, unseen = 285 * 30, 950_000 * (1 - 0.05 ** (1 / 400))
    assert told["recall"]["floor"] == pytest.approx(found / (found + unseen), rel=1e-6)
    assert told["precision"]["value"] == pytest.approx(0.95)


def test_both_sides_give_the_recall_of_the_fixture() -> None:
    sides = [(9000, 300, 285, True), (950_000, 400, 0, False), (40_000, 600, 6, False), (1000, 200, 50, False)]
    rows = [
        Judged("p", "1.0.0", n / size, k < events, side, f"{size}-{k}")
        for size, n, events, side in sides
        for k in range(n)
    ]
    told: Any = _policy(rows, "1.0.0", HERE)
    assert told["recall"]["value"] == pytest.approx(0.929, abs=5e-4)
    assert told["recall"]["low"] < 0.929 < told["recall"]["high"]


def test_recall_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(4)
    truth = generator.random(20_000) < 0.05
    scores = np.where(truth, generator.beta(5, 2, 20_000), generator.beta(2, 5, 20_000))
    flagged, pi = scores > 0.55, np.clip(scores, 0.02, 1) * 0.25
    recall, covered = (truth & flagged).sum() / truth.sum(), 0
    for _ in range(150):
        drawn = np.flatnonzero(generator.random(20_000) < pi)
        rows = [Judged("p", "1.0.0", float(pi[i]), bool(truth[i]), bool(flagged[i]), str(i)) for i in drawn]
        found: Any = _policy(rows, "1.0.0", HERE)["recall"]
        covered += found["low"] <= recall <= found["high"]
    assert 0.90 <= covered / 150 <= 0.99
