from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import learning_curves, learning_peers
from benchmarks.learning_peers import DEFAULT_RULE
from benchmarks.learning_sets import SOURCES, Source
from selection.replay import RANDOM, Course, LabelledSet, replay, split
from tests.selection.test_replay import made_set

STRATEGIES = (RANDOM, "auto", DEFAULT_RULE, "small_text_breaking_ties")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LabelledSet:
    data = made_set()
    monkeypatch.setattr(learning_curves, "load", lambda _name: data)
    monkeypatch.setattr(learning_curves, "KEPT", tmp_path)
    monkeypatch.setattr(learning_peers, "PYTHON", tmp_path / "nowhere")
    monkeypatch.setitem(SOURCES, "made", Source("made", lambda _records, _vectors: data, 0.3, 200, 100))
    return data


@pytest.mark.usefixtures("made")
def test_absent_peers_are_left_out() -> None:
    found = {curve.strategy: curve for curve in learning_curves.curves("made", [(name, 0) for name in STRATEGIES])}
    assert list(found) == [RANDOM, "auto", DEFAULT_RULE]
    assert found["auto"].labels[-1] == found[DEFAULT_RULE].labels[-1] == 200


def test_random_goes_to_the_whole_pool_in_larger_rounds_at_last(
    made: LabelledSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning_curves, "STEP", 6)
    random = next(learning_curves.curves("made", [(RANDOM, 0)]))
    part = split(made, 0, 0.3)
    assert random.labels.tolist() == [50, 100, 150, 200, 206, len(part.pool)]
    alone = replay(part, RANDOM, 0, Course(start=206, batch=50, budget=206))
    assert random.scores["rare_auprc"][4] == pytest.approx(alone.scores["rare_auprc"][0], abs=1e-3)
    assert random.scores["rare_auprc"][-1] == pytest.approx(random.full["rare_auprc"], abs=1e-3)


@pytest.mark.usefixtures("made")
def test_a_finished_curve_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [(name, seed) for seed in (0, 1) for name in (RANDOM, "auto")]
    first = list(learning_curves.curves("made", wanted))
    monkeypatch.setattr(learning_curves, "replay", None)
    again = list(learning_curves.curves("made", wanted))
    for one, other in zip(first, again, strict=True):
        assert (one.strategy, one.seed, one.full) == (other.strategy, other.seed, other.full)
        assert np.array_equal(one.scores["macro_f1"], other.scores["macro_f1"])


def test_what_is_said_about_code_does_not_change_it() -> None:
    source = 'def f(x: int) -> int:\n    """One."""\n    return x + 1  # one\n'
    assert learning_curves._meaning(source) == learning_curves._meaning(source.replace("one", "two").replace("One", ""))
    assert learning_curves._meaning(source) != learning_curves._meaning(source.replace("1", "2"))
