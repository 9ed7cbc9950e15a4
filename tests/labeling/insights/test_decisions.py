"""Decisions through the door: whole or not at all, each bad row and field named, the same again adds nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labeling.errors import Conflict, InvalidInput
from labeling.insights.decisions import import_decisions
from tests.labeling.insights.production import DAY, NOON, decide, open_production, row
from tests.labeling.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = open_production(tmp_path, 10)
    yield made
    made.ledger.close()


def refused(shop: Shop, *rows: dict[str, object]) -> str:
    with pytest.raises(InvalidInput) as caught:
        import_decisions(list(rows), shop.ledger, shop.lake)
    assert shop.ledger.decisions.page() == []
    return "; ".join(caught.value.problems)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_file_is_streamed_once_and_again_adds_nothing(shop: Shop, tmp_path: Path, suffix: str) -> None:
    rows = [row(n, language="pt") for n in range(10)]
    file = tmp_path / f"decisions{suffix}"
    if suffix == ".jsonl":
        file.write_text("\n".join(json.dumps(one) for one in rows))
    elif suffix == ".csv":
        lines = [",".join(str(value or "") for value in one.values()) for one in rows]
        file.write_text("\n".join([",".join(rows[0]), *lines]))
    else:
        pq.write_table(pa.Table.from_pylist(rows), file)
    seen: list[tuple[str, int, int | None]] = []
    dry = import_decisions(file, shop.ledger, shop.lake, dry_run=True)
    assert (dry.read, dry.added, shop.ledger.decisions.page()) == (10, 10, [])
    shop.ledger.decisions.add([])  # nothing is no error
    told = import_decisions(file, shop.ledger, shop.lake, chunk_rows=4, progress=lambda *at: seen.append(at))
    assert (told.read, told.added, told.already_there) == (10, 10, 0)
    assert seen[-1] == ("writing", 10, 10)
    again = import_decisions(file, shop.ledger, shop.lake)
    assert (again.added, again.already_there) == (0, 10)
    kept = shop.ledger.decisions.page()
    assert [one.decision_id for one in kept] == [f"d{n}" for n in range(10)]
    assert {(one.policy_version, one.language) for one in kept} == {("1.0.0", "pt")}
    assert 0 <= min(one.lot for one in kept) < max(one.lot for one in kept) < 1


def test_an_import_that_was_killed_goes_on(shop: Shop) -> None:
    decide(shop, *(row(n) for n in range(4)))
    told = import_decisions([row(n) for n in range(10)], shop.ledger, shop.lake)
    assert (told.added, told.already_there) == (6, 4)


def test_a_batch_with_bad_rows_is_refused_whole_and_each_is_named(shop: Shop) -> None:
    told = refused(
        shop,
        row(0),
        row(1, item="nobody"),
        row(2, policy="frud"),
        row(3, rule="general"),
        row(4, rule="no_rule"),
        row(5, policy_version="9.0.0"),
        row(6, decided_at="2026-02-28T12:00:00"),
        row(7, source="robot"),
        row(8, text="secret content"),
        {key: value for key, value in row(9).items() if key != "project"},
    )
    for part in (
        "row 2: item: no item has that external_id; ingest it first",
        "row 3: policy: is unknown (known: fraud, harm)",
        "row 4: rule: only a violation has a rule",
        "row 5: rule: fraud 1.0.0 has no such rule (known: general, other_rule)",
        "row 6: policy_version: fraud has no such version (known: 1.0.0)",
        "row 7: decided_at: Input should have timezone info; write ISO 8601 with a zone",
        "row 8: source: Input should be 'human', 'model' or 'agent'",
        "unknown column (known: decision_id, ",
        "row 10: project: is missing; every row needs it",
    ):
        assert part in told
    assert "secret content" not in told
    assert "row 1:" not in told


def test_the_same_id_with_other_content_is_refused(shop: Shop) -> None:
    assert "row 2: decision_id: is there with other content" in refused(shop, row(0), row(0, action="warn"))
    decide(shop, row(0), row(0))
    with pytest.raises(InvalidInput, match="row 1: decision_id: is there with other content; use another id"):
        decide(shop, row(0, outcome="ok", rule=None))
    decide(shop, row(0, source="model", who="m1"))  # another source's id is another decision
    assert len(shop.ledger.decisions.page()) == 2


def test_decisions_are_paged_by_time_and_counted(shop: Shop) -> None:
    decide(shop, *(row(n, project="forum" if n < 6 else "chat") for n in range(10)))
    store = shop.ledger.decisions
    first = store.page(limit=4)
    last = first[-1]
    rest = store.page(after=(last.decided_at, last.source.value, last.decision_id))
    assert [one.decision_id for one in (*first, *rest)] == [f"d{n}" for n in range(10)]
    assert {one.project for one in store.page(project="chat")} == {"chat"}
    assert len(store.page(since=NOON.replace(second=2), until=NOON.replace(second=5))) == 3
    assert store.count(NOON, NOON.replace(hour=13)) == {("chat", "human"): 4, ("forum", "human"): 6}
    assert NOON.date() == DAY


def test_a_person_is_renamed_or_forgotten(shop: Shop) -> None:
    decide(shop, row(0), row(1, who="mod-2"), row(2, source="model", who="mod-1"))
    store = shop.ledger.decisions
    assert store.rename("mod-1", "mod-9", "ann") == 1
    assert store.rename("mod-9", "", "ann") == 1
    assert sorted(one.who for one in store.page()) == ["", "mod-1", "mod-2"]
    assert import_decisions([row(0)], shop.ledger, shop.lake).already_there == 1  # and stays forgotten
    assert "mod-1" not in json.dumps(shop.ledger.audit.latest(), default=str)


def test_an_erased_item_leaves_of_its_decision_that_there_was_one(shop: Shop) -> None:
    decide(shop, row(0), row(1))
    shop.ledger.erasures.begin("it-00000", "ann", "asked by its author")
    gone, kept = shop.ledger.decisions.page()
    assert (gone.outcome, gone.rule, gone.action, gone.language) == (None, None, "", "und")
    assert (gone.who, gone.project, gone.erased_at is not None) == ("mod-1", "forum", True)
    assert kept.outcome is not None
    with pytest.raises(InvalidInput, match="item: no item has that external_id"):
        decide(shop, row(0))


def test_what_races_past_the_check_is_a_conflict(shop: Shop) -> None:
    decide(shop, row(0))
    (there,) = shop.ledger.decisions.page()
    other = type(there)(**{name: getattr(there, name) for name in there.__slots__} | {"action": "warn"})
    with pytest.raises(Conflict, match="decision_id: 'd0' is there already with other content"):
        shop.ledger.decisions.add([other])
