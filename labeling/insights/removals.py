"""What became of each item under a policy, from production's decisions and the signals about it, in order of time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from labeling.decision_records import Decided, Decision, Source
from labeling.signal_records import AppealOutcome, Signal, SignalKind

MODEL, AGENT, HUMAN, REPORT, APPEAL = "model", "agent", "human", "report", "appeal"
STAGES = (MODEL, AGENT, HUMAN, REPORT, APPEAL)
RESTORED = "restored on appeal"
Pair = tuple[str, str]  # item and policy


@dataclass(slots=True)
class Removal:
    """How an item stands under a policy. ``stage``: the first that removed it, "" where none did. ``last``: the newest
    decision about it."""

    pair: Pair
    last: Decision
    is_removed: bool
    stage: str
    is_restored: bool = False

    @property
    def stratum(self) -> str:
        """The audit's: removed, or by whom it was last left up."""
        if self.is_removed:
            return "removed"
        return RESTORED if self.is_restored else f"approved by {self.last.source.value}"


@dataclass(slots=True)
class _Story:
    decisions: list[Decision] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)


def removals(decisions: Iterable[Decision], signals: Iterable[Signal]) -> list[Removal]:
    """By item and policy, of those that somebody decided about; erased decisions and undecided appeals say nothing.

    A person's or an agent's removal after somebody had reported the item is the report's. An overturned appeal turns
    the decision that it is about, the newest one before it where none is named.
    """
    stories: dict[Pair, _Story] = {}
    for decision in decisions:
        if decision.outcome is not None:
            stories.setdefault(decision.pair, _Story()).decisions.append(decision)
    for signal in signals:
        if signal.pair in stories:
            stories[signal.pair].signals.append(signal)
    return [_told(pair, story) for pair, story in sorted(stories.items())]


def _told(pair: Pair, story: _Story) -> Removal:
    decisions = sorted(story.decisions, key=lambda one: (one.decided_at, one.key))
    reported = min((one.at for one in story.signals if one.kind is SignalKind.REPORT), default=None)
    appeals = sorted(
        (one for one in story.signals if one.outcome is AppealOutcome.OVERTURNED), key=lambda one: (one.at, one.key)
    )
    told = Removal(pair, decisions[-1], is_removed=False, stage="")
    by_key = {one.key: one for one in decisions}
    for moment in _merged(decisions, appeals, by_key):
        if isinstance(moment, Decision):
            told.is_removed, told.is_restored = moment.outcome is Decided.VIOLATES, False
            if told.is_removed and not told.stage:
                by_report = reported is not None and reported <= moment.decided_at and moment.source is not Source.MODEL
                told.stage = REPORT if by_report else moment.source.value
        else:
            named = by_key.get((moment.decision_source, moment.decision_id))
            was_removed = told.is_removed if named is None else named.outcome is Decided.VIOLATES
            told.is_removed, told.is_restored = not was_removed, was_removed
            told.stage = told.stage or (APPEAL if told.is_removed else "")
    return told


def _merged(
    decisions: Sequence[Decision], appeals: Sequence[Signal], by_key: Mapping[tuple[str, str], Decision]
) -> list[Decision | Signal]:
    """By time, an appeal never before the decision that it names. One that names none and comes before every decision
    is about none that is known, and is left out."""
    timed: list[tuple[datetime, int, Decision | Signal]] = [(one.decided_at, 0, one) for one in decisions]
    for one in appeals:
        named = by_key.get((one.decision_source, one.decision_id))
        if named is not None or one.at >= decisions[0].decided_at:
            timed.append((one.at if named is None else max(one.at, named.decided_at), 1, one))
    return [moment for _, _, moment in sorted(timed, key=lambda one: one[:2])]
