"""The console of a deployment that holds nothing yet, in a real browser: every page that can be reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.auth import Role
from configs.settings import Settings
from tests.api.site import WordGoldfold
from tests.console_walk import WIDTHS, crawl, faults, served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
LEADS = "lead@example.org"


def test_a_deployment_with_nothing_in_it_says_what_to_do_next(tmp_path: Path) -> None:
    goldfold = WordGoldfold(Settings(data_dir=tmp_path, executor_id="bare", device="cpu"))
    problems: list[str] = []
    with served(goldfold) as bare:
        with bare.visit(LEADS, Role.ADMIN, WIDTHS["phone"]) as page:

            def look(_path: str, address: str) -> None:
                problems.extend(faults(page, f"{address}, empty"))
                silent = [said for said in page.locator(".empty").all() if not said.locator("a, button, code").count()]
                problems.extend(f"{address}: says nothing of what to do next: {said.inner_text()}" for said in silent)

            assert len(crawl(page, bare.url, look)) > 30
        assert not problems, "\n".join(problems)
