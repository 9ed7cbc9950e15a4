"""What peers are told, and what they pick."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import learning_peers as peers
from selection.replay import Course, replay, split
from selection.strategies.base import Candidates
from tests.selection.test_replay import made_set

needs_them = pytest.mark.skipif(not peers.PYTHON.is_file(), reason="make bench makes .venv-peers, which is not there")


def made_candidates(m: int = 400, k: int = 3, seed: int = 0) -> Candidates:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((m, 8)).astype(np.float32)
    return Candidates(
        embeddings=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        probabilities=rng.random((m, k)).astype(np.float32),
        open=np.ones((m, k), dtype=bool),
        thresholds=np.array([0.5, 0.3, 0.6])[:k],
        weights=np.ones(k),
        ties=rng.random(m),
    )


def test_classes_add_up_to_one_and_a_policy_gives_its_two_answers() -> None:
    candidates = made_candidates()
    assert peers.classes(candidates, exclusive=True)[1].sum(axis=1) == pytest.approx(np.ones(400))
    candidates.open[:, 1] = False
    policies, two = peers.classes(candidates, exclusive=False)
    assert two.shape == (400, 2)
    assert two.sum(axis=1) == pytest.approx(np.ones(400))
    assert set(policies.tolist()) == {0, 2}
    away = np.abs(candidates.probabilities[:, [0, 2]] - 0.5).min(axis=1)
    assert np.abs(two[:, 1] - 0.5) == pytest.approx(away)


@pytest.mark.parametrize("exclusive", [True, False])
def test_the_study_s_rule_serves_both_boundaries(exclusive: bool) -> None:
    candidates = made_candidates(4000)
    found = peers.study_default(candidates, 45, 0, 1, exclusive)
    assert len(set(found.rows.tolist())) == 45
    assert set(found.policies.tolist()) == {1}
    own = np.abs(candidates.probabilities[:, 1] - 0.5)
    assert own[found.rows[22:]].max() <= np.sort(own)[460 + 22]
    assert own[found.rows[:22]].max() > np.sort(own)[460 + 22]


def test_modal_s_entropy_picks_the_flattest_classes() -> None:
    candidates = made_candidates()
    peer = peers.peer("modal_entropy_sampling", split(made_set(), 0, 0.3), None)
    assert peer is not None
    found = peer.choose(candidates, 10, 0)
    _policies, p = peers.classes(candidates, exclusive=False)
    best = np.argsort(np.abs(p[:, 0] - 0.5))[:10]
    assert set(found.rows.tolist()) == set(best.tolist())


def test_a_peer_whose_library_is_not_there_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "PYTHON", peers.ROOT / "nowhere")
    with peers.serving() as server:
        assert server is None
        assert peers.peer(peers.SERVED[0], split(made_set(), 0, 0.3), server) is None


@needs_them
@pytest.mark.slow
def test_served_peers_pick_by_the_probabilities_they_are_given() -> None:
    p = np.random.default_rng(0).dirichlet([1, 1, 0.2], 300)
    vectors = made_candidates(300).embeddings.astype(np.float32)
    best = np.sort(p, axis=1)
    with peers.serving() as server:
        assert server is not None
        ties = server.ask("small_text_breaking_ties", p, vectors, 9, 0)
        assert set(ties.tolist()) == set(np.argsort(best[:, -1] - best[:, -2])[:9].tolist())
        least = server.ask("small_text_least_confidence", p, vectors, 9, 0)
        assert set(least.tolist()) == set(np.argsort(best[:, -1])[:9].tolist())
        assert set(server.ask("scikit_activeml_margin", p, vectors, 9, 0).tolist()) == set(ties.tolist())
        for name in peers.SERVED:
            assert len(set(server.ask(name, p, vectors, 9, 0).tolist())) == 9


@needs_them
@pytest.mark.slow
def test_a_peer_can_be_replayed() -> None:
    part = split(made_set(), 0, 0.3)
    with peers.serving() as server:
        peer = peers.peer("scikit_activeml_badge", part, server)
        assert peer is not None
        curve = replay(part, "scikit_activeml_badge", 0, Course(30, 20, 70), peer.choose, peer.by_chance)
    assert curve.labels.tolist() == [30, 50, 70]


@needs_them
@pytest.mark.slow
def test_a_question_that_the_peer_cannot_answer_is_an_error() -> None:
    with peers.serving() as server:
        assert server is not None
        with pytest.raises(RuntimeError, match="no_such_strategy"):
            server.ask("no_such_strategy", np.full((4, 2), 0.5), np.zeros((4, 2), np.float32), 1, 0)
