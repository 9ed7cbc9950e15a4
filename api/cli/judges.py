"""Whom a command judges when it is no model of the registry, and what that would cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.output import bar, out, show_json
from api.cli.session import goldfold

if TYPE_CHECKING:
    from api.judges import What, Who

ScorerOption = Annotated[
    str, typer.Option("--scorer", help="Judge this scorer file (a packaged one by name, or a path), not a model.")
]
EndpointOption = Annotated[
    str, typer.Option("--endpoint", help="Judge this chat service (a file in judges_dir, or a path), not a model.")
]
PredictionsOption = Annotated[
    Path | None, typer.Option("--predictions", help="Judge this CSV, JSONL or Parquet of predictions, not a model.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="With --endpoint: say what would be asked and what it costs; send nothing.")
]


def outsider(
    model_id: str, scorer: str, endpoint: str, predictions: Path | None, limit: int | None = None
) -> Who | None:
    """Who is meant; None: the model. Raises typer.BadParameter unless one of the four is named."""
    named = {"scorer": scorer, "endpoint": endpoint, "predictions": str(predictions or "")}
    given = [(kind, name) for kind, name in named.items() if name]
    if len(given) + bool(model_id) != 1:
        raise typer.BadParameter("name a model, or one of --scorer, --endpoint and --predictions")
    if not given:
        return None
    who: Who = judges().Who(*given[0], limit)
    return who


def judges() -> ModuleType:
    """``api.judges``, imported when somebody is judged: it brings the stores and numerics."""
    return import_module("api.judges")


def judge(context: typer.Context, who: Who, what: What, *, quiet: bool) -> dict[str, Any]:
    """Judge somebody, with a progress bar."""
    with goldfold(context) as app, bar(f"judge {who.name}", quiet=quiet) as tick:
        told: dict[str, Any] = judges().judge(app, who, what, "cli", judges().Run(tick))
    return told


def show_price(context: typer.Context, who: Who, what: What, *, as_json: bool) -> None:
    """What judging would ask and cost, as a line or as JSON."""
    with goldfold(context) as app:
        told = judges().price(app, who, what)
    if as_json:
        show_json(told)
        return
    found = told["estimate"]
    out.print(f"{found['calls']} calls for {found['pairs']} pairs of item and policy; {found['kept']} answers are kept")
    out.print(
        f"  about {found['tokens_in']} tokens in and {found['tokens_out']} out: {found['cost']:.4f} by its prices"
    )
    out.print(f"  ({found['basis']})")


def beside_lines(beside: Mapping[str, Any]) -> Iterator[str]:
    """What a contender says beside its figures, for people."""
    unread = beside.get("unread")
    if unread and unread["items"]:
        yield f"{unread['items']} items could not be judged:"
        yield from (f"  {count}: {reason}" for reason, count in unread["reasons"].items())
    if "answers" in beside:
        yield from _answers(beside)


def _answers(beside: Mapping[str, Any]) -> Iterator[str]:
    told = beside["answers"]
    missing = sum(one["context_missing"] for one in told["policies"].values())
    lost = f"{told['unreadable']} unreadable, {told['refused']} refused, {told['cut']} cut off"
    yield f"Answers: {told['read']} read ({missing} of them context_missing); {lost}"
    if beside["shortened"]:
        yield f"{beside['shortened']} items were sent without their middle"
    if len(beside["served"]) > 1:
        yield f"More than one model answered: {', '.join(beside['served'])}"
    yield from _stability(beside["stability"])
    for name, when in (("usage", "All of it"), ("usage_now", "This run")):
        used = beside[name]
        tokens = f"{used['tokens_in']} tokens in, {used['tokens_out']} out"
        yield f"{when}: {used['calls']} answers, {tokens}, cost {used['cost']:.4f}"


def _stability(stability: Mapping[str, Any]) -> Iterator[str]:
    if not stability:
        yield "Stability: nothing was asked twice (repeats is 1)"
        return
    for name, cell in [("all", stability["all"]), *stability["policies"].items()]:
        alike, pairs = _share(cell["alike"]), _share(cell["pairwise"])
        n, verdict = cell["alike"]["n"], cell["verdict"]
        yield f"Stability, {name}: {alike} answered alike, n {n}; pairs agree {pairs}; {verdict}"


def _share(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "insufficient"
    return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"
