"""Patterns and alerts in the weekly pack: whole figures, the week's alone, and no person's name."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from labeling.insights.judged_answers import production_record
from labeling.insights.patterns import patterns
from labeling.insights.trend_records import AlertState, TrendAlert
from labeling.insights.weekly_entries import alert_entries, pattern_entries
from tests.figures import assert_whole
from tests.labeling.shop import open_shop


def test_patterns_are_told_with_whole_figures_and_without_people(tmp_path: Path) -> None:
    shop = open_shop(tmp_path)
    common: dict[str, Any] = {"policy": "harm", "policy_version": "1.0.0", "gold": ("violates", "slur")}
    records = [
        production_record(
            item=f"post-{n}",
            given=("allowed", None) if n < 60 else ("violates", "threat" if 150 < n < 190 else None),
            tool=f"queue-{n // 100}",
            person="ann" if 150 < n < 200 else f"p{n % 7}",
            **common,
        )
        for n in range(600)
    ]
    told = pattern_entries(patterns(shop.ledger, shop.lake, decisions=records))
    shop.ledger.close()
    assert any("queue-0" in str(one) for one in told)
    assert "ann" not in " ".join(str(one["head"]) + " ".join(one["lines"]) for one in told).split()
    for one in told:
        assert [figure["name"] for figure in one["figures"]] == ["wrong there", "wrong elsewhere"]
        assert all(figure["licence"] and figure["policy_version"] == "1.0.0" for figure in one["figures"])
        assert one["link"].startswith("/v1/patterns/")


def alert(first: date, last: date, **changes: object) -> TrendAlert:
    body: dict[str, object] = {
        "kind": "cluster",
        "market": "de",
        "count": 12,
        "expected": 3.5,
        "p": 0.0004,
        "lasts": True,
        "licence": "counts",
        "golden_version": "1.0.0",
        "policy_versions": {"harm": "1.0.0"},
    }
    return TrendAlert("al-1", "k", first, last, body | changes, ("i1",), AlertState.OPEN, "")


def test_only_the_weeks_alerts_are_told() -> None:
    monday = date(2026, 11, 16)
    week = alert(date(2026, 11, 18), date(2026, 11, 19))
    before, after = alert(date(2026, 11, 10), date(2026, 11, 15)), alert(date(2026, 11, 23), date(2026, 11, 24))
    assert len(alert_entries([week, before, after], monday)) == 1
    (entry,) = alert_entries([week], monday)
    assert "more than usual in de" in entry["head"]
    assert "12 items where 3.5 were expected" in entry["lines"][0]
    (volume,) = assert_whole(entry["figures"])
    assert (volume["n"], volume["policy_version"], volume["items"]) == (12, "harm 1.0.0", "/v1/trends/al-1/items")
    assert any("goldfold trends open al-1" in line for line in entry["lines"])
    (theme,) = alert_entries([alert(monday, monday, kind="theme")], monday)
    assert "a new theme" in theme["head"]
