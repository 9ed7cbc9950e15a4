from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.errors import UnknownItem
from labeling.score_run import ScoredChunk, ScoreRun, score_chunk
from labeling.scorebook import (
    DISAGREEMENT,
    complete,
    disagreement_group,
    disagreement_of,
    embedding_group,
    embeddings,
    matrix,
    notes_of,
    read_sheet,
    scores_of,
    vectors,
)
from scoring.base import Note, Progress, Scores
from scoring.embedding_head import EmbeddingHead
from scoring.ensemble import Ensemble
from scoring.head import Head
from tests.labeling.shop import Shop, items


def other_head(shop: Shop) -> Head:
    head = shop.prototypes
    return replace(head, weights=head.weights * 2)


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


class Sparing(EmbeddingHead):
    """Makes no embedding for the texts with an even number, until it is asked to."""

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        scores = super().score(ids, texts, progress)
        cleared = [int(item_id[-1]) % 2 == 0 for item_id in scores.ids]
        return replace(scores, embeddings=np.where(np.array(cleared)[:, None], np.float16(0), scores.embeddings))

    def score_fully(self, ids: Sequence[str], texts: Sequence[str]) -> Scores:
        return super().score(ids, texts)


def test_zero_rows_are_not_kept_and_come_back_as_zeros(shop: Shop) -> None:
    shop.ingest(items(range(6)))
    scorer = Sparing(shop.encoder, shop.prototypes)
    assert ScoreRun(shop.lake, scorer, 4).go() == ScoredChunk(6, 0, 0)
    assert shop.lake.ids(embedding_group(scorer)) == ["it-00001", "it-00003", "it-00005"]
    sheet = read_sheet(shop.lake, scorer, shop.lake.ids())
    assert (len(sheet.ids), sheet.failed, sheet.waiting) == (6, 0, 0)
    assert sheet.embeddings.any(axis=1).tolist() == [False, True] * 3
    full = shop.scorer().score(shop.lake.ids(), shop.lake.take(shop.lake.ids(), ["text"])["text"].to_pylist())
    np.testing.assert_array_equal(sheet.embeddings[1::2], full.embeddings[1::2])
    np.testing.assert_array_equal(sheet.probabilities, full.probabilities)
    none = read_sheet(shop.lake, scorer, ["it-00002", "it-00004"])
    assert (none.embeddings.shape, bool(none.embeddings.any())) == ((2, 1), False)


def test_complete_makes_the_embeddings_that_are_missing(shop: Shop) -> None:
    shop.ingest([*items(range(6)), *items(range(8, 9), "broken text {n}")])
    scorer = Sparing(shop.encoder, shop.prototypes)
    ScoreRun(shop.lake, scorer, 4).go()
    shop.encoder.encoded.clear()
    wanted = ["it-00004", "it-00001", "it-00002", "it-00004", "it-00008"]
    assert complete(shop.lake, scorer, wanted) == 2
    assert shop.encoder.encoded == ["it-00004", "it-00002", "it-00008"]
    assert shop.lake.ids(embedding_group(scorer)) == [f"it-0000{n}" for n in (1, 2, 3, 4, 5)]
    full = shop.scorer().score(["it-00002"], shop.lake.take(["it-00002"], ["text"])["text"].to_pylist())
    np.testing.assert_array_equal(embeddings(shop.lake, "hash-1", ["it-00002"]), full.embeddings)
    assert complete(shop.lake, scorer, ["it-00001", "it-00002"]) == complete(shop.lake, scorer, []) == 0
    assert complete(shop.lake, shop.scorer(), ["it-00000"]) == 0  # it leaves nothing out
    with pytest.raises(UnknownItem, match="it-x"):
        complete(shop.lake, scorer, ["it-x"])


def test_complete_keeps_the_note_of_a_text_that_was_read_in_windows(shop: Shop) -> None:
    shop.ingest(items(range(2)))

    class Windowed(Sparing):
        def score_fully(self, ids: Sequence[str], texts: Sequence[str]) -> Scores:
            notes = tuple(Note(item_id, "read in 2 windows") for item_id in ids)
            return replace(super().score_fully(ids, texts), notes=notes)

    scorer = Windowed(shop.encoder, shop.prototypes)
    ScoreRun(shop.lake, scorer, 4).go()
    assert complete(shop.lake, scorer, ["it-00000"]) == 1
    assert notes_of(shop.lake, "it-00000") == {"hash-1": "read in 2 windows"}


def test_the_picks_of_a_round_have_embeddings_when_it_commits(shop: Shop) -> None:
    shop.ingest(items(range(40)))
    scorer = Sparing(shop.encoder, shop.prototypes)
    ScoreRun(shop.lake, scorer, 100).go()
    shop.open(shop.request(budget=20))
    shop.select(scorer=scorer)
    picked = {pick.item_id for pick in shop.ledger.rounds.picks("r1")}
    assert any(int(item_id[-1]) % 2 == 0 for item_id in picked)
    assert picked <= set(shop.lake.ids(embedding_group(scorer)))


def test_a_committees_disagreement_is_kept_beside_its_scores(shop: Shop) -> None:
    shop.ingest(items(range(6)))
    both = Ensemble([shop.scorer(), shop.scorer(other_head(shop))])
    ScoreRun(shop.lake, both, 4).go()
    wanted = ["it-00004", "it-00001"]
    told = both.score(wanted, shop.lake.take(wanted, ["text"])["text"].to_pylist()).disagreement
    sheet = read_sheet(shop.lake, both, wanted)
    assert sheet.disagreement is not None
    assert told is not None
    assert told.max() > 0
    np.testing.assert_array_equal(sheet.disagreement, told)
    alone = disagreement_of(shop.lake, "it-00001")[both.version]
    assert alone == dict(zip(both.policies, told[1].tolist(), strict=True))


def test_a_lake_without_disagreement_is_read_as_before(shop: Shop) -> None:
    shop.stocked(3)
    assert not [group for group in shop.lake.groups() if group.startswith(DISAGREEMENT)]
    assert read_sheet(shop.lake, shop.scorer(), ["it-00001"]).disagreement is None
    assert disagreement_of(shop.lake, "it-00001") == {}


def test_disagreement_of_some_items_only_is_none(shop: Shop) -> None:
    shop.stocked(3)
    columns = {policy: pa.array([0.5], pa.float32()) for policy in shop.scorer().policies}
    shop.lake.add_columns(disagreement_group(shop.scorer()), ["it-00001"], columns)
    assert read_sheet(shop.lake, shop.scorer(), ["it-00001", "it-00002"]).disagreement is None
    assert read_sheet(shop.lake, shop.scorer(), ["it-00001"]).disagreement is not None
