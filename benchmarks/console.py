"""Every page of the console with a large site behind it: the time that the server takes for it, warm.

1 M items in the lake, 50,000 golden items in two versions, 100,000 answers of 40 people to 50,000 tasks, 100,000
decisions of 60 days, two models, alerts, patterns, a finding, a weekly pack and a map. All of it is made; lake and
ledger are real. A page is asked for until nothing on it is on its way, and then ``TIMES`` times more, of which the
median counts; then once more while two threads read all adjudications over and over, as figures that are made anew
do (``busy``). A page that cannot be measured fails the run, at its end. ``GOLDFOLD_BENCH_CONSOLE_ITEMS`` sets another
number of items, of which gold, answers and decisions are the same shares (too few, such as 40,000, and there is no
pattern to look at: the run fails). ``GOLDFOLD_BENCH_CONSOLE_FOLDER`` keeps the site there.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median

import httpx
import numpy as np
import pyarrow as pa
import structlog
from fastapi.routing import APIRoute

from api import daily_qa, root_causes, trends, weekly
from api.auth import Role, make_key
from api.composition import Goldfold
from api.console.app import PAGES
from api.coverage import read_coverage
from api.jobs import steps
from api.patterns import mined
from api.server import SWITCH_S, build_app, settle_heap
from api.service import Service
from benchmarks.golden import EVENT, ITEM, PARTS, batched, folded, insert, made, plainly
from benchmarks.process import in_own_process
from benchmarks.row import Row, hardware
from configs.settings import PACKAGED_POLICIES, Settings
from labeling.decision_records import Decided, Decision, ErrorType, Source
from labeling.golden.chain import START
from labeling.golden.publish import publish
from labeling.insights.causes import Told
from labeling.insights.embedding_map import draw_map, in_process
from labeling.insights.weekly import week_of
from labeling.policies import read_policies
from labeling.records import (
    AnnotationEvent,
    Answer,
    EventKind,
    GoldAction,
    GoldenItem,
    Item,
    Outcome,
    PickRow,
    Round,
    RoundState,
    Task,
    TaskKind,
    TaskState,
)
from labeling.standing import change
from labeling.store.gold_chain import HEAD
from labeling.store.rows import dump_json
from labeling.store.tables import adjudications, gold_events, gold_head, golden_items

NAMES = ("console_page", "console_page_median", "console_cold", "console_page_busy")
ITEMS = 1_000_000
GOLD, ANSWERS, DECISIONS = 20, 10, 10  # one item in so many is gold, one answer and one decision an as many items
PEOPLE, ROUNDS, DAYS, BLOCK, TOPICS = 40, 10, 60, 50_000, 64
TIMES, PATIENCE_S = 5, 1200.0
POLICIES = ("hate_speech", "violence", "self_harm")
RULES = {name: policy.rule_ids[0] for name, policy in read_policies(PACKAGED_POLICIES).items() if name in POLICIES}
MODELS = ("bench-1", "bench-2")
EXAMPLES = {  # what stands for a parameter of a page's path; those that the site names itself come from ``_named``
    "round_id": "round-0",
    "external_id:path": "post-1",
    "external_id": "post-1",
    "policy_id": "hate_speech",
    "kpi_id": "agreement",
    "version": "1.0.0",
    "person": "person1@example.com",
    "person:path": "person1@example.com",
    "model_id": MODELS[1],
}
NAMED = "names.json"
OPEN_ROUND = "round-open"
BURST = 100  # one item in so many came up today, all in one market
ASTRAY = "m7"  # the market that production is often wrong in
ASKED = {  # what a page is asked with
    "/console/list": ("?of=/v1/golden/items?policy=hate_speech", "?of=/v1/rounds/round-0/picks"),
    "/console/models/{model_id}/line": ("?policy=hate_speech&miss_rate=0.2",),
    "/console/rounds/new": (
        "?round_id=next&policies=hate_speech&budget=100&lane_random=0.5&lane_uncertain=0.5&plan=1",
    ),
    "/console/map": ("", "?round=round-0"),
    "/console/items/find": ("?q=post-7", "?q=item-00000007"),
    "/console/golden/change": ("?item=post-700&action=retired",),
    "/console/file": ("?of=/v1/weekly/{week}/pages/html",),
}
NO_PAGES = re.compile(r"^/console/($|oidc/|static/|sign-in$|map/item$|map/names$|.*\{round_id\}/events$|map/events$)")
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
TARGET = "any page in <= 300 ms"


def rows() -> list[Row]:
    """One run in processes of its own."""
    count = int(os.environ.get("GOLDFOLD_BENCH_CONSOLE_ITEMS", ITEMS))
    kept = os.environ.get("GOLDFOLD_BENCH_CONSOLE_FOLDER")
    with tempfile.TemporaryDirectory(prefix="goldfold-console-") as name:
        folder = Path(kept or name)
        if not (folder / "ledger.db").exists():
            in_own_process(partial(_fill, str(folder), count))
        slowest, middle, cold, busy = in_own_process(partial(_measure, str(folder)))
        said = (folder / "slowest").read_text(encoding="utf-8")
    on = f"{hardware()}; {count:,} items; {said}"
    return [
        Row(NAMES[0], slowest, "ms, the slowest page, warm", target=TARGET, hardware=on),
        Row(NAMES[1], middle, "ms, the median page, warm", hardware=on),
        Row(NAMES[2], cold, "s, the longest wait for a page whose figures nobody has asked for", hardware=on),
        Row(NAMES[3], busy, "ms, the slowest page, warm, while figures are made anew", hardware=on),
    ]


def _goldfold(folder: Path) -> Goldfold:
    return Goldfold(Settings(data_dir=folder, executor_id="bench"))


def _fill(folder: str, count: int) -> tuple[float, ...]:
    goldfold = _goldfold(Path(folder))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    _fill_lake(goldfold, count)
    _fill_rounds(goldfold, count // GOLD)
    _fill_gold(goldfold, count // GOLD)
    _fill_decisions(goldfold, count // DECISIONS)
    _fill_models(goldfold)
    _score_all(goldfold, count)
    _fill_desk(goldfold)
    goldfold.close()
    return (float(count),)


def _fill_lake(goldfold: Goldfold, count: int) -> None:
    rng, scorer = np.random.default_rng(0), goldfold.scorer()
    width = goldfold.encoder.dimension
    centres = rng.normal(size=(TOPICS, width)).astype(np.float32)
    for first in range(0, count, BLOCK):
        ids = [_item(n) for n in range(first, min(first + BLOCK, count))]
        items = [
            Item(i, f"post-{n}", f"words {n}", f"{n:064x}", language="en" if n % 3 else "de", market=f"m{n % 10}",
                 views=10, created_at=NOW - timedelta(minutes=1500 if n % BURST == 3 else n * 9973 % (35 * 1440)))
            for n, i in enumerate(ids, first)
        ]  # fmt: skip
        version = goldfold.lake.append(items)
        goldfold.ledger.items.register(items, version)
        vectors = centres[rng.integers(0, TOPICS, len(ids))] + rng.standard_normal((len(ids), width), dtype=np.float32)
        flat = pa.array((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16).ravel())
        column = pa.FixedSizeListArray.from_arrays(flat, width)
        goldfold.lake.add_columns(f"embeddings-{scorer.embedding_version}", ids, {"embedding": column})
    _score_all(goldfold, count)


def _score_all(goldfold: Goldfold, count: int) -> None:
    """Scores of what scores now."""
    rng, scorer = np.random.default_rng(2), goldfold.scorer()
    for first in range(0, count, BLOCK):
        ids = [_item(n) for n in range(first, min(first + BLOCK, count))]
        scores = {policy: pa.array(rng.beta(0.5, 4, len(ids)).astype(np.float32)) for policy in scorer.policies}
        goldfold.lake.add_columns(f"scores-{scorer.version}", ids, scores)


def _fill_rounds(goldfold: Goldfold, count: int) -> None:
    """Closed rounds whose tasks two people answered, most of them alike."""
    ledger, each = goldfold.ledger, max(count // ROUNDS, 1)
    for number in range(ROUNDS):
        round_id, at = f"round-{number}", NOW - timedelta(days=DAYS - 5 * number)
        plan: dict[str, object] = {
            "budget": each,
            "lanes": {"random": 0.5, "uncertain": 0.5},
            "policies": dict.fromkeys(POLICIES, "1.0.0"),
            "thresholds": dict.fromkeys(POLICIES, 0.5),
        }
        ledger.rounds.create(Round(round_id, RoundState.PLANNED, number, plan, {}, "", (), at, at))
        chosen = range(number * each, (number + 1) * each)
        picks = [_pick(round_id, n) for n in chosen]
        tasks = [_task(round_id, n, at) for n in chosen]
        ledger.rounds.record_selection(round_id, picks, tasks, {"items": count}, "bench", ())
        ledger.tasks.mark_sending([task.task_id for task in tasks], 1)
        ledger.tasks.mark_sent({task.task_id: n for n, task in enumerate(tasks, number * each + 1)})
        ledger.rounds.set_state(round_id, RoundState.OPEN)
        ledger.annotations.append([_event(n, person, at) for n in chosen for person in (0, 1)])
        ledger.rounds.set_state(round_id, RoundState.CLOSED)
        with closing(sqlite3.connect(goldfold.settings.data_dir / "ledger.db")) as plain:
            insert(plain, adjudications, [_final(round_id, n, at) for n in chosen])
            plain.execute("UPDATE tasks SET state = 'settled' WHERE round_id = ?", (round_id,))
            plain.commit()

    ledger.rounds.create(Round(OPEN_ROUND, RoundState.PLANNED, ROUNDS, plan, {}, "", (), NOW, NOW))
    last = range(ROUNDS * each, ROUNDS * each + 10)
    picks, tasks = [_pick(OPEN_ROUND, n) for n in last], [_task(OPEN_ROUND, n, NOW) for n in last]
    ledger.rounds.record_selection(OPEN_ROUND, picks, tasks, {"items": count}, "bench", ())
    ledger.rounds.set_state(OPEN_ROUND, RoundState.OPEN)


def _fill_gold(goldfold: Goldfold, count: int) -> None:
    """With its events, in two versions: after each fifty rows were retired."""
    ledger, last = goldfold.ledger, START
    with closing(sqlite3.connect(goldfold.settings.data_dir / "ledger.db")) as plain:
        for part in batched(map(_gold, made(count))):
            events = list(folded(part, last))
            last = (events[-1].number, events[-1].sha256)
            insert(plain, golden_items, [[plainly(row, name) for name in ITEM] for row in part])
            insert(plain, gold_events, [[plainly(event, name) for name in EVENT] for event in events])
        insert(plain, gold_head, [[HEAD, *last]])
        plain.commit()
    for first in (0, 50):
        publish(ledger.golden, goldfold.golden_dir, NOW, author="bench")
        for row in islice(made(count), first, first + 50):
            gone = _gold(row)
            change(ledger, gone.item_id, gone.policy_id, GoldAction.RETIRED, actor="bench", reason="no longer posted")


def _gold(row: GoldenItem) -> GoldenItem:
    """A made row as one of this site's items."""
    number = int(row.item_id.removeprefix("item-"))
    policy, answer = POLICIES[number % len(POLICIES)], _answer(number, 0)
    return replace(
        row,
        policy_id=policy,
        round_id=f"round-{number % ROUNDS}",
        outcome=answer.outcome,
        rule=answer.rule,
        severity=answer.severity,
        votes=_votes(answer),
    )


def _fill_decisions(goldfold: Goldfold, count: int) -> None:
    """Of people, a model and an agent."""
    lots = np.random.default_rng(1).random(count)
    for first in range(0, count, BLOCK):
        part = range(first, min(first + BLOCK, count))
        goldfold.ledger.decisions.add([_decision(n, float(lots[n])) for n in part])


def _decision(number: int, lot: float) -> Decision:
    """As gold has it, but for one in twenty, and for most in one market."""
    policy, market = POLICIES[number % len(POLICIES)], f"m{number % 10}"
    errs = number % 20 == 9 or (market == ASTRAY and number % 3 > 0)
    violates = (_answer(number, 0).outcome is Outcome.VIOLATES) != errs
    return Decision(
        source=(Source.HUMAN, Source.HUMAN, Source.MODEL, Source.AGENT)[number % 4],
        decision_id=f"d{number}",
        item_id=_item(number),
        policy_id=policy,
        policy_version="1.0.0",
        who=f"p{number % PEOPLE}",
        outcome=Decided.VIOLATES if violates else Decided.OK,
        rule=RULES[policy] if violates else None,
        action="remove" if violates else "keep",
        decided_at=NOW - timedelta(minutes=number % (DAYS * 1440)),
        project=f"project-{number % 3}",
        team=f"team-{number % 5}",
        language="en" if number % 3 else "de",
        market=market,
        shift=("day", "night")[number % 2],
        tool="queue",
        lot=lot,
    )


def _pick(round_id: str, number: int) -> PickRow:
    lane, pi = ("random", 0.01) if number % 2 else ("uncertain", None)
    policy = POLICIES[number % len(POLICIES)]
    return PickRow(round_id, _item(number), policy, lane, pi, 0.4, f"group-{number}", ("drawn by chance",))


def _task(round_id: str, number: int, at: datetime) -> Task:
    return Task(
        task_id=f"t{number:08}",
        kind=TaskKind.BLIND,
        round_id=round_id,
        item_id=_item(number),
        policy_id=POLICIES[number % len(POLICIES)],
        policy_version="1.0.0",
        text=f"words {number}",
        content_hash=f"{number:064x}",
        overlap=2,
        state=TaskState.QUEUED,
        project_id=None,
        studio_task_id=None,
        parent_task_id=None,
        error="",
        created_at=at,
        updated_at=at,
    )


def _answer(number: int, person: int) -> Answer:
    """Of the task of that number; the second of two now and then errs."""
    violates = (number // len(PARTS) % 5 == 0) != (person == 1 and number % 17 == 0)  # in each partition
    rule = RULES[POLICIES[number % len(POLICIES)]]
    return Answer(Outcome.VIOLATES, rule=rule, severity=2) if violates else Answer(Outcome.ALLOWED)


def _event(number: int, person: int, at: datetime) -> AnnotationEvent:
    who = f"person{(number * 7 + person * 11) % PEOPLE}@example.com"
    answer = _answer(number, person)
    return AnnotationEvent(f"t{number:08}", 2 * number + person, EventKind.CREATED, who, who, answer, 4.0, at)


def _votes(answer: Answer) -> dict[str, int]:
    return {f"{answer.outcome}/{answer.rule}" if answer.rule else str(answer.outcome): 2}


def _final(round_id: str, number: int, at: datetime) -> list[object]:
    """A settled task's row, in the order of the table's columns."""
    answer, policy = _answer(number, 0), POLICIES[number % len(POLICIES)]
    who = [_event(number, person, at).annotator for person in (0, 1)]
    return [
        f"decision-{number:08}",
        f"t{number:08}",
        round_id,
        _item(number),
        policy,
        "1.0.0",
        json.dumps(dump_json(answer)),
        "unanimous",
        json.dumps(_votes(answer)),
        json.dumps(who),
        "",
        at.strftime("%Y-%m-%d %H:%M:%S.%f"),
        None,
        None,
    ]


def _fill_desk(goldfold: Goldfold) -> None:
    """What leads look at, and what the site calls it."""
    trends.judge_day(goldfold)
    told = Told("Removed in one market", "Posts of one market are removed.", {"market": ASTRAY}, (), ErrorType.OVER, 3)
    found = root_causes.open_(goldfold, told, "bench")
    daily_qa.sample_day(goldfold, (NOW - timedelta(days=2)).date().isoformat())
    week = week_of(NOW - timedelta(days=8), "UTC")
    weekly.draft_pack(goldfold, week, "bench", coverage=False)
    draw_map(goldfold.ledger, goldfold.lake, goldfold.scorer(), goldfold.cache_dir, in_process())
    named = {
        "gate_id": goldfold.ledger.gates.all()[0].gate_id,
        "alert_id": trends.alerts(goldfold)[0]["alert_id"],
        "pattern_id": mined(goldfold).patterns[0].pattern_id,
        "cluster": read_coverage(goldfold)["clusters"][0]["cluster"],
        "finding_id": found.finding_id,
        "week": week,
    }
    (goldfold.settings.data_dir / NAMED).write_text(json.dumps(named), encoding="utf-8")


def _measure(folder: str) -> tuple[float, ...]:
    """The slowest and the median page, warm, ms; the longest wait, s. Raises ValueError for pages without a figure."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    goldfold = _goldfold(Path(folder))
    key, plaintext = make_key("bench", Role.ADMIN)
    goldfold.ledger.keys.add(key)
    named = EXAMPLES | json.loads((Path(folder) / NAMED).read_text(encoding="utf-8"))
    wanted = _paths(named)
    sys.setswitchinterval(SWITCH_S)  # as the server does
    with Service(goldfold.settings, goldfold) as service:
        told = asyncio.run(_all_pages(service, plaintext, wanted))
    missing = sorted(set(wanted) - {page.path for page in told})
    if missing:
        raise ValueError(f"not measured: {', '.join(missing)}")
    told.sort(key=lambda page: page.warm_ms)
    slow = "; ".join(f"{page.path} {page.warm_ms:.0f} ms (cold {page.cold_s:.1f} s)" for page in told[:-6:-1])
    loud = max(told, key=lambda page: page.busy_ms)
    said = f"{len(told)} pages; the slowest: {slow}; while figures are made anew: {loud.path} {loud.busy_ms:.0f} ms"
    (Path(folder) / "slowest").write_text(said, encoding="utf-8")
    return told[-1].warm_ms, median(page.warm_ms for page in told), max(page.cold_s for page in told), loud.busy_ms


@dataclass
class _Told:
    path: str
    warm_ms: float
    cold_s: float
    busy_ms: float = 0.0


async def _all_pages(service: Service, key: str, wanted: Sequence[str]) -> list[_Told]:
    """Each page, as somebody sees it who has signed in."""
    app = build_app(service)
    settle_heap()
    found: list[_Told] = []
    transport = httpx.ASGITransport(app)
    headers = {"Accept": "text/html"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1", headers=headers, follow_redirects=True
    ) as client:
        (await client.post("/console/sign-in", data={"key": key})).raise_for_status()
        for path in wanted:
            try:
                found.append(_Told(path, *(await _timed(client, path))))
            except (httpx.HTTPStatusError, TimeoutError) as error:
                print(f"{path}: not measured: {error}", flush=True)
            else:
                print(f"{path}: {found[-1].warm_ms:.0f} ms warm, {found[-1].cold_s:.1f} s cold", flush=True)
        with _reading(service.goldfold):
            for page in list(found):
                try:
                    page.busy_ms = await _warm(client, page.path)
                except httpx.HTTPStatusError as error:
                    print(f"{page.path}: not measured: {error}", flush=True)
                    found.remove(page)
                else:
                    print(f"{page.path}: {page.busy_ms:.0f} ms busy", flush=True)
    app.state.answers.close()
    return found


@contextmanager
def _reading(goldfold: Goldfold) -> Iterator[None]:
    """Two threads that read what the ledger holds, over and over."""
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            goldfold.ledger.golden.adjudications()

    with ThreadPoolExecutor(2) as workers:
        readers = [workers.submit(read) for _ in range(2)]
        try:
            yield
        finally:
            ended.set()
            for reader in readers:
                reader.result()


def _paths(named: Mapping[str, str]) -> list[str]:
    """An address of each page, or several; what streams, and what only leads on, is none."""
    routes = [each for page in PAGES for each in page.router.routes if isinstance(each, APIRoute)]
    pages = {f"/console{each.path}" for each in routes if "GET" in (each.methods or ())}
    found = []
    for page in sorted(pages):
        if NO_PAGES.search(page):
            continue
        known = dict(named) | ({"round_id": OPEN_ROUND} if page.endswith("/cancel") else {})
        found += [_filled(page + query, known) for query in ASKED.get(page, ("",))]
    return found


def _filled(address: str, known: Mapping[str, str]) -> str:
    return re.sub(r"\{([^}]*)\}", lambda part: known[part[1]], address)


async def _timed(client: httpx.AsyncClient, path: str) -> tuple[float, float]:
    began = time.perf_counter()
    while (
        answer := await client.get(path, headers={"Accept": "application/json"})
    ).status_code == httpx.codes.ACCEPTED:
        if time.perf_counter() - began > PATIENCE_S:
            raise TimeoutError(f"{path} has figures on their way after {PATIENCE_S:.0f} s")
        await asyncio.sleep(0.2)
    cold = time.perf_counter() - began
    if not (answer.is_error and answer.json().get("unavailable")):  # it says why there is nothing to tell
        answer.raise_for_status()
    return await _warm(client, path), cold


async def _warm(client: httpx.AsyncClient, path: str) -> float:
    taken = []
    for _ in range(TIMES):
        start = time.perf_counter()
        (await client.get(path)).raise_for_status()
        taken.append(1000 * (time.perf_counter() - start))
    return median(taken)


def _fill_models(goldfold: Goldfold) -> None:
    """Two heads, one the champion, and what the gate says of the other."""
    for seed, name in enumerate(MODELS):
        steps.train(goldfold, name, "1.0.0", seed)
        steps.evaluate(goldfold, name)
    goldfold.promote(MODELS[0], "bench", "the first of its kind")
    goldfold.gate(MODELS[1], "bench")


def _item(number: int) -> str:
    return f"item-{number:08}"


if __name__ == "__main__":
    for each in rows():
        print(each)
