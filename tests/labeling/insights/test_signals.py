"""Signals through the door: whole or not at all, each bad row and field named, a pending appeal settled later."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labeling.errors import InvalidInput
from labeling.insights.signals import count_signals, import_signals
from labeling.signal_records import AppealOutcome
from tests.labeling.insights.production import DAY, NOON, decide, open_production, row
from tests.labeling.shop import Shop

WINDOW = (NOON.replace(hour=0), NOON.replace(hour=23))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = open_production(tmp_path, 10)
    decide(made, *(row(n) for n in range(4)))
    yield made
    made.ledger.close()


def appeal(number: int, **changes: object) -> dict[str, object]:
    base: dict[str, object] = {
        "signal_id": f"a{number}",
        "kind": "appeal",
        "item": f"ext-{number}",
        "policy": "fraud",
        "project": "forum",
        "at": NOON.isoformat(),
        "outcome": "pending",
        "decision": f"human/d{number}",
    }
    return base | changes


def report(number: int, **changes: object) -> dict[str, object]:
    told = appeal(number, **({"kind": "report", "signal_id": f"r{number}"} | changes))
    return {name: value for name, value in told.items() if name not in ("outcome", "decision")}


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_file_is_taken_once_and_again_adds_nothing(shop: Shop, tmp_path: Path, suffix: str) -> None:
    rows = [appeal(n) for n in range(4)]
    file = tmp_path / f"signals{suffix}"
    if suffix == ".jsonl":
        file.write_text("\n".join(json.dumps(one) for one in rows))
    elif suffix == ".csv":
        file.write_text("\n".join([",".join(rows[0]), *(",".join(map(str, one.values())) for one in rows)]))
    else:
        pq.write_table(pa.Table.from_pylist(rows), file)
    seen: list[tuple[str, int, int | None]] = []
    dry = import_signals(file, shop.ledger, shop.lake, dry_run=True)
    assert (dry.added, dry.dry_run, shop.ledger.signals.within(*WINDOW)) == (4, True, [])
    told = import_signals(file, shop.ledger, shop.lake, chunk_rows=3, progress=lambda *at: seen.append(at))
    assert (told.read, told.added, told.settled, told.already_there) == (4, 4, 0, 0)
    assert seen[-1] == ("writing", 4, 4)
    again = import_signals(file, shop.ledger, shop.lake)
    assert (again.added, again.already_there) == (0, 4)
    kept = shop.ledger.signals.within(*WINDOW)
    assert [(one.decision_source, one.decision_id) for one in kept] == [("human", f"d{n}") for n in range(4)]
    assert {one.outcome for one in kept} == {AppealOutcome.PENDING}


def test_a_pending_appeal_comes_again_with_its_outcome(shop: Shop) -> None:
    import_signals([appeal(0), appeal(1)], shop.ledger, shop.lake)
    news = [appeal(0, outcome="overturned"), appeal(1)]
    assert import_signals(news, shop.ledger, shop.lake, dry_run=True).settled == 1
    told = import_signals([*news, news[0]], shop.ledger, shop.lake)
    assert (told.added, told.settled, told.already_there, told.repeated) == (0, 1, 1, 1)
    both = import_signals([appeal(2), appeal(2, outcome="upheld")], shop.ledger, shop.lake)  # in one file
    assert (both.read, both.added, both.repeated) == (2, 1, 1)
    with pytest.raises(InvalidInput, match="row 2: signal_id: is there with other content"):
        import_signals([appeal(0), appeal(0, outcome="upheld")], shop.ledger, shop.lake)
    outcomes = {one.signal_id: str(one.outcome) for one in shop.ledger.signals.within(*WINDOW)}
    assert outcomes == {"a0": "overturned", "a1": "pending", "a2": "upheld"}


BAD: list[tuple[dict[str, object], str]] = [
    (appeal(0, item="nobody"), "item: no item has that external_id"),
    (appeal(0, policy="nothing"), "policy: is unknown (known: "),
    (appeal(0, outcome=None), "outcome: every appeal has one"),
    (report(0) | {"outcome": "upheld"}, "outcome: every appeal has one"),
    (appeal(0, decision="human/x"), "decision: no such decision"),
    (appeal(0, decision="d0"), "decision: no such decision"),
    (appeal(0, decision="human/d1"), "decision: is about another item"),
    (appeal(0, at="yesterday"), "at: "),
    (appeal(0, mood="bad"), "unknown column (known: signal_id, kind,"),
    (appeal(3, project="other"), "signal_id: is there with other content"),
    ({"kind": "report"}, "signal_id: is missing"),
]


def test_each_bad_row_is_named_and_nothing_is_written(shop: Shop) -> None:
    for bad, told in BAD:
        with pytest.raises(InvalidInput) as caught:
            import_signals([appeal(3), bad], shop.ledger, shop.lake)
        assert any(one.startswith("row 2: ") and told in one for one in caught.value.problems), told
    assert shop.ledger.signals.within(*WINDOW) == []


def test_they_are_counted_by_day(shop: Shop) -> None:
    import_signals([appeal(0), report(1), report(2)], shop.ledger, shop.lake)
    today, before = count_signals(shop.ledger.signals, DAY, 2, "UTC")
    assert (today["day"], today["signals"], before["signals"]) == (DAY.isoformat(), 3, 0)
    assert today["by"] == [
        {"project": "forum", "kind": "appeal", "outcome": "pending", "signals": 1},
        {"project": "forum", "kind": "report", "outcome": None, "signals": 2},
    ]


def test_no_signal_is_an_answer(shop: Shop) -> None:
    import_signals([appeal(n, outcome="overturned") for n in range(4)], shop.ledger, shop.lake)
    assert (shop.ledger.golden.items(), shop.ledger.golden.adjudications()) == ([], [])
