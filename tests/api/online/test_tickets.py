"""Whose turn it is, and that the line's counts are those of its tickets, whatever happens in which order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.online.tickets import Line, Row, Ticket, cost_of
from tests.api.online.judges import Judge

NEVER = float("inf")


def ticket(*costs: int, deadline_s: float = NEVER) -> Ticket[Judge]:
    return Ticket([f"text {i}" for i in range(len(costs))], costs, deadline_s)


def line(*tickets: Ticket[Judge]) -> Line[Judge]:
    made: Line[Judge] = Line()
    for one in tickets:
        made.join(one)
    return made


def test_each_request_has_one_text_scored_in_turn() -> None:
    large, small, other = ticket(*[1] * 1000), ticket(1), ticket(1, 1)
    batch, late = line(large, small, other).take(6, 0)
    assert batch == [(large, 0), (small, 0), (other, 0), (large, 1), (other, 1), (large, 2)]
    assert late == []


def test_a_request_of_a_thousand_is_no_burden_to_one_of_one() -> None:
    waiting = line(ticket(*[10] * 1000))
    assert waiting.ahead(1) == 10
    assert waiting.ahead(1000) == waiting.tokens == 10_000
    assert waiting.ahead(2000) == 10_000


def test_a_batch_holds_at_least_one_text_and_keeps_to_its_budget() -> None:
    waiting = line(ticket(50), ticket(5), ticket(6))
    assert len(waiting.take(1, 0)[0]) == 1
    assert len(waiting.take(10, 0)[0]) == 1
    assert len(waiting.take(10, 0)[0]) == 1
    assert waiting.take(10, 0) == ([], [])


def test_what_is_late_never_reaches_a_batch() -> None:
    late, early = ticket(1, 1, deadline_s=5), ticket(1, deadline_s=6)
    waiting = line(late, early)
    assert waiting.take(10, 5) == ([(early, 0)], [late])
    assert (len(waiting), waiting.items, waiting.tokens) == (0, 0, 0)


def test_another_model_in_between_has_all_texts_scored_again() -> None:
    one = ticket(2, 3, 4)
    old, new = Judge("old"), Judge("new")
    waiting = line(one)
    waiting.take(2, 0)
    waiting.leave(one)
    one.keep(old, {0: Row({"harm": 0.1})})
    waiting.join(one)
    waiting.take(3, 0)
    waiting.leave(one)
    one.keep(new, {1: Row({"harm": 0.2})})
    assert not one.answer()
    waiting.join(one)
    assert (waiting.items, waiting.tokens) == (2, 6)
    assert [position for _, position in waiting.take(100, 0)[0]] == [0, 2]
    one.keep(new, {0: Row({"harm": 0.3}), 2: Row({"harm": 0.4})})
    assert one.answer()
    verdict = one.future.result(0)
    assert verdict.judge is new
    assert [row.probabilities["harm"] for row in verdict.rows] == [0.3, 0.2, 0.4]


def test_a_caller_gets_its_first_outcome_and_one_that_left_gets_none() -> None:
    one, gone = ticket(1), ticket(1)
    one.keep(Judge(), {0: Row()})
    assert one.answer()
    one.fail(ValueError("too late"))
    assert one.future.exception(0) is None
    gone.future.cancel()
    gone.fail(ValueError("nobody hears it"))
    assert gone.future.cancelled()


@pytest.mark.parametrize(("text", "cost"), [("", 2), ("abcd", 3), ("abcde", 4), ("你好吗你好吗", 7), ("x" * 9999, 64)])
def test_costs_are_estimated_up_to_what_the_model_reads(text: str, cost: int) -> None:
    assert cost_of(text, 64) == cost


def test_a_text_that_is_no_unicode_has_a_cost() -> None:
    assert cost_of("\ud800", 64) == 3


@given(
    st.lists(st.tuples(st.sampled_from(["join", "leave", "take", "again", "clear"]), st.integers(0, 9)), max_size=40)
)
def test_the_counts_are_those_of_the_tickets(steps: list[tuple[str, int]]) -> None:
    tickets = [ticket(*range(1, 2 + i), deadline_s=float(i)) for i in range(10)]
    waiting: Line[Judge] = Line()
    inside: set[int] = set()
    for step, number in steps:
        one: Any = tickets[number]
        if step in ("join", "again"):
            waiting.join(one)
            inside |= {number} if one.pending else set()
        elif step == "leave":
            waiting.leave(one)
            inside -= {number}
        elif step == "clear":
            assert {tickets.index(left) for left in waiting.clear()} == inside
            inside = set()
        else:
            batch, late = waiting.take(5, number)
            assert all(other.deadline_s > number for other, _ in batch)
            inside -= {tickets.index(other) for other in late}
            inside = {i for i in inside if tickets[i].pending}
        assert len(waiting) == len(inside)
        assert waiting.items == sum(len(tickets[i].pending) for i in inside)
        assert waiting.tokens == sum(tickets[i].costs[p] for i in inside for p in tickets[i].pending)
