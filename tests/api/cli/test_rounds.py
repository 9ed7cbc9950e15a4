from __future__ import annotations

import pytest

from api.jobs import steps
from labeling.records import GoldenItem
from tests.api.cli.conftest import Terminal
from tests.api.site import HARM, gild, score_all, select, stock

ROUND = [
    "round",
    "--id",
    "week-47",
    "--budget",
    "4",
    "--policy",
    HARM,
    "--lane",
    "random=0.5",
    "--lane",
    "uncertain=0.5",
]


@pytest.fixture
def stocked(goldfold: Terminal) -> Terminal:
    with goldfold.opened() as site:
        stock(site)
        score_all(site)
    return goldfold


def test_a_dry_run_shows_the_picks_and_writes_nothing(stocked: Terminal) -> None:
    shown = stocked(*ROUND, "--dry-run", "--json").json
    assert shown["items_scored"] == 40
    assert len(shown["selection"]["picks"]) == 4
    assert "uncertain" in stocked(*ROUND, "--dry-run").out
    assert shown["selection"]["frame"]["estimate"]["minutes"] > 0
    assert "Estimated cost for all who answer" in stocked(*ROUND, "--dry-run").out
    assert stocked("rounds", "--json").json == []


def test_a_dry_run_with_the_lane_of_second_looks(stocked: Terminal) -> None:
    lanes = ("--lane", "random=0.4", "--lane", "uncertain=0.4", "--lane", "relabel=0.2")
    asked = ("round", "--budget", "5", "--policy", HARM, *lanes, "--dry-run")
    assert "Note: lane relabel: no label may be looked at again yet, so its 1 picks went to uncertain" in " ".join(
        stocked(*asked).out.split()
    )
    with stocked.opened() as site:
        select(site)
        gild(site)
    told = stocked(*asked, "--json").json["selection"]
    assert told["frame"]["second_looks"]["candidates"] == sum(
        row.partition == "train" and row.state == "active" for row in golden_items(stocked)
    )
    alone = stocked("round", "--budget", "5", "--lane", "random=0.9", "--lane", "relabel=0.1", "--dry-run")
    assert (alone.code, "lanes: relabel: what it does not use" in alone.err) == (1, True)


def golden_items(stocked: Terminal) -> list[GoldenItem]:
    with stocked.opened() as site:
        return site.ledger.golden.items()


def test_a_dry_run_within_minutes(stocked: Terminal) -> None:
    bounded = (*ROUND, "--per", "minute", "--max-minutes", "1.6", "--dry-run", "--json")
    shown = stocked(*bounded).json["selection"]
    assert shown["frame"]["estimate"]["minutes"] <= 1.6
    slow = stocked(*bounded, "--cost", "decision_minutes=9")
    assert (slow.code, "max_minutes: the picks of random" in slow.err) == (1, True)
    assert stocked(*bounded, "--cost", "coffee=1").code == 1
    assert stocked(*bounded, "--per", "hour").code == 1


def test_a_round_runs_once(stocked: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "project", lambda *_: 1)
    monkeypatch.setattr(steps, "push", lambda *_, **__: {"sent": 4, "left": 0, "quarantined": 0})
    said = stocked(*ROUND)
    assert said.code == 0, said.err
    assert said.out.startswith("Round week-47 is open: 4 picks")
    assert stocked(*ROUND, "--json").json["picks"] == 4
    (listed,) = stocked("rounds", "--json").json
    assert (listed["round"]["round_id"], listed["tasks"]) == ("week-47", {"queued": 4})
    assert "week-47" in stocked("rounds").out
    said = stocked(*ROUND, "--seed", "9")
    assert (said.code, "'week-47' is taken" in said.err) == (1, True)


def test_a_round_without_label_studio_is_kept_and_goes_on_later(
    stocked: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = stocked(*ROUND)
    assert (said.code, "studio_token is not set" in said.err) == (1, True)
    assert stocked("rounds", "--json").json[0]["round"]["state"] == "selected"
    monkeypatch.setattr(steps, "project", lambda *_: 1)
    monkeypatch.setattr(steps, "push", lambda *_, **__: {"sent": 4, "left": 0, "quarantined": 0})
    assert stocked(*ROUND, "--json").json["state"] == "open"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--policy", "nonsense"], "policies: nonsense unknown"),
        (["--lane", "nonsense=1"], "lanes: 'nonsense' is unknown"),
        (["--lane", "random=0.3"], "lanes: shares add up to 0.8"),
        (["--strategy", "nonsense"], "strategy 'nonsense' is unknown"),
        (["--budget", "0"], "budget: 0"),
        (["--overlap", "0"], "overlap: 0"),
        (["--quota", "policy:nonsense=1.."], "nonsense"),
    ],
)
def test_what_nothing_could_make_good_is_refused_before_the_id_is_taken(
    stocked: Terminal, more: list[str], says: str
) -> None:
    said = stocked(*ROUND, *more)
    assert (said.code, says in said.err) == (1, True), said.err
    assert stocked("rounds", "--json").json == []


def test_a_budget_over_the_frame(stocked: Terminal) -> None:
    for more in (["--dry-run"], []):
        said = stocked("round", "--budget", "5000", *more)
        assert (said.code, "the budget asks for 5000 picks, but the frame holds" in said.err) == (1, True), said.err


def test_an_empty_lake_is_said(goldfold: Terminal) -> None:
    said = goldfold("round", "--budget", "5")
    assert (said.code, "the lake is empty" in said.err) == (1, True)


def test_a_sync_that_finds_nothing(goldfold: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    said = goldfold("sync")
    assert (said.code, "studio_token is not set" in said.err) == (1, True)
    monkeypatch.setattr(steps, "projects", lambda _goldfold: [])
    said = goldfold("sync", "--full")
    assert said.out.startswith("0 new events; 0 tasks settled")
    assert goldfold("sync", "--json").json["events"] == 0


def test_what_waits_for_a_lead(goldfold: Terminal, stocked: Terminal) -> None:
    with goldfold.opened() as site:
        select(site)
    assert goldfold("adjudicate", "--no-sync").out == "Waiting for a lead: none\n"
    assert goldfold("adjudicate", "--no-sync", "--json").json == []
    assert goldfold("adjudicate").code == 1


def test_a_cancelled_round_gives_its_items_back(stocked: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "project", lambda *_: 1)
    monkeypatch.setattr(steps, "push", lambda *_, **__: {"sent": 4, "left": 0, "quarantined": 0})
    assert stocked(*ROUND).code == 0
    said = stocked("cancel", "week-47")
    assert (said.code, said.out.strip()) == (0, "Round week-47 is cancelled; tasks: {'withdrawn': 4}")
    (listed,) = stocked("rounds", "--json").json
    assert (listed["round"]["state"], listed["tasks"]) == ("cancelled", {"withdrawn": 4})
    with stocked.opened() as site:
        (noted,) = [row for row in site.ledger.audit.latest() if row["action"] == "round.cancel"]
    assert (noted["actor"], noted["target"]) == ("cli", "week-47")
    assert stocked("cancel", "week-48").code == 1


def test_lanes_that_are_tuned_say_why(stocked: Terminal) -> None:
    shown = stocked("round", "--budget", "4", "--policy", HARM, "--lane", "auto", "--dry-run")
    assert "Note: lanes: random 0.1, risk 0.3, uncertain 0.6 (unchanged: " in shown.out


def test_what_the_lanes_brought(stocked: Terminal) -> None:
    said = stocked("rounds", "--yield")
    assert (said.code, "no round is closed yet" in said.err) == (1, True)
    with stocked.opened() as site:
        select(site)
    told = stocked("rounds", "--yield", "--id", "week-1", "--cost-per-label", "0.5", "--more", "300", "--json").json
    assert (told["rounds"], told["cost_per_label"]) == (["week-1"], 0.5)
    assert {row["lane"] for row in told["lanes"]} == {"random", "uncertain"}
    assert (told["forecast"]["verdict"], told["forecast"]["more"]) == ("refused", 300)
    shown = stocked("rounds", "--yield", "--id", "week-1").out
    assert "What the lanes brought (1 rounds" in shown
    assert "Forecast: refused: a curve needs 3 models" in shown
