"""What a viewer is shown in the rooms Models, Golden and Policies leads nowhere that they are refused at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import urldefrag

import pytest

from api.auth import Role
from tests.api.console.conftest import Console, opened
from tests.api.console.pages.exam import examined, train
from tests.api.site import HARM

PAGES = (
    "/console/models",
    "/console/models/hate-1",
    "/console/models/hate-1/slices",
    "/console/models/hate-1/curves",
    "/console/models/hate-1/thresholds",
    "/console/models/hate-1/drift",
    "/console/models/hate-1/beside",
    "/console/golden",
    "/console/golden/versions",
    "/console/golden/versions/1.1.0",
    "/console/golden/errors",
    "/console/policies",
    f"/console/policies/{HARM}",
    f"/console/policies/{HARM}/tree",
    f"/console/policies/{HARM}/history",
    f"/console/policies/{HARM}/progress",
    f"/console/policies/{HARM}/proposals",
)
LINK = re.compile(r'<a [^>]*href="([^"]+)"')


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    goldfold = examined(tmp_path_factory.mktemp("viewers-links"))
    train(goldfold)
    with opened(goldfold) as console:
        console.post("/console/models/hate-1/evaluate", {}, Role.ENGINEER)
        yield console


def test_no_link_of_a_viewers_page_is_refused(exam: Console) -> None:
    found: dict[str, str] = {}
    for page in PAGES:
        exam.settled(page, Role.VIEWER)
        html = exam.get(page, Role.VIEWER).text.split('<main id="main"')[1]
        for link in map(unescape, LINK.findall(html)):
            if link.startswith(("/console/", "/v1/")) and "/static/" not in link:
                found.setdefault(urldefrag(link).url, page)
    assert len(found) > 30
    refused = {link: page for link, page in found.items() if exam.get(link, Role.VIEWER).status_code >= 400}
    assert refused == {}
