"""Commands of the root-cause desk: findings, their codes, corrective actions, and the proof that these helped."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from api import root_causes
from api.cli.output import out, show_json, table
from api.cli.session import JsonFlag, goldfold
from api.drafts import draft_cause
from labeling.decision_records import ErrorType
from labeling.errors import InvalidInput
from labeling.insights.causes import Told, Wanted

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Why errors happen, what is done, and whether it helped."
)
FindingArgument = Annotated[str, typer.Argument(help="Id of the finding.")]
ActionArgument = Annotated[str, typer.Argument(help="Id of the action.")]
ByOption = Annotated[str, typer.Option("--by", help="Who you are; kept for good.")]
SliceOption = Annotated[
    list[str] | None, typer.Option("--slice", help="Where: key=value, such as policy=hate_speech; repeat for more.")
]
ReasonOption = Annotated[str, typer.Option(help="How it was done, or why it was not.")]


@app.command("list")
def list_command(context: typer.Context, as_json: JsonFlag = False) -> None:
    """List the findings, the gravest first.

    Example: goldfold causes list
    """
    with goldfold(context) as app_:
        told = root_causes.findings(app_)
    if as_json:
        show_json(told)
        return
    rows = [
        (
            one["finding_id"],
            one["severity"],
            one["title"],
            one["cause"] or one["waits_for"],
            one["state"],
            one["recurs"],
        )
        for one in told
    ]
    table(
        "Findings",
        ["finding", "S", "title", "cause", "state", "recurs"],
        [(*row[:5], ", ".join(row[5])) for row in rows],
    )


@app.command("show")
def show_command(context: typer.Context, finding: FindingArgument, as_json: JsonFlag = False) -> None:
    """Print one finding with its codes, actions and their figures.

    Example: goldfold causes show fnd_01234567
    """
    with goldfold(context) as app_:
        told = root_causes.finding(app_, finding)
    if as_json:
        show_json(told)
        return
    out.print(f"{told['finding_id']} S{told['severity']} {told['title']} ({told['state']})")
    out.print(told["statement"])
    where = ", ".join(f"{name} {value}" for name, value in told["slice"].items()) or "everywhere"
    out.print(f"Where: {where}. Cause: {told['cause'] or 'waits for a ' + told['waits_for'] + ' code'}")
    out.print(
        f"Golden {told['golden_version']}, policy {told['policy_version'] or 'any'}; {len(told['item_ids'])} items"
    )
    rows = [
        (one["action_id"], one["what"], one["owner"], f"{one['kpi']} {one['target']}", one["due"], one["state"])
        for one in told["actions"]
    ]
    table("Actions", ["action", "what", "owner", "target", "due", "state"], rows)


@app.command("open")
def open_command(
    context: typer.Context,
    title: Annotated[str, typer.Argument(help="In a few words.")],
    statement: Annotated[str, typer.Option(help="What goes wrong, in plain words.")],
    by: ByOption,
    where: SliceOption = None,
    item: Annotated[
        list[str] | None, typer.Option("--item", help="Id of an item that shows it; repeat for more.")
    ] = None,
    error: Annotated[ErrorType | None, typer.Option(help="Type of the error.")] = None,
    severity: Annotated[int, typer.Option(min=0, max=4, help="0 to 4.")] = 2,
    minutes: Annotated[float | None, typer.Option(help="People's minutes that it has cost.")] = None,
    origin: Annotated[str, typer.Option(help="Where it came from, such as pattern:<id>; one finding each.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Open a finding.

    Example: goldfold causes open "Quoted slurs are removed" --statement "..." --slice policy=hate_speech --by ann
    """
    told = Told(title, statement, _slice(where), tuple(item or ()), error, severity, minutes, origin)
    with goldfold(context) as app_:
        made = root_causes.open_(app_, told, by)
    if as_json:
        show_json(made)
        return
    more = "; a second person codes it too" if made.is_double_coded else ""
    out.print(f"Finding {made.finding_id} is open{more}")


@app.command("code")
def code_command(
    context: typer.Context,
    finding: FindingArgument,
    code: Annotated[str, typer.Argument(help="Two levels, such as P.gap.")],
    by: ByOption,
    note: Annotated[str, typer.Option(help="What decides it.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Say why a finding happens. A fifth of them needs a second person; where the two differ, a third says the last
    word.

    Example: goldfold causes code fnd_01234567 P.exception_unclear --by ann
    """
    with goldfold(context) as app_:
        made = root_causes.code(app_, finding, code, note, by)
        told = root_causes.finding(app_, finding)
    if as_json:
        show_json(made)
        return
    waits = f"it waits for a {told['waits_for']} code" if told["waits_for"] else f"its cause is {told['cause']}"
    out.print(f"The {made.role.value} code of {finding} is written down; {waits}")


@app.command("suggest")
def suggest_command(
    context: typer.Context,
    finding: FindingArgument,
    endpoint: Annotated[str, typer.Option(help="Endpoint file: a name in judges_dir, or a path.")],
    as_json: JsonFlag = False,
) -> None:
    """Have a chat service draft why a finding happens; a draft is kept nowhere, and codes nothing.

    Refused for a finding that two people code, until both have.

    Example: goldfold causes suggest fnd_01234567 --endpoint gpt
    """
    with goldfold(context) as app_:
        made = draft_cause(app_, finding, endpoint)
    if as_json:
        show_json(made)
        return
    out.print(f"DRAFT by {made.by} ({made.warning}): {made.code}. {made.text}")


@app.command("agreement")
def agreement_command(context: typer.Context, as_json: JsonFlag = False) -> None:
    """Say how far first and second coders agree.

    Example: goldfold causes agreement
    """
    with goldfold(context) as app_:
        told = root_causes.agreement(app_)
    if as_json:
        show_json(told)
        return
    rows = [
        (level, told["pairs"], *(_said(told[level][name]) for name in ("observed", "alpha", "ac1")))
        for level in ("area", "code")
    ]
    table("Two coders of the same finding", ["level", "pairs", "observed", "alpha", "AC1"], rows)


@app.command("act")
def act_command(
    context: typer.Context,
    finding: FindingArgument,
    what: Annotated[str, typer.Argument(help="What is to be done.")],
    owner: Annotated[str, typer.Option(help="Who does it.")],
    target: Annotated[
        float, typer.Option(help="In (0, 1): at least for accuracy and recall, at most for an error type.")
    ],
    due: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="By when: 2026-12-15.")],
    by: ByOption,
    kpi: Annotated[str, typer.Option(help="accuracy, recall, or an error type.")] = "accuracy",
    where: SliceOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Agree on a corrective action; the KPI as it is now is kept with it.

    Example: goldfold causes act fnd_01234567 "Add two examples" --owner policy --target 0.95 --due 2026-12-15 --by
    ann
    """
    wanted = Wanted(what, owner, kpi, target, due.date(), _slice(where))
    with goldfold(context) as app_:
        made = root_causes.act(app_, finding, wanted, by)
    if as_json:
        show_json(made)
        return
    out.print(f"Action {made.action_id} is agreed; {made.kpi} is {_said(made.before)} now, the target {made.target}")


@app.command("done")
def done_command(
    context: typer.Context, action: ActionArgument, by: ByOption, reason: ReasonOption = "", as_json: JsonFlag = False
) -> None:
    """An action was done: decisions made from now on show whether it helped.

    Example: goldfold causes done act_01234567 --by ann
    """
    with goldfold(context) as app_:
        root_causes.end(app_, action, by, reason, dropped=False)
    if as_json:
        show_json({"action": action, "state": "done"})
        return
    out.print(f"Action {action} is done; goldfold causes verify {action} says whether it helped")


@app.command("drop")
def drop_command(
    context: typer.Context, action: ActionArgument, by: ByOption, reason: ReasonOption = "", as_json: JsonFlag = False
) -> None:
    """An action is not going to be done.

    Example: goldfold causes drop act_01234567 --reason "the rule is retired" --by ann
    """
    with goldfold(context) as app_:
        root_causes.end(app_, action, by, reason, dropped=True)
    if as_json:
        show_json({"action": action, "state": "dropped"})
        return
    out.print(f"Action {action} is dropped")


@app.command("verify")
def verify_command(context: typer.Context, action: ActionArgument, by: ByOption, as_json: JsonFlag = False) -> None:
    """Measure since an action was done: verified, missed, or not yet, with the n that would do.

    Example: goldfold causes verify act_01234567 --by ann
    """
    with goldfold(context) as app_:
        told = root_causes.prove(app_, action, by)
    if as_json:
        show_json(told)
        return
    out.print(f"{action}: {told['proof']}. {told['kpi']} was {_said(told['before'])}, is {_said(told['after'])}, "
              f"target {told['target']}")  # fmt: skip
    if told["n_needed"]:
        out.print(f"About {told['n_needed']} sampled decisions would do, if the share stays what it is")


def _slice(given: list[str] | None) -> dict[str, str]:
    found = {}
    for pair in given or ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise InvalidInput(f"slice: {pair!r}: write key=value, such as policy=hate_speech")
        found[name.strip()] = value.strip()
    return found


def _said(figure: Any) -> str:
    if figure.get("value") is None:
        return f"insufficient (n {figure.get('n', 0)})"
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f}, n {figure['n']})"
