"""Injections: anchors that come back as ordinary work, to measure the people who answer. Their answers are no labels.

An answer is right when its outcome is the anchor's and, where that violates, its rule too. Per person and policy the
answers, in the order they were given, go through Wald's test (``labeling.quality.sprt``): it flags, clears, or goes on.
After a verdict the test starts anew, and that person rests from injections under that policy for a while. A lead's
review (resuming the person) closes what was before. An anchor that is contested, stale or erased since then judges
nobody.

The meter asks whether injections are recognised: whoever knows them answers them better than the rest of their work.
The rest is judged by second looks: an item that was asked again later, answered by others. Newcombe's interval (1998,
method 10) bounds the gap. Anchors are often clearer than average, which widens the gap by itself: a gap is a reason to
look, not a proof.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Protocol

from labeling.consensus import author, plain
from labeling.figures import Origin, versions_of
from labeling.golden.contested import is_contested
from labeling.golden.gold_links import GoldAsked
from labeling.golden.newest import newest_name
from labeling.quality.intervals import FEW, Figure, newcombe, proportion
from labeling.quality.sprt import Sprt, Verdict
from labeling.records import Adjudication, Answer, GoldenItem, GoldState, Outcome, Partition, TaskKind, TaskState
from labeling.settle import WAITING
from labeling.store.interfaces import Annotations, Golden, People, Tasks

LICENCE = "sample: anchors and looked-at-again work, no population claim"
FLAGGED = "flagged"
GOING_ON = "going on"
ACTOR = "injections"
SEEN = (*WAITING, TaskState.SETTLED)


class Stores(Protocol):
    """The part of the ledger that injections are read from."""

    @property
    def people(self) -> People: ...

    @property
    def tasks(self) -> Tasks: ...

    @property
    def annotations(self) -> Annotations: ...

    @property
    def golden(self) -> Golden: ...


@dataclass(frozen=True, slots=True)
class Judged:
    """One answer to an injection, against the anchor as it is now."""

    task_id: str
    email: str
    policy_id: str
    right: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """Somebody's injections under a policy since their last review. ``last`` is the newest verdict and ``last_at`` when
    it fell ("": none yet); ``test`` what runs now; ``accuracy`` over all of them, with its interval."""

    email: str
    policy_id: str
    accuracy: Figure
    last: str
    last_at: datetime | None
    test: Verdict

    def rests(self, now: datetime, days: float) -> bool:
        """Whether this person is left alone under this policy."""
        return self.last_at is not None and now < self.last_at + timedelta(days=days)


@dataclass(frozen=True, slots=True)
class Meter:
    """How much better injections are answered than work that was looked at again: ``gap`` in [-1, 1] with its 95 %
    interval, None while there is too little of either. ``recognised``: the whole interval lies above 0."""

    injected: Figure
    reviewed: Figure
    gap: float | None
    low: float
    high: float

    @property
    def recognised(self) -> bool:
        return self.gap is not None and self.low > 0


@dataclass(frozen=True, slots=True)
class InjectionReport:
    """``given`` lie in Label Studio or were answered, ``answered`` of them; of ``unjudged`` the anchor is no more. The
    items behind its figures are anchors, so they are counted and not named."""

    given: int
    answered: int
    unjudged: int
    standings: tuple[Standing, ...]
    meter: Meter
    golden_version: str
    versions: Mapping[str, str]

    def told_standings(self) -> list[dict[str, object]]:
        """JSON-able."""
        return [self._origin(one.policy_id).within(asdict(one)) for one in self.standings]

    def told_meter(self) -> dict[str, object]:
        """JSON-able."""
        found = self.meter
        gap = {"value": found.gap, "low": found.low, "high": found.high, "n": found.injected.n + found.reviewed.n}
        shares = {"injected": found.injected.as_dict(), "reviewed": found.reviewed.as_dict()}
        return self._origin("").within({**shares, "gap": gap, "recognised": found.recognised})

    def _origin(self, policy: str) -> Origin:
        versions = self.versions.get(policy) or ", ".join(self.versions.values())
        items = GoldAsked(partition=Partition.ANCHOR, policy=policy or None).link()
        return Origin(LICENCE, self.golden_version, versions, items)

    @property
    def flagged(self) -> tuple[Standing, ...]:
        return tuple(standing for standing in self.standings if standing.last == FLAGGED)


def report(stores: Stores, sprt: Sprt | None = None) -> InjectionReport:
    """What injections say now."""
    tasks = [task for task in stores.tasks.where(kind=TaskKind.INJECTION) if task.state in SEEN]
    judged, unjudged = judge(stores)
    reviewed_at = {person.email: person.reviewed_at for person in stores.people.all()}
    rights = [one.right for one in judged]
    return InjectionReport(
        given=len(tasks),
        answered=len(judged) + unjudged,
        unjudged=unjudged,
        standings=tuple(standings(judged, reviewed_at, sprt or Sprt())),
        meter=meter(rights, second_looked(stores)),
        golden_version=newest_name(stores.golden),
        versions={
            policy: versions_of((task.policy_id, task.policy_version) for task in tasks if task.policy_id == policy)
            for policy in sorted({task.policy_id for task in tasks})
        },
    )


def judge(stores: Stores) -> tuple[list[Judged], int]:
    """Every answer to an injection that can be judged, by time; and how many cannot, since their anchor is no more."""
    tasks = {task.task_id: task for task in stores.tasks.where(kind=TaskKind.INJECTION) if task.state in SEEN}
    answers = stores.annotations.current(list(tasks))
    gold = {(item.item_id, item.policy_id): item for item in stores.golden.items()} if tasks else {}
    judged, unjudged = [], 0
    for task_id, given in answers.items():
        task = tasks[task_id]
        anchor = gold.get((task.item_id, task.policy_id))
        for annotation in given:
            if anchor is None or not _is_judge(anchor, task.policy_version):
                unjudged += 1
                continue
            right = is_right(annotation.answer, anchor.outcome, anchor.rule)
            judged.append(Judged(task_id, task.assignee, task.policy_id, right, annotation.studio_updated_at))
    return sorted(judged, key=lambda one: (one.at, one.task_id)), unjudged


def is_right(answer: Answer, outcome: Outcome, rule: str | None) -> bool:
    """Whether an answer is the known one."""
    said = plain(answer)
    return said.outcome is outcome and (outcome is not Outcome.VIOLATES or said.rule == rule)


def standings(judged: Iterable[Judged], reviewed_at: Mapping[str, datetime | None], sprt: Sprt) -> list[Standing]:
    """Per person and policy, sorted by them; answers from before a person's review are left out."""
    by_key: dict[tuple[str, str], list[Judged]] = defaultdict(list)
    for one in judged:
        review = reviewed_at.get(one.email)
        if review is None or one.at > review:
            by_key[one.email, one.policy_id].append(one)
    return [_standing(key, answers, sprt) for key, answers in sorted(by_key.items())]


def meter(injected: Sequence[bool], reviewed: Sequence[bool]) -> Meter:
    """The gap between two shares of right answers."""
    first, second = proportion(sum(injected), len(injected)), proportion(sum(reviewed), len(reviewed))
    if min(len(injected), len(reviewed)) <= FEW:
        return Meter(first, second, None, -1.0, 1.0)
    gap, (low, high) = newcombe(sum(injected), len(injected), sum(reviewed), len(reviewed))
    return Meter(first, second, gap, low, high)


def second_looked(stores: Stores) -> list[bool]:
    """Was each answer right to an item that was asked about again later, under the same policy version, and answered by
    others? Injections aside."""
    finals: dict[tuple[str, str, str], list[Adjudication]] = defaultdict(list)
    for final in stores.golden.adjudications():
        finals[final.item_id, final.policy_id, final.policy_version].append(final)
    twice = {key: found for key, found in finals.items() if len(found) > 1}
    first = {final.task_id: found[-1] for found in twice.values() for final in found[:-1]}
    answers = stores.annotations.current(list(first))
    return [
        is_right(annotation.answer, last.answer.outcome, last.answer.rule)
        for task_id, last in first.items()
        for annotation in answers[task_id]
        if author(annotation) not in {*last.annotators, last.adjudicator}
    ]


def close_answered(stores: Stores) -> int:
    """Injections that were answered are done with; how many are now."""
    sent = [task.task_id for task in stores.tasks.where(kind=TaskKind.INJECTION, states=WAITING)]
    done = [task_id for task_id, answers in stores.annotations.current(sent).items() if answers]
    stores.tasks.set_state(done, TaskState.SETTLED)
    return len(done)


def pause_flagged(stores: Stores, found: InjectionReport) -> list[str]:
    """Give those who are flagged nothing new until a lead has looked; who was paused now, by e-mail."""
    people = {person.email: person for person in stores.people.all()}
    paused = []
    for standing in found.flagged:
        person = people.get(standing.email)
        if person is None or person.paused or not person.active or person.email in paused:
            continue
        reason = f"injections under {standing.policy_id}: {standing.accuracy.events} of {standing.accuracy.n} right"
        stores.people.change(person.email, {"paused": True, "paused_reason": reason}, ACTOR, "roster.pause")
        paused.append(person.email)
    return paused


def resting(stores: Stores, now: datetime, days: float) -> frozenset[tuple[str, str]]:
    """(person, policy) pairs that are left alone after a verdict. A review does not end the rest."""
    judged, _ = judge(stores)
    found = standings(judged, {}, Sprt())
    return frozenset((standing.email, standing.policy_id) for standing in found if standing.rests(now, days))


def _standing(key: tuple[str, str], answers: Sequence[Judged], sprt: Sprt) -> Standing:
    last, last_at, start = "", None, 0
    test = sprt.run(())
    for end in range(1, len(answers) + 1):
        test = sprt.run(one.right for one in answers[start:end])
        if test.state != GOING_ON:
            last, last_at, start = test.state, answers[end - 1].at, end
            test = sprt.run(())
    accuracy = proportion(sum(one.right for one in answers), len(answers))
    return Standing(*key, accuracy, last, last_at, test)


def _is_judge(anchor: GoldenItem, policy_version: str) -> bool:
    return anchor.state is GoldState.ACTIVE and anchor.policy_version == policy_version and not is_contested(anchor)
