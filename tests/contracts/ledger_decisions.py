"""What every ledger promises about production's decisions and the samples of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from labeling.decision_records import Decided, Decision, QaDay, Sampled, Source
from labeling.errors import Conflict, UnknownItem
from labeling.quality.daily_qa import DIMENSIONS
from labeling.store.interfaces import Ledger
from tests.contracts.ledger import LedgerFixtures, select, together
from tests.contracts.records import at, item


def decision(number: int, **changes: Any) -> Decision:
    base = Decision(
        source=Source.HUMAN,
        decision_id=f"d{number}",
        item_id=item(number % 3).item_id,
        policy_id="hate",
        policy_version="1.0.0",
        who=f"Mod-{number % 2}",
        outcome=Decided.VIOLATES,
        rule="slur",
        action="remove",
        decided_at=at(number),
        project="forum",
        team="",
        language="pt",
        market="PT",
        shift="night",
        tool="queue-1",
        lot=((number * 7) % 10) / 10,
    )
    return replace(base, **changes)


def sampled(number: int, **changes: Any) -> Sampled:
    one = decision(number)
    base = Sampled(
        "2026-01-02",
        one.source,
        one.decision_id,
        *one.pair,
        "1.0.0",
        0,
        0.5,
        "round-1",
        "qa",
        0.9,
        ("ann@example.org",),
    )
    return replace(base, **changes)


DAY = QaDay("2026-01-02", "UTC", 4, 7, {"units": 10, "strata": [{"key": {"project": "forum"}}]}, at(99))


class DecisionsContract(LedgerFixtures):
    def test_the_values_of_circumstances_are_told_sorted_and_cut(self, ledger: Ledger) -> None:
        select(ledger)
        ledger.decisions.add([decision(n, project=f"p{n % 3}", who="" if n == 0 else "ann") for n in range(4)])
        told = ledger.decisions.values(2)
        assert told["project"] == ["p0", "p1"]
        assert (told["policy"], told["who"], told["team"]) == (["hate"], ["ann"], [])

    def test_decisions_are_appended_once_whatever_races(self, ledger: Ledger) -> None:
        select(ledger)
        rows = [decision(number) for number in range(10)]

        def add(number: int) -> None:
            ledger.decisions.add(rows[number % 2 * 3 :])

        together(add)
        ledger.decisions.add(rows)
        assert ledger.decisions.page() == rows
        assert ledger.decisions.add([*rows, decision(1, source=Source.AGENT)]) == 1
        assert ledger.decisions.find([("human", "d3"), ("model", "d3")]) == {("human", "d3"): rows[3]}
        with pytest.raises(Conflict, match="decision_id: 'd2' is there already with other content"):
            ledger.decisions.add([decision(11), decision(2, action="warn")])
        with pytest.raises(UnknownItem):
            ledger.decisions.add([decision(11, item_id="nobody")])
        assert ledger.decisions.find([("human", "d11")]) == {}

    def test_pages_follow_each_other(self, ledger: Ledger) -> None:
        select(ledger)
        rows = [decision(number, decided_at=at(number // 4)) for number in range(10)]
        ledger.decisions.add(rows)
        last, seen = None, list[Decision]()
        while page := ledger.decisions.page(after=last, limit=3):
            seen += page
            last = (page[-1].decided_at, *page[-1].key)
        assert seen == sorted(rows, key=lambda one: (one.decided_at, one.key))
        assert ledger.decisions.count(at(0), at(1)) == {("forum", "human"): 4}

    def test_places_of_a_stratum_are_found_in_order(self, ledger: Ledger) -> None:
        select(ledger)
        rows = [decision(number, language="pt" if number < 6 else "en") for number in range(10)]
        ledger.decisions.add([*rows, decision(20, policy_id="spam"), decision(21, decided_at=at(500))])
        window = (at(0), at(400))
        cells = ledger.decisions.cells(*window, ["hate"])
        assert sum(cells.values()) == 10
        assert cells["forum", "hate", "pt", "violates", "Mod-0"] == 3
        level = DIMENSIONS[:3]
        wanted: dict[tuple[str, ...], set[int]] = {("forum", "hate", "pt"): {0, 5}, ("forum", "hate", "en"): {2}}
        found = ledger.decisions.drawn(*window, ["hate"], level, wanted)
        listed = {key: [r for r in rows if r.cell[:3] == key] for key in wanted}
        for key, mine in listed.items():
            mine.sort(key=lambda one: (*one.cell[3:], one.lot))
            assert [one for one in found if one.cell[:3] == key] == [mine[place] for place in sorted(wanted[key])]
        ledger.erasures.begin(item(0).item_id, "ann", "asked for")
        assert sum(ledger.decisions.cells(*window, ["hate"]).values()) == 6
        assert ledger.decisions.deciders([item(1).item_id])[item(1).item_id, "hate"] == {"Mod-0", "Mod-1"}

    def test_a_day_is_sampled_once(self, ledger: Ledger) -> None:
        select(ledger)
        ledger.decisions.add([decision(number) for number in range(4)])
        sample = [sampled(0), sampled(1, round_id="", lane="", note="why", barred=())]
        assert ledger.decisions.add_day(DAY, sample) is True
        assert ledger.decisions.add_day(replace(DAY, budget=9), [sampled(2)]) is False
        assert (ledger.decisions.days(), ledger.decisions.sample(["2026-01-02", "x"])) == ([DAY], sample)
        assert ledger.decisions.barred("round-1") == {sample[0].pair: frozenset({"ann@example.org"})}

    def test_a_person_may_be_forgotten(self, ledger: Ledger) -> None:
        select(ledger)
        ledger.decisions.add([decision(0), decision(2, source=Source.MODEL)])
        assert ledger.decisions.rename("Mod-0", "", "lea") == 1
        assert ledger.decisions.add([decision(0)]) == 0
        assert [one.who for one in ledger.decisions.page()] == ["", "Mod-0"]
