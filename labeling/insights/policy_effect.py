"""What became of a policy's figures when a version of it was published: the 14 and 30 days before, and those after.

Three shares, each with what it moved by: how many sampled decisions daily QA found right (*accuracy*), how many pairs
of blind answers to one task agree (*agreement*), and how many labels that were given again turned (*flips*). The
bridge to the version, where there is one, says which share of all items it flips. The two windows are told side by
side; whatever else changed in them is in the figures too, so versions that lie in the same windows are named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from labeling.blind_answers import BlindAnswer, blind_answers
from labeling.decision_records import Decided
from labeling.errors import InvalidInput, NotFound
from labeling.figures import Json, Origin, link, versions_of
from labeling.golden.newest import newest_name
from labeling.insights.qa_verdicts import RIGHT, WAITING, Reviewed, reviewed
from labeling.insights.sampled_items import ANSWERED, Sampled, moment
from labeling.judging.population import TOLD
from labeling.policy_bridge import bridge_report
from labeling.policy_publish import history_of
from labeling.policy_rounds import GoldStores
from labeling.policy_versions import History, PolicyVersion, parts
from labeling.purposes import RELABELS, purpose
from labeling.quality.agreement import by_rule, summary
from labeling.quality.changes import change
from labeling.quality.intervals import Figure, proportion
from labeling.quality.verification import weighted_share
from labeling.records import Adjudication, TaskKind
from labeling.store.decision_interface import Decisions
from labeling.store.interfaces import Annotations, Lake

SPANS_DAYS = (14, 30)
ACCURACY, AGREEMENT, FLIPS = "accuracy", "agreement", "flips"
MEASURES = (ACCURACY, AGREEMENT, FLIPS)
LICENCES = {
    ACCURACY: "population: the policy's sampled decisions of the window, weighted by inclusion probability",
    AGREEMENT: "sample: blind tasks of the window that two people or more answered, as they were chosen",
    FLIPS: "conditional: labels given again in relabel rounds, which ask first about those that likely turn",
}
PROVISIONAL = "provisional"
UNFINISHED = "provisional: {n} sampled decisions wait for an answer, and the others of the window stand for them"
NOT_OVER = "provisional: the window runs until {day}"


class Stores(GoldStores, Protocol):
    """The part of the ledger that effects are read from."""

    @property
    def decisions(self) -> Decisions: ...

    @property
    def annotations(self) -> Annotations: ...


@dataclass(frozen=True, slots=True)
class _Span:
    """The moments in [since, until)."""

    since: datetime
    until: datetime

    def holds(self, at: datetime) -> bool:
        return self.since <= at < self.until


@dataclass(frozen=True, slots=True)
class _Again:
    """A label that was given again under a newer version, and whether its outcome turned."""

    item_id: str
    policy_version: str
    at: datetime
    turned: bool


@dataclass(frozen=True, slots=True)
class _Task:
    """A task that two people or more answered; ``at``: when the last of them did."""

    answers: Sequence[BlindAnswer]
    at: datetime


@dataclass(frozen=True, slots=True)
class _Told:
    """One measure of one window, the ``versions`` that it was judged or answered under, and what it may be read as."""

    figure: Figure
    versions: frozenset[str]
    licence: str


class _Evidence:
    """Everything that is known of a policy, read once."""

    def __init__(self, stores: Stores, lake: Lake, policy_id: str, actions: Mapping[str, Decided]) -> None:
        self.policy_id = policy_id
        self.golden = newest_name(stores.golden)
        sampled = reviewed(stores, stores.decisions.days(), actions)
        self.decisions: Sequence[Reviewed] = [row for row in sampled if row.decision.policy_id == policy_id]
        blind = stores.tasks.where(kind=TaskKind.BLIND)
        self._versions = {task.task_id: task.policy_version for task in blind if task.policy_id == policy_id}
        self.tasks = _tasks(row for row in blind_answers(stores, lake).answers if row.policy_id == policy_id)
        self.again = _again(stores, policy_id)

    def told(self, measure: str, span: _Span, now: datetime) -> _Told:
        """A measure over a window."""
        made = {ACCURACY: self._accuracy, AGREEMENT: self._agreement, FLIPS: self._flips}[measure]
        figure, versions, waiting = made(span)
        licence = UNFINISHED.format(n=waiting) if waiting else LICENCES[measure]
        if now < span.until:
            licence = NOT_OVER.format(day=span.until.date().isoformat())
        return _Told(figure, frozenset(versions), licence)

    def figure(self, measure: str, span: _Span, figure: Figure, versions: Iterable[str], licence: str) -> Json:
        """A figure of that window with its origin."""
        policies = versions_of((self.policy_id, version) for version in versions)
        return Origin(licence, self.golden, policies, self._link(measure, span)).of(figure.as_dict())

    def items(self, measure: str, span: _Span) -> list[str]:
        """The items behind it."""
        if measure == AGREEMENT:
            return sorted({task.answers[0].item_id for task in self.tasks if span.holds(task.at)})
        return sorted({one.item_id for one in self.again if span.holds(one.at)})

    def _accuracy(self, span: _Span) -> tuple[Figure, set[str], int]:
        mine = [row for row in self.decisions if span.holds(row.decision.decided_at)]
        rows = [row for row in mine if row.is_judged]
        figure = weighted_share([row.verdict == RIGHT for row in rows], [row.sampled.pi for row in rows])
        versions = {row.decision.policy_version for row in rows}
        return figure, versions, sum(row.verdict == WAITING for row in mine)

    def _agreement(self, span: _Span) -> tuple[Figure, set[str], int]:
        mine = [task.answers for task in self.tasks if span.holds(task.at)]
        units = [[by_rule(row.answer) for row in rows] for rows in mine]
        versions = {self._versions[rows[0].task_id] for rows in mine}
        return summary(units, [rows[0].group_id for rows in mine]).observed, versions, 0

    def _flips(self, span: _Span) -> tuple[Figure, set[str], int]:
        mine = [one for one in self.again if span.holds(one.at)]
        turned = sum(one.turned for one in mine)
        return proportion(turned, len(mine)), {one.policy_version for one in mine}, 0

    def _link(self, measure: str, span: _Span) -> str:
        if measure == ACCURACY:
            return Sampled(
                since=span.since, until=span.until, where={"policy": self.policy_id}, verdict=ANSWERED
            ).link()
        ends = {"since": moment(span.since), "until": moment(span.until)}
        return link(f"/v1/policies/{self.policy_id}/effects/items", what=measure, **ends)


def policy_effects(
    stores: Stores, lake: Lake, policy_id: str, actions: Mapping[str, Decided], now: datetime, limit: int = 10
) -> list[Json]:
    """The newest ``limit`` versions, the newest first; JSON-able but for times. Raises NotFound."""
    history = history_of(stores, policy_id)
    evidence = _Evidence(stores, lake, policy_id, actions)
    return [_effect(stores, evidence, one, history, now) for one in list(reversed(history))[:limit]]


def effect_items(stores: Stores, lake: Lake, policy_id: str, what: str, since: datetime, until: datetime) -> list[str]:
    """The items behind a figure of agreement or flips, sorted; those of accuracy are told with daily QA's. Raises
    NotFound, InvalidInput."""
    history_of(stores, policy_id)
    if what not in (AGREEMENT, FLIPS):
        raise InvalidInput(f"what: {what!r} is not one of {AGREEMENT}, {FLIPS}")
    return _Evidence(stores, lake, policy_id, {}).items(what, _Span(since, until))


def _effect(stores: Stores, evidence: _Evidence, one: PolicyVersion, history: History, now: datetime) -> Json:
    return {
        "version": one.version,
        "parent": one.parent,
        "kinds": [kind.value for kind in one.kinds],
        "reason": one.reason,
        "actor": one.actor,
        "at": one.at,
        "bridge": _bridge(stores, one),
        "spans": [_span(evidence, one, history, days, now) for days in SPANS_DAYS],
    }


def _span(evidence: _Evidence, one: PolicyVersion, history: History, days: int, now: datetime) -> Json:
    reach = timedelta(days=days)
    before, after = _Span(one.at - reach, one.at), _Span(one.at, one.at + reach)
    beside = [other.version for other in history if other is not one and abs(other.at - one.at) < reach]
    told = {name: _moved(evidence, name, before, after, now) for name in MEASURES}
    return {"days": days, "until": after.until, "is_over": now >= after.until, "beside": beside, **told}


def _moved(evidence: _Evidence, measure: str, before: _Span, after: _Span, now: datetime) -> Json:
    old, new = evidence.told(measure, before, now), evidence.told(measure, after, now)
    unfinished = [one.licence for one in (new, old) if one.licence.startswith(PROVISIONAL)]
    licence = unfinished[0] if unfinished else LICENCES[measure]
    both, versions = _Span(before.since, after.until), old.versions | new.versions
    return {
        "before": evidence.figure(measure, before, old.figure, old.versions, old.licence),
        "after": evidence.figure(measure, after, new.figure, new.versions, new.licence),
        "change": evidence.figure(measure, both, change(old.figure, new.figure), versions, licence),
    }


def _bridge(stores: Stores, one: PolicyVersion) -> Json | None:
    """Which share of all items the version flips; None where no bridge was opened."""
    try:
        figures = bridge_report(stores, one.policy_id, one.version).as_dict()["figures"]
    except NotFound:
        return None
    return dict(figures["flips"]) if isinstance(figures, dict) else None


def _tasks(answers: Iterable[BlindAnswer]) -> list[_Task]:
    by_task: dict[str, list[BlindAnswer]] = {}
    for row in answers:
        by_task.setdefault(row.task_id, []).append(row)
    return [_Task(rows, max(row.at for row in rows)) for rows in by_task.values() if len(rows) >= 2]


def _again(stores: Stores, policy_id: str) -> list[_Again]:
    """Labels that relabel rounds brought, of items that may be told, each beside the newest one of an older version."""
    rounds = {round_.round_id for round_ in stores.rounds.all() if purpose(round_) == RELABELS}
    hidden = {row.item_id for row in stores.golden.items(policy_id=policy_id) if row.partition not in TOLD}
    held: dict[str, Adjudication] = {}
    found = []
    finals = [final for final in stores.golden.adjudications() if final.policy_id == policy_id]
    for final in sorted(finals, key=lambda one: one.created_at):
        older = held.get(final.item_id)
        if final.round_id in rounds and final.item_id not in hidden and _is_older(older, final) and older is not None:
            turned = final.answer.outcome is not older.answer.outcome
            found.append(_Again(final.item_id, final.policy_version, final.created_at, turned))
        held[final.item_id] = final
    return found


def _is_older(one: Adjudication | None, than: Adjudication) -> bool:
    return one is not None and parts(one.policy_version) < parts(than.policy_version)
