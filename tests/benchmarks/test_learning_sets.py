"""How the sets are read, on records made by hand."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import learning_sets as sets
from scoring.encoder import SentenceEncoder


def made_vectors(n: int) -> sets.F32:
    rows = np.random.default_rng(0).standard_normal((n, 16)).astype(np.float32)
    rows[1] = rows[0]
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def made_tweets(n: int = 1000) -> list[sets.Record]:
    return [{"text": f"words {i}", "label": sets.TWEETS[0 if i % 10 == 0 else 1 + i % 2]} for i in range(n)]


def test_thinned_tweets_hold_one_hateful_in_a_hundred_and_all_else() -> None:
    whole, thin = sets.tweets(made_tweets(), made_vectors(1000)), sets.thin_tweets(made_tweets(), made_vectors(1000))
    assert whole.answers.sum(axis=0).tolist() == [100, 400, 500]
    assert thin.answers.sum(axis=0).tolist() == [9, 400, 500]
    assert thin.exclusive
    again = sets.thin_tweets(made_tweets(), made_vectors(1000))
    assert np.array_equal(thin.embeddings, again.embeddings)


def test_moderation_keeps_what_is_unknown_and_drops_rows_that_say_nothing() -> None:
    records: list[sets.Record] = [
        {"labels": {"violence": 1}},
        {"labels": {"hate": 0, "violence": 0}},
        {"labels": {}},
    ]
    data = sets.moderation(records, made_vectors(3))
    assert data.policies == ("hate", "violence")
    assert np.array_equal(data.answers, np.array([[np.nan, 1], [0, 0]]), equal_nan=True)
    assert not data.exclusive


def test_functionalities_are_the_blocks_and_hold_whole_groups() -> None:
    kinds = ["slur", "negation", "slur", "spelling"]
    records: list[sets.Record] = [{"label": sets.HATEFUL[i % 2], "functionality": kind} for i, kind in enumerate(kinds)]
    data = sets.hatecheck(records, made_vectors(4))  # the first two are the same words, in two functionalities
    assert data.blocks[0] == data.blocks[2]
    assert len(set(data.blocks.tolist())) == 3
    assert len(set(data.groups.tolist())) == 4


@pytest.mark.slow
def test_embeddings_are_made_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sets, "KEPT", tmp_path / "kept")
    monkeypatch.setenv("GOLDFOLD_DATA_DIR", str(tmp_path))
    with gzip.open(tmp_path / "tweets.jsonl.gz", "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(record) + "\n" for record in made_tweets(20))
    first = sets.load("tweets")
    assert first.embeddings.shape == (20, 384)
    monkeypatch.setattr(SentenceEncoder, "encode", None)
    assert np.array_equal(first.embeddings, sets.load("tweets").embeddings)
    assert sets.missing() == ["hatecheck.jsonl.gz", "moderation.jsonl.gz"]
