"""A policy changes while a real Label Studio holds its work: both versions' forms stand side by side, each answer is
read by its own, and the new labels take the place of the stale ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from api.jobs import steps
from api.policy_changes import Follow, publish
from labeling.policies import Policy
from labeling.policy_bridge import bridge_report
from labeling.policy_publish import Change
from labeling.policy_versions import ChangeKind
from labeling.records import Answer, GoldState, Outcome, TaskKind, TaskState
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.label_config import build_result
from tests.api.site import HARM, WordGoldfold, gild, score_all, select, stock
from tests.api.test_policy_changes import given

pytestmark = [pytest.mark.studio, pytest.mark.slow]


def send(goldfold: WordGoldfold) -> None:
    for group in steps.unpushed(goldfold):
        assert not group["problem"]
        key = (group["round_id"], group["policy_id"], group["kind"], group["assignee"])
        steps.project(goldfold, *key)
        while steps.push(goldfold, *key, holder="test")["left"]:
            continue


def sync(goldfold: WordGoldfold) -> dict[str, Any]:
    for project in steps.projects(goldfold):
        assert not steps.pull(goldfold, project["project_id"], full=True)["problem"]
    settled = steps.settle(goldfold)
    steps.close(goldfold)
    return settled


def test_both_forms_stand_side_by_side(
    tmp_path: Path, studio_server: EmbeddedStudio, annotators: dict[str, str]
) -> None:
    studio = {"studio_url": studio_server.base_url, "studio_token": studio_server.account.token}
    goldfold = WordGoldfold(given(tmp_path, **studio, studio_owner="policies", studio_settle_s=0))
    stock(goldfold)
    score_all(goldfold)
    select(goldfold, budget=12)
    gild(goldfold)
    before = {item.item_id: item for item in goldfold.ledger.golden.items()}
    path = goldfold.settings.policies_dir / f"{HARM}.yaml"
    told = yaml.safe_load(path.read_text())
    told |= {"version": "1.1.0", "rules": [*told["rules"], {"id": "coded", "title": "Coded", "definition": "in code"}]}
    change = Change((ChangeKind.NEW,), "coded words", "lead@example.com")
    done = publish(goldfold, Policy.model_validate(told), change, Follow(budget=50, bridge=6))
    assert done.relabel is not None
    assert done.bridge is not None
    send(goldfold)

    projects = {p.policy_version: p for p in goldfold.ledger.projects.all() if p.kind is TaskKind.BLIND}
    forms = {version: goldfold.studio.project(p.project_id).label_config for version, p in projects.items()}
    assert ["coded" in forms[version] for version in ("1.0.0", "1.1.0")] == [False, True]

    sent = goldfold.ledger.tasks.where(states=[TaskState.SENT], kind=TaskKind.BLIND)
    assert {task.policy_version for task in sent} == {"1.0.0", "1.1.0"}
    for token in list(annotators.values())[:2]:
        with httpx.Client(base_url=studio_server.base_url, headers={"Authorization": f"Token {token}"}) as http:
            for task in sent:
                shown = http.get(f"/api/tasks/{task.studio_task_id}/").json()
                assert set(shown["data"]) == {"task_id", "text"}  # blind, under either version
                assert not shown["predictions"]
                new = Answer(Outcome.VIOLATES, "coded", 3)
                said = new if task.policy_version == "1.1.0" else Answer(Outcome.ALLOWED)
                url = f"/api/tasks/{task.studio_task_id}/annotations/"
                http.post(url, json={"result": build_result(said)}).raise_for_status()
    settled = sync(goldfold)
    assert (settled["settled"], settled["problems"], settled["refused"]) == (len(sent), [], {})

    after = {item.item_id: item for item in goldfold.ledger.golden.items()}
    stale = [item_id for item_id, item in before.items() if item.outcome is Outcome.ALLOWED]
    assert stale
    for item_id in stale:
        found = after[item_id]
        assert (found.state, found.rule, found.policy_version) == (GoldState.ACTIVE, "coded", "1.1.0")
        assert (found.partition, found.pi) == (before[item_id].partition, before[item_id].pi)
    assert all(item.policy_version == "1.1.0" for item_id, item in after.items() if item_id not in before)
    report = bridge_report(goldfold.ledger, HARM)
    assert (report.answered, report.waiting) == (6, 0)
    ended = {r.round_id: str(r.state) for r in goldfold.ledger.rounds.all()}
    assert {ended[name] for name in (done.relabel.round_id, done.bridge.old_round, done.bridge.new_round)} == {"closed"}
    goldfold.close()
