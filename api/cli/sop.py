"""Commands on SOPs: list, lint, compile and replay the decision trees of ``sops_dir``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from api.cli.output import out, show_json, table
from api.cli.session import JsonFlag, goldfold
from api.drafts import draft_question
from api.sops import PER_VERDICT, compiled, lint_sop, replay_sop, sop_of, sops, tasks_of
from labeling.quality.intervals import Figure
from labeling.sop.lint import Level
from labeling.sop.replay import Replay
from labeling.sop.walks import read_walks
from labeling.written import write_whole

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Decision trees: lint, replay on gold, compile.")
SopArgument = Annotated[str, typer.Argument(help="Id of the tree.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="The file to write (default: standard output).")]


@app.command("list")
def list_command(context: typer.Context, as_json: JsonFlag = False) -> None:
    """List the trees of sops_dir, with what lint finds; nothing of a tree whose policy is not in force.

    Example: goldfold sop list
    """
    with goldfold(context) as opened:
        every = sops(opened).values()
        found = [(sop, lint_sop(opened, sop) if sop.policy in opened.policies else None) for sop in every]
    rows = [
        {
            "sop": sop.id,
            "version": sop.version,
            "policy": sop.policy,
            "policy_version": sop.policy_version,
            "steps": len(sop.steps),
            "leaves": len(sop.leaves),
            "errors": None if flaws is None else sum(one.level is Level.ERROR for one in flaws),
            "warnings": None if flaws is None else sum(one.level is Level.WARNING for one in flaws),
            "tree_hash": sop.tree_hash,
        }
        for sop, flaws in found
    ]
    if as_json:
        show_json(rows)
        return
    columns = ["sop", "version", "policy", "policy version", "steps", "leaves", "errors", "warnings", "tree"]
    table("SOPs", columns, [(*list(row.values())[:-1], str(row["tree_hash"])[:12]) for row in rows])


@app.command("lint")
def lint_command(context: typer.Context, sop: SopArgument, as_json: JsonFlag = False) -> None:
    """Say what makes a tree hard to apply. Exits 1 where it cannot give its policy's verdicts.

    Example: goldfold sop lint hate_speech
    """
    with goldfold(context) as opened:
        flaws = lint_sop(opened, sop_of(opened, sop))
    if as_json:
        show_json([flaw.as_dict() for flaw in flaws])
    elif flaws:
        for flaw in flaws:
            out.print(f"{flaw.level.value}: {flaw.where}: {flaw.message} ({flaw.flaw.value})")
    else:
        out.print("Nothing found")
    if any(flaw.level is Level.ERROR for flaw in flaws):
        raise typer.Exit(1)


@app.command("compile")
def compile_command(
    context: typer.Context,
    sop: SopArgument,
    kind: Annotated[str, typer.Argument(help="form (Label Studio), prompt, guide.html or guide.pdf.")],
    to: OutOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a Label Studio form, an agent's prompt, or a printable guide; all bear the tree's hash.

    Examples:

      goldfold sop compile hate_speech prompt

      goldfold sop compile hate_speech guide.pdf --out hate_speech.pdf
    """
    with goldfold(context) as opened:
        tree = sop_of(opened, sop)
        made = compiled(opened, tree, kind)
    if to is None and isinstance(made, bytes):
        raise typer.BadParameter(f"{kind} is no text: name a file with --out", param_hint="--out")
    if to is not None:
        write_whole(to, made if isinstance(made, bytes) else made.encode())
    if as_json:
        told = {"sop": sop, "version": tree.version, "tree_hash": tree.tree_hash, "kind": kind}
        show_json(told | ({"content": made} if to is None else {"file": to}))
    elif to is None:
        typer.echo(made)
    else:
        out.print(f"{to}: {kind} of {sop}")


@app.command("tasks")
def tasks_command(
    context: typer.Context,
    sop: SopArgument,
    to: OutOption = None,
    per_verdict: Annotated[
        int, typer.Option(min=1, help="Golden items of each outcome and rule, at most.")
    ] = PER_VERDICT,
    as_json: JsonFlag = False,
) -> None:
    """Write golden items as tasks for a Label Studio project of the tree's form; their answers are not in them.

    Example: goldfold sop tasks hate_speech --out tasks.json
    """
    with goldfold(context) as opened:
        tasks = tasks_of(opened, sop_of(opened, sop), per_verdict)
    if to is None:
        show_json(tasks)
        return
    write_whole(to, json.dumps(tasks, ensure_ascii=False, indent=1).encode(), private=True)  # it holds content
    if as_json:
        show_json({"sop": sop, "tasks": len(tasks), "file": to})
    else:
        out.print(f"{to}: {len(tasks)} tasks")


@app.command("replay")
def replay_command(
    context: typer.Context,
    sop: SopArgument,
    answers: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="Label Studio's JSON export, or a table.")
    ],
    golden: Annotated[str, typer.Option("--golden", help="Golden version (default: the newest).")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Replay gold through a tree: which question is ambiguous, and which misleads.

    Reads what Label Studio exports as JSON, or a table (.csv, .jsonl, .parquet) with item_id, person, step and answer.

    Example: goldfold sop replay hate_speech answers.json
    """
    with goldfold(context) as opened:
        tree = sop_of(opened, sop)
        told = replay_sop(opened, tree, read_walks(tree, answers), golden)
    if as_json:
        show_json(told.as_dict())
        return
    _show(told)


@app.command("suggest")
def suggest_command(
    context: typer.Context,
    sop: SopArgument,
    step: Annotated[str, typer.Argument(help="Id of the step.")],
    endpoint: Annotated[str, typer.Option(help="Endpoint file: a name in judges_dir, or a path.")],
    answers: Annotated[
        Path | None, typer.Option("--answers", exists=True, dir_okay=False, help="Answers to replay, which it is told.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Have a chat service draft another wording of a step's question; the file stays as it is.

    Example: goldfold sop suggest hate_speech against --endpoint gpt --answers answers.json
    """
    with goldfold(context) as opened:
        tree = sop_of(opened, sop)
        replayed = replay_sop(opened, tree, read_walks(tree, answers)) if answers else None
        made = draft_question(opened, sop, step, endpoint, replayed)
    if as_json:
        show_json(made)
        return
    out.print(f"DRAFT by {made.by} ({made.warning}): {made.text}")


def _show(told: Replay) -> None:
    rows = [
        (step.step, step.verdict, _told(step.kept), step.kept.n, _told(step.agreement.ac1), ", ".join(step.lost[:3]))
        for step in told.steps
    ]
    table("Steps", ["step", "verdict", "gold kept in reach", "n", "AC1", "lost, the first"], rows)
    out.print(f"Whole walks that end at gold's verdict: {_told(told.right)}, n {told.right.n}")
    out.print(f"The question that loses most: {told.worst or 'none is known to lose too much'}")
    out.print(
        f"{told.walks} walks, {told.unfinished} unfinished, {told.without_gold} about no gold that may be shown; "
        f"no leaf says the verdict of {len(told.homeless)} items"
    )
    out.print(
        f"Golden {told.golden_version}, policy {told.policy_version}, tree {told.tree_hash[:12]}; "
        f"licence: {told.licence}"
    )


def _told(figure: Figure) -> str:
    if figure.value is None:
        return "insufficient"
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"
