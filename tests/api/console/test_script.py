"""What console.js does while figures are on their way, in a real browser: pages are made up, nobody is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Route

from api.console.assets import asset
from tests.chromium import chromium

URL = "http://goldfold.test/console/page"
PAGE = """<!doctype html><html><head><script type="module" src="/console.js" data-plotly="/none.js"></script></head>
<body><main id="main"{pending}>{said}<div class="heading"><h1>Page</h1></div>
<form id="ask"><input name="q" value="sent"></form><form id="idle"><input name="r" value="{look}"></form>
<div id="live" data-events="/events">{look}</div>
<details><summary>More</summary><p>{look}</p></details>
{figure}</main></body></html>"""
BUSY = '<div class="empty busy"><p>being computed</p></div>'
THERE = '<p id="figure">0.731</p><section><h2>And a table</h2></section>'


@pytest.fixture(scope="module")
def seen() -> Iterator[dict[str, object]]:
    """What a page looks like after a figure came, on which somebody typed meanwhile."""
    looks = {"page": 0, "/events": 0}
    with chromium() as browser:
        page = browser.new_page()
        page.route("**/*", lambda route: answer(route, looks))
        page.goto(URL)
        page.fill("#ask input", "typed")
        page.click("summary")
        page.focus("#ask input")
        page.wait_for_selector("#figure", timeout=20_000)
        yield {
            "typed": page.input_value("#ask input"),
            "focus": page.evaluate("document.activeElement.name"),
            "idle": page.input_value("#idle input"),
            "open": page.evaluate("document.querySelector('details').open"),
            "inside": page.inner_text("details p"),
            "live": page.inner_text("#live"),
            "pending": page.get_attribute("#main", "data-pending"),
            "busy": page.locator(".busy").count(),
            "order": page.evaluate("[...document.getElementById('main').children].map((each) => each.tagName)"),
            **looks,
        }


def answer(route: Route, looks: dict[str, int]) -> None:
    """The page, its script, and a stream that says nothing."""
    path = re.sub(r"^https?://[^/]+", "", route.request.url)
    if path == "/console.js":
        route.fulfill(body=asset("console.js").plain, content_type="text/javascript")
    elif path == "/events":
        looks["/events"] += 1
        route.fulfill(body="retry: 600000\n\n", content_type="text/event-stream")
    else:
        looks["page"] += 1
        is_late = looks["page"] < 3
        pending = ' data-pending="figure"' if is_late else ""
        said = '<p class="said">Done</p>' if looks["page"] == 1 else ""
        body = PAGE.format(said=said, pending=pending, look=looks["page"], figure=BUSY if is_late else THERE)
        route.fulfill(body=body, content_type="text/html")


def test_what_was_typed_and_where_the_cursor_is_stay(seen: dict[str, object]) -> None:
    assert (seen["typed"], seen["focus"], seen["open"]) == ("typed", "q", True)


def test_the_rest_of_the_page_is_the_new_one(seen: dict[str, object]) -> None:
    assert (seen["page"], seen["pending"], seen["busy"]) == (3, None, 0)
    assert (seen["idle"], seen["inside"]) == ("3", "3")
    assert seen["order"] == ["P", "DIV", "FORM", "FORM", "DIV", "DETAILS", "P", "SECTION"]


def test_a_stream_goes_on_and_no_other_is_opened(seen: dict[str, object]) -> None:
    assert (seen["live"], seen["/events"]) == ("1", 1)
