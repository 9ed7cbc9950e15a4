"""A day's sample from the draw to the figures: asked blind, by others than who decided, and folded as any answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from labeling.assign import AssignRules
from labeling.decision_records import Decided
from labeling.errors import InvalidInput, NotFound, NothingToDo
from labeling.golden.partition import Shares
from labeling.handout import hand_out
from labeling.insights.daily_qa import Opened, bounds, open_day, yesterday
from labeling.insights.qa_report import BELOW, Targets, qa_decisions, qa_report
from labeling.purposes import DAILY_QA, purpose
from labeling.records import Answer, RoundState, TaskKind, TaskState
from labeling.roster import add_person
from labeling.round_costs import Costs
from labeling.rounds import close_round
from labeling.studio.payload import task_data
from labeling.yields import yields
from selection.types import RELABEL
from tests.figures import assert_whole
from tests.labeling.insights.production import DAY, decide, open_production, row, terms
from tests.labeling.shop import NO, UNCLEAR, Shop, yes

ROUND = "qa-2026-02-28-fraud-1.0.0"
ALL_TRAIN = Shares(train=1.0, calibration=0.0, dev=0.0, sealed=0.0)
WRONG: dict[str, dict[str, object]] = {
    "d0": {"outcome": "ok", "rule": None},
    "d1": {"outcome": "violates", "rule": "general"},
}
WRONG |= {"d2": {"rule": "other_rule"}, "d4": {"action": "keep"}}
ACTIONS = {"remove": Decided.VIOLATES, "keep": Decided.OK}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = open_production(tmp_path)
    made.shares = ALL_TRAIN
    yield made
    made.ledger.close()


def opened(shop: Shop, *, dry_run: bool = False, **changes: Any) -> Opened:
    return open_day(shop.ledger, shop.lake, DAY, terms(shop, **changes), dry_run=dry_run)


def answer_all(shop: Shop, people: tuple[str, ...] = ("ann", "bob")) -> None:
    """Everybody answers what is asked rightly."""
    shop.deliver()
    for task in shop.ledger.tasks.where(states=(TaskState.SENT,), kind=TaskKind.BLIND):
        said: Answer = yes() if "cheat" in task.text else NO
        shop.answer(task, *(said for _ in people), people=people)


def report(shop: Shop, targets: Targets | None = None) -> dict[str, Any]:
    told: dict[str, Any] = qa_report(shop.ledger, DAY, targets or Targets(), ACTIONS)
    return told


def verdicts(shop: Shop) -> dict[str, str]:
    return {str(one["decision_id"]): str(one["verdict"]) for one in qa_decisions(shop.ledger, DAY, ACTIONS)}


def test_the_whole_way_from_decisions_to_figures(shop: Shop) -> None:
    decide(shop, *(row(n, **WRONG.get(f"d{n}", {})) for n in range(20)))
    made = opened(shop)
    assert (made.decisions, made.sampled, made.asked, made.rounds) == (20, 20, 20, (ROUND,))
    assert purpose(shop.ledger.rounds.get(ROUND)) == DAILY_QA
    assert shop.ledger.rounds.get(ROUND).state is RoundState.OPEN
    told = report(shop)
    assert (told["waiting"], told["judged"]) == (20, 0)
    assert told["projects"][0]["accuracy"]["licence"].startswith("none")
    answer_all(shop)
    assert shop.settle().golden == 20
    wrong = {"d0": "under_enforcement", "d1": "over_enforcement", "d2": "wrong_selection", "d4": "technical"}
    assert verdicts(shop) == {f"d{n}": wrong.get(f"d{n}", "right") for n in range(20)}
    (project,) = report(shop)["projects"]
    assert (project["accuracy"]["value"], project["accuracy"]["n"], project["decisions"]) == (0.8, 20, 20)
    assert project["accuracy"]["policy_version"] == "fraud 1.0.0"
    assert_whole(project, 5)
    assert project["accuracy"]["golden_version"] == "unpublished"
    assert project["accuracy"]["licence"].startswith("population: the project's decisions of the day")
    assert project["accuracy"]["items"] == "/v1/qa/items?day=2026-02-28&project=forum&verdict=judged"
    assert {name: one["events"] for name, one in project["errors"].items()} == dict.fromkeys(wrong.values(), 1)
    assert (project["state"], report(shop)["breaches"]) == (BELOW, ["forum"])
    assert report(shop, Targets(0.95, {"forum": 0.3}))["breaches"] == []
    assert close_round(shop.ledger, ROUND)
    with pytest.raises(NothingToDo, match="no round is closed yet"):
        yields(shop.ledger)  # no yield counts a round of daily QA


def test_nothing_of_a_task_tells_what_was_decided(shop: Shop) -> None:
    decide(shop, *(row(n) for n in range(4)))
    opened(shop)
    for task in shop.ledger.tasks.where(round_id=ROUND):
        data = task_data(task)
        assert "it-0" not in task.task_id
        assert not {"mod-1", "remove", "keep", "d1", "forum", "qa"} & set(map(str, data.values()))
    assert {pick.pi for pick in shop.ledger.rounds.picks(ROUND)} == {None}


def test_a_day_is_sampled_once_and_goes_on_where_it_was_killed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    decide(shop, *(row(n) for n in range(20)))
    preview = opened(shop, dry_run=True, budget=8)
    assert (preview.sampled, shop.ledger.decisions.days(), shop.ledger.rounds.all()) == (8, [], [])
    with monkeypatch.context() as patch:
        patch.setattr(shop.ledger.rounds, "record_selection", _killed)
        with pytest.raises(KeyboardInterrupt):
            opened(shop, budget=8)
    before = shop.ledger.decisions.sample(["2026-02-28"])
    made = opened(shop, budget=15, overlap=1)  # other terms change nothing any more
    assert (made.again, made.sampled, made.asked) == (True, 8, 8)
    assert opened(shop).asked == 8
    assert shop.ledger.decisions.sample(["2026-02-28"]) == before
    assert {task.overlap for task in shop.ledger.tasks.where(round_id=ROUND)} == {2}
    decide(shop, row(3, decision_id="late"))
    assert report(shop)["late"] == 1


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_who_decided_does_not_answer_where_a_project_is_shared(shop: Shop) -> None:
    decide(shop, *(row(n, who="BOB@example.org") for n in (0, 1)))
    opened(shop)
    shop.deliver()
    task, other = shop.ledger.tasks.where(round_id=ROUND)
    shop.answer(task, yes(), NO, people=("ann", "bob"))
    shop.answer(other, yes(), people=("ann",))
    told = shop.settle()
    assert [(refusal.annotator, "judged this item before" in refusal.reason) for refusal in told.refusals] == [
        ("bob@example.org", True)
    ]
    assert shop.ledger.tasks.get(task.task_id).state is TaskState.WITHDRAWN  # Label Studio has closed it
    (again,) = shop.ledger.tasks.where(states=(TaskState.QUEUED,), kind=TaskKind.BLIND)
    assert (again.item_id, again.overlap) == (task.item_id, 3)
    shop.deliver()
    shop.answer(again, yes(), NO, yes(), people=("ann", "bob", "cat"))
    assert shop.settle().settled == 1
    final = shop.ledger.golden.adjudications(again.task_id)[-1]
    assert final.annotators == ("ann@example.org", "cat@example.org")


def test_a_lead_who_decided_in_production_does_not_decide_again(shop: Shop) -> None:
    decide(shop, row(0, who="lea"))
    opened(shop, accounts={"lea": "lea@example.org"})
    shop.deliver()
    (task,) = shop.ledger.tasks.where(round_id=ROUND)
    shop.answer(task, yes(), NO)
    assert shop.settle().disputed == 1
    shop.deliver()
    (question,) = shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION)
    shop.answer(question, yes(), people=("lea",))
    assert (shop.settle().settled, verdicts(shop)) == (0, {"d0": "waiting"})
    shop.answer(question, None, yes(), people=("lea", "eve"))
    assert (shop.settle().settled, verdicts(shop)) == (1, {"d0": "right"})


def test_a_roster_gives_no_copy_to_who_decided_and_keeps_opt_outs(shop: Shop) -> None:
    for name in ("ann", "bob", "cat"):
        add_person(shop.ledger.people, shop.policies, "test", f"{name}@example.org", {})
    add_person(shop.ledger.people, shop.policies, "test", "dan@example.org", {"opt_outs": ["fraud"]})
    decide(shop, *(row(n, who="mod-1" if n % 2 else "mod-2") for n in range(8)))
    opened(shop, accounts={"mod-1": "ann@example.org"})
    hand_out(shop.ledger, shop.lake, shop.policies, AssignRules(), Costs(), datetime.now(UTC))
    copies = shop.ledger.tasks.where(kind=TaskKind.COPY)
    by_item = {f"it-{n:05}": {c.assignee for c in copies if c.item_id == f"it-{n:05}"} for n in range(8)}
    for number in range(1, 8, 2):
        assert by_item[f"it-{number:05}"] == {"bob@example.org", "cat@example.org"}
    assert any("ann@example.org" in by_item[f"it-{number:05}"] for number in range(0, 8, 2))
    assert "dan@example.org" not in {copy.assignee for copy in copies}


def test_a_label_that_is_there_is_the_answer_unless_who_decided_gave_it(shop: Shop) -> None:
    for task in shop.send("r1", 20, policies=("fraud",), lanes={"random": 1.0}):
        said = yes() if "cheat" in task.text else NO
        shop.answer(task, said, said)
    assert shop.settle().golden == 20
    decide(shop, *(row(n) for n in range(18)), row(18, who="bob@example.org"))
    made = opened(shop)
    assert (made.known, made.asked) == (18, 1)
    (pick,) = shop.ledger.rounds.picks(ROUND)
    assert (pick.item_id, pick.lane) == ("it-00018", RELABEL)
    assert verdicts(shop)["d18"] == "waiting"
    shop.deliver()
    (task,) = shop.ledger.tasks.where(round_id=ROUND)
    shop.answer(task, NO, NO, people=("bob", "cat"))  # bob decided, so cat's word stands against the label
    assert shop.settle().disputed == 1
    shop.deliver()
    (question,) = shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION)
    shop.answer(question, NO, people=("lea",))
    shop.settle()
    assert verdicts(shop) == {f"d{n}": "over_enforcement" if n == 18 else "right" for n in range(19)}


def test_what_says_nothing_is_counted_and_not_judged(shop: Shop) -> None:
    decide(shop, *(row(n) for n in range(6)))
    opened(shop)
    shop.deliver()
    for task in shop.ledger.tasks.where(round_id=ROUND):
        shop.answer(task, *[UNCLEAR if task.item_id == "it-00001" else NO] * 2)
    shop.ledger.erasures.begin("it-00003", "ann", "asked by its author")
    shop.settle()
    told = report(shop)
    assert (told["undecided"], told["lost"], told["judged"]) == (1, 1, 4)
    assert told["projects"][0]["accuracy"]["verdict"] == "insufficient"
    assert told["projects"][0]["below_target"] is None


def test_answers_of_the_sealed_partition_are_withheld(shop: Shop) -> None:
    shop.shares = Shares(train=0.0, calibration=0.0, dev=0.0, sealed=1.0)
    decide(shop, *(row(n) for n in range(4)))
    opened(shop)
    answer_all(shop)
    assert shop.settle().golden == 4
    assert set(verdicts(shop).values()) == {"withheld"}
    assert report(shop)["projects"][0]["accuracy"]["events"] == 0


def test_what_earlier_days_found_says_where_errors_are_likely(shop: Shop) -> None:
    early = {"decided_at": "2026-02-27T12:00:00Z"}
    decide(shop, *(row(n, decision_id=f"e{n}", outcome="ok", rule=None, **early) for n in range(20)))
    open_day(shop.ledger, shop.lake, DAY.replace(day=27), terms(shop))
    answer_all(shop)
    shop.settle()
    decide(shop, *(row(n, outcome="ok", rule=None) for n in range(10)))
    decide(shop, *(row(n, decision_id=f"v{n}", outcome="violates") for n in range(10)))
    opened(shop, budget=10)
    strata = report(shop)["strata"]
    picks = {stratum["key"]["outcome"]: stratum["picks"] for stratum in strata}
    assert picks["ok"] > picks["violates"] >= 2


def test_days_begin_where_the_zone_says() -> None:
    since, until = bounds(DAY, "America/New_York")
    assert (since, until) == (datetime(2026, 2, 28, 5, tzinfo=UTC), datetime(2026, 3, 1, 5, tzinfo=UTC))
    assert yesterday(datetime(2026, 3, 1, 4, tzinfo=UTC), "America/New_York").isoformat() == "2026-02-27"


def test_a_day_without_decisions_or_sample_says_so(shop: Shop) -> None:
    with pytest.raises(NothingToDo, match="day 2026-02-28: nothing was decided then"):
        opened(shop)
    with pytest.raises(NotFound, match="was not sampled yet: goldfold qa sample --day 2026-02-28"):
        report(shop)
    decide(shop, *(row(n, project=f"p{n}") for n in range(8)))
    with pytest.raises(InvalidInput, match="is not over yet in UTC"):
        open_day(shop.ledger, shop.lake, datetime.now(UTC).date(), terms(shop))
    with pytest.raises(InvalidInput, match="budget: 3 re-reviews are too few for 8 projects"):
        opened(shop, budget=3)


def test_policies_that_are_not_in_force_take_no_part(shop: Shop) -> None:
    decide(shop, row(0), row(1, policy="harm"))
    made = opened(shop, policies={"fraud": shop.policies["fraud"]})
    assert (made.decisions, made.left_out, made.sampled) == (1, 1, 1)
    assert replace(made, dry_run=True) != made
