"""Commands on coverage: what gold lacks of the traffic, and a round about it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api.cli.output import bar, out, show_json, show_origins, table
from api.cli.session import JsonFlag, goldfold
from api.coverage import open_round, read_coverage
from labeling.insights.traffic import SAMPLE, TEXT
from labeling.quality.coverage import NEAR

SHOWN = 10  # clusters of the table

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="How much of the traffic lies near gold; a round about the rest."
)
CosineOption = Annotated[float, typer.Option(help="From where on an item is near gold, in (0, 1].")]


@app.command("show")
def show_command(
    context: typer.Context,
    policy: Annotated[str, typer.Option(help="Gold and risk of this policy only.")] = "",
    cosine: CosineOption = NEAR,
    sample: Annotated[int, typer.Option(help="Items that are looked at, at most: 2000, 20000 or 200000.")] = SAMPLE,
    modality: Annotated[str, typer.Option(help="text or image: each by itself.")] = TEXT,
    words: Annotated[
        bool, typer.Option("--words", help="Name clusters by words of their texts: for leads' eyes.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Say how much of the traffic lies near gold, and which clusters are darkest.

    Examples:

      goldfold coverage show --policy hate_speech

      goldfold coverage show --modality image --json
    """
    with goldfold(context) as app_, bar("coverage", quiet=as_json) as tick:
        told = read_coverage(app_, policy, cosine, sample, modality=modality, words=words, tick=tick)
    if as_json:
        show_json(told)
        return
    _show(told)


@app.command("open")
def open_command(
    context: typer.Context,
    cluster: Annotated[str, typer.Argument(help="Id of the cluster, as coverage show tells it.")],
    by: Annotated[str, typer.Option("--by", help="Who you are; kept for good.")],
    policy: Annotated[
        list[str] | None, typer.Option("--policy", help="Only this policy; repeat for more (default: all).")
    ] = None,
    budget: Annotated[int | None, typer.Option(min=1, help="Picks (setting: budget).")] = None,
    overlap: Annotated[int | None, typer.Option(min=1, help="People per task (setting: overlap).")] = None,
    cosine: CosineOption = NEAR,
    round_id: Annotated[str, typer.Option("--id", help="Id of the round (default: coverage-CLUSTER).")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the picks; write nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Open a round over the items of a cluster that lie near no gold; the next sync sends its tasks.

    Example: goldfold coverage open c412x200000-1a2b3c4d --policy hate_speech --budget 50 --by ann --dry-run
    """
    with goldfold(context) as app_:
        made = open_round(
            app_,
            cluster,
            by,
            budget=budget,
            policies=policy or (),
            overlap=overlap,
            cosine=cosine,
            round_id=round_id,
            dry_run=dry_run,
        )
    if as_json:
        show_json(made)
        return
    done = "would be open" if dry_run else "was open already" if made.again else "is open"
    out.print(f"Round {made.round_id} {done}: {len(made.picks)} picks of {made.dark} dark items in {cluster}")
    for note in made.notes:
        out.print(f"Note: {note}")


def _show(told: dict[str, Any]) -> None:
    rows = [
        (
            one["cluster"],
            one["items"],
            one["dark_risk"],
            one["gold"],
            _said(one["near"]),
            _said(one["near_risky"]),
            " ".join(one["words"]),
        )
        for one in told["clusters"][:SHOWN]
    ]
    table("Darkest clusters", ["cluster", "items", "dark risk", "gold", "near gold", "risky near gold", "words"], rows)
    gold = told["gold"]
    out.print(
        f"Near gold (cosine {told['cosine']:g}): {_said(told['near'])}, n {told['near']['n']}; "
        f"of the risky: {_said(told['near_risky'])}, n {told['near_risky']['n']}"
    )
    apart = told["divergence"]
    out.print(
        f"Gold to risky traffic: {_said(apart)} bits; by chance alone up to {apart['by_chance']:.3f} "
        f"({apart['gold']} gold, {apart['risky']} risky, {apart['clusters']} clusters)"
    )
    partitions = ", ".join(f"{name} {n}" for name, n in gold["partitions"].items())
    out.print(f"Gold: {gold['items']} ({partitions or 'none'}); {gold['without_embedding']} without an embedding")
    if told["left_out"]:
        said = f"{told['left_out']} {told['modality']}s have no score or no embedding"
        out.print(f"{said}, and are left out: goldfold score")
    for name, count in told["others"].items():
        out.print(f"{count} {name}s are in none of these figures")
    show_origins([told["near"]])
    if told["clusters"]:
        out.print(
            f"A round about the darkest: goldfold coverage open {told['clusters'][0]['cluster']} --by NAME --dry-run"
        )


def _said(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return "insufficient"
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
