"""A decision tree as a form in the real Label Studio: a person is asked one question after another, and what the server
exports is the walk."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page

from configs.settings import PACKAGED_POLICIES, PACKAGED_SOPS
from labeling.policies import read_policy
from labeling.sop.form import form
from labeling.sop.tree import read_sop
from labeling.sop.walks import read_walks, trial_tasks
from labeling.studio.client import StudioClient
from labeling.studio.embedded import EmbeddedStudio
from tests.chromium import chromium, label, logged_in
from tests.labeling.golden.made import golden_item
from tests.studio_server import PASSWORD

pytestmark = [pytest.mark.studio, pytest.mark.slow]
NAME = "hate_speech"


def choose(page: Page, question: int, says: str) -> None:
    """Answer the question that stands at a place on the screen; it must be the last one that is seen."""
    asked = page.locator(".lsf-choices:visible")
    asked.nth(question).wait_for()
    assert asked.count() == question + 1
    asked.nth(question).locator("label", has_text=re.compile(rf"^{says}\b")).click()  # a key's name may follow


def test_a_person_walks_a_tree(tmp_path: Path, studio_server: EmbeddedStudio, annotators: dict[str, str]) -> None:
    sop = read_sop(PACKAGED_SOPS / f"{NAME}.yaml")
    made = form(sop, read_policy(PACKAGED_POLICIES / f"{NAME}.yaml"))
    email = next(iter(annotators))
    tasks = trial_tasks([golden_item("walked", "some words about nobody")], 5)
    headers = {"Authorization": f"Token {studio_server.account.token}"}
    with StudioClient(studio_server.base_url, studio_server.account.token, 60.0) as client:
        client.validate_config(made)
        project = client.create_project("a tree", "", made, {})
    with httpx.Client(base_url=studio_server.base_url, headers=headers, trust_env=False, timeout=60) as web:
        assert web.post(f"/api/projects/{project}/import", json=tasks).status_code == 201
        with chromium() as browser, logged_in(browser, studio_server.base_url, email, PASSWORD) as page:
            label(page, studio_server.base_url, project)
            choose(page, 0, "yes")
            choose(page, 1, "yes")
            choose(page, 2, "no")
            page.get_by_text("Verdict: violates, Attack on a protected group, S3. Action: remove.").locator(
                "visible=true"
            ).wait_for()
            choose(page, 2, "yes")  # changes their mind
            page.get_by_text("Verdict: allowed. Action: keep.").locator("visible=true").wait_for()
            page.locator("button[name=submit]").click()
            page.wait_for_timeout(1500)
        exported = web.get(f"/api/projects/{project}/export", params={"exportType": "JSON"}).json()
    path = tmp_path / "answers.json"
    path.write_text(json.dumps(exported))
    (walk,) = read_walks(sop, path)
    assert (walk.item_id, walk.answers) == ("walked", {"group": "yes", "against": "yes", "quoted": "yes"})
