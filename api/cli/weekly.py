"""Commands on the weekly pack: draft, sign and show it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.output import out, show_json, table
from api.cli.session import JsonFlag, goldfold
from api.weekly import draft_pack, pack, packs, page, sign_pack
from labeling.written import write_whole

app = typer.Typer(no_args_is_help=True, add_completion=False, help="What a week showed: draft, sign and show the pack.")
WeekArgument = Annotated[str, typer.Argument(help="As 2026-W48.")]
ByOption = Annotated[str, typer.Option("--by", help="Who you are; kept for good.")]


@app.command("draft")
def draft_command(
    context: typer.Context,
    by: ByOption,
    week: Annotated[str | None, typer.Option(help="As 2026-W48 (default: the week of yesterday).")] = None,
    coverage: Annotated[bool, typer.Option("--coverage/--no-coverage", help="Look at the traffic too.")] = True,
    as_json: JsonFlag = False,
) -> None:
    """Draft a week's pack from the ledger; with nothing new it is the draft that is there.

    Example: goldfold weekly draft --week 2026-W48 --by ann
    """
    with goldfold(context) as app_:
        made = draft_pack(app_, week, by, coverage=coverage)
        told = pack(app_, made.week)
    if as_json:
        show_json(told)
        return
    out.print(f"Draft {made.content_hash[:12]} of {made.week}, revision {made.revision}: read it with "
              f"goldfold weekly show {made.week}")  # fmt: skip


@app.command("sign")
def sign_command(
    context: typer.Context,
    week: WeekArgument,
    by: ByOption,
    content: Annotated[
        str, typer.Option("--hash", help="Sign only if the newest draft's hash begins so (default: whatever it is).")
    ] = "",
    as_json: JsonFlag = False,
) -> None:
    """Sign a week's newest draft; its revision is frozen, and later drafts begin the next.

    Example: goldfold weekly sign 2026-W48 --by ann --hash 9f3a01c7
    """
    with goldfold(context) as app_:
        made = sign_pack(app_, week, by, content)
    if as_json:
        show_json(made)
        return
    out.print(f"{made.week} revision {made.revision} is signed by {made.signer}: {made.content_hash[:12]}")


@app.command("list")
def list_command(context: typer.Context, as_json: JsonFlag = False) -> None:
    """List every draft, the newest first, and who signed it.

    Example: goldfold weekly list
    """
    with goldfold(context) as app_:
        told = packs(app_)
    if as_json:
        show_json(told)
        return
    rows = [
        (one["week"], one["revision"], one["content_hash"][:12], one["drafted_by"], one["signed_by"]) for one in told
    ]
    table("Weekly packs", ["week", "revision", "content", "drafted by", "signed by"], rows)


@app.command("show")
def show_command(
    context: typer.Context,
    week: WeekArgument,
    kind: Annotated[str, typer.Option("--as", help="md, html or pdf.")] = "md",
    revision: Annotated[int, typer.Option(min=0, help="Default (0): the newest.")] = 0,
    to: Annotated[Path | None, typer.Option("--out", help="The file to write (default: standard output).")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Print a week's newest draft, or a revision's.

    Examples:

      goldfold weekly show 2026-W48

      goldfold weekly show 2026-W48 --as pdf --out week.pdf
    """
    with goldfold(context) as app_:
        if as_json:
            show_json(pack(app_, week, revision))
            return
        _, made = page(app_, week, kind, revision)
    if to is None and isinstance(made, bytes):
        raise typer.BadParameter(f"{kind} is no text: name a file with --out", param_hint="--out")
    if to is None:
        typer.echo(made)
        return
    write_whole(to, made if isinstance(made, bytes) else made.encode())
    out.print(f"{to}: {kind} of {week}")
