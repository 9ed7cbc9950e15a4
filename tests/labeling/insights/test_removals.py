"""What became of each item: the first stage that removed it, and whether it is up now."""

from __future__ import annotations

import pytest

from labeling.decision_records import Decided, Decision, Source
from labeling.insights.removals import removals
from labeling.signal_records import AppealOutcome, Signal, SignalKind
from tests.contracts.ledger_decisions import decision
from tests.contracts.ledger_signals import signal
from tests.contracts.records import at


def said(hour: int, source: str, outcome: str) -> Decision:
    made = Source(source)
    return decision(0, decision_id=f"d{hour}", source=made, outcome=Decided(outcome), decided_at=at(hour))


def reported(hour: int) -> Signal:
    return signal(0, signal_id=f"s{hour}", kind=SignalKind.REPORT, outcome=None, at=at(hour))


def overturned(hour: int, about: Decision | None = None) -> Signal:
    source, name = about.key if about else ("", "")
    return signal(
        0, signal_id=f"s{hour}", outcome=AppealOutcome.OVERTURNED, at=at(hour), decision_source=source, decision_id=name
    )


OK, BAD = said(1, "model", "ok"), said(2, "human", "violates")


@pytest.mark.parametrize(
    ("decisions", "signals", "stage", "is_removed", "stratum"),
    [
        ([said(1, "model", "violates"), said(2, "human", "violates")], [], "model", True, "removed"),
        ([OK, said(2, "agent", "violates")], [], "agent", True, "removed"),
        ([OK, BAD], [], "human", True, "removed"),
        ([OK, said(5, "human", "violates")], [reported(3)], "report", True, "removed"),
        ([OK, BAD], [reported(3)], "human", True, "removed"),
        ([said(5, "model", "violates")], [reported(3)], "model", True, "removed"),
        ([OK], [overturned(4)], "appeal", True, "removed"),
        ([OK, said(6, "human", "violates")], [overturned(4)], "appeal", True, "removed"),
        ([OK, BAD], [overturned(4)], "human", False, "restored on appeal"),
        ([OK, BAD, said(6, "human", "ok")], [overturned(4)], "human", False, "approved by human"),
        ([OK, BAD], [overturned(4, OK)], "human", True, "removed"),
        ([BAD], [overturned(1, BAD)], "human", False, "restored on appeal"),
        ([said(5, "model", "ok")], [overturned(3)], "", False, "approved by model"),
        ([OK], [reported(2)], "", False, "approved by model"),
        ([said(1, "agent", "ok")], [signal(0, at=at(3))], "", False, "approved by agent"),
    ],
)
def test_stages(decisions: list[Decision], signals: list[Signal], stage: str, is_removed: bool, stratum: str) -> None:
    (told,) = removals(reversed(decisions), signals)
    assert (told.stage, told.is_removed, told.stratum) == (stage, is_removed, stratum)


def test_what_nobody_decided_about_is_left_out() -> None:
    assert removals([], [reported(1)]) == []
    assert removals([decision(0, outcome=None)], []) == []
