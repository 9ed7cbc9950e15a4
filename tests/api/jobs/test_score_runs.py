from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.jobs import steps
from api.jobs.running import STEPS
from api.jobs.score_runs import ScoreRuns
from tests.api.site import WordGoldfold, settings, stock
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
