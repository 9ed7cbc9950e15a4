"""Audit: each figure of the register stands on its page with what computes it, and nothing tells who but to leads."""

from __future__ import annotations

import html
import importlib
import importlib.util
import re
from typing import Any

import pytest
import sqlalchemy as sa

from api.auth import RANK, Role
from api.console.app import PATH as CONSOLE
from api.console.kpis import REGISTER, ROOMS, Kpi
from api.console.nav import MENU
from api.console.pages.audit import OPEN_ACTIONS
from labeling.store.database import Database
from labeling.store.tables import golden_items
from tests.api.client import routes
from tests.api.console.conftest import JSON, Console
from tests.api.console.floor import LEAD

PATH = "/console/audit"
UNTOLD = {
    "coding": "insufficient",
    "drift": "insufficient",
    "stop-forecast": "refused",
}  # nothing to tell of yet, which the page says


@pytest.mark.parametrize("kpi", REGISTER, ids=lambda one: one.kpi_id)
def test_what_computes_a_figure_is_there(kpi: Kpi) -> None:
    parts = kpi.function.split(".")
    depth = next(n for n in range(len(parts), 0, -1) if _is_module(".".join(parts[:n])))
    found: Any = importlib.import_module(".".join(parts[:depth]))
    for name in parts[depth:]:
        found = getattr(found, name)
    assert callable(found)
    assert found.__doc__
    assert kpi.page in {place.path for place in MENU}
    assert all((kpi.what, kpi.formula, kpi.source, kpi.licence))


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize("kpi", REGISTER, ids=lambda one: one.kpi_id)
def test_a_figure_is_two_clicks_away_with_formula_value_and_items(lived: Console, kpi: Kpi) -> None:
    assert f'href="{PATH}/kpis/{kpi.kpi_id}"' in lived.get(PATH).text
    told = lived.settled(f"{PATH}/kpis/{kpi.kpi_id}")
    assert told["figures"]["error"] is None
    figures = told["figures"]["value"]
    values = [one["told"] for one in figures]
    assert figures
    if kpi.kpi_id in UNTOLD:
        assert {one["verdict"] for one in values} == {UNTOLD[kpi.kpi_id]}
    else:
        assert any(one["value"] is not None for one in values)
    assert all(one["n"] is not None and one["licence"] and one["items"].startswith("/v1/") for one in values)
    page = lived.get(f"{PATH}/kpis/{kpi.kpi_id}").text
    assert kpi.function in page
    rests = told["versions"]
    assert {one["golden_version"] for one in values if one["golden_version"]} == set(rests["golden"])
    assert all(f"/console/golden/versions/{name}" in page for name in rests["golden"])
    own = (*kpi.events, *OPEN_ACTIONS)
    assert all(row["action"].startswith(own) for row in told["events"])
    published = [row["target"] for row in told["events"] if row["action"] == "golden.publish"]
    assert set(published) <= set(rests["golden"])
    whole = lived.json(f"{PATH}/trail?of={kpi.kpi_id}")["entries"]
    assert all(row["action"].startswith(kpi.events) for row in whole)
    assert (f"{PATH}/trail?of={kpi.kpi_id}" in page) == bool(told["events"])


def test_each_figure_is_one_click_from_the_pages_that_show_it(lived: Console) -> None:
    day = lived.goldfold.ledger.decisions.days()[0].day
    pages = {
        "/console/today": ("below-target", "common-mode", "exposure", "adjudication-age", "stale", "injections"),
        f"/console/quality?day={day}": ("accuracy", "errors", "below-target"),
        "/console/quality/kpi": ("weekly-accuracy",),
        "/console/quality/agreement": ("agreement",),
        "/console/quality/causes": ("coding",),
        "/console/interception": ("interception", "common-mode"),
        "/console/trends/coverage": ("coverage",),
        **ROOMS,
    }
    assert set().union(*pages.values()) == {kpi.kpi_id for kpi in REGISTER}
    for path, named in pages.items():
        lived.settled(path)
        page = lived.get(path).text
        assert [one for one in named if f"{PATH}/kpis/{one}" not in page] == [], path


def test_the_route_that_a_figure_names_is_there(lived: Console) -> None:
    known = {path for method, path in routes(lived.app) if method == "GET"}
    assert {kpi.address for kpi in REGISTER} <= known


def test_figures_are_shown_by_role(lived: Console) -> None:
    for kpi in REGISTER:
        if kpi.kpi_id == "agreement":  # takes seconds, and is like the others
            continue
        told = lived.settled(f"{PATH}/kpis/{kpi.kpi_id}", Role.VIEWER)
        assert (told["figures"] is None) == (RANK[kpi.role] > RANK[Role.VIEWER])
        assert (told["figures"] is None) == (
            "It is shown to" in lived.get(f"{PATH}/kpis/{kpi.kpi_id}", Role.VIEWER).text
        )


def test_a_viewer_is_led_to_no_refusal(lived: Console) -> None:
    paths = [PATH, f"{PATH}/events", f"{PATH}/trail", "/console/interception", "/console/trends"]
    paths += [f"{PATH}/kpis/{kpi.kpi_id}" for kpi in REGISTER if kpi.kpi_id != "agreement"]
    led = set()
    for path in paths:
        lived.settled(path, Role.VIEWER)
        found = re.findall(r'href="([^"#?]*[^"]*)"', lived.get(path, Role.VIEWER).text)
        led |= {html.unescape(each) for each in found if each.startswith("/console/") and "/static/" not in each}
    assert len(led) > 30
    refused = {each: lived.get(each, Role.VIEWER).status_code for each in led if "chart=" not in each}
    assert {each: code for each, code in refused.items() if code not in (200, 303, 307)} == {}


def test_why_there_is_no_figure_is_said(bare: Console) -> None:
    silent = []
    for kpi in REGISTER:
        told = bare.settled(f"{PATH}/kpis/{kpi.kpi_id}")["figures"]
        if told["error"] is None and any(one["told"]["value"] is not None for one in told["value"]):
            silent.append(kpi.kpi_id)
        page = bare.get(f"{PATH}/kpis/{kpi.kpi_id}").text
        assert told["error"] is None or told["error"].split(":")[0].replace("'", "&#39;") in page
    assert silent == []
    assert bare.get(f"{PATH}/kpis/mood").status_code == 404


def test_events_are_paged_and_tell_leads_alone_who(lived: Console) -> None:
    ledger = lived.goldfold.ledger
    first = lived.json(f"{PATH}/events")
    assert first["events"][0]["number"] == len(ledger.golden.events())
    second = lived.json(f"{PATH}/events?before={first['next']}")
    assert second["events"][0]["number"] == first["next"] - 1
    assert LEAD in lived.get(f"{PATH}/events").text
    shown = lived.json(f"{PATH}/events", Role.VIEWER)["events"]
    assert {one["actor"] for one in shown} == {"withheld"}
    assert {one["item_id"] for one in shown if one.get("partition") == "sealed"} == {"withheld"}


def test_the_trail_is_paged_filtered_and_closed_by_role(lived: Console) -> None:
    rows = lived.json(f"{PATH}/trail?action=roster")["entries"]
    assert {row["action"] for row in rows} == {"roster.add", "roster.change"}
    assert {row["actor"] for row in lived.json(f"{PATH}/trail?actor={LEAD}")["entries"]} == {LEAD}
    first = lived.json(f"{PATH}/trail")
    assert lived.json(f"{PATH}/trail?before={first['next']}")["entries"][0]["seq"] == first["next"] - 1
    folds = lived.json(f"{PATH}/trail?action=golden.fold")["entries"]
    assert {"outcome" in row["detail"] for row in folds if row["detail"]["partition"] == "sealed"} == {False}
    for action in ("roster", "golden.fold", "golden.stale"):
        for row in lived.json(f"{PATH}/trail?action={action}&actor={LEAD}&target=x", Role.VIEWER)["entries"]:
            assert (row["target"], "actor" in row, "detail" in row) == ("", False, False)
    published = lived.json(f"{PATH}/trail?action=policy.publish", Role.VIEWER)["entries"]
    assert "violence 1.1.0" in {row["target"] for row in published}


def test_counts_lead_to_what_they_count(lived: Console) -> None:
    counts = lived.settled(PATH)["counts"]["value"]
    assert counts["sealed"] == [{"family": "head on words-1", "asked": 2, "repeats": 0}]
    assert (counts["erasures"], counts["holds"], counts["stops"], counts["versions"]) == (1, 1, 0, 2)
    assert counts["events"] == len(lived.goldfold.ledger.golden.events())
    for address in ("/v1/gates/queries", "/v1/erasures", "/v1/holds", "/v1/stops"):
        assert lived.get(f"{CONSOLE}/list?of={address}").status_code == 200
        assert f"of={address}" in lived.get(PATH).text
        assert address not in lived.get(PATH, Role.VIEWER).text


def test_what_was_tampered_with_is_named(lived: Console) -> None:
    """The last test of this module: it damages the site."""
    lived.settled(f"{PATH}/verify")
    assert "Every hash matches." in lived.get(f"{PATH}/verify").text
    assert lived.get(f"{PATH}/verify", Role.VIEWER).status_code == 403
    row = lived.goldfold.ledger.golden.items()[0]
    database = Database(lived.goldfold.settings.ledger_url)
    changed = sa.update(golden_items).where(golden_items.c.item_id == row.item_id).values(severity=4)
    with database.write() as connection:
        connection.execute(changed)
    database.close()
    lived.app.state.answers.forget()
    lived.settled(f"{PATH}/verify")
    page = lived.get(f"{PATH}/verify").text
    assert "tampered with or damaged" in page
    assert row.item_id in page
    told = lived.get(f"{PATH}/verify", Role.ENGINEER, JSON).json()
    assert any("severity" in one for one in told["golden"]["value"]["problems"])
