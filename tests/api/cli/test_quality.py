from __future__ import annotations

import pytest

from api.cli.quality import agreement_notes, interval
from labeling.agreements import Agreements, Cell
from labeling.quality.agreement import summary
from labeling.quality.choice import Choice
from labeling.quality.intervals import proportion
from tests.api.cli.conftest import Terminal
from tests.api.site import HARM, gild, score_all, select, stock
from tests.figures import assert_whole


@pytest.fixture
def answered(goldfold: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("GOLDFOLD_PARTITIONS", '{"train": 0.9, "sealed": 0.1}')
    with goldfold.opened() as site:
        stock(site)
        score_all(site)
        select(site, budget=40)
        gild(site)
    return goldfold


def test_people(answered: Terminal) -> None:
    told = answered("people", "--json").json
    assert [page["person"] for page in told["people"]] == ["person1@example.com", "person2@example.com"]
    assert told["people"][0]["parts"][0]["right"]["value"] is None
    assert_whole(told, 4)
    mine = answered("people", "--me", "person1@example.com", "--json").json
    assert mine["parts"][0]["right"]["value"] is not None
    assert_whole(mine, 4)
    shown = answered("people").out
    assert "People (95 % intervals; blind answers only)" in shown
    assert "Drift and pace" in shown
    assert "withheld" in shown
    said = answered("people", "--me", "eve@example.com")
    assert (said.code, "'eve@example.com'" in said.err) == (1, True)


def test_agreement(answered: Terminal) -> None:
    told = answered("agreement", "--json").json
    assert told["cells"][0]["outcome"]["observed"]["value"] == 1.0
    assert "Agreement (95 % intervals; tasks with two answers)" in answered("agreement").out


def test_label_errors(answered: Terminal) -> None:
    told = answered("golden", "errors", "--limit", "5", "--json").json
    assert told["labels"].keys() == {HARM}
    assert [one["rank"] for one in told["suspects"]] == [1, 2, 3, 4, 5]
    shown = answered("golden", "errors", "--limit", "5").out
    assert "Labels that look wrong" in shown
    assert "vermin" not in shown


def test_figures_say_their_interval_and_points_only_where_they_may() -> None:
    assert interval(proportion(57, 60)) == "0.950 [0.863, 0.983]"
    assert interval(proportion(57, 60), points=False) == "[0.863, 0.983]"
    assert interval(proportion(5, 10)).startswith("insufficient [")


def test_warnings_and_choices_are_said() -> None:
    rare = summary([["no", "no"]] * 98 + [["yes", "no"]] * 2)
    cell = Cell(HARM, "en", "", rare, None, None)
    choice = Choice("majority", "3 held-out gold items are too few to choose by: majority", {})
    lines = list(agreement_notes(Agreements((cell,), {HARM: choice}, 0)))
    assert lines[0].startswith(f"{HARM} en: 99% of the answers are one class")
    assert lines[1].startswith(f"{HARM}: consensus by majority: 3 held-out")
