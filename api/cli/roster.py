"""Commands on the roster: who answers blind work, and within which bounds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from api.cli.output import out, show_json, table
from api.cli.session import JsonFlag, goldfold
from api.roster import row_of, rows
from labeling.records import Person
from labeling.roster import add_person, change_person, pause_person, resume_person

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The people who answer blind work.")

Email = Annotated[str, typer.Argument(help="Address of the person's account in Label Studio.")]
Name = Annotated[str | None, typer.Option(help="What to call them.")]
Languages = Annotated[
    list[str] | None, typer.Option("--language", help="A language they read; repeat for more. All: any.")
]
OptOuts = Annotated[
    list[str] | None, typer.Option("--opt-out", help="A policy they are not asked about; repeat. None: no policy.")
]
Exposure = Annotated[
    float | None, typer.Option(help="Units of exposure a day; -1: what the setting daily_exposure says.")
]
Row = Annotated[
    int | None, typer.Option(help="Severe items in a row, at most; -1: what the setting severe_in_row says.")
]
Expert = Annotated[
    bool | None, typer.Option("--expert/--no-expert", help="Whether their blind answers can make an anchor.")
]


@app.command("add")
def add_command(
    context: typer.Context,
    email: Email,
    name: Name = None,
    language: Languages = None,
    opt_out: OptOuts = None,
    daily_exposure: Exposure = None,
    severe_in_row: Row = None,
    expert: Expert = None,
    as_json: JsonFlag = False,
) -> None:
    """Put somebody on the roster. From the first person on, blind work goes to desks instead of a shared project.

    Examples:

      goldfold roster add ana@example.org --name Ana --language pt --language en

      goldfold roster add bo@example.org --opt-out self_harm --daily-exposure 120
    """
    fields = _fields(name, language, opt_out, daily_exposure, severe_in_row)
    if expert is not None:
        fields["expert"] = expert
    with goldfold(context) as opened:
        person = add_person(opened.ledger.people, opened.policies, "cli", email, fields)
    _tell(person, f"{person.email} has desk {person.desk}", as_json)


@app.command("list")
def list_command(context: typer.Context, as_json: JsonFlag = False) -> None:
    """List the roster by desk, with the exposure of today. Example: goldfold roster list"""
    with goldfold(context) as opened:
        found = rows(opened, datetime.now(UTC))
    if as_json:
        show_json(found)
        return
    columns = ["desk", "email", "name", "state", "languages", "opt-outs", "exposure today", "severe in a row"]
    shown = [
        (
            row["desk"],
            row["email"],
            row["name"],
            _state(row),
            ", ".join(row["languages"]) or "any",
            ", ".join(row["opt_outs"]),
            f"{row['spent']:g} of {row['cap']:g}",
            row["row_limit"],
        )
        for row in found
    ]
    table("Roster", columns, shown)
    for row in found:
        if row["paused_reason"]:
            out.print(f"{row['email']} is paused: {row['paused_reason']}")


@app.command("change")
def change_command(
    context: typer.Context,
    email: Email,
    name: Name = None,
    language: Languages = None,
    opt_out: OptOuts = None,
    daily_exposure: Exposure = None,
    severe_in_row: Row = None,
    expert: Expert = None,
    active: Annotated[
        bool | None, typer.Option("--active/--inactive", help="Whether they still work here; what waits is handed on.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Change what the roster says of somebody; what is not given stays.

    Examples:

      goldfold roster change ana@example.org --language pt --opt-out hate_speech

      goldfold roster change bo@example.org --opt-out none --daily-exposure -1

      goldfold roster change cem@example.org --inactive
    """
    fields = _fields(name, language, opt_out, daily_exposure, severe_in_row)
    if expert is not None:
        fields["expert"] = expert
    if active is not None:
        fields["active"] = active
    with goldfold(context) as opened:
        person = change_person(opened.ledger.people, opened.policies, "cli", email, fields)
    _tell(person, f"{person.email} is changed", as_json)


@app.command("pause")
def pause_command(
    context: typer.Context,
    email: Email,
    reason: Annotated[str, typer.Option(help="Why; leads see it.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Give somebody nothing new; what lies on their desk stays. Example: goldfold roster pause ana@example.org"""
    with goldfold(context) as opened:
        person = pause_person(opened.ledger.people, "cli", email, reason)
    _tell(person, f"{person.email} gets nothing new", as_json)


@app.command("resume")
def resume_command(context: typer.Context, email: Email, as_json: JsonFlag = False) -> None:
    """Give somebody work again after a lead's look; what injections said so far counts no more.

    Example: goldfold roster resume ana@example.org
    """
    with goldfold(context) as opened:
        person = resume_person(opened.ledger.people, "cli", email, datetime.now(UTC))
    _tell(person, f"{person.email} gets work again", as_json)


def _fields(
    name: str | None, languages: list[str] | None, opt_outs: list[str] | None, exposure: float | None, row: int | None
) -> dict[str, Any]:
    """What was given: ``all`` languages, ``none`` of the policies and -1 mean that no bound of their own is left."""
    given: dict[str, Any] = {}
    if name is not None:
        given["name"] = name
    if languages:
        given["languages"] = [] if languages == ["all"] else languages
    if opt_outs:
        given["opt_outs"] = [] if opt_outs == ["none"] else opt_outs
    if exposure is not None:
        given["daily_exposure"] = None if exposure == -1 else exposure
    if row is not None:
        given["severe_in_row"] = None if row == -1 else row
    return given


def _state(row: dict[str, Any]) -> str:
    if not row["active"]:
        return "left"
    return "paused" if row["paused"] else "active, expert" if row["expert"] else "active"


def _tell(person: Person, said: str, as_json: bool) -> None:
    if as_json:
        show_json(row_of(person))
        return
    out.print(said)
