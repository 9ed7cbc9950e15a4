"""Trends over a real lake and ledger: a planted theme becomes one alert, and a round about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from labeling.errors import Conflict, NotFound, NothingToDo, StoreError
from labeling.insights.trend_alerts import by_which_test
from labeling.insights.trend_clusters import load
from labeling.insights.trend_names import names_of
from labeling.insights.trend_records import AlertState
from labeling.insights.trends import Report, trends
from labeling.insights.watch import open_watch
from labeling.records import Round, RoundState
from tests.labeling.insights.lake_traffic import day_of, fill
from tests.labeling.quality.traffic import plant, traffic
from tests.labeling.shop import Shop, open_shop

LAST = 37  # the theme's third day


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, list[str]]]:
    """Five weeks of traffic with a theme of 40 items in the last three days, judged on each of these."""
    shop = open_shop(tmp_path_factory.mktemp("trends"))
    made = plant(traffic(5, LAST + 1, a_day=150, topics=8), 5, LAST - 2)
    ids = fill(shop, made)
    for day in range(LAST - 2, LAST + 1):
        run(shop, day)
    yield shop, [item_id for item_id, planted in zip(ids, made.planted, strict=True) if planted]
    shop.ledger.close()


def run(shop: Shop, day: int | None = LAST, *, refit: bool = False) -> Report:
    chosen = None if day is None else day_of(day)
    return trends(shop.ledger, shop.lake, shop.policies, shop.scorer(), shop.folder / "trends", chosen, refit=refit)


def test_a_planted_theme_is_one_alert_over_its_days(stocked: tuple[Shop, list[str]]) -> None:
    shop, planted = stocked
    themes = [one for one in shop.ledger.trends.all() if one.body["kind"] == "theme"]
    (alert,) = [one for one in themes if set(one.item_ids) & set(planted)]
    assert len(set(alert.item_ids) & set(planted)) >= 36
    assert alert.last_day == day_of(LAST)
    assert alert.first_day <= day_of(LAST - 1)
    body = alert.body
    assert body["lasts"] is True
    assert set(body["parts"]) == {"surprise", "novelty", "severity", "reach", "uncovered"}  # type: ignore[call-overload]
    assert body["gold"] == {"items": 0, "as_of": "now", "without": "sealed"}
    assert str(body["licence"]).startswith("counts of the items in the lake")
    assert "melon" not in json.dumps(body)


def test_the_test_that_fired_is_said_and_is_not_the_last_day_alone() -> None:
    cell = {"kind": "market", "count": 18, "expected": 5.2, "usual": [0.0, 24.0], "ewma": 2.4, "p": 0.014}
    said = by_which_test(cell)
    assert "The last 7 days together" in said
    assert "2.4 standard deviations above what the weeks before explain (p 0.014)" in said
    assert "The last day alone, 18, lies inside its usual 0 to 24." in said
    assert "lies above its usual 0 to 24" in by_which_test(cell | {"count": 25})
    theme = {"kind": "theme", "count": 15, "expected": 0.05, "p": 1e-12}
    assert "15 lie in the theme where the weeks before explain 0.05 (p 1e-12)" in by_which_test(theme)


def test_the_same_day_again_and_the_newest_day_change_nothing(stocked: tuple[Shop, list[str]]) -> None:
    shop, _ = stocked
    before = shop.ledger.trends.all()
    again = run(shop)
    assert {one.alert_id for one in shop.ledger.trends.all()} == {one.alert_id for one in before}
    assert again.as_dict() == run(shop, None).as_dict()
    assert (again.left_out, again.day) == ({"without_time": 0, "without_embedding": 0}, day_of(LAST))
    assert again.cells == 4 * (again.clusters + 1)


def test_clusters_stay_until_they_are_refitted(stocked: tuple[Shop, list[str]]) -> None:
    shop, _ = stocked
    (path,) = (shop.folder / "trends").glob("clusters-*.safetensors")
    kept = load(path)
    assert kept is not None
    assert run(shop).clusters_version == kept.version
    assert len(run(shop, refit=True).clusters_version) == 12
    path.write_bytes(b"broken")
    with pytest.raises(StoreError, match="delete it"):
        run(shop)
    path.unlink()
    run(shop)


def test_names_are_made_when_asked_for(stocked: tuple[Shop, list[str]]) -> None:
    shop, planted = stocked
    (alert,) = [one for one in shop.ledger.trends.all() if set(one.item_ids) & set(planted) and "/theme/" in one.key]
    assert {"melon", "offer"} <= set(names_of(shop.lake, [alert])[alert.alert_id])


def test_an_alert_opens_a_round_in_the_lane_watch_once(stocked: tuple[Shop, list[str]]) -> None:
    shop, planted = stocked
    (alert,) = [one for one in shop.ledger.trends.all() if set(one.item_ids) & set(planted) and "/theme/" in one.key]
    made = watch(shop, alert.alert_id)
    assert made.state is RoundState.OPEN
    picks = shop.ledger.rounds.picks(made.round_id)
    assert len(picks) == 10
    assert {(pick.lane, pick.pi, pick.policy_id) for pick in picks} == {("watch", None, "fraud")}
    tasks = shop.ledger.tasks.where(round_id=made.round_id)
    assert len({task.content_hash for task in tasks}) == 10  # of copies one is asked about
    assert watch(shop, alert.alert_id).round_id == made.round_id
    found = shop.ledger.trends.get(alert.alert_id)
    assert (found.state, found.round_id) == (AlertState.WATCHED, made.round_id)
    with pytest.raises(Conflict, match="watched"):
        shop.ledger.trends.watch(alert.alert_id, "another", "lea")
    run(shop)  # the next run keeps what became of it
    assert shop.ledger.trends.get(alert.alert_id).round_id == made.round_id
    with pytest.raises(NotFound, match="'nobody'"):
        watch(shop, "nobody")


def test_a_watch_round_that_was_cut_short_is_gone_on_with(
    stocked: tuple[Shop, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, planted = stocked
    (alert,) = [one for one in shop.ledger.trends.all() if set(one.item_ids) & set(planted) and "/theme/" in one.key]
    copy = replace(alert, alert_id="copy", key="copy", state=AlertState.OPEN, round_id="")
    shop.ledger.trends.put(copy)
    with monkeypatch.context() as patch:
        patch.setattr(type(shop.ledger.trends), "watch", _killed)
        with pytest.raises(KeyboardInterrupt):
            watch(shop, "copy")
    made = watch(shop, "copy")
    assert (made.round_id, made.state) == ("watch-copy", RoundState.OPEN)
    assert len(shop.ledger.rounds.picks("watch-copy")) == made.plan["budget"]
    assert shop.ledger.trends.get("copy").round_id == "watch-copy"


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def watch(shop: Shop, alert_id: str) -> Round:
    policy = shop.policies["fraud"]
    return open_watch(shop.ledger, shop.lake, shop.scorer(), alert_id, policy, budget=10, overlap=2, actor="lea")


def test_what_trends_cannot_be_told_of_is_refused_or_counted(tmp_path: Path) -> None:
    shop = open_shop(tmp_path)
    with pytest.raises(NothingToDo, match="created_at"):
        run(shop)
    made = traffic(1, 40, a_day=20, topics=3)
    early = made.until(20, 21)
    fill(shop, early)
    with pytest.raises(NothingToDo, match="28 are needed"):
        run(shop, 20)
    rest = made.until(39, 19)
    fill(shop, rest, prefix="u")
    fill(shop, made.until(3, 2), prefix="v", timed=False)
    told = run(shop, 39)
    assert told.left_out["without_time"] == len(made.until(3, 2).day)
    assert told.items > 0
    shop.ledger.close()
