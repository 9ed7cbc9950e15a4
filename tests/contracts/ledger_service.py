"""What every ledger promises about projects, access, executors and the audit; and the whole contract."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from labeling.errors import Conflict, NotFound
from labeling.records import TaskKind, TaskState
from labeling.store.interfaces import Ledger
from tests.contracts.ledger import (
    ItemsContract,
    LedgerFixtures,
    Opener,
    RoundsContract,
    TasksContract,
    select,
    together,
)
from tests.contracts.ledger_decisions import DecisionsContract
from tests.contracts.ledger_judging import JudgingContract
from tests.contracts.ledger_labels import AnnotationsContract, GoldenContract, GoldEventsContract, ModelsContract
from tests.contracts.ledger_objections import ObjectionsContract
from tests.contracts.ledger_people import PeopleContract
from tests.contracts.ledger_policies import PoliciesContract
from tests.contracts.ledger_sessions import SessionsContract
from tests.contracts.ledger_signals import SignalsContract
from tests.contracts.ledger_stops import StopsContract
from tests.contracts.ledger_trends import TrendsContract
from tests.contracts.ledger_weekly import WeeklyContract
from tests.contracts.records import STUDIO, adjudication, at, event, golden, key, model, project, task, version

ENDS = (TaskState.SETTLED, TaskState.WITHDRAWN)


class ProjectsContract(LedgerFixtures):
    def test_one_project_per_policy_version_and_kind(self, ledger: Ledger) -> None:
        projects = ledger.projects
        projects.add(project(1))
        projects.add(project(1))
        projects.add(project(2, kind=TaskKind.ADJUDICATION))
        assert projects.find(STUDIO, "hate", "1.0.0", TaskKind.BLIND) == project(1)
        assert projects.find(STUDIO, "hate", "1.1.0", TaskKind.BLIND) is None
        assert projects.all() == [project(1), project(2, kind=TaskKind.ADJUDICATION)]
        with pytest.raises(Conflict, match="project 3"):
            projects.add(project(3))
        with pytest.raises(Conflict, match="project 1"):
            projects.add(project(1, policy_id="spam"))

    def test_watermarks_move(self, ledger: Ledger) -> None:
        ledger.projects.add(project(1))
        ledger.projects.set_watermark(STUDIO, 1, at(60))
        assert ledger.projects.all() == [project(1, watermark=at(60))]
        with pytest.raises(NotFound, match="project 9"):
            ledger.projects.set_watermark(STUDIO, 9, at(60))

    def test_forget_sends_unsettled_tasks_back(self, ledger: Ledger) -> None:
        select(ledger)
        ids = [f"task-{number:06}" for number in range(3)]
        ledger.projects.add(project(1))
        ledger.tasks.mark_sending(ids, project_id=1)
        ledger.tasks.mark_sent({ids[0]: 10, ids[1]: 11})
        ledger.tasks.set_state([ids[0]], TaskState.SETTLED)
        for _ in range(2):
            ledger.projects.forget(STUDIO, 1)
        states = [(each.state, each.project_id) for each in ledger.tasks.where()]
        assert states == [(TaskState.SETTLED, 1), (TaskState.QUEUED, None), (TaskState.QUEUED, None)]
        assert ledger.projects.all() == []

    def test_forgetting_every_screen_queues_what_is_open_and_wakes_nothing_that_has_ended(self, ledger: Ledger) -> None:
        select(ledger)
        more = [task(10 + n, state=state, project_id=2, item_id="item-000001") for n, state in enumerate(TaskState)]
        copy = task(30, kind=TaskKind.COPY, state=TaskState.QUARANTINED, project_id=2, item_id="item-000001")
        elsewhere = task(31, state=TaskState.SENT, item_id="item-000001")  # taken over from another tool
        ledger.tasks.add([*more, copy, elsewhere])
        ledger.projects.add(project(2))
        ledger.projects.add(project(2, base_url="http://other"))
        lost = {each.task_id for each in more if each.state not in (*ENDS, TaskState.QUEUED)}
        assert sum(group.tasks for group in ledger.projects.on_screens()) == len(lost)
        assert ledger.projects.forget_all() == len(lost)
        assert (ledger.projects.forget_all(), ledger.projects.all(), ledger.projects.on_screens()) == (0, [], [])
        now = ledger.tasks.find([each.task_id for each in (*more, copy, elsewhere)])
        for before in (*more, copy, elsewhere):
            after = now[before.task_id]
            kept = before.task_id not in lost
            assert after.state is (before.state if kept else TaskState.QUEUED)
            assert kept or (after.project_id, after.studio_task_id) == (None, None)

    def test_a_lease_has_one_holder(self, ledger: Ledger) -> None:
        projects = ledger.projects
        projects.add(project(1))
        assert projects.lease(STUDIO, 1, "a", 60)
        assert projects.lease(STUDIO, 1, "a", 60)
        assert not projects.lease(STUDIO, 1, "b", 60)
        projects.release(STUDIO, 1, "b")
        assert not projects.lease(STUDIO, 1, "b", 60)
        projects.release(STUDIO, 1, "a")
        assert projects.lease(STUDIO, 1, "b", 0.05)
        time.sleep(0.1)
        assert projects.lease(STUDIO, 1, "a", 60)
        with pytest.raises(NotFound):
            projects.lease(STUDIO, 9, "a", 60)

    def test_a_lease_wanted_by_many_at_once_goes_to_one(self, ledger: Ledger) -> None:
        ledger.projects.add(project(1))
        won: list[bool] = []
        together(lambda number: won.append(ledger.projects.lease(STUDIO, 1, f"holder-{number}", 60)))
        assert sorted(won) == [False, False, False, True]


class AccessContract(LedgerFixtures):
    def test_a_key_works_until_it_is_revoked(self, ledger: Ledger) -> None:
        keys = ledger.keys
        keys.add(key("a"))
        keys.add(key("b", created_at=at(1)))
        assert keys.by_hash("hash-a") == key("a")
        assert keys.by_hash("hash-nobody") is None
        before = keys.revocations
        keys.revoke("a")
        assert keys.revocations > before
        revoked = keys.all()[0].revoked_at
        keys.revoke("a")
        assert keys.by_hash("hash-a") is None
        assert isinstance(revoked, datetime)
        assert [each.revoked_at for each in keys.all()] == [revoked, None]
        with pytest.raises(NotFound):
            keys.revoke("nobody")

    def test_ids_and_secrets_are_taken_once(self, ledger: Ledger) -> None:
        ledger.keys.add(key("a"))
        with pytest.raises(Conflict):
            ledger.keys.add(key("a", key_hash="other"))
        with pytest.raises(Conflict):
            ledger.keys.add(key("b", key_hash="hash-a"))

    def test_executors_without_a_heartbeat_are_dead(self, ledger: Ledger) -> None:
        executors = ledger.executors
        executors.beat("old")
        time.sleep(0.3)
        executors.beat("new")
        assert executors.dead(0.2) == ["old"]
        executors.beat("old")
        assert executors.dead(0.2) == []
        executors.remove("old")
        executors.remove("old")
        time.sleep(0.3)
        assert executors.dead(0.2) == ["new"]

    def test_the_audit_is_newest_first(self, ledger: Ledger) -> None:
        ledger.audit.add("ann", "key.add", "key-1", {"role": "lead"})
        ledger.audit.add("bob", "model.promote", "model-1")
        newest, oldest = ledger.audit.latest()
        assert (newest["actor"], newest["action"], newest["target"], newest["detail"]) == (
            "bob",
            "model.promote",
            "model-1",
            {},
        )
        assert oldest["detail"] == {"role": "lead"}
        assert isinstance(newest["at"], datetime)
        assert newest["at"].tzinfo is not None
        assert len(ledger.audit.latest(1)) == 1

    def test_the_audit_is_paged_and_filtered(self, ledger: Ledger) -> None:
        for number in range(6):
            ledger.audit.add(
                "ann" if number % 2 else "bob", f"golden.{'fold' if number < 3 else 'stale'}", f"it-{number}"
            )
        ledger.audit.add("ann", "goldenrod", "it-6")
        first = ledger.audit.latest(3, action="golden")
        rest = ledger.audit.latest(9, before=int(str(first[-1]["seq"])), action="golden")
        assert [row["target"] for row in (*first, *rest)] == [f"it-{number}" for number in (5, 4, 3, 2, 1, 0)]
        assert [row["target"] for row in ledger.audit.latest(actor="ann", action="golden.fold")] == ["it-1"]
        assert [row["actor"] for row in ledger.audit.latest(target="it-6")] == ["ann"]
        assert ledger.audit.latest(target="nobody") == []


class LedgerContract(
    ItemsContract,
    StopsContract,
    RoundsContract,
    TasksContract,
    AnnotationsContract,
    GoldenContract,
    GoldEventsContract,
    PoliciesContract,
    ModelsContract,
    JudgingContract,
    TrendsContract,
    ProjectsContract,
    AccessContract,
    WeeklyContract,
    PeopleContract,
    ObjectionsContract,
    DecisionsContract,
    SessionsContract,
    SignalsContract,
):
    """All of it. Subclass with a fixture ``opener``."""

    def test_reopened_it_holds_the_same(self, opener: Opener) -> None:
        first = opener()
        select(first)
        first.annotations.append([event(1)])
        first.golden.fold(adjudication(1), golden(1))
        first.golden.add_version(version(), first.golden.items())
        first.models.add(model())
        first.projects.add(project())
        before = everything(first)
        first.close()
        second = opener()
        after = everything(second)
        second.close()
        assert before == after

    def test_opened_twice_both_see_all(self, opener: Opener) -> None:
        one, two = opener(), opener()
        select(one)
        assert two.tasks.counts() == {"queued": 3}
        two.annotations.append([event(1)])
        assert one.annotations.count() == 1
        one.close()
        two.close()


def everything(ledger: Ledger) -> list[object]:
    golden_set = (ledger.golden.items(), ledger.golden.adjudications(), ledger.golden.members("0.1.0"))
    rest = (
        ledger.models.all(),
        ledger.projects.all(),
        ledger.audit.latest(),
        ledger.annotations.current(["task-000001"]),
    )
    return [ledger.items.ids(), ledger.rounds.all(), ledger.rounds.picks(), ledger.tasks.where(), *golden_set, *rest]
