from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from scoring.bounds import lower_bound, upper_bound
from scoring.cascade_report import CascadeReport, PolicyLoss, drift

REPORT = CascadeReport(
    items=2000,
    distinct=1900,
    held_out=950,
    positives=700,
    lost=0,
    loss_upper=upper_bound(0, 700),
    loss_allowed=0.005,
    picks=10,
    picks_lost=0,
    picks_lost_upper=upper_bound(0, 10),
    cleared=0.9,
    trickle=0.01,
    stage_s=1e-4,
    full_s=1e-2,
    speed_up=9.0,
    policies={"abuse": PolicyLoss(700, 0, 0.0043)},
)


def test_a_report_survives_json() -> None:
    assert CascadeReport.from_dict(json.loads(json.dumps(REPORT.as_dict()))) == REPORT
    with pytest.raises(ValueError, match="a report has the keys"):
        CascadeReport.from_dict({"items": 3})


@pytest.mark.parametrize(
    ("positives", "lost", "verdict"),
    [(0, 0, "insufficient"), (100, 0, "insufficient"), (598, 0, "ok"), (100, 1, "insufficient"), (100, 5, "drifted")],
)
def test_a_verdict_rests_on_exact_bounds(positives: int, lost: int, verdict: str) -> None:
    positive = np.arange(2000) < positives
    would_clear = (np.arange(2000) < lost) | (np.arange(2000) >= positives)
    found = drift(REPORT, positive, would_clear)
    assert (found.items, found.positives, found.lost, found.verdict) == (2000, positives, lost, verdict)
    assert (found.low, found.high) == (lower_bound(lost, positives), upper_bound(lost, positives))
    assert found.needed == 598
    assert found.as_dict()["verdict"] == verdict


def test_no_trickle_is_insufficient() -> None:
    nothing = np.zeros(0, np.bool_)
    found = drift(REPORT, nothing, nothing)
    assert (found.verdict, found.cleared, found.high) == ("insufficient", None, 1.0)


def test_what_was_allowed_decides() -> None:
    positive, would_clear = np.ones(100, np.bool_), np.arange(100) < 5
    assert drift(replace(REPORT, loss_allowed=0.2), positive, would_clear).verdict == "ok"
    with pytest.raises(ValueError, match="100 items by the full scorer, 5"):
        drift(REPORT, positive, would_clear[:5])
