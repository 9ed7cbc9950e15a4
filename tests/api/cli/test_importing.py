from __future__ import annotations

import json

from tests.api.cli.conftest import Terminal

MEANS = ("--policy", "violence", "--label", "spam=violates", "--label", "ham=allowed")


def export(choices: dict[str, str]) -> str:
    def annotation(who: str, choice: str) -> dict[str, object]:
        value = {"choices": [choice]}
        return {
            "id": f"{who}-1",
            "completed_by": f"{who}@example.org",
            "updated_at": "2026-01-02T03:04:05Z",
            "result": [{"from_name": "verdict", "to_name": "text", "type": "choices", "value": value}],
        }

    data = {"text": "words of it", "key": "k-1"}
    return json.dumps([{"data": data, "annotations": [annotation(who, what) for who, what in choices.items()]}])


def test_an_export_comes_in_once(goldfold: Terminal) -> None:
    file = goldfold.file("old.json", export({"ann": "spam", "bob": "spam"}))
    arguments = ("import", file, *MEANS, "--key-field", "key", "--blind", "--id", "old")
    assert "1 items (1 new) with 2 answers; nothing was written" in goldfold(*arguments, "--dry-run").out
    with goldfold.opened() as site:
        assert (site.ledger.items.count(), site.ledger.rounds.all()) == (0, [])
    said = goldfold(*arguments)
    assert (said.code, "Round old: 1 items (1 new), 2 answers, 2 of them new" in said.out) == (0, True)
    again = goldfold(*arguments, "--json").json
    assert (again["items"]["added"], again["answers"]["events"], again["answers"]["assisted"]) == (0, 0, 0)


def test_without_a_word_on_blindness_nothing_certifies_gold(goldfold: Terminal) -> None:
    file = goldfold.file("old.json", export({"ann": "ham"}))
    assert "1 answers are kept and certify no gold" in goldfold("import", file, *MEANS).out


def test_what_is_wrong_is_said(goldfold: Terminal) -> None:
    file = goldfold.file("old.json", export({"ann": "eggs"}))
    for arguments, says in [
        ((file, *MEANS), "row 1: label 'eggs' has no meaning yet"),
        ((file, "--policy", "gone", "--label", "a=allowed"), "policy: 'gone' is unknown"),
        ((*MEANS,), "give a file or --project"),
        ((file, *MEANS, "--project", "3"), "give a file or --project"),
    ]:
        said = goldfold("import", *arguments)
        assert (said.code, says in said.err) == (1, True), said.err
    assert goldfold("import", file, *MEANS, "--field", "language").code == 2
