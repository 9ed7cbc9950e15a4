"""Coverage on the command line."""

from __future__ import annotations

from tests.api.cli.conftest import Terminal
from tests.api.site import score_all, stock


def test_from_what_gold_lacks_to_a_round(goldfold: Terminal) -> None:
    assert "run the score job first" in goldfold("coverage", "show").err
    with goldfold.opened() as opened:
        stock(opened, 60)
        score_all(opened)
    told = goldfold("coverage", "show", "--policy", "hate_speech", "--words", "--json").json
    assert (told["items"], told["near"]["value"], told["gold"]["items"]) == (60, 0.0, 0)
    cluster = told["clusters"][0]["cluster"]
    shown = goldfold("coverage", "show")
    assert cluster in shown.out
    assert "Licence: population: all 60 texts" in shown.out
    asked = ("coverage", "open", cluster, "--policy", "hate_speech", "--budget", "4", "--by", "ann")
    assert "would be open: 4 picks" in goldfold(*asked, "--dry-run").out
    assert f"Round coverage-{cluster} is open: 4 picks" in goldfold(*asked).out
    assert "was open already" in goldfold(*asked).out
    assert goldfold("rounds", "--json").json[0]["round"]["plan"]["cluster"] == cluster
    assert "cluster 'nothing' is none" in goldfold("coverage", "open", "nothing", "--by", "ann").err
