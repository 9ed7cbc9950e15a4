from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from labeling.errors import StudioGone
from labeling.golden.export import export
from labeling.golden.publish import verify
from labeling.ingest import IngestReport, ingest
from labeling.records import Answer, Item, Outcome, Partition, Removal, Task, TaskState
from labeling.round_plan import check_frame
from labeling.stops import clear_studio, purge
from labeling.store.interfaces import ITEMS
from labeling.studio.wire import StudioTask
from labeling.training import evaluate_model
from tests.labeling.school import fit, republish
from tests.labeling.shop import NO, Shop, items, yes

STOP = Answer(Outcome.LEGAL_STOP)


def flag(shop: Shop) -> Task:
    """Of six items one is asked about, and one person flags it."""
    task = shop.stocked(6).send("r1", 1)[0]
    shop.answer(task, STOP)
    return task


def rows(made: Sequence[Item]) -> list[dict[str, object]]:
    return [{"external_id": item.external_id, "text": item.text, "language": "en"} for item in made]


def bring(shop: Shop, made: Sequence[Item]) -> IngestReport:
    return ingest(
        rows(made),
        shop.lake,
        shop.ledger.items,
        lock_path=shop.folder / "lock",
        max_text_chars=1000,
        policies=shop.policies,
    )


def test_the_lake_lets_go_of_every_column_of_it(shop: Shop) -> None:
    task = flag(shop)
    assert purge(shop.ledger.stops, shop.lake, shop.folder / "cache") == 1
    for group in (ITEMS, *shop.lake.groups()):
        assert task.item_id not in shop.lake.ids(group)
        assert shop.lake.count(group) == 5
    assert purge(shop.ledger.stops, shop.lake, shop.folder / "cache") == 0


def test_caches_made_of_it_go_too(shop: Shop) -> None:
    cache = shop.folder / "cache"
    cache.mkdir()
    kept = cache / "something-else"
    made = [cache / name for name in ("near-duplicates.npz", "neighbours-hash-1.npz", "label-errors.json")]
    for path in (kept, *made):
        path.write_bytes(b"x")
    purge(shop.ledger.stops, shop.lake, cache)
    assert all(path.exists() for path in made)  # nothing was stopped
    flag(shop)
    purge(shop.ledger.stops, shop.lake, cache)
    assert list(cache.iterdir()) == [kept]


def test_nothing_of_the_text_stays_on_the_disk_once_old_versions_expired(shop: Shop, tmp_path: Path) -> None:
    task = flag(shop)
    shop.lake._keep = timedelta(0)
    purge(shop.ledger.stops, shop.lake, shop.folder / "cache")
    files = [path.read_bytes() for path in (tmp_path / "lake").rglob("*") if path.is_file()]
    assert not [held for held in files if task.text.encode() in held]
    assert any(b"item number" in held for held in files)


class Killed(BaseException):
    """The process dies here."""


def test_a_process_killed_after_the_lake_let_go_goes_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    flag(shop)
    with monkeypatch.context() as patch:
        patch.setattr(type(shop.ledger.stops), "mark_purged", lambda *_: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            purge(shop.ledger.stops, shop.lake, shop.folder / "cache")
    assert shop.ledger.stops.all()[0].purged_at is None
    assert purge(shop.ledger.stops, shop.lake, shop.folder / "cache") == 1
    assert shop.ledger.stops.all()[0].purged_at is not None


def test_a_stopped_item_is_settled_by_nothing_and_picked_by_nobody(shop: Shop) -> None:
    task = flag(shop)
    shop.answer(task, STOP, NO, NO)
    assert (shop.settle().settled, shop.ledger.golden.items()) == (0, [])
    purge(shop.ledger.stops, shop.lake, shop.folder / "cache")
    check_frame(shop.ledger, shop.lake, shop.policies, shop.request("r2", 10))
    picked = {task.item_id for task in shop.send("r2", 10)}
    assert len(picked) == 5
    assert task.item_id not in picked


def test_a_round_that_was_planned_before_the_stop_goes_on_without_the_item(shop: Shop) -> None:
    task = shop.stocked(6).send("r1", 1, policies=("fraud",))[0]
    shop.open(shop.request("r2", 4, policies=("harm",)))
    shop.answer(task, STOP)
    with_lake_untouched = shop.select("r2")
    assert with_lake_untouched.round_id == "r2"
    assert task.item_id not in {pick.item_id for pick in shop.ledger.rounds.picks("r2")}


def test_a_stop_of_a_settled_item_takes_its_gold_back(shop: Shop) -> None:
    task = shop.stocked(6).send("r1", 1)[0]
    shop.answer(task, yes(), yes())
    shop.settle()
    assert [gold.text for gold in shop.ledger.golden.items()] == [task.text]
    shop.answer(task, yes(), yes(), STOP)
    assert [(gold.text, str(gold.state)) for gold in shop.ledger.golden.items()] == [("", "quarantined")]
    assert shop.ledger.tasks.get(task.task_id).state is TaskState.SETTLED


def test_neither_the_item_nor_its_content_is_ingested_again_and_the_rest_of_the_file_is(shop: Shop) -> None:
    task = flag(shop)
    (gone,) = [item for item in items(range(6)) if item.item_id == task.item_id]
    purge(shop.ledger.stops, shop.lake, shop.folder / "cache")
    copy = replace(gone, external_id="a copy")
    other = replace(gone, text="other words")
    fresh = items(range(20, 22), "something new {n}")
    assert bring(shop, [gone, *fresh]) == IngestReport(3, 2, 0, 0, 0, False, 1)
    assert bring(shop, [copy, *fresh]) == IngestReport(3, 0, 2, 0, 0, False, 1)
    assert bring(shop, [other]) == IngestReport(1, 0, 0, 0, 0, False, 1)
    assert gone.text not in shop.lake.take(shop.lake.ids(), ["text"]).column("text").to_pylist()


def test_an_item_whose_stop_was_lifted_comes_in_anew_and_may_be_picked(shop: Shop) -> None:
    made = [{"external_id": f"post-{n}", "text": f"words of {n} w{n} v{n}", "language": "en"} for n in range(6)]
    rules = {"lock_path": shop.folder / "lock", "max_text_chars": 1000, "policies": shop.policies}
    ingest(made, shop.lake, shop.ledger.items, **rules)  # type: ignore[arg-type]
    shop.score()
    task = shop.send("r1", 1)[0]
    shop.answer(task, STOP)
    purge(shop.ledger.stops, shop.lake, shop.folder / "cache")
    external_id = shop.ledger.stops.all()[0].external_id
    shop.ledger.stops.lift(external_id, "lead", "a drawing")
    again = ingest(made, shop.lake, shop.ledger.items, **rules)  # type: ignore[arg-type]
    assert (again.added, again.already_there, again.stopped) == (1, 5, 0)
    shop.score()
    assert shop.lake.take([task.item_id], ["text"])["text"].to_pylist() == [task.text]
    assert task.item_id in {each.item_id for each in shop.send("r2", 12)}


class Studio:
    """Label Studio's tasks by project, and what is deleted."""

    settle_s = 100.0

    def __init__(self, *numbered: tuple[int, int, str]) -> None:
        self.there = [
            StudioTask(number, project, {"task_id": task_id}, 2, None) for number, project, task_id in numbered
        ]
        self.deleted: list[int] = []

    def find_tasks(self, project_id: int, task_ids: Sequence[str], *, full: bool = False) -> list[StudioTask]:
        if project_id == 404:
            raise StudioGone("project 404 was deleted")
        return [t for t in self.there if t.project_id == project_id and t.task_id in task_ids]

    def delete_task(self, studio_task_id: int) -> None:
        self.deleted.append(studio_task_id)
        self.there = [task for task in self.there if task.studio_task_id != studio_task_id]


def _without(left: Sequence[Removal], done: Sequence[Removal]) -> list[Removal]:
    return [each for each in left if each not in done]


def clear(shop: Shop, studio: Studio, removals: list[Removal], monkeypatch: pytest.MonkeyPatch) -> list[Removal]:
    """What is still to be removed afterwards."""
    left = list(removals)
    monkeypatch.setattr(shop.ledger.stops, "removals", lambda: list(left))
    monkeypatch.setattr(shop.ledger.stops, "removed", lambda done: left.__setitem__(slice(None), _without(left, done)))
    clear_studio(studio, shop.ledger.stops, shop.ledger.tasks)
    return left


def test_the_task_and_its_twins_are_deleted_and_looked_for_until_nothing_can_bring_them_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = flag(shop)
    studio = Studio((5, 1, task.task_id), (6, 1, task.task_id), (7, 1, "other"), (8, 2, task.task_id))
    now = datetime.now(UTC)
    young = [Removal(task.task_id, 1, now)]
    assert clear(shop, studio, young, monkeypatch) == young
    assert studio.deleted == [5, 6]
    studio.there.append(StudioTask(9, 1, {"task_id": task.task_id}, 2, None))  # its POST was under way
    assert clear(shop, studio, [Removal(task.task_id, 1, now - timedelta(seconds=101))], monkeypatch) == []
    assert studio.deleted == [5, 6, 9]
    assert [each.studio_task_id for each in studio.there] == [7, 8]


def test_what_is_to_be_sent_anew_is_deleted_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.stocked(6).send("r1", 1)
    (task,) = shop.ledger.tasks.where()
    studio = Studio((5, 1, task.task_id))
    assert clear(shop, studio, [Removal(task.task_id, 1, datetime.now(UTC))], monkeypatch) == []
    assert studio.deleted == [5]


def test_a_project_that_is_gone_took_its_tasks_along(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    task = flag(shop)
    old = datetime.now(UTC) - timedelta(days=1)
    assert clear(shop, Studio(), [Removal(task.task_id, 404, old)], monkeypatch) == []


def test_a_version_published_before_a_stop_still_trains_judges_and_exports_without_the_item(school: Shop) -> None:
    members = school.ledger.golden.members("1.0.0")
    for partition in (Partition.TRAIN, Partition.DEV):
        row = next(row for row in members if row.partition is partition)
        (task,) = [task for task in school.ledger.tasks.where() if task.item_id == row.item_id]
        school.answer(task, STOP)
    assert purge(school.ledger.stops, school.lake, school.folder / "cache") == 2
    fit(school)
    judged = evaluate_model(school.ledger, school.lake, school.policies, "m1").as_dict()
    dev = sum(row.partition is Partition.DEV for row in members)
    assert judged["policies"]["fraud"]["n"] == dev - 1  # type: ignore[index]
    exported = export(school.ledger.golden, "1.0.0", school.folder / "out", form="jsonl")
    train = sum(row.partition is Partition.TRAIN for row in members)
    assert exported.rows == train - 1
    assert verify(school.ledger.golden, "1.0.0") == len(members)
    assert len(school.ledger.golden.members(republish(school))) == len(members) - 2
