"""Debian's Chromium, driven by Playwright: what a person sees and does in Label Studio.

``.ci/run`` installs it; on a machine without it these tests are skipped, and say so. With ``GOLDFOLD_TEST_SCREENS``
they keep pictures of what they see in that folder: ``docs/screens`` was made so.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SIZE = {"width": 1100, "height": 800}
PATIENCE_MS = 60_000
TALL_PX = 2400


@contextmanager
def chromium() -> Iterator[Browser]:
    """A fresh browser."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@contextmanager
def logged_in(browser: Browser, base_url: str, email: str, password: str) -> Iterator[Page]:
    """A page of somebody who has logged in to Label Studio."""
    context = browser.new_context(viewport=SIZE)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{base_url}/user/login/")
    page.fill("input[name=email]", email)
    page.fill("input[name=password]", password)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/user/login" not in url)
    yield page
    context.close()


def label(page: Page, base_url: str, project_id: int) -> None:
    """Open the queue of a project."""
    page.goto(f"{base_url}/projects/{project_id}/data?labeling=1")
    page.locator("button[name=submit]").wait_for()


def press(page: Page, keys: str) -> None:
    """Keys one after another, by name, with spaces between."""
    for key in keys.split():
        page.keyboard.press(key)


def focus_by_tab(page: Page, tag: str = "TEXTAREA", most: int = 120) -> None:
    """Go to an input as somebody without a mouse does."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == tag:
            return
    pytest.fail(f"no {tag} was reached by Tab")


def keep_screen(page: Page, name: str, *, whole: bool = False) -> None:
    """A picture for the docs, where one is asked for; ``whole``: with what lies below the window, up to ``TALL_PX``."""
    folder = os.environ.get("GOLDFOLD_TEST_SCREENS")
    if folder:
        page.wait_for_timeout(500)  # panels slide
        taken = page.screenshot(full_page=whole)
        picture = Image.open(BytesIO(taken)).convert("RGB")
        picture = picture.crop((0, 0, picture.width, min(picture.height, TALL_PX)))
        picture.quantize(64).save(Path(folder) / f"{name}.png", optimize=True)
