from __future__ import annotations

import pytest

from tests.api.cli.conftest import Terminal

ANA = "ana@example.org"


def test_somebody_is_added_listed_changed_paused_and_resumed(goldfold: Terminal) -> None:
    assert "Roster: none" in goldfold("roster", "list").out
    said = goldfold("roster", "add", "Ana@Example.org", "--name", "Ana", "--language", "PT", "--language", "en")
    assert (said.code, said.out) == (0, f"{ANA} has desk 1\n")
    bo = goldfold(
        "roster", "add", "bo@example.org", "--opt-out", "hate_speech", "--daily-exposure", "120", "--json"
    ).json
    assert (bo["desk"], bo["opt_outs"], bo["daily_exposure"], bo["severe_in_row"]) == (2, ["hate_speech"], 120.0, None)
    rows = goldfold("roster", "list", "--json").json
    assert [(row["email"], row["spent"], row["cap"], row["row_limit"]) for row in rows] == [
        (ANA, 0.0, 240.0, 5),
        ("bo@example.org", 0.0, 120.0, 5),
    ]
    assert rows[0]["languages"] == ["en", "pt"]
    changed = goldfold("roster", "change", "bo@example.org", "--opt-out", "none", "--daily-exposure", "-1",
                       "--severe-in-row", "7", "--language", "all", "--json").json  # fmt: skip
    assert (changed["opt_outs"], changed["daily_exposure"], changed["severe_in_row"]) == ([], None, 7)
    assert goldfold("roster", "pause", ANA, "--reason", "on leave").code == 0
    assert f"{ANA} is paused: on leave" in goldfold("roster", "list").out
    resumed = goldfold("roster", "resume", ANA, "--json").json
    assert (resumed["paused"], resumed["paused_reason"]) == (False, "")
    assert resumed["reviewed_at"] is not None
    assert goldfold("roster", "change", ANA, "--inactive").code == 0
    assert "left" in goldfold("roster", "list").out
    with goldfold.opened() as app:
        actions = [row["action"] for row in app.ledger.audit.latest()]
    actions = [action for action in actions if str(action).startswith("roster.")]
    assert actions == ["roster.change", "roster.resume", "roster.pause", "roster.change", "roster.add", "roster.add"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "ana"), "email: 'ana' is no e-mail address"),
        (("add", ANA, "--opt-out", "nonsense"), "opt_outs: 'nonsense' is no policy"),
        (("add", ANA, "--language", "p t"), "languages: 'p t' is no language"),
        (("add", ANA, "--daily-exposure", "-3"), "daily_exposure: a number of units"),
        (("add", ANA, "--severe-in-row", "-2"), "severe_in_row: a whole number"),
        (("add", ANA, "--name", "x" * 81), "name: at most 80"),
        (("change", "eve@example.org", "--name", "Eve"), "nobody on the roster has the address 'eve@example.org'"),
        (("change", "bo@example.org"), "nothing to change"),
        (("pause", "eve@example.org"), "nobody on the roster"),
        (("add", "bo@example.org"), "is on the roster already"),
    ],
)
def test_what_is_wrong_is_named(goldfold: Terminal, arguments: tuple[str, ...], said: str) -> None:
    goldfold("roster", "add", "bo@example.org")
    answer = goldfold("roster", *arguments)
    assert (answer.code, said in answer.err) == (1, True), answer
    assert len(goldfold("roster", "list", "--json").json) == 1


def test_injections_say_that_there_are_none(goldfold: Terminal) -> None:
    told = goldfold("injections", "--json").json
    assert (told["rate"], told["given"], told["people"], told["meter"]["gap"]["value"]) == (0.0, 0, [], None)
    said = goldfold("injections").out
    assert "Injections: none" in said
    assert "Recognisability: insufficient" in said


def test_the_anchoring_meter_says_that_there_is_too_little(goldfold: Terminal) -> None:
    told = goldfold("anchoring", "--json").json
    assert (told["given"], told["people"], told["overall"]["value"]) == (0, [], None)
    said = goldfold("anchoring").out
    assert "Anchoring: none" in said
    assert "Over all: insufficient [-1.000, +1.000], n = 0" in said
