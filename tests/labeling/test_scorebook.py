from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling import scorebook
from labeling.errors import StoreError, UnknownItem
from labeling.scorebook import (
    EmbeddingScorer,
    ScoredChunk,
    embedding_group,
    embeddings,
    failure_group,
    matrix,
    read_sheet,
    score_chunk,
    score_group,
    scores_of,
    unscored,
    vectors,
)
from scoring.base import Progress, Scores
from scoring.embedding_head import EmbeddingHead
from scoring.head import Head
from tests.labeling.shop import HashEncoder, Shop, items


class Killed(BaseException):
    """The process dies here."""


class TextsOnly:
    """A scorer that cannot work from kept embeddings."""

    def __init__(self, inner: EmbeddingHead) -> None:
        self._inner = inner
        self.name, self.version, self.policies = "texts", "texts-1", inner.policies
        self.embedding_version = "texts-1"

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        return self._inner.score(ids, texts, progress)


class Forgetful(TextsOnly):
    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        return super().score(ids[1:], texts[1:], progress)


def kill_before(shop: Shop, monkeypatch: pytest.MonkeyPatch, group: str) -> None:
    real = shop.lake.add_columns

    def add_columns(name: str, item_ids: Sequence[str], columns: Mapping[str, pa.Array]) -> int:
        if name == group:
            raise Killed
        return real(name, item_ids, columns)

    monkeypatch.setattr(shop.lake, "add_columns", add_columns)


def other_head(shop: Shop) -> Head:
    head = shop.prototypes
    return replace(head, weights=head.weights * 2)


def test_an_empty_lake_leaves_nothing_to_score(shop: Shop) -> None:
    assert score_chunk(shop.lake, shop.scorer(), 10) == ScoredChunk(0, 0, 0)
    assert unscored(shop.lake, shop.scorer()) == []


def test_every_item_is_scored_once_chunk_by_chunk(shop: Shop) -> None:
    shop.ingest(items(range(25)))
    scorer = shop.scorer()
    told = [score_chunk(shop.lake, scorer, 10) for _ in range(4)]
    assert [(c.scored, c.failed, c.left) for c in told] == [(10, 0, 15), (10, 0, 5), (5, 0, 0), (0, 0, 0)]
    assert len(shop.encoder.encoded) == len(set(shop.encoder.encoded)) == 25
    assert shop.lake.count(score_group(scorer)) == shop.lake.count(embedding_group(scorer)) == 25


def test_progress_is_passed_through(shop: Shop) -> None:
    shop.ingest(items(range(3)))
    heard: list[tuple[int, int]] = []

    class Talking(HashEncoder):
        def encode(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None):  # type: ignore[no-untyped-def]
            if progress is not None:
                progress(len(ids), len(ids))
            return super().encode(ids, texts)

    scorer = EmbeddingHead(Talking(), shop.prototypes)
    score_chunk(shop.lake, scorer, 10, lambda done, total: heard.append((done, total)))
    assert heard == [(3, 3)]


def test_the_sheet_holds_what_the_scorer_said_in_the_order_asked(shop: Shop) -> None:
    shop.ingest(items(range(12)))
    scorer = shop.scorer()
    while score_chunk(shop.lake, scorer, 5).left:
        pass
    wanted = ["it-00007", "it-00002", "it-00011"]
    sheet = read_sheet(shop.lake, scorer, wanted)
    texts = shop.lake.take(wanted, ["text"])["text"].to_pylist()
    direct = scorer.score(wanted, texts)
    assert (sheet.ids, sheet.policies) == (tuple(wanted), scorer.policies)
    assert str(sheet.probabilities.dtype) == "float32"
    assert str(sheet.embeddings.dtype) == "float16"
    np.testing.assert_array_equal(sheet.probabilities, direct.probabilities)
    np.testing.assert_array_equal(sheet.embeddings, direct.embeddings)
    assert (sheet.failed, sheet.waiting) == (0, 0)


def test_a_kill_between_embeddings_and_scores_costs_no_encoding(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.ingest(items(range(10)))
    scorer = shop.scorer()
    with monkeypatch.context() as patch:
        kill_before(shop, patch, score_group(scorer))
        with pytest.raises(Killed):
            score_chunk(shop.lake, scorer, 6)
    assert shop.lake.count(embedding_group(scorer)) == 6
    assert shop.lake.count(score_group(scorer)) == 0
    assert score_chunk(shop.lake, scorer, 6) == ScoredChunk(6, 0, 4)
    assert score_chunk(shop.lake, scorer, 6) == ScoredChunk(4, 0, 0)
    assert sorted(shop.encoder.encoded) == shop.lake.ids()  # each once, the six before the kill included
    texts = shop.lake.take(shop.lake.ids(), ["text"])["text"].to_pylist()
    direct = shop.scorer().score(shop.lake.ids(), texts)
    np.testing.assert_array_equal(read_sheet(shop.lake, scorer, shop.lake.ids()).probabilities, direct.probabilities)


def test_failed_items_are_recorded_with_the_reason_and_not_tried_for_ever(shop: Shop) -> None:
    shop.ingest([*items(range(4)), *items(range(4, 7), "broken text {n}")])
    scorer = shop.scorer()
    assert score_chunk(shop.lake, scorer, 100) == ScoredChunk(4, 3, 0)
    assert score_chunk(shop.lake, scorer, 100) == ScoredChunk(0, 0, 0)
    assert len(shop.encoder.encoded) == 7
    kept = shop.lake.take(["it-00005"], ["reason"], failure_group(scorer))
    assert kept["reason"].to_pylist() == ["it is broken"]
    sheet = read_sheet(shop.lake, scorer, shop.lake.ids())
    assert (len(sheet.ids), sheet.failed, sheet.waiting) == (4, 3, 0)


def test_a_chunk_of_nothing_but_failures_goes_on(shop: Shop) -> None:
    shop.ingest(items(range(3), "broken text {n}"))
    assert score_chunk(shop.lake, shop.scorer(), 2) == ScoredChunk(0, 2, 1)
    assert score_chunk(shop.lake, shop.scorer(), 2) == ScoredChunk(0, 1, 0)
    sheet = read_sheet(shop.lake, shop.scorer(), shop.lake.ids())
    assert (sheet.ids, sheet.probabilities.shape, sheet.failed) == ((), (0, 2), 3)


def test_a_kill_before_the_failures_are_kept_tries_only_those_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.ingest([*items(range(4)), *items(range(4, 6), "broken text {n}")])
    scorer = shop.scorer()
    with monkeypatch.context() as patch:
        kill_before(shop, patch, failure_group(scorer))
        with pytest.raises(Killed):
            score_chunk(shop.lake, scorer, 100)
    assert score_chunk(shop.lake, scorer, 100) == ScoredChunk(0, 2, 0)
    assert shop.encoder.encoded[-2:] == ["it-00004", "it-00005"]


def test_a_new_head_scores_from_kept_embeddings_without_encoding(shop: Shop) -> None:
    shop.stocked(20)
    before = list(shop.encoder.encoded)
    scorer = shop.scorer(other_head(shop))
    assert isinstance(scorer, EmbeddingScorer)
    assert score_chunk(shop.lake, scorer, 10) == ScoredChunk(20, 0, 0)  # kept ones come many chunks at a time
    assert shop.encoder.encoded == before
    texts = shop.lake.take(shop.lake.ids(), ["text"])["text"].to_pylist()
    direct = EmbeddingHead(HashEncoder(), scorer.head).score(shop.lake.ids(), texts)
    np.testing.assert_array_equal(read_sheet(shop.lake, scorer, shop.lake.ids()).probabilities, direct.probabilities)


def test_kept_and_new_items_mixed_take_as_few_chunks_as_they_can(shop: Shop) -> None:
    old, new = items(range(0, 200, 2)), items(range(1, 40, 2))  # their ids alternate
    shop.ingest(old)
    shop.score()
    shop.ingest(new)
    shop.encoder.encoded.clear()
    scorer = shop.scorer(other_head(shop))
    told = [score_chunk(shop.lake, scorer, 10)]
    while told[-1].left:
        told.append(score_chunk(shop.lake, scorer, 10))
    assert [c.scored for c in told] == [100, 10, 10]
    assert sorted(shop.encoder.encoded) == [item.item_id for item in new]


def test_the_factor_bounds_what_is_read_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.stocked(20)
    monkeypatch.setattr(scorebook, "KEPT_FACTOR", 3)
    assert score_chunk(shop.lake, shop.scorer(other_head(shop)), 4) == ScoredChunk(12, 0, 8)


def test_a_scorer_that_needs_texts_is_asked_with_texts(shop: Shop) -> None:
    shop.stocked(5)
    scorer = TextsOnly(shop.scorer())
    assert not isinstance(scorer, EmbeddingScorer)
    assert score_chunk(shop.lake, scorer, 3) == ScoredChunk(3, 0, 2)
    assert shop.lake.count("embeddings-texts-1") == 3


def test_a_scorer_that_leaves_an_item_out_is_stopped_and_nothing_is_kept(shop: Shop) -> None:
    shop.ingest(items(range(3)))
    with pytest.raises(ValueError, match="'it-00000' is wrong"):
        score_chunk(shop.lake, Forgetful(shop.scorer()), 10)
    assert shop.lake.groups() == ["items"]


def test_a_full_disk_leaves_a_run_that_goes_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.ingest(items(range(4)))

    def full(*_: object) -> int:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(shop.lake, "add_columns", full)
        with pytest.raises(StoreError):
            score_chunk(shop.lake, shop.scorer(), 10)
    assert score_chunk(shop.lake, shop.scorer(), 10) == ScoredChunk(4, 0, 0)


def test_a_sheet_counts_who_waits_and_forgets_who_left_the_lake(shop: Shop) -> None:
    shop.stocked(6)
    shop.ingest(items(range(6, 9)))
    shop.lake.delete(["it-00000", "it-00008"])
    sheet = read_sheet(shop.lake, shop.scorer(), shop.ledger.items.ids())
    assert (len(sheet.ids), sheet.failed, sheet.waiting) == (5, 0, 2)
    assert read_sheet(shop.lake, shop.scorer(), []).ids == ()


def test_embeddings_come_in_the_order_asked_or_not_at_all(shop: Shop) -> None:
    shop.stocked(4)
    both = embeddings(shop.lake, "hash-1", ["it-00003", "it-00001"])
    np.testing.assert_array_equal(both[1:], embeddings(shop.lake, "hash-1", ["it-00001"]))
    assert len(embeddings(shop.lake, "hash-1", [])) == 0
    with pytest.raises(UnknownItem, match="it-x"):
        embeddings(shop.lake, "hash-1", ["it-x"])


def test_all_scores_of_an_item_by_scorer(shop: Shop) -> None:
    shop.stocked(3)
    second = shop.scorer(other_head(shop))
    shop.score(second)
    shop.ingest(items(range(3, 4)))
    shop.score()
    assert set(scores_of(shop.lake, "it-00001")) == {shop.scorer().version, second.version}
    assert set(scores_of(shop.lake, "it-00003")) == {shop.scorer().version}
    assert scores_of(shop.lake, "it-nobody") == {}
    one = scores_of(shop.lake, "it-00001")[second.version]
    sheet = read_sheet(shop.lake, second, ["it-00001"])
    assert one == dict(zip(second.policies, sheet.probabilities[0].tolist(), strict=True))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 20), st.integers(1, 9), st.integers(0, 1000), st.integers(1, 4))
def test_matrices_survive_arrow(n: int, d: int, seed: int, parts: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float16)
    chunked = pa.chunked_array([vectors(part) for part in np.array_split(rows, parts) if len(part)])
    np.testing.assert_array_equal(matrix(chunked), rows)
    np.testing.assert_array_equal(matrix(chunked.slice(n // 2)), rows[n // 2 :])


@pytest.mark.slow
def test_the_real_encoder_resumes_as_the_small_one_does(shop: Shop) -> None:
    encoder_room = pytest.importorskip("scoring.encoder")
    prototypes = pytest.importorskip("scoring.prototypes")
    encoder = encoder_room.SentenceEncoder(None, device="cpu", batch_tokens=2048, max_tokens=64)
    head = prototypes.prototype_head(encoder, {"fraud": "cheating people out of money", "harm": "hurting people"})
    scorer = EmbeddingHead(encoder, head)
    shop.ingest([*items(range(3), "send me your bank details {n}"), *items(range(3, 6), "a walk in the park {n}")])
    assert score_chunk(shop.lake, scorer, 4) == ScoredChunk(4, 0, 2)
    assert score_chunk(shop.lake, scorer, 4) == ScoredChunk(2, 0, 0)
    sheet = read_sheet(shop.lake, scorer, shop.lake.ids())
    fraud = sheet.probabilities[:, 0]
    assert fraud[:3].min() > fraud[3:].max()
    assert sheet.embeddings.shape == (6, 384)
    again = EmbeddingHead(encoder, replace(head, bias=head.bias + np.float32(0.1)))
    assert score_chunk(shop.lake, again, 2) == ScoredChunk(6, 0, 0)
