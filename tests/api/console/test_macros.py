"""How a figure is written, whatever page it is on."""

from __future__ import annotations

import re
from typing import Any

import pytest

from api.console.page import _templates

TOLD: dict[str, Any] = {
    "value": 0.5,
    "low": 0.4,
    "high": 0.6,
    "n": 1_200,
    "licence": "population: all traffic of the week",
    "golden_version": "1.1.0",
    "policy_version": "1.0.0",
    "items": "/v1/qa/decisions",
}
VERSIONS = "golden 1.1.0 · policy 1.0.0"


def said(call: str, **names: Any) -> str:
    """What a macro writes, without its tags."""
    template = _templates().from_string(f"{{% import 'macros.html' as ui with context %}}{{{{ {call} }}}}")
    return " ".join(re.sub(r"<[^>]+>", " ", template.render(**{"opens": lambda _address: True} | names)).split())


@pytest.mark.parametrize(
    ("more", "share", "first"),
    [
        ({}, "50.0 %", "40.0 % to 60.0 % n 1,200 · population"),
        ({"method": "census"}, "50.0 %", "all counted n 1,200 · population"),
        ({"value": 1.0, "high": None}, "100.0 %", "40.0 % to no end n 1,200 · population"),
        ({"value": None, "verdict": "ok"}, "40.0 % to 60.0 %", "n 1,200 · population"),
        ({"value": None, "verdict": "insufficient", "n": 1}, "too few: n 1", "population"),
        ({"value": None, "low": None, "verdict": None}, "not known", "n 1,200 · population"),
    ],
)
def test_a_figure_is_its_value_its_interval_and_what_it_rests_on(more: dict[str, Any], share: str, first: str) -> None:
    told = said('ui.figure(told, "Right", "share")', told={**TOLD, **more})
    assert told == f"Right {share} {first} all traffic of the week · {VERSIONS} · items"


def test_decimals_stay_decimals() -> None:
    assert said("ui.figure(told)", told={"value": 1.0, "low": 0.867, "high": 1.0, "n": 9}) == "1.000 0.867 to 1.000 n 9"


def test_a_cell_says_versions_where_nothing_above_it_does() -> None:
    assert said("ui.cell(told)", told=TOLD) == "50.0 % 40.0 % to 60.0 % n 1,200 · population · items"
    told = said("ui.cell(told, versions=true)", told=TOLD)
    assert told == f"50.0 % 40.0 % to 60.0 % n 1,200 · population · {VERSIONS} · items"
    few = {**TOLD, "value": None, "verdict": "insufficient", "n": 3}
    assert said("ui.cell(told)", told=few) == "too few: n 3 population · items"


def test_what_a_table_has_in_common_is_told_once() -> None:
    other = {**TOLD, "licence": "none", "policy_version": "1.0.0, 2.0.0"}
    told = said("ui.common(all)", all=[TOLD, None, TOLD, other])
    assert told == "population all traffic of the week ; none · golden 1.1.0 · policy 1.0.0, 2.0.0"


def test_the_longest_tab_is_the_current_one() -> None:
    entries = [("/console/a", "A"), ("/console/a/b", "B")]
    template = _templates().from_string("{% import 'macros.html' as ui with context %}{{ ui.tabs(entries) }}")
    told = template.render(path="/console/a/b/c", entries=entries)
    assert re.findall(r'href="([^"]+)" aria-current', told) == ["/console/a/b"]
