"""What every ledger promises about legal stops."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labeling.errors import Conflict, InvalidInput, NotFound, UnknownItem
from labeling.records import (
    Answer,
    EventKind,
    GoldState,
    LegalStop,
    Outcome,
    RegisteredItem,
    Removal,
    TaskKind,
    TaskState,
)
from labeling.store.interfaces import Ledger
from tests.contracts.ledger import LedgerFixtures, select
from tests.contracts.records import NO, YES, adjudication, event, golden, item, round_, task, version

STOP = Answer(Outcome.LEGAL_STOP, rationale="a secret word")
FLAG = event(1, answer=STOP)
LEAD = "lead-key"


def flagged(ledger: Ledger) -> LegalStop:
    """Item 1 of three, sent and flagged."""
    select(ledger)
    ledger.tasks.mark_sending(["task-000001"], 7)
    ledger.tasks.mark_sent({"task-000001": 70})
    ledger.annotations.append([FLAG])
    (stop,) = ledger.stops.all()
    return stop


class StopsContract(LedgerFixtures):
    def test_one_flag_withdraws_the_task_and_leaves_a_stub(self, ledger: Ledger) -> None:
        stop = flagged(ledger)
        expected = ("item-000001", "ext-1", item(1).content_hash, "hate", "1.0.0", "round-1", "task-000001")
        assert expected == (
            stop.item_id,
            stop.external_id,
            stop.content_hash,
            stop.policy_id,
            stop.policy_version,
            stop.round_id,
            stop.task_id,
        )
        assert (stop.who, stop.purged_at, stop.lifted_at) == (FLAG.updated_by, None, None)
        left = ledger.tasks.get("task-000001")
        assert (left.state, left.text, left.prompt) == (TaskState.WITHDRAWN, "", "")
        assert ledger.tasks.get("task-000002").state is TaskState.QUEUED
        assert ledger.tasks.get("task-000002").text == "text of 2"
        latest = ledger.audit.latest(1)[0]
        assert (latest["actor"], latest["action"], latest["target"]) == (
            FLAG.updated_by,
            "item.legal_stop",
            "item-000001",
        )

    def test_the_item_is_no_item_any_more(self, ledger: Ledger) -> None:
        flagged(ledger)
        items = ledger.items
        assert items.ids() == ["item-000000", "item-000002"]
        assert items.known(["ext-1", "ext-2"]).keys() == {"ext-2"}
        assert items.by_id(["item-000001", "item-000002"]).keys() == {"item-000002"}
        assert items.unknown_ids(["item-000001", "item-000002"]) == ["item-000001"]
        assert items.count() == 2
        assert ("item-000001", "hate") not in ledger.rounds.judged()
        ledger.rounds.create(round_("round-2"))
        with pytest.raises(UnknownItem, match="item-000001"):
            ledger.tasks.add([task(9, round_id="round-2", item_id="item-000001")])

    def test_neither_its_id_nor_its_content_comes_in_again(self, ledger: Ledger) -> None:
        flagged(ledger)
        twin = replace(item(1), item_id="item-000005", external_id="ext-5")
        for refused in (item(1), item(1, "another text"), twin):
            with pytest.raises(Conflict, match="stopped for legal reasons"):
                ledger.items.register([refused], lake_version=2)
        named, hashes = ledger.items.stopped(["ext-1", "ext-2"], [item(1).content_hash, item(2).content_hash])
        assert (named, hashes) == ({"ext-1"}, {item(1).content_hash})
        assert ledger.items.stopped([], []) == (set(), set())

    def test_the_same_content_under_other_ids_is_stopped_too(self, ledger: Ledger) -> None:
        twin = replace(item(1), item_id="item-000005", external_id="ext-5")
        ledger.items.register([twin], lake_version=1)
        flagged_ids = []
        select(ledger)
        ledger.annotations.append([FLAG])
        flagged_ids = [stop.external_id for stop in ledger.stops.all()]
        assert sorted(flagged_ids) == ["ext-1", "ext-5"]
        assert ledger.items.ids() == ["item-000000", "item-000002"]

    def test_every_task_of_the_item_ends_whatever_its_state(self, ledger: Ledger) -> None:
        select(ledger)
        more = [
            task(10, item_id="item-000001", policy_id="other"),
            task(11, item_id="item-000001", policy_id="third"),
            task(12, item_id="item-000001", kind=TaskKind.ADJUDICATION, parent_task_id="task-000001", prompt="A: x"),
        ]
        ledger.tasks.add(more)
        ledger.tasks.mark_sending(["task-000010", "task-000011"], 7)
        ledger.tasks.mark_sent({"task-000010": 80})
        ledger.tasks.set_state(["task-000010"], TaskState.QUARANTINED, "edited")
        ledger.annotations.append([FLAG])
        ended = ledger.tasks.find(["task-000001", "task-000010", "task-000011", "task-000012"]).values()
        assert {(each.state, each.text, each.prompt) for each in ended} == {(TaskState.WITHDRAWN, "", "")}
        assert [(r.task_id, r.project_id) for r in ledger.stops.removals()] == [("task-000010", 7), ("task-000011", 7)]
        ledger.tasks.mark_sent({"task-000011": 81})  # its POST was under way
        assert ledger.tasks.get("task-000011").state is TaskState.WITHDRAWN

    def test_gold_is_quarantined_and_every_copy_of_the_content_emptied(self, ledger: Ledger) -> None:
        select(ledger)
        ledger.annotations.append([event(5, answer=YES)])
        ledger.golden.fold(adjudication(answer=YES), golden())
        ledger.golden.add_version(version(), [golden()])
        ledger.annotations.append([FLAG])
        (gold,) = ledger.golden.items()
        assert (gold.state, gold.text) == (GoldState.QUARANTINED, "")
        (member,) = ledger.golden.members("0.1.0")
        assert (member.state, member.text, member.content_hash) == (GoldState.ACTIVE, "", "0" * 64)
        (final,) = ledger.golden.adjudications()
        assert (final.answer, final.votes) == (replace(YES, rationale=""), {"violates/slur": 2})
        told = ledger.annotations.events("task-000001")
        assert [e.answer.rationale for e in told if e.answer] == ["", ""]
        assert ledger.tasks.get("task-000001").state is TaskState.SETTLED

    def test_the_same_flag_again_changes_nothing(self, ledger: Ledger) -> None:
        stop = flagged(ledger)
        audits = len(ledger.audit.latest())
        assert ledger.annotations.append([FLAG]) == 0
        assert (ledger.stops.all(), len(ledger.audit.latest())) == ([stop], audits)

    def test_a_second_persons_flag_has_a_stub_of_its_own(self, ledger: Ledger) -> None:
        flagged(ledger)
        ledger.annotations.append([event(2, answer=STOP)])
        assert [stop.who for stop in ledger.stops.all()] == ["person-1@example.org", "person-2@example.org"]

    @pytest.mark.parametrize("kind", [EventKind.CREATED, EventKind.UPDATED])
    def test_other_answers_stop_nothing(self, ledger: Ledger, kind: EventKind) -> None:
        select(ledger)
        ledger.annotations.append([event(1, kind, answer=NO), event(2, EventKind.SKIPPED), event(3, EventKind.DELETED)])
        assert ledger.stops.all() == []
        assert ledger.tasks.get("task-000001").state is TaskState.QUEUED

    def test_the_lake_is_told_until_it_has_let_go(self, ledger: Ledger) -> None:
        flagged(ledger)
        assert ledger.stops.unpurged() == ["item-000001"]
        ledger.stops.mark_purged(["item-000001"])
        first = ledger.stops.all()[0].purged_at
        ledger.stops.mark_purged(["item-000001"])
        assert ledger.stops.unpurged() == []
        assert first is not None
        assert ledger.stops.all()[0].purged_at == first

    def test_a_lifted_stop_lets_the_item_in_anew_and_stays_on_record(self, ledger: Ledger) -> None:
        flagged(ledger)
        with pytest.raises(Conflict, match="still being removed"):
            ledger.stops.lift("ext-1", LEAD, "a drawing")
        ledger.stops.mark_purged(["item-000001"])
        with pytest.raises(InvalidInput, match=r"^reason: "):
            ledger.stops.lift("ext-1", LEAD, "  ")
        (lifted,) = ledger.stops.lift("ext-1", LEAD, " a drawing ")
        assert (lifted.lifted_by, lifted.reason, lifted.lifted_at is None) == (LEAD, "a drawing", False)
        assert ledger.stops.all() == [lifted]
        assert ledger.stops.all(lifted=False) == []
        assert ledger.items.stopped(["ext-1"], [item(1).content_hash]) == (set(), set())
        assert ledger.items.ids() == ["item-000000", "item-000002"]  # until it is brought in
        ledger.items.register([item(1), item(2)], lake_version=4)
        expected = RegisteredItem("item-000001", "ext-1", item(1).content_hash, 4)
        assert ledger.items.known(["ext-1"]) == {"ext-1": expected}
        assert ledger.items.known(["ext-2"])["ext-2"].lake_version == 1
        latest = ledger.audit.latest(1)[0]
        assert (latest["actor"], latest["action"], latest["detail"]) == (
            LEAD,
            "item.lift_stop",
            {"reason": "a drawing"},
        )

    def test_a_lifted_flag_stops_nothing_when_it_is_seen_again(self, ledger: Ledger) -> None:
        flagged(ledger)
        ledger.stops.mark_purged(["item-000001"])
        ledger.stops.lift("ext-1", LEAD, "a drawing")
        ledger.items.register([item(1)], lake_version=4)
        ledger.annotations.append([event(1, EventKind.UPDATED, seconds=9, answer=STOP)])
        assert ledger.items.ids() == ["item-000000", "item-000001", "item-000002"]
        ledger.annotations.append([event(2, answer=STOP)])
        assert ledger.items.ids() == ["item-000000", "item-000002"]

    def test_lifting_what_is_not_stopped_is_told(self, ledger: Ledger) -> None:
        with pytest.raises(NotFound, match="'ext-9'"):
            ledger.stops.lift("ext-9", LEAD, "why not")

    def test_others_lose_it_as_a_precedent(self, ledger: Ledger) -> None:
        select(ledger, range(4))
        shown = "Precedent 1 [item-000001]: allowed"
        ledger.tasks.add(
            [
                task(20, item_id="item-000002", policy_id="p", precedents=shown),
                task(21, item_id="item-000003", policy_id="p", precedents="Precedent 1 [item-000000]: allowed"),
            ]
        )
        ledger.tasks.mark_sending(["task-000020", "task-000021"], 7)
        ledger.tasks.mark_sent({"task-000020": 90, "task-000021": 91})
        ledger.annotations.append([FLAG])
        told, other = ledger.tasks.get("task-000020"), ledger.tasks.get("task-000021")
        assert (told.state, told.precedents, told.project_id) == (TaskState.QUEUED, "", None)
        assert (other.state, other.precedents) == (TaskState.SENT, "Precedent 1 [item-000000]: allowed")
        assert [r.task_id for r in ledger.stops.removals()] == ["task-000020"]

    def test_removals_wait_until_they_are_done(self, ledger: Ledger) -> None:
        flagged(ledger)
        (removal,) = ledger.stops.removals()
        assert (removal.task_id, removal.project_id) == ("task-000001", 7)
        ledger.stops.removed([Removal(removal.task_id, 8, removal.asked_at)])
        assert ledger.stops.removals() == [removal]
        ledger.stops.removed([removal])
        assert ledger.stops.removals() == []
