from __future__ import annotations

import json
from dataclasses import replace

from labeling.records import Answer, Outcome
from labeling.stops import purge
from tests.api.cli.conftest import Terminal
from tests.api.site import event_of, score_all, select, stock


def test_stops_are_shown_and_lifted(goldfold: Terminal) -> None:
    assert goldfold("stops").out == "Legal stops: none\n"
    with goldfold.opened() as site:
        stock(site)
        score_all(site)
        select(site)
        task = site.ledger.tasks.where()[0]
        site.ledger.annotations.append([replace(event_of(site, (0, task), 1), answer=Answer(Outcome.LEGAL_STOP))])
        external_id = site.ledger.stops.all()[0].external_id
    said = goldfold("stops")
    assert external_id in said.out
    assert "not yet" in said.out
    assert goldfold("stops", "--lift", external_id, "--reason", "wrong").code == 1  # still being removed
    with goldfold.opened() as site:
        purge(site.ledger.stops, site.lake, site.cache_dir)
    assert "--reason" in goldfold("stops", "--help").out
    assert "reason: is empty" in goldfold("stops", "--lift", external_id).err
    row = {"external_id": external_id, "text": task.text}
    file = goldfold.file("again.jsonl", json.dumps(row))
    assert "1 rows were left out: stopped for legal reasons" in goldfold("ingest", file).out
    assert goldfold("stops", "--lift", external_id, "--reason", "a drawing").code == 0
    assert goldfold("stops", "--json").json == []
    (lifted,) = goldfold("stops", "--all", "--json").json
    assert (lifted["external_id"], lifted["lifted_by"], lifted["reason"]) == (external_id, "cli", "a drawing")
    assert "1 rows read: 1 added" in goldfold("ingest", file).out
