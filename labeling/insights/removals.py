"""What became of each item under a policy, from production's decisions and the signals about it, in order of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

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
    for moment in _merged(decisions, appeals):
        if isinstance(moment, Decision):
            told.is_removed, told.is_restored = moment.outcome is Decided.VIOLATES, False
            if told.is_removed and not told.stage:
                by_report = reported is not None and reported <= moment.decided_at and moment.source is not Source.MODEL
                told.stage = REPORT if by_report else moment.source.value
        else:
            was_removed = _outcome_of(moment, decisions, told.is_removed)
            told.is_removed, told.is_restored = not was_removed, was_removed
            told.stage = told.stage or (APPEAL if told.is_removed else "")
    return told


def _merged(decisions: Sequence[Decision], appeals: Sequence[Signal]) -> list[Decision | Signal]:
    """Decisions before appeals of the same moment; an appeal before the first decision known is left out."""
    later = [one for one in appeals if one.at >= decisions[0].decided_at]
    moments: list[Decision | Signal] = [*decisions, *later]
    return sorted(moments, key=lambda one: (one.decided_at, 0) if isinstance(one, Decision) else (one.at, 1))


def _outcome_of(appeal: Signal, decisions: Sequence[Decision], now: bool) -> bool:
    """Whether the decision that an appeal turned had removed the item."""
    key = (appeal.decision_source, appeal.decision_id)
    named = next((one for one in decisions if one.key == key), None)
    return now if named is None else named.outcome is Decided.VIOLATES
