from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling import score_run
from labeling.errors import PlanOutdated, StoreError
from labeling.score_run import ScoredChunk, ScoreRun, score_chunk
from labeling.scorebook import (
    EmbeddingScorer,
    embedding_group,
    failure_group,
    note_group,
    notes_of,
    read_sheet,
    score_group,
    unscored,
)
from labeling.store import gap
from labeling.store.gap import LanceGap
from scoring.base import Note, Progress, Scores
from scoring.embedding_head import EmbeddingHead
from scoring.errors import DeviceError
from scoring.head import Head
from tests.labeling.shop import HashEncoder, Shop, items, open_shop
from tests.labeling.store import processes


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


def kill_before(monkeypatch: pytest.MonkeyPatch, group: str) -> None:
    real = LanceGap.add

    def add(gap: LanceGap, name: str, item_ids: Sequence[str], columns: Mapping[str, pa.Array]) -> None:
        if name == group:
            raise Killed
        real(gap, name, item_ids, columns)

    monkeypatch.setattr(LanceGap, "add", add)


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


def test_a_kill_between_embeddings_and_scores_costs_no_encoding(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.ingest(items(range(10)))
    scorer = shop.scorer()
    with monkeypatch.context() as patch:
        kill_before(patch, score_group(scorer))
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
        kill_before(patch, failure_group(scorer))
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
    monkeypatch.setattr(score_run, "KEPT_FACTOR", 3)
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
        patch.setattr(LanceGap, "add", full)
        with pytest.raises(StoreError):
            score_chunk(shop.lake, shop.scorer(), 10)
    assert score_chunk(shop.lake, shop.scorer(), 10) == ScoredChunk(4, 0, 0)


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


class Meeting(TextsOnly):
    """Tells what happens around it: ``during`` is called with the number of each call."""

    def __init__(self, inner: EmbeddingHead, during: Callable[[int], None]) -> None:
        super().__init__(inner)
        self.during, self.calls = during, 0

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        self.calls += 1
        self.during(self.calls)
        return super().score(ids, texts, progress)


def quiet(call: int) -> None:
    """Nothing happens."""


def test_reading_scoring_and_writing_overlap_one_chunk_ahead_and_one_behind(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.ingest(items(range(60)))
    read, scoring, events = threading.Event(), threading.Event(), list[str]()
    take, add = LanceGap.take, LanceGap.add

    def taking(gap: LanceGap, columns: Sequence[str], rows: int, max_bytes: int) -> pa.Table:
        events.append("read")
        if events.count("read") == 3:
            read.set()
        return take(gap, columns, rows, max_bytes)

    def adding(gap: LanceGap, name: str, item_ids: Sequence[str], columns: Mapping[str, pa.Array]) -> None:
        assert scoring.wait(20), "the second chunk was not scored while the first was written"
        events.append(f"write {name}")
        add(gap, name, item_ids, columns)

    def during(call: int) -> None:
        events.append("score")
        if call == 2:
            assert read.wait(20), "the third chunk was not read while the second was scored"
            scoring.set()

    monkeypatch.setattr(LanceGap, "take", taking)
    monkeypatch.setattr(LanceGap, "add", adding)
    scorer = Meeting(shop.scorer(), during)
    assert ScoreRun(shop.lake, scorer, 10).go() == ScoredChunk(60, 0, 0)
    written = [event for event in events if event.startswith("write")]
    assert written == [f"write {embedding_group(scorer)}", f"write {score_group(scorer)}"] * 6
    for place, event in enumerate(events):
        before = events[:place]
        if event == "read":  # at most one is scored, one is written and this one is read
            assert before.count("read") - before.count(written[1]) <= 3


def test_what_arrives_meanwhile_is_scored_too(shop: Shop) -> None:
    shop.ingest(items(range(4)))
    scorer = Meeting(shop.scorer(), lambda call: shop.ingest(items(range(10, 13))) if call == 2 else None)
    run = ScoreRun(shop.lake, scorer, 2)
    assert run.go() == ScoredChunk(7, 0, 0)
    assert (run.chunks, shop.lake.count(score_group(scorer))) == (4, 7)
    shop.ingest(items(range(20, 21)))
    assert run.go() == ScoredChunk(1, 0, 0)


def test_a_run_stops_between_chunks_and_keeps_what_it_read(shop: Shop) -> None:
    shop.ingest(items(range(50)))
    scorer = Meeting(shop.scorer(), quiet)
    run = ScoreRun(shop.lake, scorer, 10)
    assert run.go(until=lambda: scorer.calls == 2) == ScoredChunk(20, 0, 30)
    assert run.go(most=3) == ScoredChunk(3, 0, 27)
    assert run.go(most=14) == ScoredChunk(14, 0, 13)
    assert run.go(most=0) == ScoredChunk(0, 0, 13)
    assert run.go() == ScoredChunk(13, 0, 0)
    assert len(shop.encoder.encoded) == len(set(shop.encoder.encoded)) == 50


def test_progress_counts_the_call_and_not_the_chunk(shop: Shop) -> None:
    shop.ingest(items(range(25)))
    heard: list[tuple[int, int]] = []

    class Talking(TextsOnly):
        def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
            if progress is not None:
                progress(len(ids), len(ids))
            return super().score(ids, texts)

    run = ScoreRun(shop.lake, Talking(shop.scorer()), 10)
    run.go(most=5, progress=lambda done, total: heard.append((done, total)))
    run.go(progress=lambda done, total: heard.append((done, total)))
    assert heard == [(5, 5), (10, 20), (20, 20)]


@pytest.mark.parametrize("where", ["take", "add"])
def test_the_first_error_ends_the_run_and_the_next_goes_on(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    shop.ingest(items(range(60)))
    calls, real = [0], getattr(LanceGap, where)

    def failing(*arguments: object) -> object:
        calls[0] += 1
        if calls[0] == 3:
            raise StoreError("the disk is full")
        return real(*arguments)

    scorer, threads = Meeting(shop.scorer(), quiet), threading.active_count()
    run = ScoreRun(shop.lake, scorer, 10)
    with monkeypatch.context() as patch:
        patch.setattr(LanceGap, where, failing)
        with pytest.raises(StoreError, match="the disk is full"):
            run.go()
    assert scorer.calls <= 3
    assert threading.active_count() == threads
    kept = shop.lake.count(score_group(scorer))
    assert run.go() == ScoredChunk(60 - kept, 0, 0)
    assert shop.lake.ids(score_group(scorer)) == shop.lake.ids()


def test_a_scorer_that_breaks_loses_its_own_chunk_only(shop: Shop) -> None:
    shop.ingest(items(range(60)))

    def during(call: int) -> None:
        if call == 3:
            raise DeviceError("the device broke down")

    scorer = Meeting(shop.scorer(), during)
    run = ScoreRun(shop.lake, scorer, 10)
    with pytest.raises(DeviceError):
        run.go()
    assert shop.lake.count(score_group(scorer)) == 20
    assert run.go() == ScoredChunk(40, 0, 0)
    assert shop.encoder.encoded[20:] == shop.lake.ids()[20:]


def test_items_deleted_while_they_are_scored_leave_nothing_behind(shop: Shop) -> None:
    shop.ingest(items(range(60)))

    def during(call: int) -> None:
        if call == 2:
            shop.lake.delete(["it-00012", "it-00041", "it-00055"])
        if call == 4:
            shop.lake.compact()

    scorer = Meeting(shop.scorer(), during)
    assert ScoreRun(shop.lake, scorer, 10).go() == ScoredChunk(57, 0, 0)
    for group in (score_group(scorer), embedding_group(scorer)):
        assert shop.lake.ids(group) == shop.lake.ids()
    assert shop.lake.count() == 57


def test_a_lake_that_never_holds_still_is_an_error_and_no_loop(shop: Shop) -> None:
    shop.ingest(items(range(60)))
    scorer = Meeting(shop.scorer(), lambda call: shop.lake.delete([f"it-{call:05}"]))
    with pytest.raises(PlanOutdated):
        ScoreRun(shop.lake, scorer, 10).go()


def test_large_texts_make_small_chunks(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_run, "CHUNK_BYTES", 3000)
    monkeypatch.setattr(gap, "READ_ROWS", 2)
    shop.ingest(items(range(10), "word " * 200 + "{n}"))
    run = ScoreRun(shop.lake, shop.scorer(), 100)
    assert run.go() == ScoredChunk(10, 0, 0)
    assert run.chunks == 5


class Noting(EmbeddingHead):
    """Texts with the word ``long`` are scored from more than their embedding."""

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        scores = super().score(ids, texts, progress)
        told = dict(zip(ids, texts, strict=True))
        return replace(
            scores, notes=tuple(Note(i, f"read in parts by {self.version}") for i in scores.ids if "long" in told[i])
        )


def test_an_item_with_a_note_is_read_again_and_never_scored_from_its_embedding(shop: Shop) -> None:
    shop.ingest([*items(range(4)), *items(range(4, 7), "a long text {n}")])
    first = Noting(shop.encoder, shop.prototypes)
    assert ScoreRun(shop.lake, first, 3).go() == ScoredChunk(7, 0, 0)
    assert shop.lake.ids(note_group(first)) == ["it-00004", "it-00005", "it-00006"]
    assert notes_of(shop.lake, "it-00005") == {"hash-1": f"read in parts by {first.version}"}
    assert notes_of(shop.lake, "it-00001") == {}
    shop.encoder.encoded.clear()
    second = Noting(shop.encoder, other_head(shop))
    assert ScoreRun(shop.lake, second, 3).go() == ScoredChunk(7, 0, 0)
    assert shop.encoder.encoded == ["it-00004", "it-00005", "it-00006"]
    assert shop.lake.count(embedding_group(second)) == shop.lake.count(score_group(second)) == 7


def test_a_kill_after_the_notes_reads_the_text_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.ingest(items(range(3), "a long text {n}"))
    scorer = Noting(shop.encoder, shop.prototypes)
    for group in (embedding_group(scorer), score_group(scorer)):
        with monkeypatch.context() as patch:
            kill_before(patch, group)
            with pytest.raises(Killed):
                ScoreRun(shop.lake, scorer, 10).go()
    assert shop.lake.groups() == [embedding_group(scorer), "items", note_group(scorer)]
    assert ScoreRun(shop.lake, scorer, 10).go() == ScoredChunk(3, 0, 0)
    assert len(shop.encoder.encoded) == 9


@settings(deadline=None, max_examples=15)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("ingest"), st.integers(1, 9)),
            st.tuples(st.just("delete"), st.integers(0, 30)),
            st.tuples(st.just("score"), st.integers(1, 9)),
            st.tuples(st.just("other head"), st.integers(1, 9)),
            st.tuples(st.just("kill"), st.integers(0, 3)),
            st.tuples(st.just("compact"), st.just(0)),
        ),
        max_size=9,
    ),
    st.integers(1, 5),
)
def test_whatever_happens_each_item_has_one_outcome_in_the_end(steps: list[tuple[str, int]], chunk_items: int) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        shop, made = open_shop(Path(folder)), 0
        heads = {"score": None, "other head": other_head(shop)}
        runs = {name: ScoreRun(shop.lake, shop.scorer(head), chunk_items) for name, head in heads.items()}
        for what, number in steps:
            if what == "ingest":
                end = made + number
                shop.lake.append([*items(range(made, end), "word {n}"), *items(range(end, end + 1), "broken {n}")])
                made = end + 1
            elif what == "delete":
                shop.lake.delete([f"it-{number:05}"])
            elif what == "compact":
                shop.lake.compact()
            elif what == "kill":
                kill_at(patch, number)
            else:
                with suppress(Killed):
                    runs[what].go(most=number)
        patch.undo()
        for run in runs.values():
            assert run.go().left == 0
            groups = [shop.lake.ids(group) for group in (score_group(run.scorer), failure_group(run.scorer))]
            assert sorted(groups[0] + groups[1]) == shop.lake.ids()
            assert set(groups[1]) == {i for i in shop.lake.ids() if is_broken(shop, i)}
            assert shop.lake.ids(embedding_group(run.scorer)) == groups[0]
        shop.ledger.close()


def kill_at(patch: pytest.MonkeyPatch, number: int) -> None:
    """Die in the ``number``-th write from now, once."""
    real, left = LanceGap.add, [number]

    def add(gap: LanceGap, name: str, item_ids: Sequence[str], columns: Mapping[str, pa.Array]) -> None:
        left[0] -= 1
        if left[0] == -1:
            raise Killed
        real(gap, name, item_ids, columns)

    patch.setattr(LanceGap, "add", add)


def is_broken(shop: Shop, item_id: str) -> bool:
    return "broken" in str(shop.lake.take([item_id], ["text"])["text"][0])


SCORE_FOREVER = """
import sys
from pathlib import Path
from labeling.score_run import ScoreRun
from tests.labeling.shop import open_shop
shop = open_shop(Path(sys.argv[1]))
run = ScoreRun(shop.lake, shop.scorer(), 20)
run.go(until=lambda: print(run.chunks, flush=True))
"""


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.03])
def test_killed_while_it_scores_it_goes_on_and_keeps_nothing_twice(shop: Shop, seconds: float) -> None:
    shop.ingest(items(range(3000)))
    processes.kill_after(processes.start(SCORE_FOREVER, shop.folder), lines=3, seconds=seconds)
    scorer = shop.scorer()
    kept = shop.lake.count(score_group(scorer))
    assert 20 <= kept < 3000
    assert shop.lake.count(embedding_group(scorer)) >= kept
    assert ScoreRun(shop.lake, scorer, 500).go() == ScoredChunk(3000 - kept, 0, 0)
    for group in (embedding_group(scorer), score_group(scorer)):
        assert shop.lake.count(group) == 3000
        assert shop.lake.ids(group) == shop.lake.ids()
