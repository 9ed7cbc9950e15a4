"""The root-cause desk on the command line."""

from __future__ import annotations

from tests.api.cli.conftest import Terminal


def test_from_a_finding_to_an_action(goldfold: Terminal) -> None:
    asked = [
        "causes",
        "open",
        "Quotes are removed",
        "--statement",
        "They quote.",
        "--by",
        "ann",
        "--slice",
        "project=forum",
    ]
    made = goldfold(*asked, "--json").json
    finding = made["finding_id"]
    assert made["slice"] == {"project": "forum"}
    assert finding in goldfold("causes", "list").out
    assert "known: P.gap" in goldfold("causes", "code", finding, "P.x", "--by", "ann").err
    told = goldfold("causes", "code", finding, "P.gap", "--by", "ann").out
    assert f"The first code of {finding} is written down" in told
    action = goldfold(
        "causes", "act", finding, "Add an example", "--owner", "policy", "--target", "0.9", "--due", "2026-12-01",
        "--by", "ann", "--json",
    ).json["action_id"]  # fmt: skip
    assert "is done" in goldfold("causes", "done", action, "--by", "ann", "--reason", "it is in").out
    assert "not yet. accuracy was insufficient (n 0)" in goldfold("causes", "verify", action, "--by", "ann").out
    assert "is dropped" in goldfold("causes", "drop", action, "--by", "ann").out
    assert goldfold("causes", "show", finding, "--json").json["actions"][0]["state"] == "dropped"
    assert "Where: project forum. Cause: " in goldfold("causes", "show", finding).out
    assert "insufficient (n 0)" in goldfold("causes", "agreement").out
    assert "write key=value" in goldfold(*asked[:-1], "forum").err
