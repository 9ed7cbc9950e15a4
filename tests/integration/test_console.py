"""The console in a real browser, on a seeded deployment: every page at two widths, and the days of those who use it.

With ``GOLDFOLD_TEST_SCREENS`` every page's picture is kept in that folder: those of docs/screens were made so.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi.routing import APIRoute
from playwright.sync_api import Browser, ConsoleMessage, Page

from api.auth import Role, make_key
from api.composition import Goldfold
from api.console.app import PAGES
from api.server import serving
from api.service import Service
from tests.api.console.seeded import copied, seed
from tests.chromium import chromium, keep_screen

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]  # every page, twice, on whatever else the machine does

WIDTHS = {"wide": 1440, "phone": 390}
HEIGHT = 900
GRAVE = ("serious", "critical")
LEFT_OUT = re.compile(r"/console/(sign-in|sign-out|static|oidc|file)|[?&]chart=")
LEADS = "lead@example.org"
NOTED = """
addEventListener('securitypolicyviolation', (e) => console.error('POLICY', e.violatedDirective, e.blockedURI));
"""
FORMS = """
() => [...document.querySelectorAll('form[action]:not([method=post])')].map((form) =>
  form.getAttribute('action') + '?' + new URLSearchParams(new FormData(form)))
"""


@dataclass
class Site:
    """A deployment that is served, and who may come in."""

    goldfold: Goldfold
    url: str
    browser: Browser
    keys: dict[str, str] = field(default_factory=dict)

    def key(self, name: str, role: Role) -> str:
        """An access key of that name."""
        if name not in self.keys:
            key, self.keys[name] = make_key(name, role)
            self.goldfold.ledger.keys.add(key)
        return self.keys[name]

    @contextmanager
    def visit(self, name: str, role: Role, width: int = WIDTHS["wide"], scheme: str = "light") -> Iterator[Page]:
        """A page of somebody who has signed in; whatever the browser finds wrong fails the test."""
        context = self.browser.new_context(
            viewport={"width": width, "height": HEIGHT},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        context.add_init_script(NOTED)
        page = context.new_page()
        wrong: list[str] = []
        page.on("console", lambda said: _note(said, wrong))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"{self.url}/console/sign-in")
        page.fill("#key", self.key(name, role))
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "sign-in" not in url)
        yield page
        assert wrong == []
        context.close()


def _note(said: ConsoleMessage, wrong: list[str]) -> None:
    """What is an error, but for a GPU that is none and a form that was refused."""
    if said.type == "error" and "WebGL" not in said.text and "status of 422" not in said.text:
        wrong.append(f"{said.text} at {said.location.get('url', '')}")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("console")
    seed(folder / "seed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    goldfold = copied(folder / "seed", folder / "site")
    goldfold.settings = goldfold.settings.model_copy(update={"port": port})
    with Service(goldfold.settings, goldfold) as service, serving(service), chromium() as browser:
        yield Site(goldfold, f"http://127.0.0.1:{port}", browser)


def _templates() -> list[tuple[str, re.Pattern[str]]]:
    """Every page's path, and what an address of it looks like; the more words of its own, the earlier."""
    routes = [each for page in PAGES for each in page.router.routes if isinstance(each, APIRoute)]
    paths = {f"/console{each.path}" for each in routes if "GET" in (each.methods or ())}
    shape = {path: re.sub(r"\{\w+:path\}", ".+", path) for path in paths if not LEFT_OUT.search(path)}
    made = [(path, re.compile(re.sub(r"\{\w+\}", "[^/]+", each))) for path, each in shape.items()]
    return sorted(made, key=lambda pair: (pair[0].count("{"), -len(pair[0])))


def crawl(page: Page, url: str) -> dict[str, str]:
    """One address of each page that can be reached by links, by the page's path."""
    found: dict[str, str] = {}
    open_, seen = [urlsplit(page.url).path], set[str]()
    templates = _templates()
    while open_:
        address = open_.pop(0)
        template = next((path for path, shape in templates if shape.fullmatch(urlsplit(address).path)), None)
        if template is None or template in found:
            continue
        found[template] = address
        answer = page.goto(f"{url}{address}")
        if answer is None or "text/html" not in answer.headers.get("content-type", ""):
            del found[template]
            templates = [each for each in templates if each[0] != template]
            continue
        assert answer.status == 200, (address, page.inner_text("main"))
        settle(page)
        hrefs = page.eval_on_selector_all("a[href]", "links => links.map((link) => link.getAttribute('href'))")
        for href in [*hrefs, *page.evaluate(FORMS)]:
            if href.startswith("/console/") and not LEFT_OUT.search(href) and href not in seen:
                seen.add(href)
                open_.append(href)
    return found


def settle(page: Page) -> None:
    """Until no figure of the page is on its way any more, and its charts are drawn."""
    page.locator("main:not([data-pending])").wait_for(timeout=120_000)
    for plot in page.locator("[data-plot]").all():
        plot.locator("svg").first.wait_for(state="attached", timeout=60_000)


@pytest.fixture(scope="module")
def pages(site: Site) -> dict[str, str]:
    """An address of each page, by its path."""
    with site.visit(LEADS, Role.ADMIN) as page:
        return crawl(page, site.url)


def test_every_page_is_sound_at_two_widths_and_in_the_dark(site: Site, pages: dict[str, str]) -> None:
    reached = set(pages)
    wanted = {path for path, _ in _templates()} - NOT_PAGES
    assert not wanted - reached, sorted(wanted - reached)
    problems: list[str] = []
    for width, scheme in (("wide", "light"), ("phone", "dark")):
        with site.visit(LEADS, Role.ADMIN, WIDTHS[width], scheme) as page:
            for path, address in pages.items():
                page.goto(f"{site.url}{address}")
                settle(page)
                found = Axe().run(page).response["violations"]
                problems += [
                    f"{address} at {width}: {v['id']} {v['nodes'][0]['html']}" for v in found if v["impact"] in GRAVE
                ]
                if page.evaluate("document.scrollingElement.scrollWidth > innerWidth + 1"):
                    problems.append(f"{address} at {width}: wider than its window")
                keep_screen(page, f"console-{_name(path)}-{width}")
    assert not problems, "\n".join(problems)


def test_every_page_tells_what_it_must_without_script(site: Site, pages: dict[str, str]) -> None:
    with site.visit(LEADS, Role.ADMIN) as page:
        cookies = page.context.cookies()
    context = site.browser.new_context(java_script_enabled=False)
    context.add_cookies(cookies)  # type: ignore[arg-type]
    bare = context.new_page()
    for address in pages.values():
        bare.goto(f"{site.url}{address}")
        assert bare.locator("main h1").count() == 1, address
        for image in bare.locator("noscript img").all():
            answer = bare.request.get(f"{site.url}{urlsplit(address).path}{image.get_attribute('src')}")
            assert (answer.status, answer.headers["content-type"]) == (200, "image/png"), address
    context.close()


def test_a_leads_morning(site: Site) -> None:
    with site.visit(LEADS, Role.LEAD) as page:
        assert page.inner_text("h1") == "Today"
        settle(page)
        page.locator("form.due button").first.click()
        settle(page)
        asked = page.locator("dd strong").first.inner_text()
        page.get_by_role("button", name="Draw it, and ask").click()
        settle(page)
        assert asked in page.locator(".said").inner_text()
        page.get_by_role("link", name="Find the cause on the desk").first.click()
        settle(page)
        assert "/console/quality" in page.url
        page.get_by_role("link", name="Patterns").click()
        settle(page)
        page.locator("main a[href*='/quality/patterns/']").first.click()
        settle(page)
        page.locator("a.item").first.click()
        shown = page.locator(".content").count()
        page.get_by_role("button", name="Show the content").click()
        assert (shown, page.locator(".content").count()) == (0, 1)
    trail = site.goldfold.ledger.audit.latest(20)
    assert {"content.shown", "qa.sample"} <= {str(row["action"]) for row in trail}


def test_an_engineers_round_from_a_gap_to_its_start(site: Site) -> None:
    with site.visit("eng@example.org", Role.ENGINEER) as page:
        assert page.inner_text("h1") == "Rounds"
        page.get_by_role("link", name="Golden", exact=True).click()
        settle(page)
        page.locator("table.heat a, td.short a").first.click()
        page.wait_for_url("**/console/rounds/new?**")
        assert int(page.input_value("[name=budget]")) > 8
        assert page.locator("[name=policies]:checked").count() == 1
        page.fill("[name=budget]", "8")
        page.get_by_role("button", name="Show what it would cost").click()
        settle(page)
        assert "minutes" in page.inner_text("main")
        page.get_by_role("button", name="Start this round").click()
        page.wait_for_url(re.compile(r"/console/rounds/[^/?]+$"))
        settle(page)
        assert "round" in page.inner_text("h1").lower()
        page.goto(f"{site.url}/console/models")
        assert "underpowered" in page.inner_text("main")


def test_an_annotator_sees_their_own_page_and_nothing_else(site: Site) -> None:
    with site.visit("ann@example.org", Role.ANNOTATOR, WIDTHS["phone"]) as page:
        settle(page)
        assert page.inner_text("h1") == "Me"
        assert page.locator("nav[aria-label=Console] a").all_inner_texts() == ["Me"]
        text = page.inner_text("main")
        assert not [name for name in ("bea", "cem", "dia", "eli") if f"{name}@example.org" in text]
        for closed in ("rounds", "golden", "models", "quality", "trends", "audit", "today"):
            answer = page.request.get(f"{site.url}/console/{closed}", headers={"Accept": "text/html"})
            assert answer.status == 403, closed


def test_a_policy_writer_asks_what_a_change_would_cost(site: Site) -> None:
    with site.visit("writer@example.org", Role.LEAD) as page:
        page.goto(f"{site.url}/console/policies/violence/what-if")
        text = page.input_value("#text")
        version = re.search(r"^version: \"?([0-9.]+)", text, re.MULTILINE)
        assert version
        major = int(version[1].split(".")[0]) + 1
        page.fill("#text", text.replace(version[0], version[0].replace(version[1], f"{major}.0.0")))
        page.fill("[name=reason]", "threats in jest are left up")
        page.get_by_role("button", name="See what it would touch and cost").click()
        assert (
            "kinds" in page.locator("[role=alert]").inner_text()
        )  # none was ticked, and what was typed is still there
        assert f"{major}.0.0" in page.input_value("#text")
        page.check("[name='kind.loosen']")
        page.get_by_role("button", name="See what it would touch and cost").click()
        settle(page)
        told = page.inner_text("main")
        assert "Labels expected to turn" in told
        assert "Minutes of people" in told
        page.goto(f"{site.url}/console/policies/violence/history")
        settle(page)
        assert version[1] in page.inner_text("main")


def test_an_auditor_is_two_clicks_from_formula_and_items(site: Site) -> None:
    with site.visit("audit@example.org", Role.VIEWER) as page:
        page.get_by_role("link", name="Audit", exact=True).click()
        settle(page)
        page.locator("main a[href*='/audit/kpis/']").first.click()
        settle(page)
        told = page.inner_text("main")
        assert "Formula" in told
        assert "Computed by" in told
        page.get_by_role("link", name="of the golden set").click()
        settle(page)
        assert LEADS not in page.inner_text("main")


def _name(path: str) -> str:
    words = re.sub(r"\{(\w+)(:path)?\}", r"\1", path.removeprefix("/console/")).replace("/", "-").replace("_", "-")
    return words.strip("-")


NOT_PAGES = {
    "/console/",
    "/console/list",
    "/console/rounds/{round_id}/events",
    "/console/map/events",
    "/console/map/item",
    "/console/map/names",
    "/console/map/points",
}
