"""What every ledger promises about annotations, the golden set and models."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from uuid import uuid4

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labeling.errors import Conflict, InvalidInput, NotFound, NothingToDo
from labeling.golden.chain import first_break
from labeling.golden.columns import COMPARED, EXPORTED, page_of_items
from labeling.golden_records import GoldMove
from labeling.model_records import ModelState, owed_rescore
from labeling.records import (
    Annotation,
    AnnotationEvent,
    Answer,
    EventKind,
    GoldAction,
    GoldState,
    Outcome,
    Partition,
    TaskKind,
    TaskState,
)
from labeling.store.interfaces import Ledger
from tests.contracts.ledger import LedgerFixtures, select, together
from tests.contracts.records import (
    NO,
    YES,
    adjudication,
    annotation,
    at,
    event,
    golden,
    item,
    model,
    round_,
    task,
    version,
)

EVENTS = st.lists(
    st.builds(
        event,
        number=st.integers(1, 3),
        kind=st.sampled_from(EventKind),
        seconds=st.integers(0, 3),
        annotator=st.sampled_from(["a@example.org", "b@example.org"]),
    ),
    max_size=8,
    unique_by=lambda each: (each.studio_annotation_id, each.kind, each.studio_updated_at),
)


class AnnotationsContract(LedgerFixtures):
    def test_an_event_is_appended_once(self, ledger: Ledger) -> None:
        select(ledger)
        first, second = event(1), event(1, EventKind.UPDATED, seconds=5, answer=NO)
        assert ledger.annotations.append([first, first]) == 1
        assert ledger.annotations.append([first, second]) == 1
        assert ledger.annotations.append([]) == 0
        assert ledger.annotations.events("task-000001") == [first, second]
        assert ledger.annotations.events("task-000002") == []
        assert ledger.annotations.count() == 2

    def test_an_answer_that_is_none_stands_out_until_its_author_gives_another(self, ledger: Ledger) -> None:
        select(ledger)
        wrong = event(1, EventKind.INVALID, answer=None, detail="rule: 'x' is not a choice", annotator="a@example.org")
        other = event(2, annotator="b@example.org")
        ledger.annotations.append([wrong, other])
        assert ledger.annotations.invalid(["task-000001", "task-000002"]) == [wrong]
        assert ledger.annotations.invalid(["task-000002"]) == []
        corrected = event(1, EventKind.UPDATED, seconds=5, annotator="a@example.org")
        ledger.annotations.append([corrected])
        assert ledger.annotations.invalid(["task-000001"]) == []
        again = event(1, EventKind.INVALID, seconds=9, answer=None, annotator="a@example.org")
        ledger.annotations.append([again])
        assert ledger.annotations.invalid(["task-000001"]) == [again]
        ledger.annotations.append([event(3, seconds=11, annotator="a@example.org")])
        assert ledger.annotations.invalid(["task-000001"]) == []

    def test_seen_again_with_other_words_changes_nothing(self, ledger: Ledger) -> None:
        select(ledger)
        ledger.annotations.append([event(1)])
        assert ledger.annotations.append([event(1, detail="seen by the sweep", lead_time_s=9.0)]) == 0
        assert ledger.annotations.events("task-000001") == [event(1)]

    def test_an_unknown_task_stops_the_batch(self, ledger: Ledger) -> None:
        select(ledger)
        with pytest.raises(NotFound, match="'task-nobody'"):
            ledger.annotations.append([event(1), event(2, task_id="task-nobody")])
        assert ledger.annotations.count() == 0

    def test_current_is_the_newest_live_answer_of_each_person(self, ledger: Ledger) -> None:
        select(ledger)
        ann = "ann@example.org"
        edited = event(2, EventKind.UPDATED, seconds=7, answer=NO)
        second = event(4, seconds=3, annotator=ann)
        ledger.annotations.append(
            [
                event(2),
                edited,
                event(3),
                event(3, EventKind.DELETED, seconds=2),
                event(1, annotator=ann),
                second,
                event(5, EventKind.SKIPPED, annotator=ann, seconds=8),
                event(6, EventKind.INVALID),
            ]
        )
        found = ledger.annotations.current(["task-000001", "task-000002"])
        assert found == {"task-000001": [annotation(edited), annotation(second)], "task-000002": []}

    def test_the_history_of_many_is_that_of_each(self, ledger: Ledger) -> None:
        select(ledger)
        ledger.annotations.append([event(7, seconds=2)])
        ledger.annotations.append([event(8, seconds=1), event(8, task_id="task-000002")])
        ids = ["task-000000", "task-000001", "task-000002"]
        assert ledger.annotations.history(ids) == {task_id: ledger.annotations.events(task_id) for task_id in ids}

    # One ledger for all examples, each with names of its own; one contract for several classes.
    @settings(
        max_examples=15,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(events=EVENTS, data=st.data())
    def test_neither_order_nor_repetition_changes_what_is_current(
        self, ledger: Ledger, events: list[AnnotationEvent], data: st.DataObject
    ) -> None:
        name = uuid4().hex
        ledger.items.register([item(1)], lake_version=1)
        ledger.rounds.create(round_(name))
        ledger.tasks.add([task(1, task_id=f"{name}-{side}", round_id=name) for side in "ab"])
        shuffled = data.draw(st.permutations([*events, *events]))
        for side, order in (("a", events), ("b", shuffled)):
            mine = [event_of(each, f"{name}-{side}") for each in order]
            assert ledger.annotations.append(mine) == len(events)
            assert ledger.annotations.append(mine) == 0
        found = ledger.annotations.current([f"{name}-a", f"{name}-b"])
        assert [strip(each) for each in found[f"{name}-a"]] == [strip(each) for each in found[f"{name}-b"]]

    def test_a_label_seen_twice_at_once_counts_once(self, ledger: Ledger) -> None:
        select(ledger)
        new: list[int] = []
        together(lambda _: new.append(ledger.annotations.append([event(number) for number in range(20)])))
        assert sum(new) == 20 == ledger.annotations.count()


class GoldenContract(LedgerFixtures):
    def test_a_fold_writes_everything_at_once(self, ledger: Ledger) -> None:
        select(ledger)
        child = task(50, kind=TaskKind.ADJUDICATION, item_id="item-000001", parent_task_id="task-000001")
        ledger.tasks.add([child])
        assert ledger.golden.fold(adjudication(1), golden(1)) is True
        assert ledger.golden.fold(adjudication(1), golden(1)) is False
        assert ledger.golden.adjudications() == [adjudication(1)] == ledger.golden.adjudications("task-000001")
        assert ledger.golden.adjudications("task-000002") == []
        assert ledger.golden.adjudications(item_id="item-000001") == [adjudication(1)]
        assert ledger.golden.adjudications(item_id="item-000002") == []
        assert ledger.golden.items() == [golden(1)]
        here = [golden(1).partition]
        assert ledger.golden.placed(here, "", 5, policy_id="hate", state=None) == (["item-000001"], 1, 0)
        assert ledger.golden.placed(here, "item-000001", 5, policy_id="hate") == ([], 1, 0)
        assert ledger.golden.placed([], "", 5, policy_id="hate") == ([], 0, 1)
        assert ledger.golden.placed(here, "", 5, state="stale") == ([], 0, 0)
        assert ledger.tasks.counts() == {"queued": 2, "settled": 2}
        folds = [entry for entry in ledger.audit.latest() if entry["action"] == "golden.fold"]
        assert [(entry["actor"], entry["target"]) for entry in folds] == [("unanimous", "item-000001/hate")]

    def test_items_of_gold_are_told_a_page_at_a_time_by_where_they_lie(self, ledger: Ledger) -> None:
        names = {1: "B", 2: "a", 3: "\u00e9", 4: "sealed-one"}  # in the order of code points, no language's own
        ledger.items.register([item(n, item_id=name) for n, name in names.items()], lake_version=1)
        ledger.rounds.create(round_())
        of = {n: (name, "hate") for n, name in names.items()} | {5: ("a", "spam")}
        tasks = [task(n, item_id=name, policy_id=policy) for n, (name, policy) in of.items()]
        ledger.rounds.record_selection("round-1", [], tasks, {}, "scorer-1", [])
        for n, (name, policy) in of.items():
            place = Partition.SEALED if n == 4 else Partition.TRAIN
            row = golden(n, item_id=name, policy_id=policy, partition=place)
            ledger.golden.fold(adjudication(n, item_id=name, policy_id=policy), row)
        open_ = [Partition.TRAIN, Partition.DEV]
        assert ledger.golden.placed(open_, "", 2) == (["B", "a"], 3, 1)
        assert ledger.golden.placed(open_, "a", 2) == (["\u00e9"], 3, 1)
        assert ledger.golden.placed(open_, "", 9, policy_id="spam", modality="text") == (["a"], 1, 0)
        assert ledger.golden.placed(open_, "", 9, partition="sealed") == ([], 0, 1)
        assert ledger.golden.placed(open_, "", 9, modality="image") == ([], 0, 0)

    def test_a_leads_decision_settles_the_blind_task_too(self, ledger: Ledger) -> None:
        select(ledger)
        ledger.tasks.add([task(50, kind=TaskKind.ADJUDICATION, item_id="item-000001", parent_task_id="task-000001")])
        decided = adjudication(1, task_id="task-000050", adjudicator="lead@example.org")
        ledger.golden.fold(decided, golden(1))
        assert ledger.tasks.get("task-000001").state is TaskState.SETTLED
        assert ledger.audit.latest(1)[0]["actor"] == "lead@example.org"

    def test_a_new_answer_keeps_the_old_one(self, ledger: Ledger) -> None:
        select(ledger)
        ledger.golden.fold(adjudication(1), golden(1))
        again = adjudication(1, adjudication_id="adjudication-1b", answer=NO, created_at=at(9))
        changed = golden(1, adjudication_id="adjudication-1b", rule=None, severity=None, folded_at=at(9))
        assert ledger.golden.fold(again, changed) is True
        assert ledger.golden.items() == [changed]
        assert [each.answer for each in ledger.golden.adjudications("task-000001")] == [YES, NO]

    def test_a_fold_that_does_not_fit_is_refused_whole(self, ledger: Ledger) -> None:
        select(ledger)
        with pytest.raises(InvalidInput, match="item_id"):
            ledger.golden.fold(adjudication(1), golden(1, item_id="item-000002"))
        with pytest.raises(NotFound, match="task-000099"):
            ledger.golden.fold(adjudication(1, task_id="task-000099"), golden(1))
        ledger.tasks.set_state(["task-000001"], TaskState.WITHDRAWN)
        with pytest.raises(Conflict, match="is withdrawn"):
            ledger.golden.fold(adjudication(1), golden(1))
        assert (ledger.golden.items(), ledger.golden.adjudications(), ledger.audit.latest()) == ([], [], [])

    def test_an_erased_item_takes_no_label(self, ledger: Ledger) -> None:
        select(ledger)
        ledger.golden.fold(adjudication(1), golden(1, state=GoldState.ERASED, text=""))
        with pytest.raises(Conflict, match="is erased"):
            ledger.golden.fold(adjudication(1, adjudication_id="b"), golden(1, adjudication_id="b"))
        assert [each.text for each in ledger.golden.items()] == [""]

    def test_items_by_partition_and_policy(self, ledger: Ledger) -> None:
        select(ledger)
        ledger.golden.fold(adjudication(2), golden(2, partition=Partition.DEV))
        ledger.golden.fold(adjudication(1), golden(1))
        assert ledger.golden.items() == [golden(1), golden(2, partition=Partition.DEV)]
        assert [each.item_id for each in ledger.golden.items(partition="dev")] == ["item-000002"]
        assert [each.item_id for each in ledger.golden.items(partition=Partition.TRAIN)] == ["item-000001"]
        assert ledger.golden.items(policy_id="spam") == []

    def test_a_version_is_frozen(self, ledger: Ledger) -> None:
        select(ledger)
        ledger.golden.fold(adjudication(1), golden(1))
        ledger.golden.add_version(version(), ledger.golden.items())
        again = adjudication(1, adjudication_id="later", answer=NO)
        ledger.golden.fold(again, golden(1, adjudication_id="later", rule=None, severity=None))
        ledger.golden.add_version(version("0.2.0", parent="0.1.0", created_at=at(5)), ledger.golden.items())
        assert ledger.golden.members("0.1.0") == [golden(1)]
        assert ledger.golden.members("0.2.0")[0].rule is None
        assert [each.version for each in ledger.golden.versions()] == ["0.1.0", "0.2.0"]
        first = ledger.golden.events()[0]
        assert ledger.golden.version("0.1.0") == version(events=1, events_sha256=first.sha256)
        assert [name for name, _ in ledger.golden.memberships("item-000001")] == ["0.1.0", "0.2.0"]

    def test_a_version_is_published_once(self, ledger: Ledger) -> None:
        ledger.golden.add_version(version(), [golden(2), golden(1)])
        with pytest.raises(Conflict, match=r"'0.1.0' is published already"):
            ledger.golden.add_version(version(), [])
        assert [each.item_id for each in ledger.golden.members("0.1.0")] == ["item-000001", "item-000002"]
        with pytest.raises(NotFound, match=r"9.9.9"):
            ledger.golden.add_version(version("0.3.0", parent="9.9.9"), [])
        for ask in (ledger.golden.version, ledger.golden.members):
            with pytest.raises(NotFound, match=r"9.9.9"):
                ask("9.9.9")

    def test_what_differs_between_two_versions_comes_in_order(self, ledger: Ledger) -> None:
        kept, flipped, gone, new = golden(1), golden(2), golden(3), golden(4)
        turned = replace(flipped, outcome=Outcome.ALLOWED, rule=None, severity=None)
        ledger.golden.add_version(version(), [kept, flipped, gone])
        ledger.golden.add_version(version("0.2.0", parent="0.1.0"), [kept, turned, new])
        assert list(ledger.golden.differing("0.1.0", "0.2.0")) == [(flipped, turned), (gone, None), (None, new)]
        assert list(ledger.golden.differing("0.2.0", "0.1.0")) == [(turned, flipped), (None, gone), (new, None)]
        assert list(ledger.golden.differing("0.1.0", "0.1.0")) == []
        for pair in (("0.1.0", "9.9.9"), ("9.9.9", "0.1.0")):
            with pytest.raises(NotFound, match=r"9.9.9"):
                list(ledger.golden.differing(*pair))

    def test_what_drifted_from_a_version_is_what_it_does_not_hold_just_so(self, ledger: Ledger) -> None:
        select(ledger)
        for number in (0, 1, 2):
            ledger.golden.fold(adjudication(number), golden(number))
        ledger.golden.add_version(version(), [golden(1), golden(2)])
        assert list(ledger.golden.drifted("0.1.0")) == [golden(0)]
        ledger.golden.regroup(["group-1"], "group-9", Partition.DEV)
        ledger.golden.change([move(2, GoldAction.RETIRED)])
        assert list(ledger.golden.drifted("0.1.0")) == ledger.golden.items()
        with pytest.raises(NotFound, match=r"9.9.9"):
            list(ledger.golden.drifted("9.9.9"))

    def test_members_stream_page_by_page(self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("labeling.store.gold_rows.IN_CHUNK", 2)
        rows = [golden(n, partition=Partition.DEV if n % 2 else Partition.TRAIN) for n in range(1, 8)]
        ledger.golden.add_version(version(), reversed(rows))
        assert list(ledger.golden.stream("0.1.0")) == ledger.golden.members("0.1.0") == rows
        assert list(ledger.golden.stream("0.1.0", Partition.DEV)) == rows[::2]
        pages = list(ledger.golden.columns("0.1.0", Partition.DEV, EXPORTED))
        assert [len(page) for page in pages] == [2, 2]
        assert pa.Table.from_batches(pages).to_pylist() == page_of_items(rows[::2]).to_pylist()
        assert list(ledger.golden.columns("0.1.0", Partition.SEALED, COMPARED)) == []
        with pytest.raises(NotFound, match=r"9.9.9"):
            list(ledger.golden.stream("9.9.9"))
        with pytest.raises(NotFound, match=r"9.9.9"):
            list(ledger.golden.columns("9.9.9", Partition.DEV, COMPARED))


class GoldEventsContract(LedgerFixtures):
    def test_a_walk_meets_each_item_with_its_newest_event(self, ledger: Ledger) -> None:
        select(ledger)
        for number in (2, 1):
            ledger.golden.fold(adjudication(number), golden(number))
        ledger.golden.change([move(1, GoldAction.RETIRED)])
        ledger.golden.add_version(version(), [golden(2)])
        with ledger.golden.walk() as walked:
            events, met = list(walked.events), list(walked.items)
        assert (events, walked.head) == ledger.golden.chain()[:2]
        assert [item for _, item, _ in met] == ledger.golden.items()
        assert [(pair[0], newest.number, newest.has_row) for pair, _, newest in met if newest is not None] == [
            ("item-000001", 3, True),
            ("item-000002", 1, True),
        ]
        assert walked.erased == frozenset()

    def test_everything_that_happens_is_one_chain(self, ledger: Ledger) -> None:
        select(ledger)
        ledger.golden.fold(adjudication(1), golden(1))
        ledger.golden.fold(adjudication(2), golden(2))
        ledger.golden.regroup(["group-1"], "group-2", Partition.DEV)
        ledger.golden.change([move(1, GoldAction.RETIRED)])
        again = adjudication(1, adjudication_id="adjudication-1b", answer=NO)
        ledger.golden.fold(again, golden(1, adjudication_id="adjudication-1b", outcome=Outcome.ALLOWED))
        events, head, rows = ledger.golden.chain()
        assert [(e.number, e.item_id[-1], e.action.value) for e in events] == [
            (1, "1", "folded"),
            (2, "2", "folded"),
            (3, "1", "regrouped"),
            (4, "2", "regrouped"),
            (5, "1", "retired"),
            (6, "1", "relabelled"),
        ]
        assert first_break(events, head) == ""
        assert rows == ledger.golden.items()
        assert (rows[0].state, rows[0].outcome) == (GoldState.RETIRED, Outcome.ALLOWED)
        assert ledger.golden.events("item-000002") == [events[1], events[3]]
        assert [row.item_id for row in ledger.golden.rows_of("ext-2")] == ["item-000002"]
        assert ledger.golden.rows_of("item-000002") == ledger.golden.rows_of("ext-2")
        assert ledger.golden.rows_of("nobody") == []

    def test_moves_are_made_all_or_none(self, ledger: Ledger) -> None:
        select(ledger)
        ledger.golden.fold(adjudication(1), golden(1))
        for second, error in (
            (move(2, GoldAction.RETIRED), NotFound),
            (move(1, GoldAction.STALED), Conflict),
            (move(1, GoldAction.RESTORED, reason=" "), InvalidInput),
            (move(1, GoldAction.ERASED), InvalidInput),
        ):
            with pytest.raises(error):
                ledger.golden.change([move(1, GoldAction.RETIRED), second])
        assert ledger.golden.items() == [golden(1)]
        assert len(ledger.golden.events()) == 1

    def test_many_may_append_at_once(self, ledger: Ledger) -> None:
        select(ledger)

        def work(number: int) -> None:
            if number < 3:
                ledger.golden.fold(adjudication(number), golden(number))
            else:
                flag = Answer(Outcome.LEGAL_STOP)
                ledger.annotations.append([event(9, task_id="task-000000", answer=flag)])
            with suppress(Conflict, NotFound):
                ledger.golden.change([move(number % 3, GoldAction.RETIRED), move(number % 3, GoldAction.RESTORED)])

        with suppress(Conflict):  # the item that is stopped may be folded before, or may not
            together(work)
        events, head, _ = ledger.golden.chain()
        assert first_break(events, head) == ""
        assert len(events) >= 2

    def test_the_tasks_of_an_item(self, ledger: Ledger) -> None:
        select(ledger)
        ledger.tasks.add([task(50, kind=TaskKind.ADJUDICATION, item_id="item-000001", parent_task_id="task-000001")])
        assert [each.task_id for each in ledger.tasks.of_item("item-000001")] == ["task-000001", "task-000050"]
        assert ledger.tasks.of_item("nobody") == []
        assert ledger.tasks.asked(["item-000001", "nobody"]) == {"item-000001"}


def move(number: int, action: GoldAction, reason: str = "why") -> GoldMove:
    return GoldMove(f"item-{number:06}", "hate", f"adjudication-{number}", action, "lead", reason)


class ModelsContract(LedgerFixtures):
    def test_one_champion_at_a_time(self, ledger: Ledger) -> None:
        models = ledger.models
        assert models.champion() is None
        models.add(model("a"))
        models.add(model("b", created_at=at(1), artefact="ab" * 32, family="head on x"))
        models.promote("a", "lea", over=None)
        models.promote("b", "lea", over="a", gate_id="g-1")
        models.promote("b", "lea", over=None)  # it is champion already
        champion = models.champion()
        assert champion is not None
        assert (champion.model_id, champion.promoted_at is not None) == ("b", True)
        assert (champion.artefact, champion.family) == ("ab" * 32, "head on x")
        assert [(each.model_id, each.state.value) for each in models.all()] == [("a", "archived"), ("b", "champion")]
        with pytest.raises(Conflict):
            models.add(model("c", state=ModelState.CHAMPION))

    def test_each_modality_has_a_champion_of_its_own(self, ledger: Ledger) -> None:
        models = ledger.models
        for name, modality in (("a", "text"), ("b", "image"), ("c", "image")):
            models.add(model(name, created_at=at(0), modality=modality))
        models.promote("a", "lea", over=None)
        models.promote("b", "lea", over=None)
        models.promote("c", "lea", over="b")
        kinds = {kind: models.champion(kind) for kind in ("text", "image", "video")}
        assert {kind: found and found.model_id for kind, found in kinds.items()} == {
            "text": "a",
            "image": "c",
            "video": None,
        }
        assert models.rollback("lea", "it misses half", "image").model_id == "b"
        with pytest.raises(NothingToDo, match="'a' is the first champion"):
            models.rollback("lea")
        with pytest.raises(NothingToDo, match="no model is the champion of videos"):
            models.rollback("lea", modality="video")

    def test_every_move_is_an_event_and_in_the_audit(self, ledger: Ledger) -> None:
        models = ledger.models
        models.add(model("a"))
        models.add(model("b"))
        models.promote("a", "lea", over=None, reason="the first")
        assert models.move("b", ModelState.CHALLENGER, "eve").state is ModelState.CHALLENGER
        models.move("b", ModelState.CHALLENGER, "eve")
        models.promote("b", "lea", over="a", gate_id="g-1")
        told = [(e.model_id, e.kind, e.before.value, e.after.value, e.replaced) for e in models.history()]
        assert told == [
            ("a", "move", "candidate", "challenger", ""),
            ("a", "promote", "challenger", "champion", ""),
            ("b", "move", "candidate", "challenger", ""),
            ("a", "move", "champion", "archived", ""),
            ("b", "promote", "challenger", "champion", "a"),
        ]
        last = models.history("b")[-1]
        assert (last.gate_id, last.actor, last.reason) == ("g-1", "lea", "")
        assert models.history("a")[1].reason == "the first"
        audited = [(entry["action"], entry["target"]) for entry in reversed(ledger.audit.latest())]
        assert audited == [(f"model.{kind}", name) for name, kind, *_ in told]

    def test_moves_that_make_no_sense_are_refused_with_the_cure(self, ledger: Ledger) -> None:
        models = ledger.models
        for name in ("a", "b", "c"):
            models.add(model(name))
        models.promote("a", "lea", over=None)
        models.move("c", ModelState.ARCHIVED, "lea", "it was a try")
        for name, state, cure in (
            ("a", ModelState.ARCHIVED, "goldfold rollback"),
            ("a", ModelState.CANDIDATE, "goldfold rollback"),
            ("b", ModelState.CHAMPION, "goldfold gate"),
            ("c", ModelState.CHALLENGER, "train it under a new id"),
        ):
            with pytest.raises(Conflict, match=cure):
                models.move(name, state, "lea")
        with pytest.raises(Conflict, match="'c' is archived"):
            models.promote("c", "lea", over="a")
        with pytest.raises(Conflict, match="the champion is a and not none any more"):
            models.promote("b", "lea", over=None)
        assert [each.state.value for each in models.all()] == ["champion", "candidate", "archived"]

    def test_a_rollback_brings_back_the_one_before_step_by_step(self, ledger: Ledger) -> None:
        models = ledger.models
        with pytest.raises(NothingToDo, match="no model is the champion"):
            models.rollback("lea")
        for number, name in enumerate("abc"):
            models.add(model(name))
            models.promote(name, "lea", over="abc"[number - 1] if number else None)
        assert models.rollback("lea", "it missed threats").model_id == "b"
        assert models.rollback("lea").model_id == "a"
        with pytest.raises(NothingToDo, match="'a' is the first champion"):
            models.rollback("lea")
        assert [each.state.value for each in models.all()] == ["champion", "archived", "archived"]
        back = [e for e in models.history() if e.kind == "rollback"]
        assert [(e.model_id, e.replaced, e.reason) for e in back] == [("b", "c", "it missed threats"), ("a", "b", "")]

    def test_who_is_crowned_owes_a_rescore_until_it_is_begun(self, ledger: Ledger) -> None:
        models = ledger.models
        for name in "abc":
            models.add(model(name, metrics={"n": 1}))
        assert owed_rescore(models.promote("a", "lea", over=None, rescore="job-1")) == "job-1"
        models.rescore_begun("a", "job-0")  # of an earlier crowning
        assert owed_rescore(models.get("a")) == "job-1"
        models.rescore_begun("a", "job-1")
        models.rescore_begun("a", "job-1")
        assert models.get("a").metrics == {"n": 1}
        assert owed_rescore(models.promote("a", "lea", over=None, rescore="job-2")) == "job-2"  # once more, by hand
        assert owed_rescore(models.promote("b", "lea", over="a")) == ""
        assert owed_rescore(models.rollback("lea", rescore="job-3")) == "job-3"
        models.promote("c", "lea", over="a")
        assert owed_rescore(models.rollback("lea")) == ""  # and not what it owed when it had to go

    def test_promoted_at_once_there_is_still_one(self, ledger: Ledger) -> None:
        for number in range(4):
            ledger.models.add(model(f"m{number}"))

        def promote(number: int) -> None:
            with suppress(Conflict):  # the champion changed under all but one
                ledger.models.promote(f"m{number}", "lea", over=None)

        together(promote)
        assert [each.state for each in ledger.models.all()].count(ModelState.CHAMPION) == 1

    def test_the_same_id_means_the_same_weights(self, ledger: Ledger) -> None:
        ledger.models.add(model("a"))
        ledger.models.add(model("a", metrics={"x": 1}))
        assert ledger.models.get("a") == model("a")
        with pytest.raises(Conflict, match="other weights"):
            ledger.models.add(model("a", version="sha-other"))

    def test_metrics_are_kept(self, ledger: Ledger) -> None:
        ledger.models.add(model("a", created_at=None))
        ledger.models.set_metrics("a", {"auprc": {"hate": 0.5}, "n": 3})
        there = ledger.models.get("a")
        assert (there.metrics, there.created_at is not None) == ({"auprc": {"hate": 0.5}, "n": 3}, True)

    def test_a_metric_replaces_that_metric_and_leaves_the_others(self, ledger: Ledger) -> None:
        ledger.models.add(model("a", metrics={"n": 1, "auprc": {"hate": 0.5, "harm": 0.4}}))
        ledger.models.set_metrics("a", {"auprc": {"hate": 0.6}, "more": None})
        assert ledger.models.get("a").metrics == {"n": 1, "auprc": {"hate": 0.6}, "more": None}

    def test_metrics_kept_at_once_are_all_kept(self, ledger: Ledger) -> None:
        ledger.models.add(model("a"))
        together(lambda number: ledger.models.set_metrics("a", {f"key{number}": number}))
        assert ledger.models.get("a").metrics == {f"key{number}": number for number in range(4)}

    def test_an_unknown_model_is_named(self, ledger: Ledger) -> None:
        models = ledger.models
        with pytest.raises(NotFound, match="'nobody'"):
            models.get("nobody")
        with pytest.raises(NotFound):
            models.promote("nobody", "lea", over=None)
        with pytest.raises(NotFound):
            models.set_metrics("nobody", {})
        with pytest.raises(NotFound):
            models.move("nobody", ModelState.ARCHIVED, "lea")


def event_of(source: AnnotationEvent, task_id: str) -> AnnotationEvent:
    return replace(source, task_id=task_id)


def strip(source: Annotation) -> Annotation:
    return replace(source, task_id="")
