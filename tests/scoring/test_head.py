from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from scoring.errors import ModelExists, ModelNotFound, ModelNotSaved, ModelRefused
from scoring.head import CARD, TENSORS, Head, completed


def make(k: int = 2, d: int = 4, seed: int = 0) -> Head:
    rng = np.random.default_rng(seed)
    return Head(
        policies=tuple(f"policy_{j}" for j in range(k)),
        weights=rng.normal(0, 3, (k, d)).astype(np.float32),
        bias=rng.normal(0, 1, k).astype(np.float32),
        platt=np.column_stack([rng.uniform(0.1, 3, k), rng.normal(0, 1, k)]).astype(np.float32),
        sources=("trained", "prototype")[:k] if k <= 2 else ("trained",) * k,
        encoder_version="abc",
    )


def test_probabilities_follow_the_formula() -> None:
    head = make()
    vectors = np.eye(4, dtype=np.float32)
    z = vectors @ head.weights.T + head.bias
    expected = 1 / (1 + np.exp(-(head.platt[:, 0] * z + head.platt[:, 1])))
    found = head.probabilities(vectors)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(0, 10**6))
def test_a_row_does_not_depend_on_the_others(n: int, seed: int) -> None:
    head = make(k=3, d=384)
    vectors = np.random.default_rng(seed).normal(0, 0.05, (n, 384)).astype(np.float16)
    together = head.probabilities(vectors)
    assert ((together >= 0) & (together <= 1)).all()
    for i in (0, n // 2, n - 1):
        np.testing.assert_allclose(head.probabilities(vectors[i : i + 1])[0], together[i], rtol=0, atol=1e-7)


def test_extreme_decisions_stay_in_range() -> None:
    head = make()
    found = head.probabilities(np.array([[1e4] * 4, [-1e4] * 4], np.float32))
    assert np.isfinite(found).all()


def test_other_dimensions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(n, 4\), not \(1, 5\)"):
        make().probabilities(np.zeros((1, 5), np.float32))


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    head = make()
    head.save(tmp_path / "deep" / "model")
    again = Head.load(tmp_path / "deep" / "model")
    assert again.version == head.version
    assert (again.policies, again.sources, again.encoder_version) == (head.policies, head.sources, head.encoder_version)
    vectors = np.eye(4, dtype=np.float32)
    np.testing.assert_array_equal(again.probabilities(vectors), head.probabilities(vectors))
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["model"]


def test_the_version_follows_the_content() -> None:
    head = make()
    other = [
        replace(head, weights=head.weights + np.float32(1e-3)),
        replace(head, bias=head.bias + 1),
        replace(head, platt=head.platt + 1),
        replace(head, policies=("policy_1", "policy_0")),
        replace(head, sources=("trained", "trained")),
        replace(head, encoder_version="abd"),
    ]
    assert len({head.version, *(changed.version for changed in other)}) == 7
    assert make().version == head.version


def test_saving_again_is_nothing_and_over_another_is_refused(tmp_path: Path) -> None:
    make().save(tmp_path / "model")
    make().save(tmp_path / "model")
    with pytest.raises(ModelExists, match="choose another folder"):
        make(seed=1).save(tmp_path / "model")
    (tmp_path / "other").mkdir()
    with pytest.raises(ModelExists):
        make().save(tmp_path / "other")


def test_a_folder_that_cannot_be_written_is_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelNotSaved, match="could not be written"):
        make().save(tmp_path / "file" / "model")

    def full(_self: Path, *_args: object, **_kwargs: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ModelNotSaved, match="No space left"):
        make().save(tmp_path / "models" / "model")
    assert list((tmp_path / "models").iterdir()) == []


def test_a_head_is_completed_with_policies_that_came_later() -> None:
    old, new = make(k=1), replace(make(seed=5), policies=("fresh", "policy_0"))
    both = completed(old, new)
    assert (both.policies, both.sources) == (("fresh", "policy_0"), ("trained", "trained"))
    np.testing.assert_array_equal(both.weights, np.stack([new.weights[0], old.weights[0]]))
    np.testing.assert_array_equal(both.platt, np.stack([new.platt[0], old.platt[0]]))
    with pytest.raises(ValueError, match="one head is for encoder abc"):
        completed(old, replace(new, encoder_version="other"))


def test_no_head_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="holds no head"):
        Head.load(tmp_path)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    make().save(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("content", [b"", b"garbage", b"\x80\x04pickle", b"\xff" * 64])
def test_damaged_tensors_are_refused(saved: Path, content: bytes) -> None:
    (saved / TENSORS).write_bytes(content)
    with pytest.raises(ModelRefused, match="damaged"):
        Head.load(saved)


@pytest.mark.parametrize(
    "change",
    [
        {"policies": ["one"]},
        {"policies": ["same", "same"]},
        {"policies": 3},
        {"policies": [1, 2]},
        {"sources": ["guess", "trained"]},
        {"encoder_version": 7},
        {"format": 2},
        {"extra": 1},
        {"version": "0" * 16},
        {"encoder_version": "another"},
    ],
)
def test_a_card_of_nonsense_is_refused(saved: Path, change: dict[str, object]) -> None:
    card = json.loads((saved / CARD).read_text())
    (saved / CARD).write_text(json.dumps({**card, **change}))
    with pytest.raises(ModelRefused):
        Head.load(saved)


@pytest.mark.parametrize(
    "change",
    [
        {"weights": np.zeros((2, 5), np.float64)},
        {"weights": np.full((2, 4), np.nan, np.float32)},
        {"weights": np.zeros((3, 4), np.float32)},
        {"weights": np.zeros((2, 0), np.float32)},
        {"bias": np.zeros((2, 1), np.float32)},
        {"bias": np.array([np.inf, 0], np.float32)},
        {"platt": np.array([[-1, 0], [1, 0]], np.float32)},
        {"extra": np.zeros(1, np.float32)},
        {"bias": np.zeros(2, np.float32)},
    ],
)
def test_tensors_of_nonsense_are_refused(saved: Path, change: dict[str, np.ndarray]) -> None:  # type: ignore[type-arg]
    save_file({**load_file(saved / TENSORS), **change}, saved / TENSORS)
    with pytest.raises(ModelRefused):
        Head.load(saved)
