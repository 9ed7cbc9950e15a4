"""The steps that hand work out, without a Label Studio."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.jobs import desks, steps
from api.roster import rows
from labeling.records import TaskKind, TaskState
from labeling.roster import add_person, change_person
from tests.api.site import NOW, WordGoldfold, score_all, select, settings, stock

PEOPLE = ("ana@example.org", "bo@example.org")


@pytest.fixture
def goldfold(tmp_path: Path) -> Iterator[WordGoldfold]:
    made = WordGoldfold(settings(tmp_path))
    stock(made)
    score_all(made)
    select(made)
    yield made
    made.close()


def staff(goldfold: WordGoldfold, *emails: str) -> None:
    for email in emails:
        add_person(goldfold.ledger.people, goldfold.policies, "test", email, {})


def test_without_a_roster_the_blind_tasks_are_sent_themselves(goldfold: WordGoldfold) -> None:
    assert desks.hand_out(goldfold) == {"copies": 0, "injections": 0, "released": 0, "problems": []}
    groups = steps.groups(goldfold, "week-1")
    assert {(group["kind"], group["assignee"]) for group in groups} == {("blind", "")}
    assert desks.more_people(goldfold) is None
    assert desks.injections(goldfold) == {"closed": 0, "paused": 0}


def test_with_a_roster_each_desk_is_a_group_and_the_questions_stay_here(goldfold: WordGoldfold) -> None:
    staff(goldfold, *PEOPLE)
    done = desks.hand_out(goldfold)
    assert (done["copies"], done["problems"]) == (12, [])
    groups = steps.groups(goldfold, "week-1")
    assert {(group["kind"], group["assignee"]) for group in groups} == {("blind", email) for email in PEOPLE}
    assert desks.more_people(goldfold) is not None
    assert {task.state for task in goldfold.ledger.tasks.where(kind=TaskKind.BLIND)} == {TaskState.SENT}
    assert desks.hand_out(goldfold)["copies"] == 0
    assert [row["spent"] for row in rows(goldfold, NOW)] == [0.0, 0.0]


def test_what_finds_nobody_is_a_problem_that_says_why(goldfold: WordGoldfold) -> None:
    staff(goldfold, PEOPLE[0])
    done = desks.hand_out(goldfold)
    assert done["copies"] == 6
    (problem,) = done["problems"]
    assert problem.startswith("6 copies found nobody: everybody who may answer has met the item")


def test_a_question_waits_for_its_copies_also_while_nobody_is_there(goldfold: WordGoldfold) -> None:
    staff(goldfold, PEOPLE[0])
    change_person(goldfold.ledger.people, goldfold.policies, "test", PEOPLE[0], {"languages": ["de"]})
    assert desks.hand_out(goldfold)["copies"] == 0
    assert steps.groups(goldfold, "week-1") == []
    change_person(goldfold.ledger.people, goldfold.policies, "test", PEOPLE[0], {"active": False})
    assert {group["assignee"] for group in steps.groups(goldfold, "week-1")} == {""}  # the shared projects are back
