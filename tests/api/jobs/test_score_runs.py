from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from api.jobs import steps
from api.jobs.running import STEPS
from api.jobs.score_runs import ScoreRuns
from labeling.scorebook import embedding_group
from scoring.base import Progress, Scores
from scoring.embedding_head import EmbeddingHead
from scoring.remote import Usage
from tests.api.site import WordGoldfold, gild, score_all, select, settings, stock
from tests.labeling.shop import Shop, open_shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    opened = open_shop(tmp_path)
    yield opened
    opened.ledger.close()


@pytest.fixture
def goldfold(tmp_path: Path) -> Iterator[WordGoldfold]:
    made = WordGoldfold(settings(tmp_path))
    stock(made, 600)
    STEPS.open()
    yield made
    STEPS.close()
    made.close()


def test_a_job_keeps_its_run_until_it_is_done_or_another_model_scores(shop: Shop) -> None:
    runs, scorer = ScoreRuns(), shop.scorer()
    first = runs.of("a", shop.lake, scorer, 10)
    assert runs.of("a", shop.lake, scorer, 99) is first
    second = runs.of("a", shop.lake, shop.scorer(), 10)
    assert second is not first
    assert runs.of("b", shop.lake, scorer, 10) is not second
    third = runs.of("a", shop.lake, scorer, 10)
    runs.forget("a")
    runs.forget("nobody")
    fourth = runs.of("a", shop.lake, scorer, 10)
    assert fourth is not third
    runs.clear()
    assert runs.of("a", shop.lake, scorer, 10) is not fourth


def test_a_step_does_as_many_chunks_as_its_time_allows(goldfold: WordGoldfold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "SCORE_STEP_S", 0.0)
    first = steps.score(goldfold, "a")
    assert (first["scored"], first["left"], first["chunks"], first["done"], first["total"]) == (256, 344, 1, 256, 600)
    monkeypatch.setattr(steps, "SCORE_STEP_S", 600.0)
    rest = steps.score(goldfold, "a")
    assert (rest["scored"], rest["left"], rest["chunks"], rest["done"]) == (344, 0, 2, 600)
    assert steps.score(goldfold, "a")["chunks"] == 0


def test_a_step_ends_with_its_chunk_when_the_process_ends_its_work_or_fragments_pile_up(
    goldfold: WordGoldfold, monkeypatch: pytest.MonkeyPatch
) -> None:
    STEPS.close()
    assert steps.score(goldfold, "a")["scored"] == 256
    STEPS.open()
    monkeypatch.setitem(steps.SCORE_CHUNKS, "text", (10, 10))
    monkeypatch.setattr(steps, "COMPACT_CHUNKS", 3)
    assert steps.score(goldfold, "b")["chunks"] in (3, 4)  # one may still be on its way when it is asked
    assert steps.score(goldfold, "b", 7)["scored"] == 7


class Clearing(EmbeddingHead):
    """Clears everything, as a cascade may, and so makes no embedding unless it is asked to."""

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        scores = super().score(ids, texts, progress)
        return replace(scores, embeddings=np.zeros_like(scores.embeddings))

    def score_fully(self, ids: Sequence[str], texts: Sequence[str]) -> Scores:
        return super().score(ids, texts)


def test_gold_of_another_encoder_gets_its_embeddings_though_the_cascade_clears_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = WordGoldfold(settings(tmp_path))
    stock(made, 12)
    score_all(made)
    select(made)
    gild(made)
    other = Clearing(made.encoder, made.prototypes)
    other.embedding_version, other.version = "words-2", "clearing-2"
    monkeypatch.setattr(made, "scorer", lambda *_: other)
    STEPS.open()
    assert steps.score(made, "a")["left"] == 0
    STEPS.close()
    golden = {item.item_id for item in made.ledger.golden.items()}
    assert set(made.lake.ids(embedding_group(other))) == golden != set()
    made.close()


def test_what_a_step_asked_of_a_service_is_billed(goldfold: WordGoldfold, monkeypatch: pytest.MonkeyPatch) -> None:
    class Paid(EmbeddingHead):
        usage = Usage(requests=7, items=70)
        cost = 0.5

        def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
            self.usage = replace(self.usage, requests=self.usage.requests + 2, items=self.usage.items + len(ids))
            self.cost += 0.25
            return super().score(ids, texts, progress)

    monkeypatch.setattr(steps, "SCORE_STEP_S", 0.0)
    scorer = Paid(goldfold.encoder, goldfold.prototypes)
    monkeypatch.setattr(goldfold, "scorer", lambda *_: scorer)
    asked = {"requests": 2, "retries": 0, "items": 256, "tokens": 0, "cost": 0.25}
    assert steps.score(goldfold, "a")["bill"] == asked
    monkeypatch.setattr(goldfold, "scorer", lambda *_: EmbeddingHead(goldfold.encoder, goldfold.prototypes))
    assert steps.score(goldfold, "a")["bill"] is None
