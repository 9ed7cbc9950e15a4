"""What the blind re-review makes of each decision of a sample: right, one of four errors, or why it says nothing yet.

The answer is the newest final one about the item under the decision's policy version. Where the sample asked, only one
given since then counts; where it did not, because the item was labelled already, the answer must not rest on anybody
who decided in production. Answers of the partitions ``sealed`` and ``anchor`` are withheld: which groups lie there was
drawn by hash, whatever the answer, so a stratum's other answers speak for them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from labeling.decision_records import Decided, Decision, ErrorType, QaDay, Sampled
from labeling.judging.population import TOLD
from labeling.policy_rounds import GOES_ON
from labeling.records import Adjudication, Answer, How, Outcome, TaskKind
from labeling.store.decision_interface import Decisions, Pair
from labeling.store.interfaces import Golden, Tasks

RIGHT = "right"
WAITING = "waiting"  # it is being asked about
UNDECIDED = "undecided"  # the context is missing, or leads differ
WITHHELD = "withheld"
LOST = "lost"  # erased, withdrawn, or never askable
JUDGED = frozenset({RIGHT, *(error.value for error in ErrorType)})
Triple = tuple[str, str, str]  # item, policy, policy version


class Stores(Protocol):
    """The part of the ledger that verdicts are read from."""

    @property
    def tasks(self) -> Tasks: ...

    @property
    def golden(self) -> Golden: ...

    @property
    def decisions(self) -> Decisions: ...


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A sampled decision and its ``verdict``: right, an error type, or why there is none. ``rule``: that of the answer;
    None where it allows, or there is none."""

    sampled: Sampled
    decision: Decision
    verdict: str
    rule: str | None = None

    @property
    def is_judged(self) -> bool:
        return self.verdict in JUDGED

    @property
    def violates(self) -> bool:
        """Whether the item violates, by the answer; of a judged decision only."""
        if self.verdict in (ErrorType.OVER.value, ErrorType.UNDER.value):
            return self.verdict == ErrorType.UNDER.value
        return self.decision.outcome is Decided.VIOLATES


def judge(decision: Decision, answer: Answer, actions: Mapping[str, Decided]) -> str:
    """Hold a decision against the answer. ``actions``: the outcome that an action belongs to. A decision without a rule
    is not held to one."""
    if answer.outcome not in (Outcome.VIOLATES, Outcome.ALLOWED) or decision.outcome is None:
        return UNDECIDED
    if decision.outcome is Decided.VIOLATES and answer.outcome is Outcome.ALLOWED:
        return ErrorType.OVER.value
    if decision.outcome is Decided.OK and answer.outcome is Outcome.VIOLATES:
        return ErrorType.UNDER.value
    if decision.rule and decision.rule != answer.rule:
        return ErrorType.WRONG_SELECTION.value
    if actions.get(decision.action, decision.outcome) is not decision.outcome:
        return ErrorType.TECHNICAL.value
    return RIGHT


def reviewed(
    stores: Stores, days: Sequence[QaDay], actions: Mapping[str, Decided], *, first: bool = False
) -> list[Reviewed]:
    """Every decision of the samples of these days, by day, source and id. ``first``: by the answer that first counted
    for it, whatever gold says now."""
    sample = stores.decisions.sample([day.day for day in days])
    if not sample:
        return []
    found = stores.decisions.find([one.key for one in sample])
    finals = finals_of(stores.golden, [one.pair for one in sample])
    hidden = {(row.item_id, row.policy_id) for row in stores.golden.items() if row.partition not in TOLD}
    open_tasks = stores.tasks.where(states=GOES_ON, kind=TaskKind.BLIND)
    asked = {(task.item_id, task.policy_id, task.policy_version) for task in open_tasks}
    since = {day.day: day for day in days}
    told = []
    for one in sample:
        decision = found[one.key]
        triple = (*one.pair, one.policy_version)
        given = finals.get(triple, ())
        final = (_first_answer if first else _answer)(one, since[one.day], given)
        verdict = _verdict(decision, final, actions, one.pair in hidden, triple in asked)
        told.append(Reviewed(one, decision, verdict, final.answer.rule if final and verdict in JUDGED else None))
    return told


def finals_of(golden: Golden, pairs: Iterable[Pair]) -> dict[Triple, list[Adjudication]]:
    """By item, policy and version: the final answers, oldest first."""
    wanted = set(pairs)
    found: dict[Triple, list[Adjudication]] = {}
    for final in golden.adjudications():
        if (final.item_id, final.policy_id) in wanted:
            found.setdefault((final.item_id, final.policy_id, final.policy_version), []).append(final)
    return found


def rests_on(final: Adjudication, people: Collection[str]) -> bool:
    """Whether one of these people answered, or decided, it."""
    return not {name.strip().casefold() for name in (*final.annotators, final.adjudicator)}.isdisjoint(people)


def _answer(sampled: Sampled, day: QaDay, finals: Sequence[Adjudication]) -> Adjudication | None:
    for final in reversed(finals):
        if sampled.round_id and final.created_at >= day.created_at:
            return final
        if not sampled.round_id and not rests_on(final, sampled.barred):
            return final
    return None


def _first_answer(sampled: Sampled, day: QaDay, finals: Sequence[Adjudication]) -> Adjudication | None:
    """Where the sample asked, the first answer since; where it did not, the newest one of then."""
    if not sampled.round_id:
        then = [final for final in finals if final.created_at < day.created_at]
        return _answer(sampled, day, then) or _answer(sampled, day, finals)
    return next((final for final in finals if final.created_at >= day.created_at), None)


def _verdict(
    decision: Decision, final: Adjudication | None, actions: Mapping[str, Decided], hidden: bool, asked: bool
) -> str:
    if decision.erased_at is not None:
        return LOST
    if final is None:
        return WAITING if asked else LOST
    if hidden:
        return WITHHELD
    return UNDECIDED if final.how is How.CONTESTED else judge(decision, final.answer, actions)
