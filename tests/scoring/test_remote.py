from __future__ import annotations

from typing import Any

import pytest

from scoring.errors import RemoteRefused, RemoteUnreachable
from scoring.remote import Manners, Reply, Usage, reason
from tests.scoring.service import Service, caller, down

BODY: dict[str, Any] = {"model": "m", "input": ["some words"]}


def waits(asked: Any) -> list[float]:
    return list(asked.waits)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_another_try_may_mend_is_tried_again(status: int) -> None:
    service = Service(faults=[Reply(status, {}), down()])
    asked = caller(service)
    assert asked.ask("/moderations", BODY, 1).status == 200
    assert asked.usage == Usage(requests=1, retries=2, items=1, tokens=2)
    assert len(waits(asked)) == 2


def test_waits_grow_and_are_bounded() -> None:
    service = Service(faults=[Reply(500, {})] * 9)
    asked = caller(service, attempts=10, first_wait_s=1.0, longest_wait_s=8.0)
    asked.ask("/moderations", BODY, 1)
    assert all(0 <= wait <= min(8.0, 2.0**i) for i, wait in enumerate(waits(asked)))
    assert len(set(waits(asked))) > 1  # drawn, so that callers do not come back together


def test_a_wait_that_the_service_asks_for_is_kept_within_bounds() -> None:
    service = Service(faults=[Reply(429, {}, retry_after_s=5.0), Reply(429, {}, retry_after_s=500.0)])
    asked = caller(service, first_wait_s=0.1, longest_wait_s=20.0)
    asked.ask("/moderations", BODY, 1)
    assert waits(asked) == [5.0, 20.0]


def test_in_the_end_it_says_what_was_wrong() -> None:
    service = Service(faults=[down(), Reply(503, {"error": {"type": "overloaded"}})])
    with pytest.raises(RemoteUnreachable, match=r"answers 503 \(overloaded\); tried 2 times: run it again"):
        caller(service, attempts=2).ask("/moderations", BODY, 1)
    assert len(service.asked) == 2


@pytest.mark.parametrize(
    ("status", "cure"), [(401, "its key"), (403, "its key"), (404, "the model's name"), (302, "refuses")]
)
def test_what_no_try_can_mend_is_refused_at_once(status: int, cure: str) -> None:
    service = Service(faults=[Reply(status, {"error": {"code": "no", "message": "secret content"}})])
    with pytest.raises(RemoteRefused, match=cure) as refused:
        caller(service).ask("/moderations", BODY, 1)
    assert "secret content" not in str(refused.value)
    assert len(service.asked) == 1


def test_the_first_error_stops_the_rest() -> None:
    done: list[int] = []

    def work(number: int) -> None:
        if number == 3:
            raise RemoteRefused("no")
        done.append(number)

    with pytest.raises(RemoteRefused, match="no"):
        caller(Service(), concurrency=1).each(range(1000), work)
    assert len(done) < 1000
    caller(Service()).each([], work)


def test_the_bill() -> None:
    usage = Usage(requests=900, retries=100, items=28_800, tokens=2_000_000)
    assert usage.cost(0.5) == pytest.approx(1.0)
    assert usage.cost(0.0, 2.0) == pytest.approx(2.0)


@pytest.mark.parametrize("usage", [[1], "many", 7, {"total_tokens": "many"}, None])
def test_a_bill_of_another_form_is_no_bill(usage: Any) -> None:
    made = caller(Service(faults=[Reply(200, {"usage": usage})]))
    assert made.ask("/moderations", {"input": []}, 1).status == 200
    assert (made.usage.requests, made.usage.tokens) == (1, 0)


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"batch": 0}, {"concurrency": 0}, {"first_wait_s": 99.0}])
def test_manners_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Manners(**wrong)


def test_only_the_kind_of_an_error_is_told() -> None:
    assert reason(Reply(400, {"error": "plain text"})) == ""
    assert reason(Reply(400, {"error": {"message": "the text"}})) == ""
    assert reason(Reply(400, {"error": {"type": "x" * 99}})) == f" ({'x' * 60})"
