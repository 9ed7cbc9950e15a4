from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scoring.base import Progress, Scores
from scoring.calibrated import calibrated
from scoring.calibration import CalibrationMap, Calibrator
from scoring.ensemble import Ensemble
from scoring.metering import Bill, bill
from tests.scoring.service import Service
from tests.scoring.test_remote_moderation import make


class Half:
    """Gives one half to everything, and asks nobody."""

    name = "half"
    version = "half-1"
    policies = ("hate_speech", "violence")

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        halves = np.full((len(ids), 2), 0.5, np.float32)
        return Scores(tuple(ids), self.policies, halves, np.ones((len(ids), 1), np.float16))


def test_a_bill_goes_through_whatever_a_scorer_is_made_of() -> None:
    scorer = make(Service(), per_million_tokens=2.0, per_thousand_requests=3.0)
    free = Half()
    maps = Calibrator(scorer.policies, (CalibrationMap("platt", 2.0),) * len(scorer.policies), "m")
    whole = calibrated(Ensemble([free, scorer]), maps)
    before = bill(whole)
    assert before is not None
    whole.score(["a", "b"], ["one", "two"])
    after = bill(whole)
    assert after is not None
    assert after == bill(scorer)
    asked = after.since(before)
    assert (asked.items, asked.retries) == (4, 0)  # judged, and embedded
    assert asked.requests > 0
    assert after.cost == scorer.usage.cost(2.0, 3.0) > 0
    assert before.plus(asked) == after


def test_what_asks_no_service_has_no_bill() -> None:
    assert bill(Ensemble([Half()])) is None
    assert bill(object()) is None


def test_the_line_says_cost_only_where_prices_are_known() -> None:
    assert Bill(412, 3, 13184, 1904221, 0.1904).line() == (
        "412 requests (3 retries), 13,184 texts sent, 1,904,221 tokens: 0.19 by the prices in the scorer file"
    )
    assert Bill(1, 0, 1, 7, 0.00014).line().endswith("7 tokens: 0.00014 by the prices in the scorer file")
    assert Bill(1, 0, 1, 7).line().endswith("7 tokens: the scorer file names no price for it")
