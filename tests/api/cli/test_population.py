from __future__ import annotations

from api.auth import Role
from tests.api.cli.conftest import Terminal
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site, site
from tests.api.site import HARM, WordGoldfold, gild, score_all, select, settings, stock

__all__ = ["site"]


def fill(goldfold: WordGoldfold) -> None:
    stock(goldfold, 80)
    score_all(goldfold)
    select(goldfold, budget=60)
    gild(goldfold)


def test_population_figures_are_told_for_lanes_of_chance_only(goldfold: Terminal) -> None:
    opened = WordGoldfold(settings(goldfold.folder))
    fill(opened)
    opened.close()
    refused = goldfold("population", "week-1")
    assert (refused.code, "picked on purpose by the lane 'uncertain'" in refused.err) == (1, True)
    told = goldfold("population", "week-1", "--lane", "random", "--json").json
    assert told["policies"][HARM]["prevalence"]["licence"].startswith("population")
    shown = goldfold("population", "--since", "2020-01-01", "--lane", "random")
    assert (shown.code, "prevalence" in shown.out, "withheld" in shown.out) == (0, True, True)
    assert goldfold("population").code == 2
    assert goldfold("population", "--since", "2100-01-01").code == 1


def test_the_route_says_the_same(site: Site) -> None:
    fill(site.goldfold)
    told = site.get("/v1/population?round_id=week-1&lane=random", Role.VIEWER)
    assert told["lanes"] == ["random"]
    assert site.get("/v1/population?since=2020-01-01T00:00:00&lane=random", Role.VIEWER) == told
    refused = site.ask("GET", "/v1/population?round_id=week-1", Role.VIEWER)
    assert_problem(refused, 422, "name the lanes of chance")
    assert_problem(site.ask("GET", "/v1/population", Role.VIEWER), 422, "give one of them")
    assert_problem(site.ask("GET", "/v1/population?round_id=nobody", Role.VIEWER), 404, "nobody")
