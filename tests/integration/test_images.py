"""Images in a round, with the real Label Studio, a real browser, and Goldfold serving what is looked at.

A person sees an image blurred, opens it by key, answers by key, and the answers of two people become gold. A link that
has run out is renewed by the next sync, and one that leads elsewhere is told from that."""

from __future__ import annotations

import base64
import json
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from PIL import Image
from playwright.sync_api import Page

from api.demo.ports import free_port
from api.jobs import steps
from api.requests import check_round_here, round_request
from api.server import build_app
from api.service import Service
from configs.settings import PACKAGED_POLICIES
from labeling.ingest import ingest
from labeling.records import GoldState, Outcome, StudioProject, Task, TaskKind, TaskState
from labeling.score_run import ScoreRun
from labeling.studio.client import StudioClient
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.label_config import build_result, label_config
from labeling.studio.links import Links
from labeling.studio.payload import task_data
from tests.api.site import WordGoldfold, settings
from tests.chromium import chromium, keep_screen, label, logged_in, press
from tests.gallery import landscape
from tests.labeling.studio.build import ALLOWED
from tests.studio_server import PASSWORD

pytestmark = [pytest.mark.studio, pytest.mark.slow]

POLICY = "sexual"
CAPTIONS = ("Our house last summer", "", "Three suns")
NAMES = ("holiday-house.png", "secret-name.png", "dcim-0077.png")
SHOWN = "[...document.querySelectorAll('img')].filter(one => one.offsetParent && one.src.startsWith('blob:'))"


@pytest.fixture
def goldfold(tmp_path: Path, studio_server: EmbeddedStudio) -> Iterator[WordGoldfold]:
    """A Goldfold whose service answers, with three images and four texts, all scored."""
    (media := tmp_path / "media").mkdir()
    (policies := tmp_path / "policies").mkdir()
    (policies / f"{POLICY}.yaml").write_text((PACKAGED_POLICIES / f"{POLICY}.yaml").read_text())
    for number, name in enumerate(NAMES):
        (media / name).write_bytes(landscape(number))
    given = settings(
        tmp_path / "data",
        policies_dir=policies,
        media_dir=media,
        image_scorer="opennsfw",
        media_link_secret="s" * 32,
        port=free_port(),
        studio_url=studio_server.base_url,
        studio_token=studio_server.account.token,
        studio_owner=f"images-{uuid.uuid4().hex[:8]}",
        studio_settle_s=2.0,
        duplicate_cosine=None,
        sync_interval_s=86_400,  # nobody reads the answers before the test does
    )
    found = WordGoldfold(given)
    with Service(given, found) as service, served(service, given.port):
        bring(found)
        yield found


@contextmanager
def served(service: Service, port: int) -> Iterator[None]:
    """The service's app on a port of this machine."""
    config = uvicorn.Config(build_app(service), host="127.0.0.1", port=port, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.05)
        assert thread.is_alive()
    yield
    server.should_exit = True
    thread.join(30)


def bring(goldfold: WordGoldfold) -> None:
    rows: list[dict[str, Any]] = [
        {"external_id": f"picture-{n}", "media": name, "text": caption}
        for n, (name, caption) in enumerate(zip(NAMES, CAPTIONS, strict=True))
    ]
    rows += [{"external_id": f"post-{n}", "text": f"some words number{n}"} for n in range(4)]
    lock = goldfold.settings.data_dir / "ingest.lock"
    more: dict[str, Any] = {"lock_path": lock, "max_text_chars": 1000, "policies": goldfold.policies.keys()}
    ingest(rows, goldfold.lake, goldfold.ledger.items, **more)
    scorer = goldfold.media_scorer("image")
    assert scorer is not None
    for each in (goldfold.scorer(), scorer):
        ScoreRun(goldfold.lake, each, 100).go()


def send(goldfold: WordGoldfold, **asked: Any) -> dict[str, list[Task]]:
    """A round of everything there is, sent; its tasks by modality."""
    request = round_request(goldfold.settings, {"round_id": "week-1", "lanes": {"random": 1.0}, "budget": 7, **asked})
    check_round_here(goldfold, request)
    steps.open_round(goldfold, request)
    steps.select(goldfold, "week-1")
    for group in steps.groups(goldfold, "week-1"):
        key = [group[name] for name in steps.KEY]
        steps.project(goldfold, *key)
        assert steps.push(goldfold, *key, holder="test")["left"] == 0
    steps.opened(goldfold, "week-1")
    tasks = goldfold.ledger.tasks.where(round_id="week-1")
    return {kind: [task for task in tasks if task.modality == kind] for kind in ("text", "image")}


def project_of(goldfold: WordGoldfold, modality: str) -> StudioProject:
    (found,) = [one for one in goldfold.ledger.projects.all() if one.modality == modality]
    return found


def test_people_label_images_that_goldfold_serves_and_the_answers_become_gold(
    goldfold: WordGoldfold, studio_server: EmbeddedStudio, annotators: dict[str, str]
) -> None:
    tasks = send(goldfold)
    assert {kind: len(found) for kind, found in tasks.items()} == {"text": 4, "image": 3}
    assert goldfold.ledger.rounds.get("week-1").frame["modalities"] == {"image": 3, "text": 4}
    first, second, _ = annotators.items()
    project = project_of(goldfold, "image")
    for blur, kind in product((True, False), (TaskKind.BLIND, TaskKind.ASSISTED, TaskKind.ADJUDICATION)):
        policy = goldfold.policies[POLICY].model_copy(update={"blur": blur})
        goldfold.studio.validate_config(label_config(policy, kind, "image"))
    nothing_is_given_away(goldfold, project, second[1], tasks["image"])
    with chromium() as browser, logged_in(browser, studio_server.base_url, first[0], PASSWORD) as page:
        label(page, studio_server.base_url, project.project_id)
        for number in range(3):
            answer_by_key(page, number)
    with StudioClient(studio_server.base_url, second[1], 60.0) as colleague:
        for task in goldfold.ledger.tasks.find([task.task_id for task in tasks["image"]]).values():
            colleague.annotate(task.studio_task_id or 0, build_result(ALLOWED))
    report = steps.pull(goldfold, project.project_id, full=False)
    assert (report["created"], report["invalid"], report["quarantined"], report["problem"]) == (6, 0, 0, "")
    steps.settle(goldfold)
    gold = goldfold.ledger.golden.items()
    assert [(row.modality, row.outcome, row.state) for row in gold] == [
        ("image", Outcome.ALLOWED, GoldState.ACTIVE)
    ] * 3
    assert {row.content_hash for row in gold} == {task.content_hash for task in tasks["image"]}
    assert len({row.group_id for row in gold}) == 3  # one without a caption is no twin of another


def answer_by_key(page: Page, number: int) -> None:
    """Blurred first, opened by key, answered by key; the next one is blurred again."""
    page.wait_for_function(f"{SHOWN}.length === 1 && {SHOWN}[0].naturalWidth > 0")
    before = page.evaluate(f"{SHOWN}[0].src")
    blurred = detail(page)
    if number == 0:
        keep_screen(page, "annotator-image-blurred")
    press(page, "4")
    page.wait_for_function(f"{SHOWN}.length === 1 && {SHOWN}[0].src !== '{before}'")
    page.wait_for_timeout(300)
    assert detail(page) > 4 * blurred  # a house has edges, a blurred one none
    if number == 0:
        keep_screen(page, "annotator-image")
    press(page, "2 Control+Enter")
    page.wait_for_function(f"{SHOWN}.length !== 1 || {SHOWN}[0].src !== '{before}'")
    page.wait_for_timeout(1500)


def detail(page: Page) -> float:
    """How sharp the sharpest edge of the image on the screen is, in levels of grey a pixel."""
    box = page.locator("img[src^='blob:']:visible")
    grey = np.asarray(Image.open(BytesIO(box.screenshot())).convert("L"), np.float64)[8:-8, 8:-60]
    return float(np.abs(np.diff(grey, axis=1)).max())


def nothing_is_given_away(goldfold: WordGoldfold, project: StudioProject, token: str, tasks: list[Task]) -> None:
    """All that an annotator's token reads of blind image tasks, and all that their links say when they are decoded."""
    headers = {"Authorization": f"Token {token}"}
    with httpx.Client(base_url=goldfold.studio.base_url, headers=headers, trust_env=False, timeout=60) as browser:
        number = project.project_id
        told = browser.get(f"/api/tasks/?project={number}&fields=all").text
        told += browser.get(f"/api/projects/{number}/export?exportType=JSON&download_all_tasks=true").text
        told += browser.get(f"/api/projects/{number}/").text + browser.get(f"/api/projects/{number}/next").text
    for said in set(re.findall(r"/media/t\.([A-Za-z0-9_-]+)", told)):
        told += base64.urlsafe_b64decode(said + "==").decode()
    ids = [task.item_id for task in tasks]
    picks = [pick for pick in goldfold.ledger.rounds.picks("week-1") if pick.item_id in ids]
    secrets = [*NAMES, *(name.removesuffix(".png") for name in NAMES), "picture-", "media_dir", "random", "week-1"]
    secrets += [*ids, *(task.content_hash for task in tasks), *(repr(pick.probability)[:8] for pick in picks)]
    for secret in secrets:
        assert secret not in told, secret
    data = [json.loads(json.dumps(row.data)) for row in next(goldfold.studio.pages(project.project_id))]
    assert [set(row) for row in data] == [{"text", "task_id", "image", "image_blurred"}] * len(tasks)


def test_a_link_that_ran_out_is_renewed_and_one_that_leads_elsewhere_is_an_edit(
    goldfold: WordGoldfold, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = send(goldfold, quotas=[{"key": "modality", "value": "image", "at_least": 1}])["image"]
    project, studio, links = project_of(goldfold, "image"), goldfold.studio, goldfold.links
    assert links is not None
    first, second, third = goldfold.ledger.tasks.find([task.task_id for task in tasks]).values()
    number = {task.task_id: task.studio_task_id or 0 for task in (first, second, third)}
    assert steps.pull(goldfold, project.project_id, full=False)["relinked"] == 0  # they are new
    old = replace(links, clock=lambda: datetime.now(UTC) - 2 * links.lifetime)
    studio.set_data(number[first.task_id], task_data(first, old))
    assert look(studio, number, first) == 401
    steps.pull(goldfold, project.project_id, full=False)
    assert look(studio, number, first) == 200
    # Everybody was away for two days: nothing there has changed, and every link has run out.
    for task in (first, second, third):
        studio.set_data(number[task.task_id], task_data(task, old))
    goldfold.ledger.projects.set_relinked(project.base_url, project.project_id, datetime.now(UTC) - 2 * links.lifetime)
    with monkeypatch.context() as quiet:
        quiet.setattr(StudioClient, "pages", lambda *_: iter(()))
        report = steps.pull(goldfold, project.project_id, full=False)
    assert (report["relinked"], report["quarantined"], report["found"]) == (3, 0, {})
    assert [look(studio, number, task) for task in (first, second, third)] == [200, 200, 200]
    # By hand: another task's image, and another server's.
    studio.set_data(number[first.task_id], task_data(first, links) | {"image": links.data(second)["image"]})
    away = Links("http://elsewhere.example", links.secret, links.lifetime).data(second)["image"]
    moved = str(links.data(second)["image"]).replace(links.base_url, "http://elsewhere.example")
    assert away != moved
    studio.set_data(number[second.task_id], task_data(second, links) | {"image_blurred": moved})
    report = steps.pull(goldfold, project.project_id, full=True)
    assert (report["quarantined"], report["found"]) == (2, {"task edited": 2})
    after = goldfold.ledger.tasks.find([task.task_id for task in tasks])
    assert [after[task.task_id].state for task in (first, second, third)] == [
        TaskState.QUARANTINED,
        TaskState.QUARANTINED,
        TaskState.SENT,
    ]


def look(studio: StudioClient, number: dict[str, int], task: Task) -> int:
    """What somebody who opens the task gets for its image."""
    there = studio._call.read(f"/api/tasks/{number[task.task_id]}/").json()
    return httpx.get(str(there["data"]["image"]), trust_env=False, timeout=60).status_code
