"""Label Studio lost, moved or edited by hand: everything open is made anew there, answers are kept, and each thing
amiss has its row in the report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from labeling.records import Answer, Cause, Outcome, Task, Verdict
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.findings import CURES, OUTCOMES
from labeling.studio.label_config import build_result
from labeling.studio.wire import StudioTask
from tests.integration.command import ROUND, Site
from tests.integration.test_bad_studio import answer, stocked, there
from tests.integration.wire import Wire

pytestmark = [pytest.mark.studio, pytest.mark.slow]

ALLOWED = build_result(Answer(Outcome.ALLOWED))

DECIDED = build_result(
    Answer(Outcome.ALLOWED, rationale="It quotes.", verdict=Verdict.SINGLE, cause=Cause.GUIDELINE_AMBIGUOUS)
)


@pytest.fixture
def site(tmp_path: Path, studio_server: EmbeddedStudio) -> Site:
    made = stocked(tmp_path / "site", studio_server)
    made.result(*ROUND)
    return made


@pytest.fixture
def moved(studio_server: EmbeddedStudio) -> Iterator[Wire]:
    """The same server at another address."""
    made = Wire(studio_server.base_url)
    yield made
    made.cut()


def wipe(site: Site, server: EmbeddedStudio) -> None:
    """Delete all that the installation has there."""
    with site.ledger() as ledger, server.client() as client:
        for project in ledger.projects.all():
            client.delete_project(project.project_id)


def on_screen(site: Site, server: EmbeddedStudio) -> dict[str, StudioTask]:
    with site.ledger() as ledger, server.client() as client:
        pages = [page for project in ledger.projects.all() for page in client.pages(project.project_id)]
    return {task.task_id: task for page in pages for task in page}


def find(site: Site, task: Task) -> Task:
    return next(each for each in site.tasks() if each.task_id == task.task_id)


def violation(site: Site, task: Task) -> list[dict[str, object]]:
    policy = (site.policies / f"{task.policy_id}.yaml").read_text()
    first = next(line.split("id:")[1].strip() for line in policy.splitlines() if line.strip().startswith("- id:"))
    return build_result(Answer(Outcome.VIOLATES, first, 2))


def test_an_emptied_server_is_filled_again_and_no_answer_is_lost(
    site: Site, studio_server: EmbeddedStudio, annotators: dict[str, str]
) -> None:
    one, two, three = annotators.values()
    settled, disputed, half, fresh = site.tasks()[:4]
    for token in (one, two):
        answer(studio_server, token, settled, ALLOWED)
    answer(studio_server, one, disputed, ALLOWED)
    answer(studio_server, two, disputed, violation(site, disputed))
    answer(studio_server, one, half, ALLOWED)
    done = site.result("sync")
    assert (done["settled"], done["disputed"]) == (1, 1)
    assert find(site, disputed).state == "answered"
    golden, events = site.kept()["golden_items"], site.kept()["annotation_events"]
    wipe(site, studio_server)

    told = site.result("studio", "rebuild", "--dry-run")
    assert (told["there"], sum(group["tasks"] for group in told["tasks"])) == ([], len(site.tasks()) - 1)
    result = site.result("studio", "rebuild")
    assert (result["problems"], result["queued"]) == ([], len(site.tasks()) - 1)
    assert (site.kept()["golden_items"], site.kept()["annotation_events"]) == (golden, events)
    shown = on_screen(site, studio_server)
    assert not {settled.task_id, disputed.task_id} & set(shown)
    assert (shown[half.task_id].overlap, shown[fresh.task_id].overlap) == (1, 2)
    sent = [task for task in site.tasks() if task.state == "sent"]
    assert there(studio_server, sent) == Counter(task.task_id for task in sent)
    assert (find(site, settled).state, find(site, disputed).state) == ("settled", "answered")

    answer(studio_server, two, find(site, half), ALLOWED)
    lead = next(task for task in site.tasks() if task.parent_task_id == disputed.task_id)
    answer(studio_server, three, lead, DECIDED)
    assert site.result("sync", "--full")["settled"] == 2
    assert {find(site, task).state for task in (half, disputed)} == {"settled"}


def test_a_server_that_moved_is_adopted_and_not_filled_twice(
    site: Site, studio_server: EmbeddedStudio, annotators: dict[str, str], moved: Wire
) -> None:
    one, two, _ = annotators.values()
    seen, unseen = site.tasks()[:2]
    answer(studio_server, one, seen, ALLOWED)
    site.result("sync")
    answer(studio_server, two, seen, ALLOWED)
    answer(studio_server, one, unseen, ALLOWED)
    site.environment["GOLDFOLD_STUDIO_URL"] = moved.base_url
    assert "is not empty: it holds 1 projects" in site.run("studio", "rebuild").error
    assert {task.state for task in site.tasks()} == {"sent"}
    assert site.result("studio", "rebuild", "--adopt")["queued"] == len(site.tasks())
    sent = site.tasks()
    assert there(studio_server, sent) == Counter(task.task_id for task in sent)
    done = site.result("sync", "--full")
    assert (done["events"], done["settled"]) == (2, 1)
    assert {task.overlap for task in on_screen(site, studio_server).values()} == {2}


def test_what_was_edited_by_hand_is_told_and_repaired(
    site: Site, studio_server: EmbeddedStudio, annotators: dict[str, str]
) -> None:
    one, two, three = annotators.values()
    edited, junk, gone = site.tasks()[:3]
    headers = {"Authorization": f"Token {studio_server.account.token}"}
    with httpx.Client(base_url=studio_server.base_url, headers=headers, trust_env=False, timeout=60) as raw:
        data = {"text": "something else", "task_id": edited.task_id}
        raw.patch(f"/api/tasks/{edited.studio_task_id}/", json={"data": data}).raise_for_status()
        answer(studio_server, one, edited, ALLOWED)
        answer(studio_server, one, junk, [{"from_name": "spam"}])
        raw.delete(f"/api/tasks/{gone.studio_task_id}/").raise_for_status()
        raw.post(f"/api/projects/{edited.project_id}/import", json=[{"text": "by hand"}]).raise_for_status()
        said = site.run("sync", "--full", "--report", "--json")
        findings = [row for project in json.loads(said.out)["projects"] for row in project["findings"]]
        assert Counter(row["found"] for row in findings) == {
            "task edited": 1,
            "invalid answer": 2,
            "task deleted": 1,
            "unknown task": 1,
        }
        for row in findings:
            assert (row["outcome"], row["cure"]) == (OUTCOMES[row["found"]], CURES.get(row["found"], ""))
        assert find(site, edited).state == "quarantined"
        config = raw.get(f"/api/projects/{edited.project_id}/").json()["label_config"]
        raw.delete(f"/api/annotations/{answer(studio_server, two, junk, ALLOWED)}/").raise_for_status()
        broken = config.replace("How sure are you?", "How certain are you?")
        assert broken != config
        raw.patch(f"/api/projects/{edited.project_id}/", json={"label_config": broken}).raise_for_status()
        assert "form edited" in site.run("sync", "--full", "--report").out

        done = site.result("studio", "repair")
        assert (done["forms"], done["released"], done["problems"]) == (1, 1, [])
        assert raw.get(f"/api/projects/{edited.project_id}/").json()["label_config"] == config
    shown = on_screen(site, studio_server)[edited.task_id]
    assert (shown.data["text"], shown.overlap, shown.closed) == (edited.text, 3, False)
    for token in (two, three):
        answer(studio_server, token, edited, ALLOWED)
    assert site.result("sync", "--full")["settled"] == 1
    assert find(site, edited).state == "settled"
    assert site.result("studio", "repair")["released"] == 0
