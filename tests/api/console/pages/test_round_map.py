from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.auth import Role
from api.console import page
from api.console.pages import round_map
from api.jobs import maps
from labeling.insights.embedding_map import F32, Layout, Painted, Tick, kept_map, paint
from tests.api.client import call
from tests.api.console.desk import Desk, gold_site, sign_in
from tests.api.routes.conftest import Site
from tests.api.site import select

PATH = "/console/map"
JSON = {"Accept": "application/json"}


def flat(_pause: object) -> Layout:
    def run(vectors: F32, _seed: int, _folder: Path, tick: Tick) -> F32:
        tick(1, 2)
        return np.ascontiguousarray(vectors[:, :2])

    return run


@pytest.fixture(scope="module")
def site(gilded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with gold_site(gilded, tmp_path_factory.mktemp("map")) as site:
        select(site.goldfold, "week-2", budget=4)
        yield site


@pytest.fixture(scope="module")
def desk(site: Site) -> Desk:
    return sign_in(site, Role.ENGINEER)


@pytest.fixture(scope="module")
def drawn(site: Site, desk: Desk) -> Desk:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maps, "in_process", flat)
        page = desk.get(PATH).text
        assert "No map is drawn yet" in page
        assert desk.post(PATH).status_code == 403
        assert desk.post(PATH, PATH).status_code == 303
        events = desk.get(f"{PATH}/events").text
        assert "event: end" in events
        assert site.service.jobs.all(1)[0].result == {"points": 120, "of": 120, "encoder": "words-1"}
    return desk


def numbers(packed: str, kind: str) -> Any:
    return np.frombuffer(base64.b64decode(packed), kind)


def test_points_are_places_and_rows_by_group(site: Site, drawn: Desk) -> None:
    told = drawn.get(f"{PATH}/points").json()
    shown = site.ask("GET", PATH, headers=JSON).json()
    groups = shown["map"]["value"]["groups"]
    assert {group["name"]: group["n"] for group in told["groups"]} == {k: n for k, n in groups.items() if n}
    assert sum(groups.values()) == shown["map"]["value"]["points"] == 120
    assert groups["picked"] == 4
    kept = kept_map(site.goldfold.cache_dir)
    assert kept is not None
    whole, rows = [], []
    for group in told["groups"]:
        places = numbers(group["places"], "<i2").reshape(-1, 2)
        assert len(places) == group["n"]
        if group["rows"]:
            whole.append(places)
            rows.append(numbers(group["rows"], "<i4"))
    at, places = np.concatenate(rows), np.concatenate(whole).astype(np.float64)
    spread = np.ptp(kept.places, axis=0).max() / 64_000
    middle = (kept.places.max(axis=0) + kept.places.min(axis=0)) / 2
    assert np.abs(places * spread + middle - kept.places[at]).max() < 2 * spread
    assert "post-" not in drawn.get(f"{PATH}/points").text  # no item is named


def test_a_click_leads_to_the_item_but_not_to_sealed_gold(site: Site, drawn: Desk) -> None:
    told = drawn.get(f"{PATH}/points").json()
    groups = {group["name"]: group for group in told["groups"]}
    assert groups["gold: sealed"]["rows"] == ""
    kept = kept_map(site.goldfold.cache_dir)
    assert kept is not None
    row = int(numbers(groups["gold: train"]["rows"], "<i4")[0])
    external_id = site.goldfold.ledger.items.by_id([kept.ids[row]])[kept.ids[row]].external_id
    assert drawn.get(f"{told['item']}{row}").headers["location"] == f"/console/items/{external_id}"
    told_names = drawn.get(f"{PATH}/names?made={told['made']}&row={row}&row=-1&row=100000").json()["names"]
    assert told_names == {str(row): external_id}
    sealed = {row.item_id for row in site.goldfold.ledger.golden.items() if row.partition == "sealed"}
    hidden = next(n for n, item_id in enumerate(kept.ids) if item_id in sealed)
    assert drawn.get(f"{PATH}/names?made={told['made']}&row={hidden}").json()["names"] == {}
    assert drawn.get(f"{PATH}/names?made=1&row=1").status_code == 404
    assert drawn.get(f"{PATH}/names?made={told['made']}&{'&'.join(['row=1'] * 21)}").status_code == 422
    for wrong in (f"{told['item']}{hidden}", f"{told['item']}{len(kept.ids)}", f"{PATH}/item?made=1&row={row}"):
        assert drawn.get(wrong).status_code == 404


def test_a_rounds_own_picks_stand_out(site: Site, drawn: Desk) -> None:
    page = drawn.get(f"{PATH}?round=week-2").text
    assert 'data-map="/console/map/points?round=week-2"' in page
    assert "120 of 120 texts" in page
    told = {group["name"]: group["n"] for group in drawn.get(f"{PATH}/points?round=week-1").json()["groups"]}
    picks = {pick.item_id for pick in site.goldfold.ledger.rounds.picks("week-1")}
    assert told["picked"] == len(picks) - told["gold: sealed"]
    assert drawn.get(f"{PATH}?round=nobody").status_code == 404


def test_the_map_is_a_picture_and_a_table_too(drawn: Desk) -> None:
    assert drawn.get(f"{PATH}?chart=map&as=png").content.startswith(b"\x89PNG")
    rows = drawn.get(f"{PATH}?chart=map&as=csv").text.splitlines()
    assert len(rows) == 121
    assert "script-src 'self';" in drawn.get(PATH).headers["content-security-policy"]


def test_a_chart_is_waited_for_and_then_said_to_be_on_its_way(
    site: Site, drawn: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()

    def slow(*of: Any) -> Painted:
        go.wait(20)
        return paint(*of)

    kept = kept_map(site.goldfold.cache_dir)
    assert kept is not None
    unseen = replace(kept, made_s=1.0)  # nobody has asked for this one's colours
    monkeypatch.setattr(round_map, "kept_map", lambda _folder: unseen)
    monkeypatch.setattr(round_map, "paint", slow)
    monkeypatch.setattr(page, "CHART_WAIT_S", 0.2)
    chart = f"{PATH}?round=week-1&chart=map&as=csv"
    answer = drawn.get(chart)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "being computed" in answer.text
    go.set()
    monkeypatch.setattr(page, "CHART_WAIT_S", 20.0)
    assert len(drawn.get(chart).text.splitlines()) == 121
    assert drawn.get(chart.replace("=map&", "=other&")).status_code == 404


def test_engineers_alone_see_it(site: Site) -> None:
    for path in (PATH, f"{PATH}/points", f"{PATH}/events", f"{PATH}/item?made=1&row=1", f"{PATH}/names?made=1&row=1"):
        assert call(site.app, "GET", path, key=site.keys[Role.VIEWER]).status_code == 403


def test_a_damaged_map_says_how_to_mend_it(site: Site, drawn: Desk) -> None:
    path = site.goldfold.cache_dir / "map.npz"
    whole = path.read_bytes()
    path.write_bytes(b"torn")
    assert "draw the map again" in drawn.get(PATH).text
    assert drawn.get(f"{PATH}/points").status_code == 503
    path.write_bytes(whole)
