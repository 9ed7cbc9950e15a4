"""Signals, interception and changes of a KPI on the command line."""

from __future__ import annotations

import json

from tests.api.cli.conftest import Terminal
from tests.api.routes.test_qa import DAY, rows
from tests.api.routes.test_signals import appeals
from tests.api.site import HARM, stock


def test_from_a_file_of_signals_to_a_ticket(goldfold: Terminal) -> None:
    with goldfold.opened() as opened:
        stock(opened, 10)
    decided = goldfold.file("d.jsonl", "\n".join(map(json.dumps, rows(10))))
    file = goldfold.file("s.jsonl", "\n".join(map(json.dumps, appeals(4))))
    goldfold("decisions", "import", decided)
    assert "4 would be added" in goldfold("signals", "import", file, "--dry-run").out
    assert "4 added, 0 appeals settled" in goldfold("signals", "import", file).out
    assert goldfold("signals", "import", file, "--json").json["already_there"] == 4
    assert "pending" in goldfold("signals", "days", "--until", DAY, "--days", "1").out
    assert goldfold("signals", "days", "--until", DAY, "--days", "2", "--json").json[0]["signals"] == 4
    assert "speaks for nobody who kept silent" in goldfold("signals", "alarm", "--until", DAY).out
    assert goldfold("signals", "alarm", "--until", DAY, "--json").json["projects"][0]["state"] == "insufficient"
    said = goldfold("interception", "--until", DAY)
    assert (said.code, "nothing of this slice was audited" in said.out) == (0, True)
    (one,) = goldfold("interception", "--until", DAY, "--json").json["slices"]
    level = str(one["severity"])
    made = goldfold("interception", "ticket", HARM, level, "--by", "ann", "--until", DAY)
    assert "is open: From " in made.out
    assert "is told by finding" in goldfold("interception", "ticket", HARM, level, "--by", "ann", "--until", DAY).err
    assert "judged decisions in both periods" in goldfold("kpi", "change", "--until", DAY).err
    series = goldfold("kpi", "series", "--until", DAY, "--weeks", "2")
    assert (series.code, "Licence: population" in series.out) == (0, True)
    assert goldfold("kpi", "series", "--until", DAY, "--weeks", "2", "--json").json["breaks"] == []
