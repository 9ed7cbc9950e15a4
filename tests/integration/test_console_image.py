"""An image on its page of the console, in a real browser: nothing until it is asked for, then grey and blurred."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Request

from api.auth import Role
from labeling.ingest import ingest
from tests.api.site import WordGoldfold, settings
from tests.console_walk import faults, served, settle
from tests.gallery import landscape

pytestmark = pytest.mark.slow

LOADED = "image => image.decode().then(() => image.naturalWidth)"


def test_an_image_is_seen_when_asked_for_grey_and_blurred(tmp_path: Path) -> None:
    (media := tmp_path / "media").mkdir()
    (media / "a.png").write_bytes(landscape(0))
    given = settings(tmp_path / "data", media_dir=media, media_link_secret="s" * 32)
    goldfold = WordGoldfold(given)
    lock = given.data_dir / "ingest.lock"
    more: dict[str, Any] = {"lock_path": lock, "max_text_chars": 1000, "policies": goldfold.policies.keys()}
    ingest([{"external_id": "image-1", "media": "a.png"}], goldfold.lake, goldfold.ledger.items, **more)
    with served(goldfold) as site, site.visit("lead@example.org", Role.LEAD) as page:
        asked: list[str] = []
        page.on("request", lambda request: _note(request, asked))
        page.goto(f"{site.url}/console/items/image-1")
        settle(page)
        assert page.locator("main img").count() == 0
        page.get_by_role("button", name="Show the content").click()
        blurred = page.get_by_alt_text("The image, blurred beyond recognition")
        assert blurred.evaluate(LOADED) > 0
        assert len(asked) == 1  # the clear one is not even fetched
        assert faults(page, "an image's page") == []
        page.get_by_text("See the image itself, in grey").click()
        clear = page.get_by_alt_text("The image itself", exact=True)
        assert clear.evaluate(LOADED) > 0
        assert len(asked) == 2
        assert _step(blurred) < _step(clear) / 4


def _note(request: Request, asked: list[str]) -> None:
    if "/media/" in request.url:
        asked.append(request.url)


def _step(image: Locator) -> int:
    """The most by which neighbouring pixels of what is on the screen differ, of 255; it must be grey."""
    shown = np.asarray(Image.open(BytesIO(image.screenshot())).convert("RGB"), np.int16)
    assert np.ptp(shown, axis=2).max() <= 1
    assert np.ptp(shown) > 20
    return int(np.abs(np.diff(shown[:, :, 0], axis=1)).max())
