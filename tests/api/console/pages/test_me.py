from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from api.auth import Role
from labeling.records import AnnotationEvent, Answer, Outcome, RoundState, TaskKind
from labeling.roster import add_person
from labeling.settle import settle_all
from tests.api.client import call
from tests.api.console.conftest import Console, opened
from tests.api.site import HARM, WordGoldfold, event_of, score_all, select, settings, stock

ME, OBJECTIONS, DESK = "/console/me", "/console/me/objections", "/console/quality/objections"
WHO, OTHER, LEAD = "annotator@example.com", "other@example.com", "judge@example.com"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A site where somebody was overruled by a lead in each of six answers."""
    shares = {"train": 1.0, "calibration": 0.0, "dev": 0.0, "sealed": 0.0}
    goldfold = WordGoldfold(settings(tmp_path_factory.mktemp("me"), partitions=shares))
    stock(goldfold, 20)
    score_all(goldfold)
    select(goldfold)
    add_person(goldfold.ledger.people, goldfold.policies, "test", WHO, {"daily_exposure": 12.0})
    _send(goldfold, TaskKind.BLIND)
    violates = Answer(Outcome.VIOLATES, rule=goldfold.policies[HARM].rule_ids[0], severity=2)
    _say(goldfold, TaskKind.BLIND, {WHO: violates, OTHER: Answer(Outcome.ALLOWED)})
    settle_all(goldfold.ledger, goldfold.lake, goldfold.groups)
    _send(goldfold, TaskKind.ADJUDICATION)
    _say(goldfold, TaskKind.ADJUDICATION, {LEAD: Answer(Outcome.ALLOWED)})
    settle_all(goldfold.ledger, goldfold.lake, goldfold.groups)
    with opened(goldfold) as console:
        yield console


def _send(goldfold: WordGoldfold, kind: TaskKind) -> None:
    ledger = goldfold.ledger
    ids = [task.task_id for task in ledger.tasks.where(kind=kind)]
    ledger.tasks.mark_sending(ids, 1)
    start = 100 if kind is TaskKind.ADJUDICATION else 1
    ledger.tasks.mark_sent({task_id: start + n for n, task_id in enumerate(ids)})
    if kind is TaskKind.BLIND:
        ledger.rounds.set_state("week-1", RoundState.OPEN)


def _say(goldfold: WordGoldfold, kind: TaskKind, said: dict[str, Answer]) -> None:
    events: list[AnnotationEvent] = []
    for numbered in enumerate(goldfold.ledger.tasks.where(kind=kind), start=1000 * (kind is TaskKind.ADJUDICATION)):
        for person, (who, answer) in enumerate(said.items()):
            made = event_of(goldfold, numbered, person)
            now = datetime.now(UTC)
            events.append(replace(made, annotator=who, updated_by=who, answer=answer, studio_updated_at=now))
    goldfold.ledger.annotations.append(events)


def test_the_page_tells_what_the_api_tells(site: Console) -> None:
    told = site.json(ME, Role.ANNOTATOR)
    rest = call(site.app, "GET", "/v1/people/me", key=site.keys[Role.ANNOTATOR]).json()
    assert told["results"]["value"] == rest
    assert rest["answers"] == 6
    theirs = call(site.app, "GET", "/v1/people/me/objections", key=site.keys[Role.ANNOTATOR]).json()
    assert told["overruled"]["value"] == theirs["overruled"]
    assert len(theirs["overruled"]) == 6
    spent = next(row for row in call(site.app, "GET", "/v1/roster", key=site.keys[Role.LEAD]).json())
    assert (told["exposure"]["value"][-1]["units"], told["cap"]) == (spent["spent"], 12.0)
    assert len(told["exposure"]["value"]) == 14
    page = site.get(ME, Role.ANNOTATOR).text
    for heading in ("How your answers stand", "Decided otherwise", "Exposure", "What you are not asked about"):
        assert heading in page
    assert "data?task=" in page
    later = site.get(f"{ME}?start=5", Role.ANNOTATOR).text
    assert (page.count("data?task="), later.count("data?task=")) == (6, 1)
    assert 'href="?start=0#overruled"' in later
    assert 'role="status"' not in page  # nothing was done yet
    rows = list(csv.reader(io.StringIO(site.get(f"{ME}?chart=exposure&as=csv", Role.ANNOTATOR).text)))
    assert [float(row[2]) for row in rows if row[0] == "seen"][-1] == spent["spent"]


def test_an_objection_goes_to_a_lead_and_comes_back_with_an_answer(site: Console) -> None:
    one, other, *_ = site.json(ME, Role.ANNOTATOR)["overruled"]["value"]
    form = {"adjudication": one["adjudication_id"], "reason": "it is <b>quoted</b>"}
    assert site.post(OBJECTIONS, form, Role.ANNOTATOR, csrf="wrong").status_code == 403
    assert site.post(OBJECTIONS, form, Role.LEAD).status_code == 404  # it is nobody else's to object to
    assert site.post(OBJECTIONS, form, Role.ANNOTATOR).status_code == 303
    again = {"adjudication": other["adjudication_id"], "reason": "no"}
    posted = call(site.app, "POST", "/v1/people/me/objections", key=site.keys[Role.ANNOTATOR], json=again)
    assert posted.status_code == 201
    assert site.get(DESK, Role.ENGINEER).status_code == 403
    desk = site.get(DESK).text
    assert "it is &lt;b&gt;quoted&lt;/b&gt;" in desk
    assert 'href="/console/quality/objections" aria-current="page"' in desk
    assert [len(site.json(f"{DESK}?start={n}")["rows"]) for n in (0, 1, 2)] == [2, 1, 0]
    (made, _) = site.json(ME, Role.ANNOTATOR)["objections"][::-1]
    answer = {"objection": made["objection_id"], "state": "reopened", "answer": "you are right"}
    assert site.post(DESK, answer, Role.ENGINEER).status_code == 403
    assert site.post(DESK, answer).status_code == 303
    assert "you are right" in site.get(ME, Role.ANNOTATOR).text
    told = call(site.app, "GET", "/v1/objections?state=open", key=site.keys[Role.LEAD]).json()
    assert [row["adjudication_id"] for row in told] == [other["adjudication_id"]]
    closing = f"/v1/objections/{told[0]['objection_id']}/answer"
    body: dict[str, Any] = {"state": "stands", "answer": "rule 2"}
    answered = call(site.app, "POST", closing, key=site.keys[Role.LEAD], json=body)
    assert (answered.status_code, answered.json()["state"]) == (200, "stands")


def test_somebody_opts_out_of_policies_for_themselves(site: Console) -> None:
    form = {f"policy:{HARM}": "on"}
    assert site.post("/console/me/opt-outs", form, Role.ANNOTATOR, csrf="").status_code == 403
    assert site.post("/console/me/opt-outs", form, Role.ANNOTATOR).status_code == 303
    assert site.goldfold.ledger.people.get(WHO).opt_outs == (HARM,)
    last = site.goldfold.ledger.audit.latest(1)[0]
    assert (last["action"], last["target"]) == ("roster.change", WHO)
    assert last["actor"] != "test"
    told = {one["id"]: one["is_out"] for one in site.json(ME, Role.ANNOTATOR)["policies"]}
    assert told[HARM] is True
    assert sum(told.values()) == 1
    assert site.post("/console/me/opt-outs", {"policy:nothing": "on"}, Role.ANNOTATOR).status_code == 422
    assert site.post("/console/me/opt-outs", {}, Role.ANNOTATOR).status_code == 303
    assert site.goldfold.ledger.people.get(WHO).opt_outs == ()
    assert site.post("/console/me/opt-outs", {}, Role.ENGINEER).status_code == 404


def test_an_annotator_sees_no_other_page_and_a_stranger_what_to_do(site: Console) -> None:
    for path in ("/console/rounds", "/console/list?of=/v1/rounds", DESK):
        assert site.get(path, Role.ANNOTATOR).status_code == 403
    page = site.get(ME, Role.VIEWER).text
    assert "Nothing is known of viewer@example.com" in page
    assert "goldfold keys create" in page
    start = site.get("/console/oidc/start", None)
    assert (start.status_code, "set oidc_issuer" in start.text) == (404, True)
