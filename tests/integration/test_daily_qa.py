"""A day's decisions are judged again in a real Label Studio by people who see nothing of them, and the same figures are
told over HTTP, by the command line and by the weekly pack."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from api.auth import Role
from api.server import build_app
from api.service import Service
from configs.settings import PACKAGED_POLICIES
from labeling.records import Answer, Outcome, Task, TaskKind, TaskState
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.label_config import build_result
from tests.api.cli.conftest import Terminal, _logs_as_before, goldfold
from tests.api.routes.conftest import Site, give_keys
from tests.api.site import HARM, WordGoldfold, score_all, settings, stock

__all__ = ["_logs_as_before", "goldfold"]
pytestmark = [pytest.mark.studio, pytest.mark.slow]

DAY, WEEK, ITEMS, BUDGET = "2026-02-28", "2026-W09", 54, 36
ROUND = f"qa-{DAY}-{HARM}-1.0.0"
ERRORS = {0: "over_enforcement", 1: "under_enforcement", 3: "wrong_selection", 6: "technical"}
FORUM, DECIDED_BY_CAT = 30, 5
SECRETS = ("mod-", "remove", "keep", "forum", "shop", "decision", "chance", "violates")


def expected(number: int) -> str:
    """What the re-review says of a decision: every third of the forum's is wrong, the shop's are right."""
    return ERRORS.get(number % 12, "right") if number < FORUM else "right"


def decision(number: int) -> dict[str, Any]:
    """Odd items violate."""
    bad, verdict = number % 2 == 1, expected(number)
    says_bad = bad != (verdict in ("over_enforcement", "under_enforcement"))
    return {
        "decision_id": f"d-{number}",
        "source": "human" if number % 3 else "model",
        "who": "mod-9" if number == DECIDED_BY_CAT else f"mod-{number % 2}",
        "item": f"post-{number}",
        "policy": HARM,
        "outcome": "violates" if says_bad else "ok",
        "rule": ("coded" if verdict == "wrong_selection" else "general") if says_bad else None,
        "action": "remove" if says_bad != (verdict == "technical") else "keep",
        "decided_at": f"{DAY}T12:00:{number:02}Z",
        "project": "forum" if number < FORUM else "shop",
    }


def test_from_decisions_to_figures(
    tmp_path: Path,
    studio_server: EmbeddedStudio,
    annotators: dict[str, str],
    goldfold: Terminal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ann, bob, cat = annotators
    (tmp_path / "qa.yaml").write_text(
        f"accuracy: 0.95\nactions: {{remove: violates, keep: ok}}\npeople: {{mod-9: {cat}}}\n"
    )
    given = settings(
        goldfold.folder,
        studio_url=studio_server.base_url,
        studio_token=studio_server.account.token,
        studio_owner="qa",
        studio_settle_s=0,
        sync_interval_s=86_400,
        overlap=2,
        partitions={"train": 1.0},
        qa_file=tmp_path / "qa.yaml",
        policies_dir=policies(tmp_path / "policies"),
    )
    with Service(given, WordGoldfold(given)) as service:
        site = give_keys(Site(build_app(service), service))
        stock(service.goldfold, ITEMS)
        score_all(service.goldfold)
        rows = [decision(number) for number in range(ITEMS)]
        added = site.ask("POST", "/v1/decisions", json={"decisions": rows})
        assert added.status_code == 201, added.text
        made = site.ask("POST", "/v1/qa", Role.LEAD, json={"day": DAY, "budget": BUDGET}).json()
        assert (made["decisions"], made["sampled"], made["rounds"]) == (ITEMS, BUDGET, [ROUND])
        sync(site)
        sent = waiting(site)
        assert len(sent) == made["asked"] == BUDGET
        answer(studio_server, annotators, (ann, bob), [task for task in sent if number_of(task) != DECIDED_BY_CAT])
        answer(studio_server, annotators, (ann, cat), [task for task in sent if number_of(task) == DECIDED_BY_CAT])
        sync(site)
        (again,) = waiting(site)  # cat decided about it in production, so her answer is none
        assert number_of(again) == DECIDED_BY_CAT
        waits = site.get(f"/v1/qa?day={DAY}", Role.VIEWER)
        assert (waits["judged"], waits["waiting"], waits["projects"][0]["accuracy"]["licence"][:11]) == (
            BUDGET - 1,
            1,
            "provisional",
        )
        answer(studio_server, annotators, (ann, bob), [again])
        sync(site)
        told = site.get(f"/v1/qa?day={DAY}", Role.VIEWER)
        behind = site.get(f"/v1/qa/decisions?day={DAY}", Role.LEAD)
        pack = site.ask("POST", "/v1/weekly", Role.LEAD, json={"week": WEEK, "coverage": False}).json()

    check(told, behind)
    monkeypatch.setenv("GOLDFOLD_QA_FILE", str(tmp_path / "qa.yaml"))
    monkeypatch.setenv("GOLDFOLD_POLICIES_DIR", str(tmp_path / "policies"))
    assert goldfold("qa", "report", "--day", DAY, "--json").json == told
    forum = told["projects"][0]["accuracy"]
    shown = " ".join(goldfold("qa", "report", "--day", DAY).out.split())
    assert "forum is below its target of 0.95 with probability" in shown
    assert "shop is below" not in shown
    for text in (*(f"{forum[name]:.3f}" for name in ("value", "low", "high")), f"{forum['design_effect']:.2f}"):
        assert text in shown
    for name, error in told["projects"][0]["errors"].items():
        ends = f"[{error['low']:.3f}, {error['high']:.3f}], {error['events']} of {error['n']}"
        assert f"{name} {error['value']:.3f} {ends}" in shown
    assert "Licence: population" in shown
    assert f"golden unpublished; policy {HARM} 1.0.0" in shown
    (risks,) = [one for one in pack["document"]["sections"] if one["id"] == "risks"]
    (breach,) = risks["entries"]
    assert breach["head"] == f"{DAY}: project forum is below target"
    (figure,) = breach["figures"]
    assert {name: figure[name] for name in ("value", "low", "high", "n")} == {
        name: forum[name] for name in ("value", "low", "high", "n")
    }


def check(told: dict[str, Any], behind: list[dict[str, Any]]) -> None:
    """The figures are those of the answers, worked out again from the decisions behind them."""
    assert (told["judged"], told["waiting"], told["breaches"]) == (BUDGET, 0, ["forum"])
    assert {one["decision_id"]: one["verdict"] for one in behind} == {
        one["decision_id"]: expected(int(one["decision_id"].removeprefix("d-"))) for one in behind
    }
    for project in told["projects"]:
        mine = [one for one in behind if one["project"] == project["project"]]
        figure, weight = project["accuracy"], sum(1 / one["pi"] for one in mine)
        right = sum(1 / one["pi"] for one in mine if one["verdict"] == "right") / weight
        assert (figure["n"], figure["value"]) == (len(mine), pytest.approx(right))
        assert weight == pytest.approx(project["decisions"])
        assert figure["low"] < figure["value"] <= figure["high"]
        assert figure["licence"].startswith("population")
        counted = Counter(one["verdict"] for one in mine)
        assert {name: project["errors"][name]["events"] for name in ERRORS.values()} == {
            name: counted[name] for name in ERRORS.values()
        }
    forum, shop = told["projects"]
    assert all(forum["errors"][name]["events"] for name in ERRORS.values())
    assert (forum["project"], forum["state"], shop["state"]) == ("forum", "below target", "on target")
    assert forum["accuracy"]["design_effect"] > 0
    assert shop["accuracy"]["design_effect"] is None


def policies(folder: Path) -> Path:
    """One policy, with a second rule for decisions to be wrong about."""
    told = yaml.safe_load((PACKAGED_POLICIES / f"{HARM}.yaml").read_text())
    told["rules"].append({"id": "coded", "title": "Coded", "definition": "in code"})
    folder.mkdir()
    (folder / f"{HARM}.yaml").write_text(yaml.safe_dump(told))
    return folder


def sync(site: Site) -> None:
    """A sync as anybody starts one."""
    started = site.ask("POST", "/v1/jobs/sync", json={"full": True})
    assert started.status_code == 202, started.text
    result = site.service.jobs.result(started.json()["job_id"])
    assert not result.get("problems"), result


def waiting(site: Site) -> list[Task]:
    return site.service.goldfold.ledger.tasks.where(states=[TaskState.SENT], kind=TaskKind.BLIND)


def number_of(task: Task) -> int:
    return int(task.text.split()[0].removeprefix("text"))


def answer(server: EmbeddedStudio, tokens: dict[str, str], people: tuple[str, ...], tasks: list[Task]) -> None:
    """These people read each task as Label Studio gives it to them, and answer it rightly."""
    for person in people:
        headers = {"Authorization": f"Token {tokens[person]}"}
        with httpx.Client(base_url=server.base_url, headers=headers, timeout=60) as http:
            for task in tasks:
                shown = http.get(f"/api/tasks/{task.studio_task_id}/").json()
                assert set(shown["data"]) == {"task_id", "text"}
                assert shown["data"]["text"] == task.text
                assert not shown["predictions"]
                assert [name for name in shown if "score" in name and shown[name] is not None] == []
                hidden = json.dumps({name: value for name, value in shown.items() if name != "annotations"})
                assert [word for word in SECRETS if word in hidden] == []
                bad = "vermin" in shown["data"]["text"]
                said = Answer(Outcome.VIOLATES, "general", 3) if bad else Answer(Outcome.ALLOWED)
                url = f"/api/tasks/{task.studio_task_id}/annotations/"
                http.post(url, json={"result": build_result(said)}).raise_for_status()
