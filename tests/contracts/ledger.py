"""What every ledger promises about items, rounds and tasks; the rest lies in ``ledger_labels`` and ``ledger_service``.

Subclass ``LedgerContract`` with a fixture ``opener``: a function that opens the same, at first empty, ledger.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from labeling.errors import Conflict, DuplicateItem, InvalidInput, NotFound, UnknownItem
from labeling.records import RegisteredItem, RoundState, TaskKind, TaskState
from labeling.store.interfaces import Ledger
from tests.contracts.records import at, item, pick, round_, task

Opener = Callable[[], Ledger]


def select(ledger: Ledger, numbers: range = range(3)) -> None:
    """Items, a round, and its picks and tasks."""
    ledger.items.register([item(number) for number in numbers], lake_version=1)
    ledger.rounds.create(round_())
    picks, tasks = [pick(number) for number in numbers], [task(number) for number in numbers]
    ledger.rounds.record_selection("round-1", picks, tasks, {"items": 9}, "scorer-1", ["one fallback"])


def together(work: Callable[[int], None], workers: int = 4) -> None:
    """Run ``work`` at once in threads; the first error of any is raised here."""
    start, errors = threading.Barrier(workers), list[BaseException]()

    def run(number: int) -> None:
        try:
            start.wait(30)
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]


class LedgerFixtures:
    @pytest.fixture
    def opener(self) -> Opener:
        raise NotImplementedError("the subclass says how to open its ledger")

    @pytest.fixture
    def ledger(self, opener: Opener) -> Iterator[Ledger]:
        opened = opener()
        yield opened
        opened.close()


class ItemsContract(LedgerFixtures):
    def test_registered_items_are_known(self, ledger: Ledger) -> None:
        assert (ledger.items.count(), ledger.items.last_lake_version()) == (0, 0)
        ledger.items.register([item(1), item(2)], lake_version=4)
        ledger.items.register([item(3)], lake_version=6)
        hash_ = item(2).content_hash
        assert ledger.items.known(["ext-2", "ext-9"]) == {"ext-2": RegisteredItem("item-000002", "ext-2", hash_, 4)}
        assert ledger.items.by_id(["item-000002", "x"]) == {
            "item-000002": RegisteredItem("item-000002", "ext-2", hash_, 4)
        }
        assert ledger.items.unknown_ids(["b", "item-000001", "a", "b"]) == ["b", "a"]
        assert ledger.items.ids() == [item(number).item_id for number in (1, 2, 3)]
        ledger.items.register([item(7, modality="image", media="a.jpg", text="")], 5)
        assert ledger.items.ids(modality="image") == [item(7).item_id]
        assert ledger.items.by_id([item(7).item_id])[item(7).item_id].modality == "image"
        assert ledger.items.ids(modality="text") == [item(number).item_id for number in (1, 2, 3)]
        assert ledger.items.ids(4, "image") == []
        assert ledger.items.ids(5, "text") == [item(number).item_id for number in (1, 2)]
        assert (ledger.items.count(), ledger.items.last_lake_version()) == (4, 6)

    def test_ids_sort_by_code_point(self, ledger: Ledger) -> None:
        names = ["a", "B", "é", "b", "Z", "_", "😀", "-a"]
        ledger.items.register([item(number, item_id=name) for number, name in enumerate(names)], lake_version=1)
        assert ledger.items.ids() == sorted(names)

    def test_items_are_found_by_the_start_of_their_external_id(self, ledger: Ledger) -> None:
        names = ["a", "ab", "ab-1", "ab-2", "ab\U0010ffff!", "ac", "\ud7ff1", "\ue000", "b"]
        ledger.items.register([item(number, external_id=name) for number, name in enumerate(names)], lake_version=1)

        def starting(prefix: str, after: str = "", limit: int = 9) -> list[str]:
            return [each.external_id for each in ledger.items.starting(prefix, after=after, limit=limit)]

        assert starting("ab") == ["ab", "ab-1", "ab-2", "ab\U0010ffff!"]
        assert starting("ab", "ab-1", 1) == ["ab-2"]
        assert starting("ab\U0010ffff") == ["ab\U0010ffff!"]
        assert starting("\ud7ff") == ["\ud7ff1"]
        assert starting("\U0010ffff") == starting("x") == starting("%") == starting("_") == []
        assert starting("") == sorted(names)

    def test_same_content_again_is_a_no_op(self, ledger: Ledger) -> None:
        ledger.items.register([item(1), item(1)], lake_version=1)
        ledger.items.register([item(1), item(2)], lake_version=2)
        assert ledger.items.by_id(["item-000001"])["item-000001"].lake_version == 1
        assert ledger.items.count() == 2

    def test_other_content_is_refused_whole(self, ledger: Ledger) -> None:
        ledger.items.register([item(1)], lake_version=1)
        with pytest.raises(DuplicateItem, match="'ext-1' is there already with other content") as caught:
            ledger.items.register([item(2), item(1, text="edited")], lake_version=2)
        assert len(caught.value.problems) == 1
        with pytest.raises(DuplicateItem, match=r"row 1: external_id 'ext-3' is there twice"):
            ledger.items.register([item(3), item(3, text="edited")], lake_version=2)
        with pytest.raises(DuplicateItem, match="belongs to another item"):
            ledger.items.register([item(1, external_id="ext-other")], lake_version=2)
        assert ledger.items.count() == 1

    def test_a_hundred_thousand_ids_may_be_asked(self, ledger: Ledger) -> None:
        ledger.items.register([item(1)], lake_version=1)
        ids = [f"item-{number:06}" for number in range(100_000)]
        assert len(ledger.items.unknown_ids(ids)) == 99_999
        assert list(ledger.items.known([f"ext-{number}" for number in range(100_000)])) == ["ext-1"]

    def test_many_may_register_the_same_items_at_once(self, ledger: Ledger) -> None:
        batch = [item(number) for number in range(300)]
        together(lambda number: ledger.items.register(batch if number % 2 else batch[::-1], lake_version=1))
        assert ledger.items.count() == 300

    def test_values_no_database_can_hold_are_refused(self, ledger: Ledger) -> None:
        with pytest.raises(InvalidInput, match="cannot hold"):
            ledger.items.register([item(1)], lake_version=2**70)
        with pytest.raises(InvalidInput, match="cannot hold"):
            ledger.items.register([item(1, external_id="lone \ud800")], lake_version=1)
        with pytest.raises(InvalidInput, match="cannot hold"):
            ledger.rounds.create(round_(plan={"share": float("nan")}))
        with pytest.raises(InvalidInput, match="no zone"):
            ledger.rounds.create(round_(created_at=at(0).replace(tzinfo=None)))
        assert ledger.items.count() == 0


class RoundsContract(LedgerFixtures):
    def test_create_returns_the_round_that_is_there(self, ledger: Ledger) -> None:
        assert ledger.rounds.create(round_()) == round_()
        assert ledger.rounds.create(round_(state=RoundState.OPEN, created_at=at(9))) == round_()
        assert ledger.rounds.get("round-1") == round_()
        with pytest.raises(Conflict, match="another plan"):
            ledger.rounds.create(round_(plan={"budget": 4}))
        with pytest.raises(Conflict, match="another plan"):
            ledger.rounds.create(round_(seed=8))
        with pytest.raises(NotFound, match="'round-9'"):
            ledger.rounds.get("round-9")

    def test_all_is_oldest_first(self, ledger: Ledger) -> None:
        ledger.rounds.create(round_("b", created_at=at(2)))
        ledger.rounds.create(round_("c", created_at=at(1)))
        assert [each.round_id for each in ledger.rounds.all()] == ["c", "b"]

    def test_a_selection_is_recorded_once_and_whole(self, ledger: Ledger) -> None:
        select(ledger)
        ledger.rounds.record_selection("round-1", [pick(0, lane="random")], [task(9)], {}, "other", ["again"])
        there = ledger.rounds.get("round-1")
        assert (there.state, there.frame, there.scorer_version) == (RoundState.SELECTED, {"items": 9}, "scorer-1")
        assert there.notes == ("one fallback",)
        assert there.updated_at > there.created_at
        assert ledger.rounds.picks("round-1") == [pick(0), pick(1), pick(2)] == ledger.rounds.picks()
        assert ledger.tasks.where() == [task(0), task(1), task(2)]
        assert ledger.rounds.picks("round-9") == []
        assert ledger.rounds.pick_page("round-1", limit=1) == [pick(0)]
        assert ledger.rounds.pick_page("round-1", limit=9, offset=1) == [pick(1), pick(2)]

    def test_a_pick_without_probability_keeps_none(self, ledger: Ledger) -> None:
        ledger.items.register([item(1)], lake_version=1)
        ledger.rounds.create(round_())
        ledger.rounds.record_selection("round-1", [pick(1, pi=None)], [], {}, "s", [])
        assert ledger.rounds.picks()[0].pi is None

    def test_an_unregistered_item_stops_the_selection(self, ledger: Ledger) -> None:
        ledger.items.register([item(1)], lake_version=1)
        ledger.rounds.create(round_())
        with pytest.raises(UnknownItem, match="item-000002"):
            ledger.rounds.record_selection("round-1", [pick(1), pick(2)], [task(1)], {}, "s", [])
        with pytest.raises(UnknownItem, match="item-000002"):
            ledger.rounds.record_selection("round-1", [pick(1)], [task(1), task(2)], {}, "s", [])
        assert (ledger.rounds.picks(), ledger.tasks.where()) == ([], [])
        assert ledger.rounds.get("round-1").state is RoundState.PLANNED

    def test_states_move_forward_only(self, ledger: Ledger) -> None:
        select(ledger)
        rounds = ledger.rounds
        with pytest.raises(Conflict, match="cannot become closed"):
            rounds.set_state("round-1", RoundState.CLOSED)
        rounds.set_state("round-1", RoundState.OPEN, note="pushed")
        rounds.set_state("round-1", RoundState.OPEN, note="pushed")
        rounds.set_state("round-1", RoundState.FAILED, note="no disk")
        rounds.set_state("round-1", RoundState.OPEN)
        rounds.set_state("round-1", RoundState.CLOSED)
        assert rounds.get("round-1").notes == ("one fallback", "pushed", "no disk")
        for state in (RoundState.OPEN, RoundState.CANCELLED, RoundState.PLANNED):
            with pytest.raises(Conflict, match="is closed"):
                rounds.set_state("round-1", state)
        with pytest.raises(NotFound):
            rounds.set_state("round-9", RoundState.OPEN)

    def test_a_failed_round_takes_its_selection_and_a_cancelled_one_does_not(self, ledger: Ledger) -> None:
        ledger.items.register([item(1)], lake_version=1)
        for name, state in (("failed", RoundState.FAILED), ("cancelled", RoundState.CANCELLED)):
            ledger.rounds.create(round_(name))
            ledger.rounds.set_state(name, state)
        ledger.rounds.record_selection("failed", [pick(1, round_id="failed")], [], {}, "s", [])
        assert ledger.rounds.get("failed").state is RoundState.SELECTED
        with pytest.raises(Conflict, match="cancelled"):
            ledger.rounds.record_selection("cancelled", [pick(1, round_id="cancelled")], [], {}, "s", [])

    def test_judged_leaves_out_withdrawn_tasks(self, ledger: Ledger) -> None:
        select(ledger)
        ledger.tasks.set_state(["task-000001"], TaskState.WITHDRAWN)
        assert ledger.rounds.judged() == {("item-000000", "hate"), ("item-000002", "hate")}


class TasksContract(LedgerFixtures):
    def test_get_find_and_where(self, ledger: Ledger) -> None:
        select(ledger)
        tasks = ledger.tasks
        assert tasks.get("task-000001") == task(1)
        assert tasks.find(["task-000002", "x"]) == {"task-000002": task(2)}
        with pytest.raises(NotFound, match="'x'"):
            tasks.get("x")
        tasks.mark_sending(["task-000002"], project_id=5)
        assert tasks.where(round_id="round-9") == []
        assert [each.task_id for each in tasks.where(limit=2)] == ["task-000000", "task-000001"]
        assert [each.task_id for each in tasks.where(project_id=5)] == ["task-000002"]
        assert [each.task_id for each in tasks.where(states=[TaskState.QUEUED])] == ["task-000000", "task-000001"]
        assert tasks.where(kind=TaskKind.ADJUDICATION) == []
        assert tasks.counts() == {"queued": 2, "sending": 1} == tasks.counts("round-1")
        assert tasks.counts("round-9") == {}

    def test_one_adjudication_task_per_parent(self, ledger: Ledger) -> None:
        select(ledger)
        child = task(50, kind=TaskKind.ADJUDICATION, item_id="item-000001", parent_task_id="task-000001", prompt="A: x")
        twin = task(51, kind=TaskKind.ADJUDICATION, item_id="item-000001", parent_task_id="task-000001")
        ledger.tasks.add([child])
        ledger.tasks.add([child, twin, task(0, text="other")])
        assert ledger.tasks.where(kind=TaskKind.ADJUDICATION) == [child]
        assert ledger.tasks.get("task-000000") == task(0)
        child_first = [task(60, item_id="item-000001", parent_task_id="task-000070"), task(70, item_id="item-000001")]
        ledger.tasks.add(child_first)
        assert ledger.tasks.get("task-000060").parent_task_id == "task-000070"

    def test_many_may_add_the_same_adjudication_at_once(self, ledger: Ledger) -> None:
        select(ledger)

        def add(number: int) -> None:
            ledger.tasks.add(
                [task(50 + number, kind=TaskKind.ADJUDICATION, parent_task_id="task-000001", item_id="item-000001")]
            )

        together(add)
        assert len(ledger.tasks.where(kind=TaskKind.ADJUDICATION)) == 1

    def test_the_way_to_label_studio_and_back(self, ledger: Ledger) -> None:
        select(ledger)
        tasks, ids = ledger.tasks, ["task-000000", "task-000001"]
        for _ in range(2):
            tasks.mark_sending(ids, project_id=5)
        for _ in range(2):
            tasks.mark_sent({"task-000000": 100, "task-000001": 101})
        sent = tasks.get("task-000001")
        assert (sent.state, sent.project_id, sent.studio_task_id) == (TaskState.SENT, 5, 101)
        tasks.requeue(["task-000001"])
        back = tasks.get("task-000001")
        assert (back.state, back.project_id, back.studio_task_id) == (TaskState.QUEUED, None, None)
        tasks.set_state(["task-000000"], TaskState.QUARANTINED, error="edited there")
        assert tasks.get("task-000000").error == "edited there"

    def test_moves_are_guarded_and_all_or_none(self, ledger: Ledger) -> None:
        select(ledger)
        tasks = ledger.tasks
        tasks.mark_sending(["task-000000", "task-000001"], project_id=5)
        with pytest.raises(Conflict, match="project 5"):
            tasks.mark_sending(["task-000000"], project_id=6)
        tasks.mark_sent({"task-000000": 100})
        with pytest.raises(Conflict, match="is task 100 in Label Studio already"):
            tasks.mark_sent({"task-000000": 101, "task-000001": 102})
        with pytest.raises(Conflict, match="'task-000002' is queued"):
            tasks.mark_sent({"task-000001": 102, "task-000002": 103})
        assert tasks.get("task-000001").state is TaskState.SENDING
        with pytest.raises(NotFound, match="'nobody'"):
            tasks.set_state(["task-000001", "nobody"], TaskState.WITHDRAWN)
        assert tasks.get("task-000001").state is TaskState.SENDING

    @pytest.mark.parametrize("final", [TaskState.SETTLED, TaskState.WITHDRAWN])
    def test_settled_and_withdrawn_are_final(self, ledger: Ledger, final: TaskState) -> None:
        select(ledger)
        ledger.tasks.set_state(["task-000000"], final)
        ledger.tasks.set_state(["task-000000"], final)
        for state in set(TaskState) - {final}:
            with pytest.raises(Conflict, match=f"is {final}"):
                ledger.tasks.set_state(["task-000000"], state)
        with pytest.raises(Conflict):
            ledger.tasks.requeue(["task-000000"])
        with pytest.raises(Conflict):
            ledger.tasks.mark_sending(["task-000000"], project_id=1)

    def test_a_task_settled_before_the_reply_learns_its_id(self, ledger: Ledger) -> None:
        select(ledger)
        ledger.tasks.mark_sending(["task-000000"], project_id=5)
        ledger.tasks.set_state(["task-000000"], TaskState.SETTLED)
        ledger.tasks.mark_sent({"task-000000": 100})
        there = ledger.tasks.get("task-000000")
        assert (there.state, there.studio_task_id) == (TaskState.SETTLED, 100)
        with pytest.raises(Conflict):
            ledger.tasks.mark_sent({"task-000000": 101})

    def test_answered_comes_and_goes_and_learns_its_id(self, ledger: Ledger) -> None:
        select(ledger)
        tasks, ids = ledger.tasks, ["task-000000", "task-000001"]
        tasks.mark_sending(ids[:1], project_id=5)
        with pytest.raises(Conflict, match="is sending"):
            tasks.set_state(ids[:1], TaskState.ANSWERED)
        tasks.mark_sent({ids[0]: 100})
        for state in (TaskState.ANSWERED, TaskState.SENT, TaskState.ANSWERED):
            tasks.set_state(ids[:1], state)
        tasks.mark_sent({ids[0]: 100})
        assert (tasks.get(ids[0]).state, tasks.get(ids[0]).studio_task_id) == (TaskState.ANSWERED, 100)
        tasks.set_state(ids[1:], TaskState.ANSWERED)  # queued again after its screen was lost, with all its answers
        assert ledger.tasks.ids(states=[TaskState.ANSWERED], project_id=5) == ids[:1]

    def test_what_is_unsent_is_told_by_group_and_taken_in_order(self, ledger: Ledger) -> None:
        select(ledger)
        tasks = ledger.tasks
        tasks.add([task(20, position=2, item_id="item-000001"), task(21, position=1, item_id="item-000001")])
        tasks.add([task(22, policy_id="spam", item_id="item-000001")])
        tasks.set_state(["task-000000"], TaskState.WITHDRAWN)
        tasks.mark_sending(["task-000001"], project_id=5)
        mine, other = tasks.unsent("round-1")
        assert ((mine.policy_id, mine.tasks), (other.policy_id, other.tasks)) == (("hate", 4), ("spam", 1))
        assert tasks.unsent() == [mine, other]
        assert tasks.unsent("nobody's") == []
        taken = [each.task_id for each in tasks.next_unsent([mine], 3)]
        assert taken == ["task-000001", "task-000002", "task-000021"]
        assert [each.task_id for each in tasks.next_unsent([mine, other], 9)][-1] == "task-000020"
        assert tasks.next_unsent([], 3) == []

    def test_nothing_to_move_is_fine(self, ledger: Ledger) -> None:
        ledger.tasks.mark_sent({})
        ledger.tasks.mark_sending([], project_id=1)
        ledger.tasks.add([])
        assert ledger.tasks.find([]) == {}
