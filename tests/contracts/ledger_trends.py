"""What every ledger promises about alerts of trends, and about how far the registry is mirrored."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from labeling.errors import Conflict, NotFound
from labeling.insights.trend_records import AlertState, TrendAlert
from labeling.mirror.records import MirrorRow
from labeling.model_records import Model, ModelState
from labeling.store.interfaces import Ledger
from tests.contracts.ledger import LedgerFixtures
from tests.contracts.records import T0

DAY = date(2026, 3, 1)
ALERT = TrendAlert("a1", "v/theme/i1", DAY, DAY, {"count": 3, "parts": {"reach": None}}, ("i1", "i2"))


class TrendsContract(LedgerFixtures):
    def test_an_alert_keeps_what_became_of_it(self, ledger: Ledger) -> None:
        trends = ledger.trends
        trends.put(ALERT)
        later = replace(ALERT, alert_id="a2", last_day=DAY + timedelta(days=1))
        trends.put(later)
        assert trends.all() == [later, ALERT]
        assert trends.watch("a1", "r1", "lea").state is AlertState.WATCHED
        assert trends.watch("a1", "r1", "lea").round_id == "r1"
        with pytest.raises(Conflict, match="'r1'"):
            trends.watch("a1", "r2", "lea")
        trends.put(replace(ALERT, last_day=DAY + timedelta(days=2), body={"count": 9}, item_ids=("i3",)))
        found = trends.get("a1")
        assert (found.first_day, found.last_day) == (DAY, DAY + timedelta(days=2))
        assert (found.body, found.item_ids, found.round_id) == ({"count": 9}, ("i3",), "r1")
        with pytest.raises(NotFound, match="'a3'"):
            trends.get("a3")
        (line,) = [one for one in ledger.audit.latest() if one["action"] == "trend.watch"]
        assert (line["actor"], line["target"]) == ("lea", "a1")

    def test_how_far_a_model_is_mirrored_is_kept_by_address(self, ledger: Ledger) -> None:
        ledger.models.add(Model("m1", "w1", "0.1.0", "models/m1", ModelState.CANDIDATE))
        row = MirrorRow("http://one", "m1", "d", "run", "1", "", T0)
        ledger.mirrors.put(row)
        ledger.mirrors.put(replace(row, url="http://two", error="away"))
        ledger.mirrors.put(replace(row, digest="e"))
        assert ledger.mirrors.at("http://one") == {"m1": replace(row, digest="e")}
        assert ledger.mirrors.at("http://two")["m1"].error == "away"
        assert ledger.mirrors.at("http://three") == {}
