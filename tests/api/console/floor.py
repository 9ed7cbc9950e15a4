"""How a deployment without Label Studio is moved: rounds opened and answered as people would, and rows made up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

from api.requests import round_request, typed_round
from labeling.insights import causes
from labeling.records import (
    AnnotationEvent,
    Answer,
    Cause,
    EventKind,
    GoldenItem,
    GoldState,
    Outcome,
    RoundState,
    Task,
    TaskKind,
    TaskState,
    Verdict,
)
from labeling.rounds import open_round, select_round
from labeling.settle import settle_all
from tests.api.site import WordGoldfold

HATE, VIOLENCE, PRIVACY = "hate_speech", "violence", "privacy"
LEAD, OTHER_LEAD = "lea@example.org", "leo@example.org"
PEOPLE = ("ann", "bea", "cem", "dia", "eli")
BAD_DAY = 3  # days ago; the project chat went wrong


class Floor:
    """A deployment, its clock, and the hands that move it."""

    def __init__(self, goldfold: WordGoldfold) -> None:
        self.goldfold, self.ledger, self.lake = goldfold, goldfold.ledger, goldfold.lake
        self.now = datetime.now(UTC)
        self.today = self.now.date()
        self.numbers = 0

    def ago(self, days: float) -> datetime:
        return self.now - timedelta(days=days)

    def day(self, back: int) -> date:
        return self.today - timedelta(days=back)

    def row(self, n: int) -> dict[str, object]:
        hate, knife = ("vermin" if n % 2 else "flowers"), ("dagger" if n % 3 == 0 else "garden")
        tongue = "pt" if n % 3 == 1 else "en"
        return {
            "external_id": f"post-{n}",
            "text": f"text{n} number{n} words{n} {tongue}{n} {hate} {knife}",
            "language": tongue,
            "market": "br" if tongue == "pt" else "us",
            "views": 10 * (n % 17),
            "created_at": (self.ago(1 + n % 45)).isoformat(),
        }

    def theme(self, n: int) -> dict[str, object]:
        at = datetime.combine(self.day(1 + n % 3), datetime.min.time(), UTC) + timedelta(hours=n % 24)
        text = f"melon offer cheap parcel seller{n}"
        told: dict[str, object] = {"external_id": f"theme-{n}", "text": text, "language": "en", "market": "us"}
        return told | {"views": 300, "created_at": at.isoformat()}

    def decision(self, back: int, n: int, name: str, bad: bool) -> dict[str, object]:
        source = ("human", "human", "human", "model", "agent", "human")[n % 6]
        project = "chat" if n % 2 == 0 else "forum"
        wrong = n % 4 == 0 if project == "chat" and back == BAD_DAY else (back * 5 + n * 3) % 19 == 0
        violates = bad is not wrong
        at = datetime.combine(self.day(back), datetime.min.time(), UTC) + timedelta(minutes=n * 29)
        return {
            "decision_id": f"d{back}-{n}",
            "source": source,
            "who": f"mod-{1 + n % 4}" if source == "human" else f"{source}-1",
            "item": name,
            "policy": HATE,
            "outcome": "violates" if violates else "ok",
            "rule": "general" if violates else None,
            "action": "remove" if violates else "keep",
            "decided_at": at.isoformat(),
            "project": project,
            "team": "north" if n % 2 else "south",
            "shift": "day" if 6 <= n < 18 else "night",
            "tool": "queue-b" if n % 5 == 0 else "queue-a",
        }

    def signal(self, name: str, kind: str, row: GoldenItem, back: int, outcome: str = "") -> dict[str, object]:
        told: dict[str, object] = {"signal_id": name, "kind": kind, "item": row.external_id, "policy": HATE}
        told |= {"project": "forum", "at": (self.ago(back)).isoformat()}
        return told | ({"outcome": outcome} if outcome else {})

    def gold(self, policy_id: str) -> list[GoldenItem]:
        return [row for row in self.ledger.golden.items(policy_id=policy_id) if row.state is GoldState.ACTIVE]

    def names(self) -> dict[str, str]:
        """External ids by item id."""
        return {key: item.external_id for key, item in self.ledger.items.by_id(self.ledger.items.ids()).items()}

    def open(
        self, round_id: str, policy_id: str, budget: int, lanes: dict[str, float], *, deliver: bool = True
    ) -> None:
        given = {"round_id": round_id, "budget": budget, "policies": [policy_id], "lanes": lanes}
        goldfold = self.goldfold
        request = typed_round(round_request(goldfold.settings, given))
        open_round(self.ledger, self.lake, goldfold.policies, request)
        select_round(self.ledger, self.lake, goldfold.policies, goldfold.scorer(), round_id)
        self.ledger.rounds.set_state(round_id, RoundState.OPEN)
        if deliver:
            self.delivered(round_id)

    def delivered(self, round_id: str) -> list[Task]:
        self.deliver(self.ledger.tasks.where(round_id=round_id, states=(TaskState.QUEUED,)))
        return self.sent(round_id)

    def deliver(self, found: Sequence[Task]) -> None:
        """As if Label Studio had them."""
        self.ledger.tasks.mark_sending([task.task_id for task in found], 1)
        self.ledger.tasks.mark_sent({task.task_id: self.number() for task in found})

    def sent(self, round_id: str, kind: TaskKind = TaskKind.BLIND) -> list[Task]:
        """By item: task ids are random, and what people say shall be the same every time."""
        found = self.ledger.tasks.where(round_id=round_id, states=(TaskState.SENT,), kind=kind)
        return sorted(found, key=lambda task: task.item_id)

    def answered(self, round_id: str, at: datetime) -> None:
        """Two of the people answer each question, Cem and Dia with habits of their own; a lead decides their disputes,
        some of which have no single right answer."""
        for place, task in enumerate(self.delivered(round_id)):
            pair = [PEOPLE[(place + step) % len(PEOPLE)] for step in (0, 2)]
            said = [(f"{name}@example.org", self.habit(name, task, place)) for name in pair]
            self.say(task, said, at + timedelta(minutes=place))
        self.decide(round_id, self.truth, at + timedelta(days=1))

    def habit(self, name: str, task: Task, place: int) -> Answer:
        truth = self.truth(task)
        careless = name == "cem" and truth.outcome is Outcome.VIOLATES and place % 2 == 0
        strict = name == "dia" and truth.outcome is Outcome.ALLOWED and place % 6 == 0
        return opposite(truth) if careless or strict else truth

    def decide(self, round_id: str, answer: Callable[[Task], Answer], at: datetime) -> None:
        self.settle()
        self.delivered(round_id)
        for place, task in enumerate(self.sent(round_id, TaskKind.ADJUDICATION)):
            said = answer(task)
            kind = Verdict.CONTESTED if place % 9 == 4 else Verdict.SINGLE
            told = Answer(said.outcome, said.rule, said.severity, verdict=kind, cause=Cause.A_WRONG)
            self.say(task, [(LEAD, told)], at + timedelta(minutes=place))
        self.settle()

    def settle(self) -> None:
        settle_all(self.ledger, self.lake, self.goldfold.groups)

    def say(self, task: Task, said: Iterable[tuple[str, Answer]], at: datetime) -> None:
        self.ledger.annotations.append(
            [
                AnnotationEvent(
                    task_id=task.task_id,
                    studio_annotation_id=self.number(),
                    kind=EventKind.CREATED,
                    annotator=who,
                    updated_by=who,
                    answer=answer,
                    lead_time_s=4.0 + self.numbers % 9,
                    studio_updated_at=at,
                )
                for who, answer in said
            ]
        )

    def truth(self, task: Task) -> Answer:
        return violates() if is_bad(task.text, task.policy_id) else Answer(Outcome.ALLOWED)

    def code(self, finding_id: str, code: str) -> None:
        """As many people code it as it takes."""
        causes.code_finding(self.ledger, finding_id, code, "", LEAD, self.ago(39))
        (found,) = [one for one in causes.desk(self.ledger, self.today) if one["finding_id"] == finding_id]
        if found["waits_for"]:
            causes.code_finding(self.ledger, finding_id, code, "", OTHER_LEAD, self.ago(39))

    def number(self) -> int:
        self.numbers += 1
        return self.numbers


def violates() -> Answer:
    return Answer(Outcome.VIOLATES, rule="general", severity=2)


def opposite(answer: Answer) -> Answer:
    return Answer(Outcome.ALLOWED) if answer.outcome is Outcome.VIOLATES else violates()


def is_bad(text: str, policy_id: str) -> bool:
    return {HATE: "vermin", VIOLENCE: "dagger"}.get(policy_id, "melon") in text
