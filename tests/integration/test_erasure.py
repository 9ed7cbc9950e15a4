"""An erased item on a real Label Studio: its tasks, answers, drafts and predictions go, and what stays in the files."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from configs.settings import PACKAGED_POLICIES
from labeling.records import Answer, Outcome, Task
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.label_config import build_result
from tests.integration.command import Site, new_site, rows
from tests.studio_server import studio_venv

pytestmark = [pytest.mark.studio, pytest.mark.slow]

DATABASE = "label_studio.sqlite3"


@pytest.fixture
def site(tmp_path: Path, studio_server: EmbeddedStudio) -> Site:
    """Three items, each asked under two policies."""
    made = new_site(
        tmp_path / "site",
        STUDIO_URL=studio_server.base_url,
        STUDIO_TOKEN=studio_server.account.token,
        STUDIO_OWNER=tmp_path.name,
        STUDIO_SETTLE_S="0",
    )
    (made.policies / "violence.yaml").write_text((PACKAGED_POLICIES / "violence.yaml").read_text())
    told = [row | {"text": f"{row['text']} marked{row['external_id']}marked"} for row in rows(3)]
    made.result("ingest", made.write("posts.jsonl", *told))
    made.result("round", "--id", "r-1", "--budget", "6", "--lane", "random=1")
    return made


@pytest.fixture
def http(studio_server: EmbeddedStudio, annotators: dict[str, str]) -> Iterator[httpx.Client]:
    """What an annotator's browser may ask."""
    headers = {"Authorization": f"Token {next(iter(annotators.values()))}"}
    with httpx.Client(base_url=studio_server.base_url, headers=headers, timeout=60) as client:
        yield client


def test_an_item_with_open_and_answered_tasks_leaves_label_studio(
    site: Site, studio_server: EmbeddedStudio, http: httpx.Client
) -> None:
    folder = studio_server.log_path.parent
    answered, open_ = of_item(site, "post-1")
    result = build_result(Answer(Outcome.VIOLATES, "general", 2, rationale=f"it says {answered.text}"))
    pages = [f"/api/tasks/{task.studio_task_id}/" for task in (answered, open_)]
    pages += [
        f"/api/annotations/{post(http, f'/api/tasks/{answered.studio_task_id}/annotations/', result=result)}/",
        f"/api/drafts/{post(http, f'/api/tasks/{open_.studio_task_id}/drafts', result=result)}/",
        f"/api/predictions/{post(http, '/api/predictions/', task=open_.studio_task_id, result=result)}/",
    ]
    site.result("sync")
    assert [http.get(page).status_code for page in pages] == [200] * len(pages)
    marks = ("markedpost-1marked", answered.task_id, open_.task_id)
    assert {"task.data", "task_completion.result", "tasks_annotationdraft.result", "prediction.result"} <= set(
        values_with(folder, marks[0])
    )
    assert DATABASE in files_with(folder, marks[0])

    done = site.result("erase", "post-1", "--reason", "asked by its author")
    assert (done["erasure"]["left"], done["erasure"]["studio"], done["remains"]) == ([], 0, [])
    assert [http.get(page).status_code for page in pages] == [404] * len(pages)
    assert all(values_with(folder, mark) == [] for mark in marks)
    others = [task for task in site.tasks() if task.text]
    assert {http.get(f"/api/tasks/{task.studio_task_id}/").status_code for task in others} == {200}
    assert values_with(folder, "markedpost-2marked") != []
    again = site.result("sync")
    assert (again["removed"], again["sent"], again["problems"]) == (0, 0, [])

    left = files_with(folder, marks[0])
    assert set(left) <= {DATABASE, f"{DATABASE}-wal", f"{DATABASE}-journal"}
    if overwrites():
        assert left == []
    scrub(folder)  # the server runs on
    assert files_with(folder, marks[0]) == []
    assert http.get(f"/api/tasks/{others[0].studio_task_id}/").status_code == 200


def of_item(site: Site, external_id: str) -> tuple[Task, Task]:
    with site.ledger() as ledger:
        found = ledger.tasks.of_item(ledger.items.named(external_id).item_id)
    first, second = sorted(found, key=lambda task: task.policy_id)
    return first, second


def post(http: httpx.Client, page: str, **body: object) -> int:
    """Make something; its number."""
    response = http.post(page, json=body)
    assert response.status_code == 201, page
    return int(response.json()["id"])


def values_with(folder: Path, mark: str) -> list[str]:
    """``table.column`` of each value in Label Studio's database that holds a mark."""
    found = []
    with closing(sqlite3.connect(f"file:{folder / DATABASE}?mode=ro", uri=True, timeout=30)) as database:
        tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            cursor = database.execute(f'select * from "{table}"')  # noqa: S608
            names = [column[0] for column in cursor.description]
            for row in cursor:
                found += [f"{table}.{name}" for name, value in zip(names, row, strict=True) if mark in str(value)]
    return found


def files_with(folder: Path, mark: str) -> list[str]:
    """The files of Label Studio that hold a mark."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and mark.encode() in path.read_bytes()]
    return [str(path.relative_to(folder)) for path in found]


def overwrites() -> bool:
    """Whether the SQLite that Label Studio runs on zeroes what it deletes, as Debian's is built to."""
    code = "import sqlite3; print(sqlite3.connect(':memory:').execute('PRAGMA secure_delete').fetchone()[0])"
    asked = [str(studio_venv() / "bin" / "python"), "-c", code]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip() == "1"


def scrub(folder: Path) -> None:
    """What an operator does: rewrite the database, and empty its write-ahead log."""
    with closing(sqlite3.connect(folder / DATABASE, timeout=60)) as database:
        database.execute("VACUUM")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
