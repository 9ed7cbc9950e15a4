"""The console in a real browser, on a seeded deployment: every page at two widths, and the days of those who use it.

With ``GOLDFOLD_TEST_SCREENS`` every page's picture is kept in that folder: those of docs/screens were made so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin

import pytest

from api.auth import Role
from labeling.insights.embedding_map import draw_map, in_process
from tests.api.console.seeded import copied, seed
from tests.chromium import keep_screen
from tests.console_walk import HEIGHT, WIDTHS, Site, crawl, faults, served, settle, templates_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]  # every page, twice, on whatever else the machine does

LEADS = "lead@example.org"
IN_TURN = """
() => [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')]
  .filter((each) => each.type !== 'hidden')
  .filter((each) => each.checkVisibility() && !each.disabled && each.type !== 'radio')
  .map((each, place) => { each.dataset.turn = place; return place; })
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("console")
    seed(folder / "seed")
    goldfold = copied(folder / "seed", folder / "site")
    draw_map(goldfold.ledger, goldfold.lake, goldfold.scorer(), goldfold.cache_dir, in_process())
    with served(goldfold) as made:
        yield made


@dataclass(frozen=True)
class Walk:
    """An address of each page, by its path, and what was wrong with the pages on the way, on a wide screen."""

    pages: dict[str, str]
    problems: list[str]


@pytest.fixture(scope="module")
def walk(site: Site) -> Walk:
    problems: list[str] = []
    with site.visit(LEADS, Role.ADMIN) as page:

        def look(path: str, address: str) -> None:
            keep_screen(page, f"console-{_name(path)}-wide", whole=True)
            problems.extend(faults(page, f"{address}, wide"))

        return Walk(crawl(page, site.url, look), problems)


def test_every_page_is_reached_and_sound_on_a_wide_screen(walk: Walk) -> None:
    wanted = {path for path, _ in templates_of()} - NOT_PAGES
    assert not wanted - set(walk.pages), sorted(wanted - set(walk.pages))
    assert not walk.problems, "\n".join(walk.problems)


def test_every_page_is_sound_on_a_phone(site: Site, walk: Walk) -> None:
    problems: list[str] = []
    with site.visit(LEADS, Role.ADMIN, WIDTHS["phone"], "dark") as page:
        for path, address in walk.pages.items():
            page.goto(f"{site.url}{address}")
            settle(page)
            keep_screen(page, f"console-{_name(path)}-phone", whole=True)
            problems += faults(page, f"{address} on a phone")
    assert not problems, "\n".join(problems)


def test_what_is_seen_before_a_sign_in_and_where_something_is_wrong_is_sound(site: Site) -> None:
    problems: list[str] = []
    for width, scheme in (("wide", "light"), ("phone", "dark")):
        context = site.browser.new_context(
            viewport={"width": WIDTHS[width], "height": HEIGHT}, color_scheme="dark" if scheme == "dark" else "light"
        )
        page = context.new_page()
        page.goto(f"{site.url}/console/sign-in")
        keep_screen(page, f"console-sign-in-{width}", whole=True)
        problems += faults(page, f"sign-in at {width}")
        page.fill("#key", "gf_of_nobody")
        page.keyboard.press("Enter")
        page.locator("[role=alert]").wait_for()
        problems += faults(page, f"refused sign-in at {width}")
        page.fill("#key", site.key("viewer@example.org", Role.VIEWER))
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "sign-in" not in url)
        for path, status in (("rounds/nowhere", 404), ("quality/people", 403), ("golden/items/nothing", 403)):
            answer = page.goto(f"{site.url}/console/{path}")
            assert answer is not None
            assert answer.status == status, path
            keep_screen(page, f"console-problem-{status}-{width}", whole=True)
            problems += faults(page, f"{path} at {width}")
        context.close()
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    "path", ["today", "rounds/new?policies=violence", "models/hate-head-2/thresholds", "golden", "me"]
)
def test_whatever_can_be_pressed_is_reached_by_keys(site: Site, path: str) -> None:
    with site.visit(LEADS, Role.ADMIN) as page:
        page.goto(f"{site.url}/console/{path}")
        settle(page)
        wanted = set(page.evaluate(IN_TURN))
        page.evaluate("document.body.tabIndex = -1; document.body.focus()")
        reached = set[int]()
        for _ in range(3 * len(wanted)):
            page.keyboard.press("Tab")
            turn = page.evaluate("document.activeElement.dataset.turn")
            if turn is not None:
                reached.add(int(turn))
        missed = page.evaluate(
            "(turns) => turns.map((turn) => document.querySelector(`[data-turn='${turn}']`)?.outerHTML)",
            sorted(wanted - reached),
        )
        assert not missed


def test_every_page_tells_what_it_must_without_script(site: Site, walk: Walk) -> None:
    with site.visit(LEADS, Role.ADMIN) as page:
        cookies = page.context.cookies()
    context = site.browser.new_context(java_script_enabled=False)
    context.add_cookies(cookies)  # type: ignore[arg-type]
    bare = context.new_page()
    pictured = set[str]()
    for path, address in walk.pages.items():
        bare.goto(f"{site.url}{address}")
        for _ in range(300):
            if not bare.locator("main[data-pending]").count():
                break
            bare.wait_for_timeout(200)
            bare.reload()
        assert not bare.locator("main[data-pending]").count(), f"{address} has figures on their way for ever"
        assert bare.locator("main h1").count() == 1, address
        for image in bare.locator("noscript img").all():
            pictured.add(path)
            answer = bare.request.get(urljoin(bare.url, image.get_attribute("src") or ""))
            assert (answer.status, answer.headers["content-type"]) == (200, "image/png"), address
    assert "/console/map" in pictured
    assert len(pictured) > 10
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
        blur = "() => getComputedStyle(document.querySelector('.content')).filter"
        assert "blur" in page.evaluate(blur)
        page.get_by_label("See the text clearly").focus()
        page.keyboard.press("Space")
        assert page.evaluate(blur) == "none"
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
        page.locator(".parts-bar").wait_for(timeout=120_000)  # the progress comes by itself: nobody loads the page
        assert re.search(r"of \d+ tasks?", page.inner_text("main"))
        page.goto(f"{site.url}/console/models")
        assert "underpowered" in page.inner_text("main")


def test_a_slider_tells_while_it_is_moved_and_loads_nothing(site: Site) -> None:
    with site.visit("eng@example.org", Role.ENGINEER) as page:
        page.goto(f"{site.url}/console/models/hate-head-1/thresholds")
        settle(page)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        slider, seen = page.locator("#at"), set[tuple[str, str]]()
        for at in ("0.05", "0.5", "1"):
            slider.evaluate("(slider, at) => { slider.value = at; slider.dispatchEvent(new Event('input')); }", at)
            assert page.inner_text("#at-told") == at
            seen.add((page.inner_text("[data-of=missed]"), page.inner_text("[data-of=load]")))
        assert (len(seen), asked) == (3, [])
        assert ("100.0 %", "0.0 %") in seen  # above every score all is missed, and nothing flagged
        slider.focus()
        page.keyboard.press("ArrowLeft")
        page.wait_for_url("**at=0.999*")
        settle(page)
        assert page.evaluate("document.activeElement.id") == "at"


def test_the_map_is_drawn_moved_and_opened_by_keys(site: Site) -> None:
    with site.visit("eng@example.org", Role.ENGINEER) as page:
        page.goto(f"{site.url}/console/map")
        settle(page)
        canvas = page.locator("canvas")
        canvas.wait_for()
        whole = canvas.screenshot()
        canvas.focus()
        for _ in range(4):
            page.keyboard.press("+")
        page.wait_for_timeout(500)  # it stands still, and all points are drawn
        assert canvas.screenshot() != whole
        page.keyboard.press("0")
        page.wait_for_timeout(500)
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/items/*")
        assert "What is known of it" in page.inner_text("main")


def test_an_annotator_sees_their_own_page_and_nothing_else(site: Site) -> None:
    with site.visit("ann@example.org", Role.ANNOTATOR, WIDTHS["phone"]) as page:
        settle(page)
        assert page.inner_text("h1") == "Me"
        assert page.locator("nav[aria-label=Console] a").all_inner_texts() == ["Me"]
        text = page.inner_text("main")
        assert not [name for name in ("bea", "cem", "dia", "eli") if f"{name}@example.org" in text]
        assert "95 % interval" in page.content() or "too few" in text
        box = page.locator("[name='policy:privacy']")
        box.focus()
        page.keyboard.press("Space")  # without a mouse
        page.get_by_role("button", name="Save").press("Enter")
        page.locator(".said").wait_for()
        assert box.is_checked()
        person = next(each for each in site.goldfold.ledger.people.all() if each.email == "ann@example.org")
        assert "privacy" in person.opt_outs
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


def test_a_figure_leads_in_two_clicks_to_its_formula_versions_events_and_items(site: Site) -> None:
    with site.visit("auditor@example.org", Role.ENGINEER) as page:
        page.goto(f"{site.url}/console/policies")
        settle(page)
        page.locator("a[href='/console/audit/kpis/agreement']").first.click()
        settle(page)
        told = page.inner_text("main")
        for said in ("Formula", "Golden version", "What changed it", "1.1.0"):
            assert said in told
        page.locator("main a", has_text="items").first.click()
        settle(page)
        page.locator("main a[href*='/console/items/']").first.click()
        settle(page)
        assert "What is known of it" in page.inner_text("main")


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
