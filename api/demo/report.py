"""What the demo tells at its end: what was done, what was replayed, and what the figures may claim."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.composition import Goldfold
from api.demo.pyrit import DemoSet
from api.demo.story import Turn
from api.figures import figures_of, policies_of
from labeling.records import GoldenItem, TaskKind, TaskState
from labeling.settle import WAITING


@dataclass(frozen=True, slots=True)
class Report:
    """Tables (title, columns, rows) and plain lines, in reading order; ``data`` holds the same as JSON."""

    tables: tuple[tuple[str, tuple[str, ...], tuple[tuple[object, ...], ...]], ...]
    lines: tuple[str, ...]
    data: dict[str, Any]


def make_report(goldfold: Goldfold, demo_set: DemoSet, turns: list[Turn]) -> Report:
    """Read the ledger and say what stands there."""
    gold = goldfold.ledger.golden.items()
    tables = (
        ("Rounds", ROUND_COLUMNS, tuple(_round(goldfold, turn) for turn in turns)),
        ("Lanes: what was picked, and what became of it", LANE_COLUMNS, _lanes(goldfold, gold)),
        ("Golden set", GOLD_COLUMNS, _gold(gold)),
        ("Models on the dev partition", MODEL_COLUMNS, _models(goldfold)),
        ("The gate, on the sealed partition", GATE_COLUMNS, _gates(goldfold)),
    )
    lines = (*_replayed(goldfold, demo_set), *(note for turn in turns for note in turn.notes))
    data = {title: [dict(zip(columns, row, strict=True)) for row in rows] for title, columns, rows in tables}
    return Report(tables, lines, {**data, "notes": list(lines)})


ROUND_COLUMNS = ("round", "picks", "blind answers", "settled", "waiting", "golden version", "model", "run")
LANE_COLUMNS = ("lane", "picks", "pi known", "became gold", "of these violate")
GOLD_COLUMNS = ("policy", "items", "violate", "unanimous", "adjudicated", "train", "dev", "other")
GATE_COLUMNS = ("challenger", "champion", "golden", "verdict", "why")
MODEL_COLUMNS = ("model", "golden", "policy", "figure", "value", "95 % interval", "n", "verdict")


def _round(goldfold: Goldfold, turn: Turn) -> tuple[object, ...]:
    ledger = goldfold.ledger
    tasks = ledger.tasks.where(round_id=turn.round_id, kind=TaskKind.BLIND)
    current = ledger.annotations.current([task.task_id for task in tasks])
    states = Counter(task.state for task in tasks)
    return (
        turn.round_id,
        len(ledger.rounds.picks(turn.round_id)),
        sum(len(answers) for answers in current.values()),
        states[TaskState.SETTLED],
        states[TaskState.SENT] + states[TaskState.ANSWERED],
        turn.golden_version,
        turn.model_id,
        "earlier" if turn.resumed else "now",
    )


def _lanes(goldfold: Goldfold, gold: list[GoldenItem]) -> tuple[tuple[object, ...], ...]:
    by_pair = {(item.item_id, item.policy_id): item for item in gold}
    picks = goldfold.ledger.rounds.picks()
    rows = []
    for lane in sorted({pick.lane for pick in picks}):
        mine = [pick for pick in picks if pick.lane == lane]
        golden = [by_pair[key] for pick in mine if (key := (pick.item_id, pick.policy_id)) in by_pair]
        known = sum(pick.pi is not None for pick in mine)
        rows.append((lane, len(mine), known, len(golden), sum(item.outcome == "violates" for item in golden)))
    return tuple(rows)


def _gold(gold: list[GoldenItem]) -> tuple[tuple[object, ...], ...]:
    rows = []
    for policy_id in sorted({item.policy_id for item in gold}):
        mine = [item for item in gold if item.policy_id == policy_id]
        how = Counter(str(item.how) for item in mine)
        parts = Counter(str(item.partition) for item in mine)
        rows.append(
            (
                policy_id,
                len(mine),
                sum(item.outcome == "violates" for item in mine),
                how["unanimous"] + how["consensus"],
                how["adjudicated"],
                parts["train"],
                parts["dev"],
                len(mine) - parts["train"] - parts["dev"],
            )
        )
    return tuple(rows)


def _models(goldfold: Goldfold) -> tuple[tuple[object, ...], ...]:
    rows: list[tuple[object, ...]] = []
    for model in goldfold.ledger.models.all():
        if not any(policies_of(model.metrics)):
            rows.append((model.model_id, model.golden_version, *[""] * 5, "dev has too little gold to judge it"))
        for policy_id, judged in policies_of(model.metrics):
            origin = (model.model_id, judged["golden_version"], f"{policy_id} {judged['policy_version']}")
            rows.extend((*origin, *figure) for figure in figures_of(judged))
    return tuple(rows)


def _gates(goldfold: Goldfold) -> tuple[tuple[object, ...], ...]:
    told: list[Mapping[str, Any]] = [row.body for row in goldfold.ledger.gates.all()]
    return tuple(
        (
            body["challenger"]["model_id"],
            body["champion"]["model_id"],
            body["golden"]["version"],
            body["verdict"],
            "; ".join(body["reasons"]),
        )
        for body in told
    )


def _replayed(goldfold: Goldfold, demo_set: DemoSet) -> tuple[str, ...]:
    several = sum(len(row.scores) >= 2 for row in demo_set.rows)
    waiting = goldfold.ledger.tasks.where(states=WAITING)
    reviews = sum(task.kind is TaskKind.REVIEW for task in waiting)
    return (
        f"Content: {len(demo_set.rows)} AI answers with human harm scores out of the PyRIT package "
        f"({demo_set.repeated} repeated rows left out).",
        "Nobody sat at a screen: the annotators replay those human scores through Label Studio's own API, one account "
        "each. A score of 0.5 or more became 'violates', the finer score the severity.",
        f"{several} rows carry three human scores: the first two are the blind answers, the third is the lead's where "
        f"they differ. The other {len(demo_set.rows) - several} carry one: one answer is given, no second is invented.",
        "Rounds ask only about policies under which some rows have several scores; the others are scored and wait.",
        f"{len(waiting) - reviews} tasks wait for a second person, and will not become gold by themselves.",
        f"{reviews} decisions of the lead wait for a second lead's blind look, whom the demo lacks; they are gold.",
        "Model figures are of purposive picks: they speak for these items, not for any traffic. Two models judged on "
        "different golden versions are not compared.",
        "Rules, confidence and rationale are not in the data: each demo policy has one rule, the rest was left empty.",
    )
