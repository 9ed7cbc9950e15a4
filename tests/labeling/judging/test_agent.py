"""A remote judge, against a real server on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from api.endpoint import HttpEndpoint
from labeling.errors import AnswersLeft, BudgetSpent, InvalidInput, NothingToDo
from labeling.golden.judges import judging_rows
from labeling.judging.agent import Agent, Terms
from labeling.judging.answers import AnswerBook
from labeling.judging.bills import Prices
from labeling.judging.clock import Clock
from labeling.judging.contender import of_prototypes
from labeling.judging.contest import Contest, hold
from labeling.judging.endpoints import estimate, of_endpoint
from labeling.judging.evaluate import ask_sealed, judge
from labeling.judging.gate import Terms as GateTerms
from labeling.judging.prompts import Asking
from labeling.judging.sealed import Door
from labeling.records import GoldenItem, Partition
from scoring.errors import RemoteRefused, RemoteUnreachable
from scoring.remote import Manners
from tests.judge_service import ChatService, by_word, chat_service, slowly, verdict
from tests.labeling.shop import Shop

VERSION = "1.0.0"


@contextmanager
def asking(shop: Shop, url: str, **given: Any) -> Iterator[Agent]:
    """An agent that asks about fraud and harm, and waits for hardly anything."""
    clock = given.pop("clock", Clock(60.0, time.monotonic()))
    manners = Manners(first_wait_s=0.0, concurrency=given.pop("concurrency", 4), attempts=given.pop("attempts", 4))
    endpoint = HttpEndpoint(url, None, given.pop("timeout_s", 5.0), manners.concurrency)
    book = AnswerBook(shop.folder / "answers.db")
    terms = Terms(**{"repeats": 1, "prices": Prices(2.0, 10.0), **given})
    try:
        yield Agent(shop.lake, shop.policies, endpoint, manners, book, Asking("m"), terms, clock)
    finally:
        book.close()
        endpoint.close()


def dev(shop: Shop) -> list[GoldenItem]:
    return judging_rows(shop.ledger.golden, VERSION, Partition.DEV)


def figures(shop: Shop, agent: Agent, limit: int | None = None) -> Any:
    return judge(shop.ledger.golden, shop.lake, of_endpoint(agent, "endpoint:m", limit), VERSION)


def test_a_judge_that_is_right_has_the_figures_of_one(exam: Shop) -> None:
    rows = dev(exam)
    with chat_service() as (url, service), asking(exam, url, repeats=2) as agent:
        found = figures(exam, agent)
    whole = found["slices"][0]
    assert (whole["policy"], whole["n"], found["left_out"]) == ("fraud", len(rows), 0)
    assert whole["figures"]["accuracy"]["value"] == 1.0
    assert Counter(service.contents) == Counter(2 * [row.text for row in rows])  # harm has no gold, and is not asked
    beside = found["beside"]
    assert beside["answers"]["policies"]["fraud"]["read"] == 2 * len(rows) == beside["answers"]["read"]
    assert (beside["stability"]["all"]["alike"]["value"], beside["served"]) == (1.0, {"served-1": 2 * len(rows)})
    calls = 2 * len(rows)
    cost = pytest.approx(calls * (100 * 2.0 + 10 * 10.0) / 1e6)
    assert beside["usage"] == {"calls": calls, "tokens_in": 100 * calls, "tokens_out": 10 * calls, "cost": cost}
    assert beside["usage_now"]["calls"] == calls + 1  # and the harmless sentence
    assert service.most <= 4


def test_the_probability_is_the_share_of_answers_that_violate(exam: Shop) -> None:
    def wavering(content: str, number: int) -> str:
        return (verdict("violates"), verdict("allowed"), "I think so", verdict("violates"))[number]

    row = dev(exam)[0]
    with chat_service(answer=wavering) as (url, _), asking(exam, url, repeats=4, concurrency=1) as agent:
        found = figures(exam, agent)
        agent.expect([row])
        assert agent.score([row.item_id])[0, 0] == pytest.approx(2 / 3)
    assert found["beside"]["answers"]["unreadable"] == len(dev(exam))
    assert found["beside"]["stability"]["all"]["incomplete"] == len(dev(exam))


def test_answers_that_waver_are_unstable(exam: Shop) -> None:
    def coin(content: str, number: int) -> str:
        return verdict("violates" if number else "allowed")

    with chat_service(answer=coin) as (url, _), asking(exam, url, repeats=2) as agent:
        stability = figures(exam, agent)["beside"]["stability"]
    assert (stability["unstable"], stability["all"]["alike"]["events"]) == (["fraud"], 0)
    assert stability["policies"]["fraud"]["pairwise"]["value"] == 0.0


def test_no_answer_is_no_figure(exam: Shop) -> None:
    said = verdict("context_missing")
    with chat_service(answer=lambda content, n: said if "w2" in content else by_word(content, n)) as (url, _):
        missing = sum("w2" in row.text for row in dev(exam))
        with asking(exam, url) as agent:
            found = figures(exam, agent)
    assert missing
    assert found["left_out"] == missing
    assert found["beside"]["answers"]["policies"]["fraud"]["context_missing"] == missing
    with chat_service(choice={"finish_reason": "content_filter"}) as (url, _), asking(exam, url) as agent:
        with pytest.raises(NothingToDo, match="says nothing about any item"):
            figures(exam, agent)
        assert {said.kind for said in agent.answers.values()} == {"refused"}


def test_trouble_that_passes_is_waited_for(exam: Shop) -> None:
    faults = [(429, {"Retry-After": "0"}), (500, {}), (503, {}), 1.0, (400, {})]
    with (
        chat_service(faults=faults) as (url, service),
        asking(exam, url, timeout_s=0.4, concurrency=1, attempts=6) as agent,
    ):
        found = figures(exam, agent)
    assert found["left_out"] == 1  # the one that the service refused by itself
    assert found["beside"]["answers"]["refused"] == 1
    assert len(service.contents) == len(dev(exam)) + 4


def test_a_service_that_stays_away_costs_no_answer_twice(exam: Shop) -> None:
    rows = dev(exam)
    away: list[Any] = [0.0] * 5 + [(500, {})] * 2
    with chat_service(faults=away) as (url, service):
        with asking(exam, url, concurrency=1, attempts=2) as agent, pytest.raises(RemoteUnreachable) as error:
            figures(exam, agent)
        assert not any(row.text in str(error.value) for row in rows)
        kept = len(service.contents) - 2
        assert kept in (5, 6)  # one more may be under way when the run ends
        with asking(exam, url) as agent:
            found = figures(exam, agent)
        assert len(service.contents) == len(rows) + 2
        assert found["slices"][0]["figures"]["accuracy"]["value"] == 1.0
        assert found["beside"]["usage"]["calls"] == len(rows)
        assert found["beside"]["usage_now"]["calls"] == len(rows) - kept
        with asking(exam, url) as agent:
            again = figures(exam, agent)
        assert len(service.contents) == len(rows) + 2
    assert again["slices"] == found["slices"]
    assert again["beside"]["usage_now"]["calls"] == 0


def test_more_repeats_ask_only_what_is_new_and_another_prompt_asks_all(exam: Shop) -> None:
    rows = dev(exam)
    with chat_service() as (url, service):
        for repeats, asked in ((1, 1), (3, 3)):
            with asking(exam, url, repeats=repeats) as agent:
                figures(exam, agent)
            assert len(service.contents) == asked * len(rows)
        exam.policies["fraud"] = exam.policies["fraud"].model_copy(update={"definition": "Another one."})
        with asking(exam, url) as agent:
            figures(exam, agent)
        assert len(service.contents) == 4 * len(rows)


def test_a_request_that_is_wrong_for_all_is_no_refusal_of_each(exam: Shop) -> None:
    def broken(self: ChatService, _body: object, _key: str) -> Any:
        self.seen.append({"messages": [{}, {"content": '{"content": "weather"}'}]})
        return 400, {}, {"error": {"code": "unknown_parameter"}}

    with chat_service() as (url, service), asking(exam, url) as agent:
        service.reply = broken.__get__(service)  # type: ignore[method-assign]
        with pytest.raises(
            RemoteRefused, match=r"answers 400 \(unknown_parameter\) to a harmless sentence: check model"
        ):
            figures(exam, agent)
        assert (len(service.seen), agent.answers) == (1, {})


def test_a_run_ends_at_its_deadline_and_goes_on(exam: Shop) -> None:
    rows = dev(exam)
    with chat_service(answer=slowly(0.05)) as (url, service):
        clock = Clock(0.4, time.monotonic())
        with asking(exam, url, clock=clock, concurrency=1) as agent, pytest.raises(AnswersLeft, match="deadline_s"):
            figures(exam, agent)
        before = len(service.contents)
        assert before < len(rows)
        stopped = Clock(60.0, time.monotonic(), lambda: len(service.contents) > before)
        with (
            asking(exam, url, clock=stopped, concurrency=1) as agent,
            pytest.raises(AnswersLeft, match="stopped") as error,
        ):
            figures(exam, agent)
        assert error.value.is_paused
        with asking(exam, url) as agent:
            assert figures(exam, agent)["slices"][0]["n"] == len(rows)
        assert len(service.contents) == len(rows)


def test_waits_end_with_the_run() -> None:
    clock = Clock(0.2, time.monotonic())
    with pytest.raises(AnswersLeft):
        clock.wait(60.0)


def test_sealed_items_are_not_sent_unless_that_is_said(exam: Shop) -> None:
    door = Door(exam.ledger, 5, 20, "eve")
    with chat_service() as (url, service), asking(exam, url) as agent:
        contender = of_endpoint(agent, "endpoint:m")
        with pytest.raises(InvalidInput, match="allow_sealed: sealed items and anchors would be sent to http"):
            ask_sealed(exam.ledger, exam.lake, contender, VERSION, (), door)
        with pytest.raises(InvalidInput, match="allow_sealed"):
            hold(exam.ledger, contest(exam, agent), door)
        assert service.seen == []
        assert exam.ledger.sealed.all() == []


def contest(shop: Shop, agent: Agent) -> Contest:
    terms = GateTerms(dict.fromkeys(range(5), 0.25), {name: p.severity for name, p in shop.policies.items()}, 13)
    champion = of_prototypes(shop.lake, shop.policies, shop.prototypes)
    return Contest(of_endpoint(agent, "endpoint:m"), champion, VERSION, terms)


def test_a_verdict_names_prompt_and_policy_version_and_is_asked_for_once(exam: Shop) -> None:
    door = Door(exam.ledger, 1, 13, "eve")
    with chat_service() as (url, service):
        with asking(exam, url, allow_sealed=True) as agent:
            told: Any = hold(exam.ledger, contest(exam, agent), door)
            digest = agent.prompts["fraud"].digest
        asked = len(service.seen)
        assert told["challenger"]["details"]["prompts"]["fraud"] == {"policy_version": "1.0.0", "prompt_sha256": digest}
        assert (told["challenger"]["family"], told["anchors"]["right"]) == ("external", told["anchors"]["n"])
        assert told["anchors"]["n"] > 0
        assert told["beside"]["challenger"]["answers"]["read"] == asked - 1
        with asking(exam, url, allow_sealed=True) as agent:
            again: Any = hold(exam.ledger, contest(exam, agent), door)
        assert (again["gate_id"], again["is_repeat"], len(service.seen)) == (told["gate_id"], True, asked)
        with asking(exam, url, allow_sealed=True, repeats=2) as agent, pytest.raises(BudgetSpent):
            hold(exam.ledger, contest(exam, agent), door)
        assert len(service.seen) == asked  # the budget is looked at before anything is paid


def test_an_estimate_counts_what_would_be_asked(exam: Shop) -> None:
    rows = dev(exam)
    with chat_service() as (url, service):
        with asking(exam, url, repeats=3) as agent:
            told: Any = estimate(agent, of_endpoint(agent, "m"), rows)
        assert (told["calls"], told["kept"], told["pairs"], service.seen) == (3 * len(rows), 0, len(rows), [])
        assert told["cost"] == pytest.approx((told["tokens_in"] * 2 + told["tokens_out"] * 10) / 1e6)
        assert told["tokens_in"] > 3 * len(rows) * len(exam.policies["fraud"].definition) // 4
        with asking(exam, url, repeats=3) as agent:
            found = figures(exam, agent, limit=13)
        assert (len(service.contents), found["slices"][0]["n"], found["left_out"]) == (39, 13, len(rows) - 13)
        with asking(exam, url, repeats=3) as agent:
            few: Any = estimate(agent, of_endpoint(agent, "m", 14), rows)
        assert (few["calls"], few["kept"]) == (3, 39)  # a larger limit adds to a smaller one


def test_long_texts_lose_their_middle_and_erased_ones_are_counted(exam: Shop) -> None:
    rows = dev(exam)
    exam.lake.erase([rows[0].item_id])
    with chat_service() as (url, service), asking(exam, url, max_chars=9) as agent:
        found = figures(exam, agent)
    assert {len(content) for content in service.contents} == {9}
    assert service.contents[0] in {row.text[:5] + row.text[-4:] for row in rows}
    assert found["beside"]["shortened"] == len(rows) - 1
    assert found["beside"]["unread"] == {"items": 1, "reasons": {"it is not in the lake any more": 1}}


KILLED = """
import sys, pathlib
from tests.labeling.judging.test_agent import asking, figures
from tests.labeling.shop import open_shop
shop = open_shop(pathlib.Path(sys.argv[1]))
with asking(shop, sys.argv[2], concurrency=1) as agent:
    figures(shop, agent)
"""


def test_a_killed_run_pays_for_what_was_under_way_alone(exam: Shop) -> None:
    rows = dev(exam)
    with chat_service(answer=slowly(0.1)) as (url, service):
        command = [sys.executable, "-c", KILLED, str(exam.folder), url]
        run = subprocess.Popen(command, cwd=Path(__file__).parents[3], env={**os.environ, "PYTHONPATH": "."})
        for _ in range(600):
            if len(service.contents) >= 4 or run.poll() is not None:
                break
            time.sleep(0.05)
        run.send_signal(signal.SIGKILL)
        run.wait()
        assert 4 <= len(service.contents) < len(rows)
        with asking(exam, url) as agent:
            assert figures(exam, agent)["slices"][0]["n"] == len(rows)
        assert len(service.contents) <= len(rows) + 1
        assert set(service.contents) == {row.text for row in rows}
