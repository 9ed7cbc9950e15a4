from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from scoring.bounds import losses_allowed, upper_bound
from scoring.cascade_fit import DISTIL, HELD_OUT, TUNE, Fitted, Sample, Wish, fit, held_out, split
from scoring.errors import LossTooHigh
from scoring.vocabulary import Vocabulary
from tests.scoring.stages import made_probabilities, made_texts, tiny_vocabulary

WISH = Wish(loss=0.03, picks=0.02, epochs=4, max_tokens=32, trickle=0.02)


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    return tiny_vocabulary(tmp_path_factory.mktemp("vocabulary"))


def sample_of(texts: Sequence[str]) -> Sample:
    made = list(texts)
    return Sample(made, made, made_probabilities(made), ("abuse",), (0.5,), "full-1", full_s=0.01)


@pytest.fixture(scope="module")
def sample() -> Sample:
    return sample_of(made_texts(2000))


@pytest.fixture(scope="module")
def fitted(sample: Sample, vocabulary: Vocabulary) -> Fitted:
    return fit(sample, vocabulary, WISH)


def test_the_report_counts_what_a_recount_finds(fitted: Fitted, sample: Sample) -> None:
    held = np.flatnonzero(split(sample.keys, WISH) == HELD_OUT)
    cleared = fitted.clearing.clears(fitted.stage.read([sample.texts[i] for i in held]))
    positive = sample.probabilities[held, 0] >= 0.5
    report = fitted.report
    assert (report.held_out, report.positives) == (len(held), int(positive.sum()))
    assert report.lost == int((positive & cleared).sum())
    assert upper_bound(report.lost, report.positives) <= report.loss_upper <= WISH.loss
    assert report.loss_upper == upper_bound(losses_allowed(report.positives, WISH.loss), report.positives)
    assert report.cleared == pytest.approx(cleared.mean() * 0.98)
    assert report.policies["abuse"].positives == report.positives
    assert report.picks == round(0.02 * len(held))
    assert report.picks_lost <= 0.03 * report.picks


def test_it_clears_most_of_what_is_far_below(fitted: Fitted) -> None:
    assert 0.5 < fitted.report.cleared < 0.98
    assert fitted.report.speed_up is not None
    assert fitted.report.speed_up > 1


def test_the_bound_holds_on_new_texts(fitted: Fitted) -> None:
    texts = made_texts(3000, seed=77)
    positive = made_probabilities(texts)[:, 0] >= 0.5
    lost = positive & fitted.clearing.clears(fitted.stage.read(texts))
    assert lost.sum() / positive.sum() <= WISH.loss


def test_the_same_sample_gives_the_same_stage_and_rule(fitted: Fitted, sample: Sample, vocabulary: Vocabulary) -> None:
    again = fit(sample, vocabulary, WISH)
    assert again.stage.version == fitted.stage.version
    assert again.clearing == fitted.clearing


def test_equal_keys_count_once(sample: Sample, vocabulary: Vocabulary, fitted: Fitted) -> None:
    twice = Sample(
        [*sample.texts, *sample.texts],
        [*sample.keys, *sample.keys],
        np.concatenate([sample.probabilities, sample.probabilities]),
        sample.policies,
        sample.thresholds,
        sample.full_version,
    )
    report = fit(twice, vocabulary, WISH).report
    assert report.items == 2 * fitted.report.items
    assert report.distinct == fitted.report.distinct
    assert report.positives == fitted.report.positives
    assert report.speed_up is None


def test_what_the_full_scorer_was_trained_on_is_never_held_out(sample: Sample, vocabulary: Vocabulary) -> None:
    seen = np.arange(len(sample.texts)) % 4 == 0
    report = fit(replace(sample, seen=seen), vocabulary, WISH).report
    assert held_out(sample, WISH).tolist() == np.flatnonzero(split(sample.keys, WISH) == HELD_OUT).tolist()
    held = np.flatnonzero((split(sample.keys, WISH) == HELD_OUT) & ~seen)
    assert held_out(replace(sample, seen=seen), WISH).tolist() == held.tolist()
    assert report.held_out == len(held)
    assert report.positives == (sample.probabilities[held, 0] >= 0.5).sum()
    assert report.distinct == len(sample.texts)
    with pytest.raises(ValueError, match="seen"):
        fit(replace(sample, seen=seen[:5]), vocabulary, WISH)


def test_the_split_is_by_key_and_in_proportion() -> None:
    keys = [f"text {i}" for i in range(5000)]
    parts = split(keys, WISH)
    assert split(keys[::-1], WISH).tolist() == parts[::-1].tolist()
    shares = [float((parts == part).mean()) for part in (DISTIL, TUNE, HELD_OUT)]
    assert shares == pytest.approx([0.45, 0.05, 0.5], abs=0.03)
    assert split(keys, replace(WISH, seed=1)).tolist() != parts.tolist()


def test_too_few_positives_are_refused_with_counts_and_a_cure(sample: Sample, vocabulary: Vocabulary) -> None:
    with pytest.raises(LossTooHigh, match=r"\d+ of \d+ held-out texts are positive.*0.50% takes 598.*allow a loss of"):
        fit(sample, vocabulary, replace(WISH, loss=0.005))
    none = replace(sample, probabilities=np.full((2000, 1), 0.1, np.float32))
    with pytest.raises(LossTooHigh, match=r"0 of .*score many more items fully$"):
        fit(none, vocabulary, WISH)
    with pytest.raises(LossTooHigh, match="the sample has 50 distinct texts"):
        fit(sample_of(made_texts(50)), vocabulary, WISH)


def test_what_cannot_be_meant_is_refused(sample: Sample, vocabulary: Vocabulary) -> None:
    with pytest.raises(ValueError, match="needs as many keys"):
        fit(replace(sample, keys=sample.keys[:5]), vocabulary, WISH)
    with pytest.raises(ValueError, match="loss must lie between"):
        replace(WISH, loss=0.0)
    with pytest.raises(ValueError, match="picks must lie between"):
        replace(WISH, picks=1.0)
    with pytest.raises(ValueError, match="trickle must lie between"):
        replace(WISH, trickle=2.0)
    with pytest.raises(ValueError, match="64 bits"):
        replace(WISH, seed=2**63)
    with pytest.raises(ValueError, match="held_out must lie between"):
        replace(WISH, held_out=0.99)
