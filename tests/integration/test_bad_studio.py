"""Label Studio away, closed to us or changed by hand, and a full disk, in the middle of the work: the command says so
and ends, nothing is lost or sent twice, and the same command goes on when the cause is mended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from labeling.records import Answer, Outcome, PickRow, Task
from labeling.store.gap import LanceGap
from labeling.store.projects import SqlProjects
from labeling.store.rounds import SqlRounds
from labeling.store.tasks import SqlTasks
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.label_config import build_result
from tests.integration.command import ROUND, Site, new_site, rows
from tests.integration.disk import Disk, small_disk
from tests.integration.wire import Wire

pytestmark = [pytest.mark.studio, pytest.mark.slow]

SYNC = ("sync",)
WRONG_TOKEN = "0" * 40


@pytest.fixture
def wire(studio_server: EmbeddedStudio) -> Iterator[Wire]:
    made = Wire(studio_server.base_url)
    yield made
    made.cut()


@pytest.fixture
def site(tmp_path: Path, wire: Wire, studio_server: EmbeddedStudio) -> Site:
    """Forty items, and a Label Studio behind a wire."""
    return stocked(tmp_path / "site", studio_server, STUDIO_URL=wire.base_url)


def stocked(folder: Path, server: EmbeddedStudio, **settings: str) -> Site:
    given = {"STUDIO_URL": server.base_url, "STUDIO_TOKEN": server.account.token, "STUDIO_OWNER": folder.parent.name}
    made = new_site(folder, **{**given, **settings})
    made.result("ingest", made.write("posts.jsonl", *rows(40)))
    return made


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, studio_server: EmbeddedStudio) -> list[PickRow]:
    """The picks of a round that nothing disturbs."""
    made = stocked(tmp_path_factory.mktemp("undisturbed") / "site", studio_server)
    made.result(*ROUND)
    return made.picks()


def at(patch: pytest.MonkeyPatch, owner: type, name: str, then: Callable[[], object]) -> None:
    """Let something happen once, just before a method runs for the first time."""
    real = getattr(owner, name)
    happened: list[bool] = []

    def disturbed(*args: Any, **kwargs: Any) -> Any:
        if not happened:
            happened.append(True)
            then()
        return real(*args, **kwargs)

    patch.setattr(owner, name, disturbed)


def there(server: EmbeddedStudio, tasks: Sequence[Task]) -> Counter[str]:
    """How often each Goldfold task lies in the projects that the ledger names."""
    found: Counter[str] = Counter()
    with server.client() as client:
        for project_id in {task.project_id for task in tasks if task.project_id is not None}:
            for page in client.pages(project_id, None):
                found.update(str(task.data["task_id"]) for task in page)
    return found


def assert_done(site: Site, server: EmbeddedStudio, reference: list[PickRow]) -> None:
    """The round's picks are those of an undisturbed one, and each task is in Label Studio once."""
    tasks = site.tasks()
    assert site.picks() == reference
    assert {task.state for task in tasks} == {"sent"}
    assert there(server, tasks) == Counter(task.task_id for task in tasks)


CUTS: dict[str, Callable[[Wire, pytest.MonkeyPatch], object]] = {
    "from the start": lambda wire, _: wire.cut(),
    "before the project is recorded": lambda wire, patch: at(patch, SqlProjects, "add", wire.cut),
    "before the tasks are sent": lambda wire, patch: at(patch, SqlTasks, "mark_sending", wire.cut),
    "while the tasks are sent": lambda wire, _: setattr(wire, "lose", b"/import"),
    "after the tasks are sent": lambda wire, patch: at(patch, SqlTasks, "mark_sent", wire.cut),
}


@pytest.mark.parametrize("when", CUTS)
def test_label_studio_goes_away_during_a_round_and_comes_back(
    when: str, site: Site, wire: Wire, studio_server: EmbeddedStudio, reference: list[PickRow]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        CUTS[when](wire, patch)
        said = site.run(*ROUND)
    if said.code:
        assert f"Label Studio at {wire.base_url} does not answer" in said.error
        assert "start it, or correct the setting studio_url" in said.error
        assert "--id r-1" in said.error
    else:  # all that was left to do needed no answer
        assert when == "after the tasks are sent"
    picked = site.picks()
    assert picked == reference
    wire.mend()
    assert site.result(*ROUND)["picks"] == 8
    assert_done(site, studio_server, reference)


@pytest.mark.parametrize(("token", "words"), [(WRONG_TOKEN, "refuses the setting studio_token"), ("", "is not set")])
def test_a_wrong_token_stops_a_round_until_it_is_right(
    token: str, words: str, site: Site, studio_server: EmbeddedStudio, reference: list[PickRow]
) -> None:
    right = site.environment["GOLDFOLD_STUDIO_TOKEN"]
    site.environment["GOLDFOLD_STUDIO_TOKEN"] = token
    error = site.run(*ROUND).error
    assert words in error
    assert "Account & Settings" in error
    assert WRONG_TOKEN not in error
    assert {task.state for task in site.tasks()} == {"queued"}
    site.environment["GOLDFOLD_STUDIO_TOKEN"] = right
    site.result(*ROUND)
    assert_done(site, studio_server, reference)


def test_a_project_deleted_during_a_round_is_made_anew(
    site: Site, studio_server: EmbeddedStudio, reference: list[PickRow]
) -> None:
    def delete() -> None:
        with site.ledger() as ledger, studio_server.client() as client:
            for project in ledger.projects.all():
                client.delete_project(project.project_id)

    with pytest.MonkeyPatch.context() as patch:
        at(patch, SqlProjects, "lease", delete)
        assert site.result(*ROUND)["picks"] == 8
    assert_done(site, studio_server, reference)


def answer(server: EmbeddedStudio, token: str, task: Task, result: list[dict[str, Any]]) -> int:
    """One person answers one task; the annotation's number."""
    url = f"{server.base_url}/api/tasks/{task.studio_task_id}/annotations/"
    said = httpx.post(url, headers={"Authorization": f"Token {token}"}, json={"result": result}, timeout=60)
    said.raise_for_status()
    return int(said.json()["id"])


@pytest.mark.parametrize("fault", ["away", "wrong token"])
def test_a_sync_that_cannot_reach_label_studio_changes_nothing(
    fault: str, site: Site, wire: Wire, studio_server: EmbeddedStudio, annotators: dict[str, str]
) -> None:
    site.result(*ROUND)
    for token in list(annotators.values())[:2]:
        answer(studio_server, token, site.tasks()[0], build_result(Answer(Outcome.ALLOWED)))
    before, right = site.kept(), site.environment["GOLDFOLD_STUDIO_TOKEN"]
    if fault == "away":
        wire.cut()
        assert f"Label Studio at {wire.base_url} does not answer" in site.run(*SYNC).error
        wire.mend()
    else:
        site.environment["GOLDFOLD_STUDIO_TOKEN"] = WRONG_TOKEN
        assert "refuses the setting studio_token" in site.run(*SYNC).error
        site.environment["GOLDFOLD_STUDIO_TOKEN"] = right
    assert site.kept() == before
    done = site.result(*SYNC)
    assert (done["events"], done["settled"]) == (2, 1)


def test_a_project_deleted_before_a_sync_is_told_and_its_open_tasks_are_asked_again(
    site: Site, studio_server: EmbeddedStudio, annotators: dict[str, str]
) -> None:
    first, second, third = annotators.values()
    site.result(*ROUND)
    settled, *others = site.tasks()
    for token in (first, second):
        answer(studio_server, token, settled, build_result(Answer(Outcome.ALLOWED)))
    answer(studio_server, first, others[0], build_result(Answer(Outcome.ALLOWED)))
    assert site.result(*SYNC)["settled"] == 1
    gold = site.kept()["golden_items"]
    with studio_server.client() as client:
        client.delete_project(int(str(settled.project_id)))
    said = site.run(*SYNC)
    assert said.code == 0
    assert "was deleted in Label Studio: its open tasks are sent again to a new one" in said.err
    assert "hate_speech 1.0.0" in said.err
    assert site.kept()["golden_items"] == gold
    tasks = {task.task_id: task for task in site.tasks()}
    again = [tasks[task.task_id] for task in others]
    assert {task.state for task in again} == {"sent"}
    assert there(studio_server, again) == Counter(task.task_id for task in others)
    for token in (second, third):
        answer(studio_server, token, again[0], build_result(Answer(Outcome.ALLOWED)))
    assert site.result(*SYNC)["settled"] == 1


WRONG: dict[str, tuple[list[dict[str, Any]], str]] = {
    "rule": (build_result(Answer(Outcome.VIOLATES, "no_such_rule", 2)), "rule: 'no_such_rule' is not a choice (known:"),
    "outcome": (
        [{"from_name": "outcome", "to_name": "text", "type": "choices", "value": {"choices": ["maybe"]}}],
        "outcome: 'maybe' is not a choice (known:",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_an_answer_the_policy_does_not_know_is_told_until_it_is_corrected(
    what: str, site: Site, studio_server: EmbeddedStudio, annotators: dict[str, str]
) -> None:
    result, words = WRONG[what]
    first, second = list(annotators.values())[:2]
    site.result(*ROUND)
    task = site.tasks()[0]
    number = answer(studio_server, first, task, result)
    answer(studio_server, second, task, build_result(Answer(Outcome.ALLOWED)))
    for _ in range(2):
        said = site.run(*SYNC)
        assert said.code == 0
        (line,) = [line for line in said.err.splitlines() if "not count" in line]
        assert f"task {task.task_id}" in line
        assert words in line
        assert "correct it in Label Studio" in line
        assert site.kept()["golden_items"] == []
    httpx.patch(
        f"{studio_server.base_url}/api/annotations/{number}/",
        headers={"Authorization": f"Token {first}"},
        json={"result": build_result(Answer(Outcome.ALLOWED))},
        timeout=60,
    ).raise_for_status()
    said = site.run(*SYNC)
    assert "not count" not in said.err
    assert len(site.kept()["golden_items"]) == 1


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk") as made:
        yield made


def test_a_full_disk_refuses_a_file_whole_and_takes_it_later(
    tmp_path: Path, disk: Disk, studio_server: EmbeddedStudio
) -> None:
    site = stocked(tmp_path / "site", studio_server, DATA_DIR=str(disk.folder / "data"))
    before = site.kept()
    more = site.write("more.jsonl", *rows(60))
    disk.fill()
    for command in (("ingest", more), ROUND, ("rounds",)):
        error = site.run(*command).error
        assert str(disk.folder) in error
        assert "free" in error or "check it for space" in error
    disk.free()
    assert site.kept() == before
    assert site.result("ingest", more)["added"] == 20


FULL = {
    "plan": (SqlRounds, "create"),
    "scores": (LanceGap, "add"),
    "picks": (SqlRounds, "record_selection"),
    "sending": (SqlTasks, "mark_sending"),
    "sent": (SqlTasks, "mark_sent"),
}


@pytest.mark.parametrize("when", FULL)
def test_a_disk_that_fills_up_during_a_round_ends_it_and_the_round_goes_on_later(
    when: str, tmp_path: Path, disk: Disk, studio_server: EmbeddedStudio, reference: list[PickRow]
) -> None:
    site = stocked(tmp_path / "site", studio_server, DATA_DIR=str(disk.folder / "data"))
    owner, name = FULL[when]
    with pytest.MonkeyPatch.context() as patch:
        at(patch, owner, name, disk.fill)
        error = site.run(*ROUND).error
    disk.free()
    assert "free some space and run it again" in error
    assert site.picks() in ([], reference)
    site.result(*ROUND)
    assert_done(site, studio_server, reference)
