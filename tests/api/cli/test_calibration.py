from __future__ import annotations

import pytest

from tests.api.cli.conftest import Terminal
from tests.api.site import HARM, WordGoldfold, gild, score_all, select, settings, stock


@pytest.fixture
def champion(goldfold: Terminal) -> Terminal:
    """An installation whose model ``hate-1`` is promoted, with labels to calibrate it on."""
    site = WordGoldfold(settings(goldfold.folder, partitions={"train": 0.5, "calibration": 0.5}))
    stock(site, 120)
    score_all(site)
    select(site, budget=100)
    gild(site)
    site.close()
    assert goldfold("golden", "publish").code == 0
    assert goldfold("train", "head", "--id", "hate-1", "--json").code == 0
    assert goldfold("promote", "hate-1").code == 0
    return goldfold


def test_a_model_is_calibrated_and_its_drift_told(champion: Terminal) -> None:
    tried = champion("calibrate", "hate-1", "--method", "platt", "--dry-run")
    assert tried.code == 0, tried.err
    assert "was tried and is not in force" in tried.out
    assert "insufficient (0 violating and 0 allowed labels" in tried.out
    assert "Licence: sample" in tried.out
    made = champion("calibrate", "hate-1", "--golden-version", "1.0.0", "--method", "platt", "--json").json
    assert (made["applied"], made["policies"][HARM]["method"]) == (True, "platt")
    assert "is in force" in champion("calibrate", "hate-1", "--method", "platt").out
    with champion.opened() as site:
        stock(site, 240)
        score_all(site)
        assert site.scorer().name.endswith("calibrated")
    told = champion("drift", "--json").json
    assert (told["model_id"], told["current_items"], told["verdict"]) == ("hate-1", 120, "none")
    assert "Verdict: none" in champion("drift", "--model", "hate-1").out
    assert "Verdict: insufficient" in champion("drift", "--since", "2030-01-01").out
    (listed,) = champion("models", "--json").json
    assert ("reference" in listed["metrics"], "calibration" in listed["metrics"]) == (False, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["calibrate", "nobody"], "nobody"),
        (["drift"], "no model is the champion yet"),
        (["drift", "--model", "nobody"], "nobody"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_what_cannot_be_done_is_said(goldfold: Terminal, arguments: list[str], says: str) -> None:
    said = goldfold(*arguments)
    assert (said.code, says in said.err, said.out) == (1, True, ""), said.err


def test_a_date_that_is_none_is_wrong_usage(goldfold: Terminal) -> None:
    assert goldfold("drift", "--since", "soon").code == 2
