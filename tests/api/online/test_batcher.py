"""Every caller gets a verdict or an error: under faults of every kind, in any order, and when the service ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from api.errors import BatchFailed, DeadlinePassed, QueueFull, ScorerDown, ScorerLoading
from api.online import batcher as module
from api.online.batcher import Limits, MicroBatcher
from api.online.figures import Outcome
from api.online.halves import CRASHED, NO_ROW, crashed
from api.online.tickets import Verdict
from scoring.base import Scores
from scoring.errors import DeviceError, ModelNotFound
from tests.api.online.judges import BAD, LONG, POISON, POLICY, Judge, probability, raising

LIMITS = Limits(queue_items=2000, queue_s=60.0, batch_s=60.0, max_tokens=256)
LONG_S = 20.0


@contextmanager
def running(source: Judge | Callable[[], Judge], **limits: Any) -> Iterator[MicroBatcher[Judge]]:
    batcher = MicroBatcher(source if callable(source) else lambda: source, replace(LIMITS, **limits))
    try:
        with capture_logs():
            yield batcher
    finally:
        if isinstance(source, Judge):
            source.gate.set()
        batcher.close(LONG_S)


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """While no pace is known, a batch is one text."""
    monkeypatch.setattr(module, "FIRST_TOKENS", 1)


def count(batcher: MicroBatcher[Judge], outcome: Outcome) -> float:
    for metric in batcher.figures.collect():
        for sample in metric.samples:
            if sample.name == "goldfold_online_requests_total" and sample.labels["outcome"] == outcome.value:
                return sample.value
    raise LookupError(outcome)


def waiting(batcher: MicroBatcher[Judge]) -> float:
    (metric,) = batcher.figures.queue_items.collect()
    return metric.samples[0].value


async def entered(judge: Judge) -> None:
    """Wait until a batch is with the judge."""
    assert await asyncio.to_thread(judge.entered.wait, LONG_S)
    judge.entered.clear()


async def held(batcher: MicroBatcher[Judge], judge: Judge, text: str = "held") -> asyncio.Task[Verdict[Judge]]:
    """A request that is with the judge, which waits at its gate."""
    judge.gate.clear()
    judge.entered.clear()
    task = asyncio.create_task(batcher.score([text], LONG_S))
    await entered(judge)
    return task


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 2 * LONG_S))


def test_each_text_gets_its_own_row_in_the_order_of_the_request() -> None:
    judge = Judge()
    with running(judge) as batcher:
        verdict = asyncio.run(batcher.score(["a", f"{BAD} one", f"{LONG} one"], LONG_S))
    assert verdict.judge is judge
    assert [row.probabilities for row in verdict.rows] == [
        {POLICY: pytest.approx(0.01)},
        {},
        {POLICY: pytest.approx(0.08)},
    ]
    assert [row.error for row in verdict.rows] == [None, "cannot be read", None]
    assert [row.notes for row in verdict.rows] == [(), (), ("was cut",)]
    assert count(batcher, Outcome.SCORED) == 1


class Committee(Judge):
    def score(self, ids: Sequence[str], texts: Sequence[str]) -> Scores:
        alone = super().score(ids, texts)
        return replace(alone, disagreement=alone.probabilities / np.float32(2))


def test_a_committees_disagreement_comes_with_its_row() -> None:
    with running(Committee()) as batcher:
        rows = asyncio.run(batcher.score(["a", f"{BAD} one", "abc"], LONG_S)).rows
    assert [row.disagreement for row in rows] == [{POLICY: pytest.approx(0.005)}, None, {POLICY: pytest.approx(0.015)}]


def test_what_waits_while_a_batch_runs_is_the_next_batch() -> None:
    judge = Judge()

    async def work() -> None:
        first = await held(batcher, judge)
        others = [asyncio.create_task(batcher.score([f"text {i}"], LONG_S)) for i in range(5)]
        await asyncio.sleep(0)
        assert waiting(batcher) == 5
        judge.gate.set()
        await asyncio.gather(first, *others)

    with running(judge) as batcher:
        run(work())
    assert judge.batches == [("held",), tuple(f"text {i}" for i in range(5))]
    assert waiting(batcher) == 0


@pytest.mark.usefixtures("one_by_one")
def test_a_huge_request_lets_small_ones_through() -> None:
    judge = Judge()

    async def work() -> None:
        first = await held(batcher, judge)
        huge = asyncio.create_task(batcher.score([f"huge {i}" for i in range(300)], LONG_S))
        await asyncio.sleep(0)
        small = asyncio.create_task(batcher.score(["small"], LONG_S))
        await asyncio.sleep(0)
        judge.gate.set()
        await asyncio.gather(first, huge, small)

    with running(judge, batch_s=1e-9) as batcher:
        run(work())
    assert [len(batch) for batch in judge.batches] == [1] * 302
    assert judge.batches.index(("small",)) <= 3


def test_too_much_is_refused_with_the_time_after_which_it_fits() -> None:
    judge = Judge(faults=[lambda: None, lambda: time.sleep(0.2)])

    async def work() -> None:
        for _ in range(2):
            await batcher.score(["sets the pace"], LONG_S)
        first = await held(batcher, judge)
        second = asyncio.create_task(batcher.score(["x" * 999] * 3, LONG_S))
        await asyncio.sleep(0)
        with pytest.raises(QueueFull, match=r"^the scorer has more to do .* again in \d+ s$") as full:
            await batcher.score(["one", "two"], LONG_S)
        assert full.value.retry_after_s is not None
        assert full.value.retry_after_s > 1
        judge.gate.set()
        await asyncio.gather(first, second)
        await batcher.score(["one", "two"], LONG_S)

    with running(judge, queue_s=0.5) as batcher:
        run(work())
    assert count(batcher, Outcome.REJECTED) == 1


def test_more_texts_than_may_wait_are_refused_before_any_pace_is_known() -> None:
    judge = Judge()

    async def work() -> None:
        first = await held(batcher, judge)
        second = asyncio.create_task(batcher.score(["a", "b"], LONG_S))
        await asyncio.sleep(0)
        with pytest.raises(QueueFull):
            await batcher.score(["c", "d"], LONG_S)
        third = asyncio.create_task(batcher.score(["c"], LONG_S))
        await asyncio.sleep(0)
        judge.gate.set()
        await asyncio.gather(first, second, third)

    with running(judge, queue_items=3) as batcher:
        run(work())


def test_what_cannot_be_done_by_its_deadline_is_refused() -> None:
    judge = Judge(faults=[lambda: None, lambda: time.sleep(0.3)])

    async def work() -> None:
        for _ in range(2):
            await batcher.score(["sets the pace"], LONG_S)
        first = await held(batcher, judge)
        second = asyncio.create_task(batcher.score(["sets the pace"], LONG_S))
        await asyncio.sleep(0)
        with pytest.raises(QueueFull):
            await batcher.score(["sets the pace"], 0.05)
        judge.gate.set()
        await asyncio.gather(first, second)

    with running(judge) as batcher:
        run(work())


def test_the_door_turns_away_whom_the_queue_would_and_counts_it() -> None:
    judge = Judge()

    async def work() -> None:
        first = await held(batcher, judge)
        assert batcher.turn_away() is None
        second = asyncio.create_task(batcher.score(["a", "b"], LONG_S))
        await asyncio.sleep(0)
        assert batcher.turn_away() is None  # there is room for one text, and the door does not know how many come
        third = asyncio.create_task(batcher.score(["c"], LONG_S))
        await asyncio.sleep(0)
        refusal = batcher.turn_away()
        assert refusal is not None
        assert refusal.retry_after_s == 1
        judge.gate.set()
        await asyncio.gather(first, second, third)
        assert batcher.turn_away() is None

    with running(judge, queue_items=3) as batcher:
        run(work())
    assert count(batcher, Outcome.REJECTED) == 1


def test_a_late_request_gets_its_error_at_once_and_never_reaches_the_scorer() -> None:
    judge = Judge()

    async def work() -> None:
        first = await held(batcher, judge)
        with pytest.raises(DeadlinePassed, match="deadline_ms"):
            await batcher.score(["late"], 0.05)
        assert waiting(batcher) == 0
        judge.gate.set()
        await first

    with running(judge) as batcher:
        run(work())
    assert judge.batches == [("held",)]
    assert count(batcher, Outcome.LATE) == 1


def test_a_caller_that_leaves_takes_its_texts_along() -> None:
    judge = Judge()

    async def work() -> None:
        first = await held(batcher, judge)
        gone = asyncio.create_task(batcher.score(["gone"] * 5, LONG_S))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert waiting(batcher) == 0
        judge.gate.set()
        await first

    with running(judge) as batcher:
        run(work())
    assert judge.batches == [("held",)]
    assert count(batcher, Outcome.GONE) == 1


def test_an_error_is_its_batchs_own() -> None:
    judge = Judge(faults=[raising(ValueError("content of an item")), raising(ModelNotFound("fetch it"))])

    async def work() -> None:
        with pytest.raises(BatchFailed, match="log says why"):
            await batcher.score(["a"], LONG_S)
        with pytest.raises(ModelNotFound, match="fetch it"):
            await batcher.score(["a"], LONG_S)
        await batcher.score(["a"], LONG_S)
        batcher.check()

    with running(judge) as batcher:
        run(work())
    assert (count(batcher, Outcome.FAILED), count(batcher, Outcome.SCORED)) == (2, 1)


def test_a_text_on_which_the_scorer_fails_fails_alone() -> None:
    judge = Judge()

    async def work() -> None:
        first = await held(batcher, judge)
        texts = [["one", "two"], [f"{POISON} 1"], ["three"], ["four", f"{POISON} 2", "five"]]
        tasks = [asyncio.create_task(batcher.score(each, LONG_S)) for each in texts]
        await asyncio.sleep(0)
        judge.gate.set()
        _, one, poisoned, three, mixed = await asyncio.gather(first, *tasks, return_exceptions=True)
        assert isinstance(one, Verdict)
        assert isinstance(three, Verdict)
        assert [row.error for row in (*one.rows, *three.rows)] == [None] * 3
        assert isinstance(mixed, Verdict)
        assert [row.error for row in mixed.rows] == [None, CRASHED.error, None]
        assert isinstance(poisoned, BatchFailed)  # nothing of it was scored, as when it comes alone
        with pytest.raises(BatchFailed, match="log says why"):
            await batcher.score([f"{POISON} 1"], LONG_S)

    with running(judge) as batcher:
        run(work())
        batcher.check()
    assert (count(batcher, Outcome.SCORED), count(batcher, Outcome.FAILED)) == (4, 2)


def test_a_batch_that_was_scored_in_parts_teaches_no_pace() -> None:
    judge = Judge()

    async def work() -> None:
        for texts in (["warm"], ["fast"] * 9):
            await batcher.score(texts, LONG_S)
        before = batcher._pace.seconds(1000)
        await batcher.score([f"{POISON} 1", *["x"] * 30], LONG_S)
        assert batcher._pace.seconds(1000) == before > 0

    with running(judge) as batcher:
        run(work())
    assert len(judge.batches) > 3


@pytest.mark.parametrize("error", [MemoryError(), SystemExit(1), KeyboardInterrupt(), GeneratorExit()])
def test_when_the_worker_dies_everybody_hears_and_the_next_request_starts_another(error: BaseException) -> None:
    judge = Judge(faults=[raising(error)])

    async def work() -> None:
        first = await held(batcher, judge)
        others = [asyncio.create_task(batcher.score(["waits"], LONG_S)) for _ in range(3)]
        await asyncio.sleep(0)
        judge.gate.set()
        for task in (first, *others):
            with pytest.raises(ScorerDown) as down:
                await task
            assert down.value.retry_after_s == 1
        await batcher.score(["again"], LONG_S)
        batcher.check()

    with running(judge) as batcher:
        run(work())
    assert judge.batches == [("held",), ("again",)]
    assert count(batcher, Outcome.UNAVAILABLE) == 4


def test_after_the_accelerator_broke_everybody_hears_and_readiness_is_red() -> None:
    judge = Judge(faults=[raising(DeviceError("cuda broke down"))])

    async def work() -> None:
        first = await held(batcher, judge)
        other = asyncio.create_task(batcher.score(["waits"], LONG_S))
        await asyncio.sleep(0)
        judge.gate.set()
        for task in (first, other):
            with pytest.raises(DeviceError, match="cuda"):
                await task
        with pytest.raises(DeviceError, match="cuda"):
            await batcher.score(["again"], LONG_S)
        with pytest.raises(DeviceError, match="cuda"):
            batcher.check()

    with running(judge) as batcher:
        batcher.check()
        run(work())
    assert judge.batches == [("held",)]


def test_a_model_that_loads_is_waited_for_and_then_said_to_be_loading() -> None:
    go, judge = threading.Event(), Judge()

    def load() -> Judge:
        go.wait(LONG_S)
        return judge

    async def work() -> None:
        patient = asyncio.create_task(batcher.score(["patient"], LONG_S))
        with pytest.raises(ScorerLoading, match="being loaded") as loading:
            await batcher.score(["hurried"], 0.05)
        assert loading.value.retry_after_s
        batcher.check()
        go.set()
        await patient

    with running(load) as batcher:
        run(work())
    assert judge.batches == [("patient",)]


def test_preloading_scores_a_first_text_before_anybody_asks() -> None:
    judge = Judge()
    with running(judge) as batcher:
        batcher.preload()
        assert judge.entered.wait(LONG_S)
    assert judge.batches == [(module.WARM_UP,)]
    assert count(batcher, Outcome.SCORED) == 0


@pytest.mark.usefixtures("one_by_one")
def test_another_model_answers_whole_requests_only() -> None:
    old, new = Judge("old"), Judge("new")
    serving = [old]

    async def work() -> None:
        old.gate.clear()
        task = asyncio.create_task(batcher.score(["a", "bb", "ccc"], LONG_S))
        await entered(old)
        serving[0] = new
        old.gate.set()
        verdict = await task
        assert verdict.judge is new
        assert [row.probabilities[POLICY] for row in verdict.rows] == pytest.approx([0.01, 0.02, 0.03])

    with running(lambda: serving[0], batch_s=1e-9) as batcher:
        run(work())
    assert old.batches == [("a",)]
    assert sorted(text for batch in new.batches for text in batch) == ["a", "bb", "ccc"]


def test_a_scorer_that_forgets_a_text_is_told_to_its_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Judge()
    whole = judge.score
    monkeypatch.setattr(judge, "score", lambda ids, texts: whole(ids[1:], texts[1:]))
    with running(judge) as batcher:
        verdict = asyncio.run(batcher.score(["forgotten", "kept"], LONG_S))
    assert [row.error for row in verdict.rows] == [NO_ROW.error, None]


def test_the_end_drains_what_waits() -> None:
    judge = Judge()

    async def work() -> None:
        tasks = [await held(batcher, judge), asyncio.create_task(batcher.score(["waits"], LONG_S))]
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(batcher.close, LONG_S))
        while not batcher._closing:
            await asyncio.sleep(0.01)
        with pytest.raises(ScorerDown, match="ending"):
            await batcher.score(["too late"], LONG_S)
        judge.gate.set()
        assert [len(verdict.rows) for verdict in await asyncio.gather(*tasks)] == [1, 1]
        await closing

    with running(judge) as batcher:
        run(work())


def test_the_end_does_not_wait_for_ever() -> None:
    judge = Judge()

    async def work() -> None:
        tasks = [await held(batcher, judge), asyncio.create_task(batcher.score(["waits"], LONG_S))]
        await asyncio.sleep(0)
        await asyncio.to_thread(batcher.close, 0.05)
        for task in tasks:
            with pytest.raises(ScorerDown, match="ending"):
                await task

    with running(judge) as batcher:
        run(work())


def test_a_batch_that_never_ends_makes_readiness_red(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STALLED_S", 0.0)
    judge = Judge()

    async def work() -> None:
        first = await held(batcher, judge)
        with pytest.raises(ScorerDown, match="one batch"):
            batcher.check()
        judge.gate.set()
        await first

    with running(judge) as batcher:
        run(work())
        batcher.check()


@dataclass(frozen=True)
class Caller:
    """One request of the random runs: so many texts, after a while, with a deadline, perhaps leaving early."""

    texts: int
    after_s: float
    deadline_s: float
    leaves_after_s: float | None
    poisons: bool = False  # its last text


FAULTS: dict[str, Callable[[], object]] = {
    "fine": lambda: None,
    "slow": lambda: time.sleep(0.01),
    "error": raising(ValueError("injected")),
    "own error": raising(ModelNotFound("injected")),
    "memory": raising(MemoryError("injected")),
    "exit": raising(SystemExit(3)),
    "broken": raising(DeviceError("injected")),
}
SECONDS = st.floats(0, 0.02)
POISONS = st.sampled_from([False, False, False, True])
CALLERS = st.builds(Caller, st.integers(1, 30), SECONDS, st.floats(0.001, 0.1), st.one_of(st.none(), SECONDS), POISONS)
KNOWN = (QueueFull, DeadlinePassed, ScorerDown, ScorerLoading, BatchFailed, ModelNotFound, DeviceError)


@settings(max_examples=40, deadline=None)
@given(
    callers=st.lists(CALLERS, min_size=1, max_size=20),
    faults=st.lists(st.sampled_from(sorted(set(FAULTS) - {"broken"})), max_size=15),
    breaks=st.booleans(),
    batch_s=st.sampled_from([1e-9, 1e-4, 60.0]),
    queue_items=st.integers(30, 200),
    drain_s=st.sampled_from([0.0, 1.0]),
)
def test_whatever_happens_every_caller_hears_and_the_counts_add_up(
    callers: list[Caller], faults: list[str], breaks: bool, batch_s: float, queue_items: int, drain_s: float
) -> None:
    due = [FAULTS[name] for name in (*faults, *(["broken"] if breaks else []))]
    first, second = Judge("1", due), Judge("2")
    turns = iter([first] * 7)
    batcher = MicroBatcher(lambda: next(turns, second), Limits(queue_items, 0.05, batch_s, 256))

    async def ask(number: int, caller: Caller) -> object:
        await asyncio.sleep(caller.after_s)
        texts = [f"{number} {'x' * i}" for i in range(caller.texts - caller.poisons)] + [POISON] * caller.poisons
        asked = asyncio.ensure_future(batcher.score(texts, caller.deadline_s))
        if caller.leaves_after_s is not None:
            asyncio.get_running_loop().call_later(caller.leaves_after_s, asked.cancel)
        (found,) = await asyncio.gather(asked, return_exceptions=True)
        if isinstance(found, Verdict):
            for row, text in zip(found.rows, texts, strict=True):
                assert crashed(row) or row.probabilities[POLICY] == pytest.approx(probability(text))
                assert text != POISON or crashed(row)
        return found

    async def everybody() -> list[object]:
        tasks = [asyncio.create_task(ask(i, caller)) for i, caller in enumerate(callers)]
        found = await asyncio.wait_for(asyncio.gather(*tasks), LONG_S)
        await asyncio.to_thread(batcher.close, drain_s)
        return found

    with capture_logs():
        found = asyncio.run(everybody())
    assert len(found) == len(callers)
    assert all(isinstance(one, (Verdict, asyncio.CancelledError, *KNOWN)) for one in found), found
    told = {outcome: count(batcher, outcome) for outcome in Outcome}
    # a caller that leaves before its request began has none to count
    assert len(callers) - sum(told.values()) <= sum(isinstance(one, asyncio.CancelledError) for one in found)
    assert told[Outcome.SCORED] == sum(isinstance(one, Verdict) for one in found)
    assert told[Outcome.REJECTED] == sum(isinstance(one, QueueFull) for one in found)
    assert told[Outcome.LATE] == sum(isinstance(one, DeadlinePassed) for one in found)
    assert waiting(batcher) == 0
