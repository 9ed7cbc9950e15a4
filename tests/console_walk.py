"""A deployment's console in a real browser: somebody who visits it, and what is found wrong there."""

from __future__ import annotations

import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from fastapi.routing import APIRoute
from playwright.sync_api import Browser, ConsoleMessage, Page

from api.auth import Role, make_key
from api.composition import Goldfold
from api.console.app import PAGES
from api.server import serving
from api.service import Service
from tests.chromium import chromium

WIDTHS = {"wide": 1440, "phone": 390}
HEIGHT = 900
LOOKS = 2  # addresses of a page: what one model's page leads to, another's may not
GRAVE = ("serious", "critical")
# Without an account of what is well, which takes it long.
CONTRAST = {"runOnly": ["color-contrast"], "resultTypes": ["violations"]}
LEFT_OUT = re.compile(r"/console/(sign-in|sign-out|static|oidc|file)|[?&]chart=")
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


@contextmanager
def served(goldfold: Goldfold) -> Iterator[Site]:
    """It, and a browser, which must start after the service: it leaves a loop running in this thread."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    goldfold.settings = goldfold.settings.model_copy(update={"port": port})
    with Service(goldfold.settings, goldfold) as service, serving(service), chromium() as browser:
        yield Site(goldfold, f"http://127.0.0.1:{port}", browser)


def templates_of() -> list[tuple[str, re.Pattern[str]]]:
    """Every page's path, and what an address of it looks like; the more words of its own, the earlier."""
    routes = [each for page in PAGES for each in page.router.routes if isinstance(each, APIRoute)]
    paths = {f"/console{each.path}" for each in routes if "GET" in (each.methods or ())}
    shape = {path: re.sub(r"\{\w+:path\}", ".+", path) for path in paths if not LEFT_OUT.search(path)}
    made = [(path, re.compile(re.sub(r"\{\w+\}", "[^/]+", each))) for path, each in shape.items()]
    return sorted(made, key=lambda pair: (pair[0].count("{"), -len(pair[0])))


def crawl(page: Page, url: str, look: Callable[[str, str], None] = lambda _path, _address: None) -> dict[str, str]:
    """One address of each page that can be reached by links, by the page's path; of each ``LOOKS`` are followed.
    ``look``: what is done at each of the addresses that are told, with its page's path."""
    found: dict[str, str] = {}
    looks = Counter[str]()
    open_, seen = [urlsplit(page.url).path], set[str]()
    templates = templates_of()
    while open_:
        address = open_.pop(0)
        template = next((path for path, shape in templates if shape.fullmatch(urlsplit(address).path)), None)
        if template is None or looks[template] >= (LOOKS if "{" in template else 1):
            continue
        looks[template] += 1
        is_first = template not in found
        found.setdefault(template, address)
        answer = page.goto(f"{url}{address}")
        if answer is None or "text/html" not in answer.headers.get("content-type", ""):
            found.pop(template, None)
            templates = [each for each in templates if each[0] != template]
            continue
        assert answer.status == 200, (address, page.inner_text("main"))
        settle(page)
        hrefs = page.eval_on_selector_all("a[href]", "links => links.map((link) => link.getAttribute('href'))")
        for href in [*hrefs, *page.evaluate(FORMS)]:
            if href.startswith("/console/") and not LEFT_OUT.search(href) and href not in seen:
                seen.add(href)
                open_.append(href)
        if is_first:
            look(template, address)
    return found


def settle(page: Page) -> None:
    """Until no figure of the page is on its way any more, and its charts are drawn."""
    page.locator("main:not([data-pending])").wait_for(timeout=120_000)
    for plot in page.locator("[data-plot]").all():
        plot.locator("svg").first.wait_for(state="attached", timeout=60_000)


def faults(page: Page, label: str) -> list[str]:
    """What a page is found to be wrong in: by axe-core, in its own colours and the other scheme's, and by its width."""
    found = [*Axe().run(page).response["violations"]]
    is_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    page.emulate_media(color_scheme="light" if is_dark else "dark")
    found += Axe().run(page, options=CONTRAST).response["violations"]
    page.emulate_media(color_scheme="dark" if is_dark else "light")
    told = [f"{label}: {each['id']} {each['nodes'][0]['html']}" for each in found if each["impact"] in GRAVE]
    if page.evaluate("document.scrollingElement.scrollWidth > innerWidth + 1"):
        told.append(f"{label}: wider than its window")
    return told
