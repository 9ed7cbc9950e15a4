from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import average_precision_score

from labeling.quality.evaluation import POPULATION, PURPOSIVE, UNWEIGHTED, Evaluation, auprc, evaluate, population
from labeling.quality.intervals import proportion
from selection.errors import NoLicence

RNG = np.random.default_rng(2)
TRUTH = (RNG.random(300) < 0.2).astype(np.float32)
SCORES = np.clip(0.3 + 0.4 * TRUTH + RNG.normal(0, 0.15, 300), 0, 1).astype(np.float32)
F32 = npt.NDArray[np.float32]


def _evaluate(scores: F32, labels: F32, **more: object) -> Evaluation:
    return evaluate(
        scores,
        labels,
        [f"p{j}" for j in range(scores.shape[1])],
        thresholds={f"p{j}": 0.5 for j in range(scores.shape[1])},
        policy_versions={f"p{j}": "2.0.0" for j in range(scores.shape[1])},
        golden_version="1.0.0",
        **more,  # type: ignore[arg-type]
    )


def test_figures_are_those_of_the_definitions() -> None:
    found = _evaluate(SCORES[:, None], TRUTH[:, None]).policies[0]
    flagged = SCORES >= 0.5
    hits = int((flagged & (TRUTH == 1)).sum())
    assert found.precision == proportion(hits, int(flagged.sum()))
    assert found.recall == proportion(hits, int(TRUTH.sum()))
    assert found.auprc.value == pytest.approx(average_precision_score(TRUTH, SCORES))
    assert found.auprc.value is not None
    assert found.auprc.low < found.auprc.value < found.auprc.high
    assert (found.n, found.positives) == (300, int(TRUTH.sum()))


def test_every_figure_says_where_it_comes_from() -> None:
    told = _evaluate(SCORES[:, None], TRUTH[:, None]).as_dict()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    policy = json.loads(json.dumps(told))["policies"]["p0"]
    for name in ("auprc", "precision", "recall"):
        figure = policy[name]
        assert {"value", "low", "high", "n", "method", "verdict"} <= figure.keys()
        assert figure["licence"] == PURPOSIVE
        assert (figure["golden_version"], figure["policy_version"]) == ("1.0.0", "2.0.0")


def test_known_probabilities_change_the_licence_but_claim_nothing() -> None:
    assert _evaluate(SCORES[:, None], TRUTH[:, None], pi=[0.1] * 300).policies[0].licence == UNWEIGHTED
    mixed: list[float | None] = [*[0.1] * 299, None]
    assert _evaluate(SCORES[:, None], TRUTH[:, None], pi=mixed).policies[0].licence == PURPOSIVE


def test_unknown_labels_do_not_count_and_small_cells_say_so() -> None:
    labels = np.full((300, 2), np.nan, np.float32)
    labels[:, 0] = TRUTH
    labels[:12, 1] = 1
    first, second = _evaluate(np.stack([SCORES, SCORES], axis=1), labels).policies
    assert (first.n, second.n, second.positives) == (300, 12, 12)
    assert {f.verdict for f in (second.auprc, second.precision, second.recall)} == {"insufficient"}
    assert second.recall.value is None


def test_a_policy_without_labels_is_insufficient() -> None:
    found = _evaluate(SCORES[:, None], np.full((300, 1), np.nan, np.float32)).policies[0]
    assert (found.n, found.auprc.value, found.precision.value) == (0, None, None)


def test_one_positive_is_not_enough_for_a_curve() -> None:
    truth = np.zeros(50, dtype=np.bool_)
    truth[0] = True
    assert auprc(np.linspace(1, 0, 50, dtype=np.float64), truth).verdict == "insufficient"


@pytest.mark.parametrize(("positives", "low"), [(2, 0.158), (30, 0.884)])
def test_a_perfect_ranking_of_few_is_not_certain(positives: int, low: float) -> None:
    truth = np.arange(100) < positives
    found = auprc(np.linspace(1, 0, 100, dtype=np.float64), truth)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(low, abs=1e-3)
    copies = [f"pair {row // 2}" for row in range(100)]
    assert auprc(np.linspace(1, 0, 100, dtype=np.float64), truth, copies).low < found.low


def test_near_duplicates_widen_the_interval() -> None:
    scores, truth = np.tile(SCORES[:60], 5).astype(np.float64), np.tile(TRUTH[:60] == 1, 5)
    copies = [str(i % 60) for i in range(300)]
    together, apart = auprc(scores, truth, copies), auprc(scores, truth)
    assert together.value == apart.value
    assert together.high - together.low > apart.high - apart.low
    assert auprc(scores, truth, copies) == together


@pytest.mark.parametrize(
    ("scores", "labels", "problem"),
    [
        (np.zeros((3, 1), np.float32), np.zeros((2, 1), np.float32), "both must be"),
        (np.full((3, 1), 2, np.float32), np.zeros((3, 1), np.float32), "between 0 and 1"),
        (np.full((3, 1), np.nan, np.float32), np.zeros((3, 1), np.float32), "between 0 and 1"),
        (np.zeros((3, 1), np.float32), np.full((3, 1), 0.5, np.float32), "labels: row 0"),
    ],
)
def test_impossible_input_is_refused(scores: F32, labels: F32, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        _evaluate(scores, labels)


def test_prevalence_speaks_for_all_traffic_when_every_chance_is_known() -> None:
    answers = [True] * 30 + [False] * 70
    pi = [0.5] * 30 + [0.1] * 70
    found = population(answers, pi, policy_id="p", policy_version="1.0.0", golden_version="1.2.0")
    assert found.figure.value == pytest.approx(60 / 760)
    assert found.licence == POPULATION
    assert json.loads(json.dumps(found.as_dict()))["golden_version"] == "1.2.0"


def test_prevalence_is_refused_when_one_pick_was_chosen_on_purpose() -> None:
    with pytest.raises(NoLicence, match="on purpose"):
        population([True, False], [0.5, None], policy_id="p", policy_version="1", golden_version="1")


def test_prevalence_of_twelve_answers_is_insufficient() -> None:
    found = population([True] * 12, [0.5] * 12, policy_id="p", policy_version="1", golden_version="1")
    assert (found.figure.value, found.figure.verdict) == (None, "insufficient")


@pytest.mark.parametrize("kind", [0.0, 1.0])
def test_labels_of_one_kind_have_no_precision(kind: float) -> None:
    """It would be 0, or 1, whatever the model says."""
    scores = np.linspace(0, 1, 40, dtype=np.float32)[:, None]
    found = _evaluate(scores, np.full((40, 1), kind, np.float32)).policies[0]
    assert (found.precision.value, found.precision.verdict, found.precision.n) == (None, "insufficient", 20)
    assert found.auprc.value is None
    assert (found.recall.value is None) == (kind == 0)
