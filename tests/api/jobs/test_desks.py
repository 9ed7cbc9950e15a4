"""The steps that hand work out, without a Label Studio."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from api.jobs import desks, steps
from api.requests import round_request, typed_round
from api.roster import rows
from labeling.errors import StudioGone
from labeling.records import AnnotationEvent, Answer, EventKind, Outcome, RoundState, TaskKind, TaskState
from labeling.roster import add_person, change_person
from labeling.rounds import open_round, select_round
from tests.api.site import HARM, NOW, WordGoldfold, score_all, select, settings, stock

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


class Studio:
    """Label Studio's part in adaptive overlap; a task of number 13 was deleted there."""

    def __init__(self) -> None:
        self.overlaps: dict[int, int] = {}

    def set_overlap(self, studio_task_id: int, overlap: int) -> None:
        if studio_task_id == 13:
            raise StudioGone("task 13 is gone")
        self.overlaps[studio_task_id] = overlap

    def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize(("setting", "asks"), [("roster", False), ("never", False), ("always", True)])
def test_in_shared_projects_one_more_is_asked_when_the_setting_says_so(
    tmp_path: Path, setting: str, asks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    goldfold = WordGoldfold(settings(tmp_path, adaptive_overlap=setting, extra_share=1.0))
    stock(goldfold)
    score_all(goldfold)
    select(goldfold)
    ledger = goldfold.ledger
    ids = [task.task_id for task in ledger.tasks.where(kind=TaskKind.BLIND)]
    ledger.tasks.mark_sending(ids, 1)
    ledger.tasks.mark_sent({task_id: 10 + n for n, task_id in enumerate(ids)})
    ledger.rounds.set_state("week-1", RoundState.OPEN)
    answer = AnnotationEvent("", 0, EventKind.CREATED, "", "", Answer(Outcome.ALLOWED), 1.0, NOW)
    violates = Answer(Outcome.VIOLATES, goldfold.policies[HARM].rule_ids[0], 2)
    for n, task_id in enumerate(ids):
        mine = [("ana@x.org", Answer(Outcome.ALLOWED)), ("bo@x.org", violates)]
        ledger.annotations.append(
            [
                replace(
                    answer, task_id=task_id, studio_annotation_id=10 * n + k, annotator=who, updated_by=who, answer=said
                )
                for k, (who, said) in enumerate(mine)
            ]
        )
    settled = steps.settle(goldfold)
    assert (settled["widened"], settled["disputed"]) == ((6, 0) if asks else (0, 6))
    studio = Studio()
    monkeypatch.setattr(WordGoldfold, "studio", studio)
    for _ in range(2):  # a process that died in between does it again
        assert steps.widen(goldfold) == (6 if asks else 0)
    assert studio.overlaps == ({10 + n: 3 for n in range(6) if n != 3} if asks else {})
    goldfold.close()


def test_assisted_questions_wait_for_their_blind_ones_with_or_without_a_roster(tmp_path: Path) -> None:
    goldfold = WordGoldfold(settings(tmp_path))
    stock(goldfold)
    score_all(goldfold)
    given = {"round_id": "helped", "policies": [HARM], "budget": 6, "assisted": 0.5, "assisted_blind_share": 1.0}
    request = typed_round(round_request(goldfold.settings, given))
    open_round(goldfold.ledger, goldfold.lake, goldfold.policies, request)
    select_round(goldfold.ledger, goldfold.lake, goldfold.policies, goldfold.scorer(), "helped")

    def kinds() -> set[tuple[str, str]]:
        return {(group["kind"], group["assignee"]) for group in steps.groups(goldfold, "helped")}

    assert kinds() == {("blind", "")}
    twin = next(task for task in goldfold.ledger.tasks.where(kind=TaskKind.ASSISTED))
    goldfold.ledger.tasks.set_state([str(twin.parent_task_id)], TaskState.WITHDRAWN)
    assert kinds() == {("blind", ""), ("assisted", "")}
    staff(goldfold, *PEOPLE)
    desks.hand_out(goldfold)
    assert kinds() == {("assisted", ""), *(("blind", email) for email in PEOPLE)}
    goldfold.close()
