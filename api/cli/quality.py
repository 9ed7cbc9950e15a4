"""Commands on how good answers are: people, agreement; and the label-error queue as a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from api.cli.output import out, show_json, table
from api.cli.session import JsonFlag, goldfold
from labeling.agreements import Agreements, Cell
from labeling.people import Page, People, own_page, page_of
from labeling.quality.intervals import INSUFFICIENT, Figure
from labeling.suspects import Suspects

PEOPLE = ("person", "policy", "language", "n", "right", "violates seen", "allowed seen", "verdict")
PACE = ("person", "answers", "drift", "n", "limits", "rushed", "lead time / usual")
AGREEMENT = ("policy", "language", "rule", "n", "observed", "alpha", "AC1", "outcome and rule", "severity AC2")
SUSPECTS = ("rank", "policy", "item", "gold", "model p", "neighbours", "nearest", "score")


def people_command(
    context: typer.Context,
    me: Annotated[str, typer.Option(help="Only the page of this address, as that person sees it.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Show how good each person's blind answers are: intervals, by name; nobody is ranked.

    Examples:

      goldfold people

      goldfold people --me ann@example.org --json
    """
    with goldfold(context) as opened:
        found = opened.people()
    pages = (page_of(found, me),) if me else found.pages
    if as_json:
        show_json(own_page(found, me) if me else found.as_dict())
        return
    table("People (95 % intervals; blind answers only)", list(PEOPLE), list(_parts(pages, points=bool(me))))
    table("Drift and pace", list(PACE), [_pace(page, points=bool(me)) for page in pages])
    _say_withheld(found)


def agreement_command(
    context: typer.Context,
    consensus: Annotated[
        bool, typer.Option("--consensus", help="Also choose an aggregator for each policy; takes seconds.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show how far people agree, by policy, language and rule. Example: goldfold agreement --consensus"""
    with goldfold(context) as opened:
        found = opened.agreements(consensus=consensus)
    if as_json:
        show_json(found.as_dict())
        return
    table("Agreement (95 % intervals; tasks with two answers)", list(AGREEMENT), [_cell(cell) for cell in found.cells])
    for line in agreement_notes(found):
        out.print(line)
    _say_withheld(found)


def show_suspects(found: Suspects) -> None:
    """The queue as a table. No content is printed."""
    rows = [
        (
            one.rank,
            one.policy,
            one.external_id,
            one.gold,
            f"{one.probability:.3f}",
            f"{one.disagreeing:.0%} differ",
            ", ".join(f"{near.external_id}: {near.gold}" for near in one.neighbours),
            f"{one.score:.2f}{' *' if one.off_diagonal else ''}",
        )
        for one in found.suspects
    ]
    table("Labels that look wrong (partition train; *: by confident learning)", list(SUSPECTS), rows)
    for policy, reason in found.skipped.items():
        out.print(f"{policy}: not ranked, {reason}")
    if found.unembedded:
        out.print(f"{found.unembedded} items have no embedding and were left out: run goldfold score")


def agreement_notes(found: Agreements) -> Iterator[str]:
    """The warnings of each cell, and what was chosen."""
    for cell in found.cells:
        for warning in cell.outcome.warnings:
            yield f"{_name(cell)}: {warning}"
    for policy, choice in found.consensus.items():
        yield f"{policy}: consensus by {choice.chosen}: {choice.reason}"


def interval(figure: Figure, *, points: bool = True) -> str:
    """``value [low, high]``; ``points``: with the value, if there is one."""
    ends = f"[{figure.low:.3f}, {figure.high:.3f}]"
    if figure.verdict == INSUFFICIENT:
        return f"insufficient {ends}"
    return f"{figure.value:.3f} {ends}" if points and figure.value is not None else ends


def _parts(pages: tuple[Page, ...], *, points: bool) -> Iterator[tuple[object, ...]]:
    for page in pages:
        for part in page.parts:
            yield (
                page.person,
                part.policy or "all",
                part.language or "all",
                part.right.n,
                interval(part.right, points=points),
                interval(part.confusion["violates"]["violates"], points=points),
                interval(part.confusion["allowed"]["allowed"], points=points),
                part.right.verdict,
            )


def _pace(page: Page, *, points: bool) -> tuple[object, ...]:
    drift, speed = page.drift, page.speed
    return (
        page.person,
        page.answers,
        drift.state,
        drift.figure.n,
        f"[{drift.figure.low:.3f}, {drift.figure.high:.3f}]",
        interval(speed.rushed, points=points),
        interval(speed.ratio, points=points),
    )


def _cell(cell: Cell) -> tuple[object, ...]:
    return (
        cell.policy or "all",
        cell.language or "all",
        cell.rule_id,
        cell.outcome.observed.n,
        interval(cell.outcome.observed),
        interval(cell.outcome.alpha),
        interval(cell.outcome.ac1),
        "" if cell.rule is None else interval(cell.rule.observed),
        "" if cell.severity is None else interval(cell.severity.ac2),
    )


def _name(cell: Cell) -> str:
    return " ".join(part for part in (cell.policy or "all", cell.language, cell.rule_id) if part)


def _say_withheld(found: People | Agreements) -> None:
    if found.withheld:
        out.print(f"{found.withheld} answers of the partitions sealed and anchor are withheld")
