"""A change of policy from its file to labels given again, and to what a bridge says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml

from api.jobs import steps
from api.jobs.desks import hand_out
from api.policies import LOOK_EVERY_S
from api.policy_changes import Follow, bridge, draft, plan, publish, relabel, standings
from configs.settings import Settings
from labeling.errors import Conflict, InvalidInput, NotFound, NothingToDo, PolicyError
from labeling.golden.export import export, training_rows
from labeling.golden.judges import judging_rows
from labeling.golden.publish import publish as publish_golden
from labeling.golden.publish import publishable
from labeling.golden.stale import standing
from labeling.policies import Policy
from labeling.policy_bridge import bridge_report
from labeling.policy_publish import Change
from labeling.policy_versions import ChangeKind
from labeling.records import (
    AnnotationEvent,
    Answer,
    EventKind,
    GoldenItem,
    GoldState,
    Outcome,
    Partition,
    RoundState,
    Task,
    TaskKind,
    TaskState,
)
from labeling.roster import add_person
from labeling.settle import settle_all
from tests.api.site import HARM, NOW, WordGoldfold, gild, score_all, select, settings, stock

FOLLOW = Follow(budget=100, bridge=8)
PARTITIONS = {"train": 0.4, "dev": 0.3, "sealed": 0.2, "calibration": 0.1}


def given(folder: Path, **more: Any) -> Settings:
    policies = folder / "policies"
    if not policies.exists():
        copytree(Settings().policies_dir, policies)
    return settings(folder / "data", policies_dir=policies, partitions=PARTITIONS, **more)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WordGoldfold]:
    """Thirty golden items; half of them violate."""
    goldfold = WordGoldfold(given(tmp_path))
    stock(goldfold)
    score_all(goldfold)
    select(goldfold, budget=30)
    gild(goldfold)
    goldfold.ledger.rounds.set_state("week-1", RoundState.CLOSED)
    yield goldfold
    goldfold.close()


def edited(goldfold: WordGoldfold, version: str, policy_id: str = HARM, **changes: Any) -> Policy:
    """The policy's file, changed under another version, on disk and in the process."""
    path = goldfold.settings.policies_dir / f"{policy_id}.yaml"
    told = yaml.safe_load(path.read_text()) | {"version": version} | changes
    path.write_text(yaml.safe_dump(told, sort_keys=False))
    return Policy.model_validate(told)


def change(*kinds: ChangeKind, rules: tuple[str, ...] = (), predecessors: tuple[str, ...] = ()) -> Change:
    return Change(kinds, "the law changed", "lead@example.com", rules, predecessors)


def labels(goldfold: WordGoldfold, policy_id: str = HARM) -> dict[str, GoldenItem]:
    return {item.item_id: item for item in goldfold.ledger.golden.items(policy_id=policy_id)}


def answer_all(goldfold: WordGoldfold, round_id: str, violates: bool | None = None) -> list[Task]:
    """Two new people answer every task of a round, as its text says or as asked; then all is settled."""
    tasks = goldfold.ledger.tasks.where(round_id=round_id)
    start = 1000 + len(goldfold.ledger.tasks.where()) * 10
    goldfold.ledger.tasks.mark_sending([task.task_id for task in tasks], start)
    goldfold.ledger.tasks.mark_sent({task.task_id: start + n for n, task in enumerate(tasks)})
    events = []
    for n, task in enumerate(tasks):
        yes = "vermin" in task.text if violates is None else violates
        rule = goldfold.policy(task.policy_id, task.policy_version).rule_ids[0]
        said = Answer(Outcome.VIOLATES, rule=rule, severity=2) if yes else Answer(Outcome.ALLOWED)
        for person in (3, 4):
            who = f"person{person}@example.com"
            events.append(
                AnnotationEvent(task.task_id, start + 2 * n + person, EventKind.CREATED, who, who, said, 4.0, NOW)
            )
    goldfold.ledger.annotations.append(events)
    settle_all(goldfold.ledger, goldfold.lake, goldfold.groups)
    return tasks


def test_what_a_tightening_touches_is_stale_until_it_is_labelled_again(site: WordGoldfold, tmp_path: Path) -> None:
    first = publish_golden(site.ledger.golden, site.golden_dir, NOW)
    before = labels(site)
    allowed = {item_id for item_id, item in before.items() if item.outcome is Outcome.ALLOWED}
    done = publish(site, edited(site, "1.1.0"), change(ChangeKind.TIGHTEN), FOLLOW)

    assert done.moved == {"stale": len(allowed), "retired": 0, "withdrawn": 0}
    stale = {item_id for item_id, item in labels(site).items() if item.state is GoldState.STALE}
    assert stale == allowed
    assert site.policies[HARM].version == "1.1.0"
    told = [row for row in site.ledger.audit.latest(500) if row["action"] == "golden.stale"]
    assert len(told) == len(stale)
    assert {(row["actor"], dict(row["detail"])["reason"]) for row in told} == {("lead@example.com", "the law changed")}  # type: ignore[call-overload]

    # nothing reads it, of the set as it is now or of a version frozen before
    now, golden = site.ledger.golden.items(), site.ledger.golden
    read = [
        publishable(now),
        judging_rows(golden, first.version, Partition.DEV),
        judging_rows(golden, first.version, Partition.CALIBRATION),
    ]
    read.append(training_rows(standing(golden.members(first.version), now)))
    assert all(rows for rows in read[:2])
    assert not any(row.item_id in stale for rows in read for row in rows)
    out = export(golden, first.version, tmp_path / "out", form="jsonl")
    assert out.rows == sum(i.partition is Partition.TRAIN and i.item_id not in stale for i in before.values())
    assert "rows of the version are left out" in (tmp_path / "out" / "README.md").read_text()

    assert done.relabel is not None
    picks = site.ledger.rounds.picks(done.relabel.round_id)
    assert {pick.item_id for pick in picks} == stale
    assert {(pick.lane, pick.pi) for pick in picks} == {("relabel", None)}
    tasks = answer_all(site, done.relabel.round_id, violates=True)
    assert {(task.policy_version, task.overlap) for task in tasks} == {("1.1.0", 2)}
    after = labels(site)
    for item_id in stale:
        old, new = before[item_id], after[item_id]
        assert (new.state, new.outcome, new.policy_version) == (GoldState.ACTIVE, Outcome.VIOLATES, "1.1.0")
        assert (new.partition, new.lane, new.pi) == (old.partition, old.lane, old.pi)
    assert {i: after[i] for i in after.keys() - stale} == {i: before[i] for i in before.keys() - stale}
    finals = [final for final in golden.adjudications() if final.item_id in stale]
    assert len(finals) == 2 * len(stale)  # nothing is overwritten
    assert not any(
        row.item_id in stale for row in judging_rows(golden, first.version, Partition.DEV)
    )  # its label was replaced
    assert publish_golden(golden, site.golden_dir, NOW).version == "2.0.0"


def test_the_order_is_the_chance_of_a_flip_times_severity_and_a_budget_cuts_it(site: WordGoldfold) -> None:
    done = publish(site, edited(site, "1.1.0"), change(ChangeKind.TIGHTEN), Follow(budget=4, bridge=0))
    assert done.relabel is not None
    assert done.bridge is None
    assert len(site.ledger.rounds.picks(done.relabel.round_id)) == 4
    assert "4 of" in done.relabel.notes[0]
    assert "stay stale for now" in done.relabel.notes[1]
    following = relabel(site, HARM, 100)
    picked = [{p.item_id for p in site.ledger.rounds.picks(r)} for r in (done.relabel.round_id, following.round_id)]
    stale = {item_id for item_id, item in labels(site).items() if item.state is GoldState.STALE}
    assert picked[0] | picked[1] == stale
    assert not picked[0] & picked[1]
    with pytest.raises(NothingToDo, match="no stale label"):
        relabel(site, HARM, 100)


def test_nothing_of_a_pick_tells_what_a_sealed_item_is(site: WordGoldfold) -> None:
    done = publish(site, edited(site, "1.1.0"), change(ChangeKind.TIGHTEN), FOLLOW)
    assert done.relabel is not None
    held = labels(site)
    hidden = [
        p for p in site.ledger.rounds.picks(done.relabel.round_id) if held[p.item_id].partition is not Partition.TRAIN
    ]
    assert hidden
    assert {(p.probability, p.reasons) for p in hidden} == {(0.5, (f"relabel: policy {HARM} is 1.1.0 now",))}


def test_a_bridge_compares_both_versions(site: WordGoldfold) -> None:
    done = publish(site, edited(site, "1.1.0"), change(ChangeKind.TIGHTEN), Follow(budget=0, bridge=20))
    opened = done.bridge
    assert opened is not None
    assert (
        opened.sample,
        opened.frame,
        opened.old_known + len(site.ledger.tasks.where(round_id=opened.old_round)),
    ) == (
        20,
        40,
        20,
    )
    early = bridge_report(site.ledger, HARM)
    assert (early.waiting, early.figures["flips"].value) == (20, None)
    assert early.licence.startswith("none yet")
    kept = labels(site)
    old_tasks = answer_all(site, opened.old_round)
    assert {task.policy_version for task in old_tasks} == {"1.0.0"}
    assert labels(site) == kept  # the old side labels nothing
    answer_all(site, opened.new_round, violates=True)
    report = bridge_report(site.ledger, HARM)
    assert (report.answered, report.waiting, report.lost, report.undecided) == (20, 0, 0, 0)
    flips, up, down = (report.figures[name] for name in ("flips", "to_violates", "to_allowed"))
    assert flips.value == up.value
    assert flips.value is not None
    assert flips.low <= flips.value <= flips.high
    assert 0.25 < flips.value < 0.75  # half of all items were allowed
    assert (down.value, report.figures["rule_changes"].value) == (0.0, 0.0)
    assert report.licence.startswith("population")
    assert report.as_dict()["figures"]["flips"]["policy_version"] == "1.0.0, 1.1.0"  # type: ignore[index]
    assert all(item.policy_version == "1.1.0" for i, item in labels(site).items() if i not in kept)
    with pytest.raises(NothingToDo, match="is there already"):
        bridge(site, HARM, 20)


def test_an_answer_under_an_older_version_never_replaces_one_under_a_newer(site: WordGoldfold) -> None:
    select(site, "late", budget=6)
    tasks = site.ledger.tasks.where(round_id="late")
    site.ledger.rounds.set_state("late", RoundState.OPEN)
    publish(site, edited(site, "1.1.0"), change(ChangeKind.TIGHTEN), Follow(budget=0, bridge=0))
    answer_all(site, "late", violates=False)  # it goes on under the version that it was planned with
    held = labels(site)
    assert {held[t.item_id].policy_version for t in tasks} == {"1.0.0"}
    assert {held[t.item_id].state for t in tasks} == {GoldState.STALE}  # as it comes


def test_a_clarification_touches_nothing_and_a_retirement_everything(site: WordGoldfold) -> None:
    done = publish(site, edited(site, "1.0.1"), change(ChangeKind.CLARIFY), FOLLOW)
    assert (done.moved, done.relabel) == ({"stale": 0, "retired": 0, "withdrawn": 0}, None)
    select(site, "open", budget=4)
    gone = publish(site, draft(site, HARM, [ChangeKind.RETIRE]), change(ChangeKind.RETIRE), FOLLOW)
    assert (gone.version, gone.moved["retired"]) == ("2.0.0", 30)
    assert gone.moved["withdrawn"] >= 4
    assert {item.state for item in labels(site).values()} == {GoldState.RETIRED}
    assert {t.state for t in site.ledger.tasks.where(round_id="open")} == {TaskState.WITHDRAWN}
    assert HARM not in site.policies
    with pytest.raises(InvalidInput, match="retired already"):
        draft(site, HARM, [ChangeKind.RETIRE])
    with pytest.raises(NothingToDo):
        relabel(site, HARM, 10)
    with pytest.raises(NothingToDo, match="is retired"):
        bridge(site, HARM, 10)


def test_a_merge_takes_over_what_was_decided_under_the_others(site: WordGoldfold) -> None:
    before = labels(site)
    target = edited(site, "2.0.0", "violence")
    planned = plan(site, target, change(ChangeKind.MERGE, predecessors=(HARM,)))
    assert [(v.policy_id, v.version) for v in planned.versions] == [("violence", "2.0.0"), (HARM, "2.0.0")]
    assert planned.items(GoldState.RETIRED) == 30
    done = publish(site, target, change(ChangeKind.MERGE, predecessors=(HARM,)), Follow(budget=100, bridge=0))
    assert done.relabel is not None
    answer_all(site, done.relabel.round_id)
    after = labels(site, "violence")
    assert after.keys() == before.keys()
    assert {i: item.partition for i, item in after.items()} == {i: item.partition for i, item in before.items()}
    assert HARM not in site.policies


def test_the_same_people_may_be_asked_again_under_another_version(site: WordGoldfold) -> None:
    for number in (1, 2):  # who gave every label that there is
        add_person(site.ledger.people, site.policies, "lead", f"person{number}@example.com", {})
    done = publish(site, edited(site, "1.1.0"), change(ChangeKind.TIGHTEN), Follow(budget=5, bridge=0))
    handed = hand_out(site)
    assert (handed["copies"], handed["problems"]) == (10, [])
    assert done.relabel is not None
    copies = site.ledger.tasks.where(round_id=done.relabel.round_id, kind=TaskKind.COPY)
    assert {(copy.policy_version, copy.overlap) for copy in copies} == {("1.1.0", 1)}


def test_a_draft_waits_and_an_edited_version_is_refused(site: WordGoldfold, tmp_path: Path) -> None:
    edited(site, "1.1.0", definition="another text")
    again = WordGoldfold(given(tmp_path))
    try:
        assert again.policies[HARM].version == "1.0.0"
        row = next(row for row in standings(again) if row["policy"] == HARM)
        assert (row["version"], row["file"], row["draft"]) == ("1.0.0", "1.1.0", True)
    finally:
        again.close()
    edited(site, "1.0.0", threshold=0.9, definition=site.policies[HARM].definition)
    again = WordGoldfold(given(tmp_path))
    assert again.policies[HARM].threshold == 0.9  # a setting, no part of the version
    again.close()
    edited(site, "1.0.0", definition="another text")
    with pytest.raises(PolicyError, match=r"hate_speech 1\.0\.0 is published with another text \(definition differs\)"):
        WordGoldfold(given(tmp_path))


def test_another_process_goes_over_to_what_was_published(
    site: WordGoldfold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = WordGoldfold(given(tmp_path))
    try:
        publish(site, edited(site, "1.0.1"), change(ChangeKind.CLARIFY), Follow(0, 0))
        clock = iter([1e9, 1e9, 1e9 + LOOK_EVERY_S, 1e9 + LOOK_EVERY_S])
        monkeypatch.setattr("api.policies.monotonic", lambda: next(clock, 2e9))
        assert other.policies[HARM].version == "1.0.1"
        assert steps.policy_of(other, HARM, "1.0.0").version == "1.0.0"
        with pytest.raises(NotFound, match=r"no version 7\.0\.0"):
            other.policy(HARM, "7.0.0")
    finally:
        other.close()


def test_two_who_publish_at_once(site: WordGoldfold) -> None:
    wanted = edited(site, "1.1.0")
    publish(site, wanted, change(ChangeKind.TIGHTEN), Follow(0, 0))
    with pytest.raises(InvalidInput, match=r"does not rise above 1\.1\.0"):
        plan(site, wanted, change(ChangeKind.TIGHTEN))
    version = site.ledger.policies.all()[-1]
    with pytest.raises(Conflict, match="somebody published meanwhile"):
        site.ledger.policies.publish([version])
