"""People at the real Label Studio in a real browser, by keyboard alone; their answers arrive in the ledger."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from labeling.policies import Policy
from labeling.records import Answer, Cause, Outcome, TaskKind, Verdict
from labeling.store.ledger import SqlLedger
from labeling.studio.client import StudioClient
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.projects import ensure_project
from labeling.studio.pull import pull_project
from labeling.studio.push import push_tasks
from tests.chromium import chromium, focus_by_tab, keep_screen, label, logged_in, press
from tests.labeling.studio.build import make_policy, make_tasks
from tests.studio_server import PASSWORD

pytestmark = [pytest.mark.studio, pytest.mark.slow]

VIOLATES = Answer(Outcome.VIOLATES, "threats", 2)
# What a person reads, the keys they press for it, and what must arrive.
CASES = {
    "On Friday I will come to your house, and you will be sorry.": ("1 q 7", VIOLATES),
    "The bakery on the corner has fresh bread at seven.": ("2", Answer(Outcome.ALLOWED)),
    "You know what he meant by that.": ("3", Answer(Outcome.CONTEXT_MISSING)),
    "I could kill for a coffee.": ("1 2", Answer(Outcome.ALLOWED)),  # changed their mind
    "<b>This one</b> stands for what nobody may keep.": ("0", Answer(Outcome.LEGAL_STOP)),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def policy() -> Policy:
    return make_policy(
        title="Threats and insults",
        definition="Content that says its author will hurt somebody, or that demeans a person.",
        guidelines=[
            "Look for who, whom and how. Without any of them it is a figure of speech.",
            "Judge what is said, not who might have said it.",
        ],
        rules=[
            {
                "id": "threats",
                "title": "Threat",
                "definition": "Says that somebody will be hurt.",
                "examples": ["I know where you live, and on Friday you will pay."],
                "near_misses": ["I could kill for a coffee."],
            },
            {"id": "insults", "title": "Insult", "definition": "Demeans the person who is addressed."},
        ],
    )


@pytest.fixture
def page(browser: Browser, studio_server: EmbeddedStudio, annotators: dict[str, str]) -> Iterator[Page]:
    with logged_in(browser, studio_server.base_url, next(iter(annotators)), PASSWORD) as opened:
        yield opened


def shown(page: Page, texts: set[str]) -> str:
    """The one of these texts that is on the screen, literally."""
    page.wait_for_function("texts => texts.some(text => document.body.innerText.includes(text))", arg=sorted(texts))
    seen = page.evaluate("document.body.innerText")
    (text,) = [text for text in texts if text in seen]
    return text


def test_an_annotator_labels_five_items_by_keyboard_and_the_answers_arrive(
    page: Page,
    client: StudioClient,
    studio_server: EmbeddedStudio,
    annotators: dict[str, str],
    ledger: SqlLedger,
    policy: Policy,
) -> None:
    project = ensure_project(client, ledger.projects, policy, TaskKind.BLIND, overlap=1)
    tasks = make_tasks(ledger, policy, list(CASES), overlap=1)
    push_tasks(client, ledger.tasks, ledger.projects, project, tasks, "test")
    label(page, studio_server.base_url, project.project_id)
    left = set(CASES)
    while left:
        text = shown(page, left)
        if CASES[text][1] == VIOLATES:
            keep_screen(page, "annotator-form")
        press(page, CASES[text][0])
        if CASES[text][1] == VIOLATES:
            keep_screen(page, "annotator-violates")
        press(page, "Control+Enter")
        left.remove(text)
        page.wait_for_function("text => !document.body.innerText.includes(text)", arg=text)
    report = pull_project(client, ledger, project, policy)
    assert (report.created, report.invalid) == (5, 0)
    answers = ledger.annotations.current([task.task_id for task in tasks])
    for task in tasks:
        (annotation,) = answers[task.task_id]
        assert annotation.answer == CASES[task.text][1], task.text
        assert annotation.annotator == next(iter(annotators))
        assert (annotation.lead_time_s or 0) > 0
    assert [stop.task_id for stop in ledger.stops.all()] == [tasks[-1].task_id]


def test_rules_examples_guidelines_and_keys_unfold_and_markup_stays_text(
    page: Page, client: StudioClient, studio_server: EmbeddedStudio, ledger: SqlLedger, policy: Policy
) -> None:
    project = ensure_project(client, ledger.projects, policy, TaskKind.BLIND, overlap=1)
    text = "<img src=x onerror=alert(1)><b>bold</b> words"
    tasks = make_tasks(ledger, policy, [text], overlap=1)
    push_tasks(client, ledger.tasks, ledger.projects, project, tasks, "test")
    label(page, studio_server.base_url, project.project_id)
    assert shown(page, {text}) == text
    for panel, inside in (
        ("Rules and examples", "Does not: I could kill for a coffee."),
        ("Guidelines", "Judge what is said, not who might have said it."),
        ("Keys", "Submit: Ctrl+Enter."),
    ):
        assert not page.get_by_text(inside).is_visible()
        page.get_by_text(panel, exact=True).click()
        page.get_by_text(inside).wait_for()
        if panel == "Rules and examples":
            keep_screen(page, "annotator-rules")
        assert page.get_by_text(text).is_visible()


def test_a_lead_decides_by_keyboard_and_must_say_why(
    page: Page, client: StudioClient, studio_server: EmbeddedStudio, ledger: SqlLedger, policy: Policy
) -> None:
    project = ensure_project(client, ledger.projects, policy, TaskKind.ADJUDICATION)
    prompt = "Answer A: allowed\n> a figure of speech\n\nAnswer B: violates, rule threats, severity S1"
    (task,) = make_tasks(
        ledger,
        policy,
        ["I could kill for a coffee."],
        kind=TaskKind.ADJUDICATION,
        overlap=1,
        prompt=prompt,
        precedents="Precedent 1 [it_17]: allowed (unanimous)\n> My feet are killing me.\nWhy:\n> nobody is meant",
    )
    push_tasks(client, ledger.tasks, ledger.projects, project, [task], "test")
    label(page, studio_server.base_url, project.project_id)
    shown(page, {"My feet are killing me."})
    press(page, "2 Shift+1 o")
    keep_screen(page, "lead-desk")
    press(page, "Control+Enter")  # refused: no reason was given
    page.get_by_text("Say why").first.wait_for()
    page.keyboard.press("Escape")
    focus_by_tab(page)
    page.keyboard.type("Nobody is threatened.")
    press(page, "Shift+Enter")
    page.wait_for_function("document.querySelector('textarea') === null || !document.querySelector('textarea').value")
    press(page, "Control+Enter")
    page.wait_for_function("!document.body.innerText.includes('My feet are killing me.')")
    pull_project(client, ledger, project, policy)
    ((annotation,),) = ledger.annotations.current([task.task_id]).values()
    assert annotation.answer == Answer(
        Outcome.ALLOWED, rationale="Nobody is threatened.", verdict=Verdict.SINGLE, cause=Cause.B_WRONG
    )
