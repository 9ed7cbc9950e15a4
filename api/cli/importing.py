"""The command ``goldfold import``: items and answers from another tool."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

import typer

from api.cli.output import bar, out, show_json
from api.cli.session import JsonFlag, goldfold
from api.composition import Goldfold
from labeling.errors import InvalidInput, NotFound
from labeling.importing.answers import ImportedItem, LabelMap, label_map
from labeling.importing.formats import Fields
from labeling.importing.read import read_export, read_project
from labeling.importing.write import ImportReport, import_answers
from labeling.ingest import ingest
from labeling.policies import Policy

Tool = Literal["label-studio", "argilla", "prodigy"]
Repeat = list[str] | None


def import_command(
    context: typer.Context,
    policy_id: Annotated[str, typer.Option("--policy", help="The policy that the labels speak about.")],
    label: Annotated[
        list[str], typer.Option("--label", help="What a label means: --label hate=violates:slur:S3; repeat for more.")
    ],
    file: Annotated[Path | None, typer.Argument(help="An export: .json (an array) or .jsonl, also with .gz.")] = None,
    tool: Annotated[Tool, typer.Option("--from", help="The tool that wrote it.")] = "label-studio",
    project: Annotated[
        int | None, typer.Option("--project", help="Instead of a file: a project of the Label Studio in the settings.")
    ] = None,
    question: Annotated[str, typer.Option(help="The control (Label Studio) or question (Argilla) to read.")] = "",
    text_field: Annotated[str, typer.Option(help="The field that holds the text.")] = "text",
    key_field: Annotated[str, typer.Option(help="The field that holds your key of the item.")] = "external_id",
    field: Annotated[
        Repeat, typer.Option("--field", help="Another column of the items: --field language=lang.")
    ] = None,
    blind: Annotated[
        bool, typer.Option("--blind", help="The answers were given without suggestions and apart from each other.")
    ] = False,
    round_id: Annotated[str, typer.Option("--id", help="Id of the round it becomes; left out: from the source.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check everything; write nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Take items and their answers over from Label Studio, Argilla or Prodigy. A bad row refuses the whole file.

    Answers that agree settle with the next `goldfold sync`, others go to a lead. Without --blind, and where the export
    shows a suggestion, answers are kept and never certify gold. Importing again adds nothing.

    Examples:

      goldfold import export.json --policy hate_speech --label hate=violates --label none=allowed --blind

      goldfold import --project 7 --question verdict --policy violence --label threat=violates --label fine=allowed

      goldfold import r.jsonl --from argilla --question label --policy violence --label 1=violates --label 0=allowed
    """
    with goldfold(context) as app:
        policy = _policy(app, policy_id)
        labels, fields = label_map(policy, question, label), Fields(text_field, key_field, _fields(field or []))
        source, items = _read(app, file, project, tool, labels, fields)
        made = round_id or f"import-{sha256(f'{source} {policy_id}'.encode()).hexdigest()[:12]}"
        with bar("import", quiet=as_json) as tick:
            taken = ingest(
                [item.fields for item in items],
                app.lake,
                app.ledger.items,
                lock_path=app.settings.data_dir / "ingest.lock",
                max_text_chars=app.settings.max_text_chars,
                policies=app.policies.keys(),
                dry_run=dry_run,
                progress=lambda _step, done, total: tick(done, total or done),
            )
            done = None
            if not dry_run:
                done = import_answers(app.ledger, app.lake, policy, items, made, source, blind=blind, progress=tick)
    if as_json:
        show_json({"round_id": made, "items": taken, "answers": done, "dry_run": dry_run})
    else:
        _tell(made, items, taken.added, done)


def _policy(app: Goldfold, policy_id: str) -> Policy:
    if policy_id not in app.policies:
        raise NotFound(f"policy: {policy_id!r} is unknown (known: {', '.join(sorted(app.policies))})")
    return app.policies[policy_id]


def _read(
    app: Goldfold, file: Path | None, project: int | None, tool: Tool, labels: LabelMap, fields: Fields
) -> tuple[str, list[ImportedItem]]:
    """Where it comes from, as the round keeps it, and what is there."""
    if (file is None) == (project is None):
        raise InvalidInput("file: give a file or --project, one of them")
    if project is not None:
        return f"label-studio project {project} at {app.settings.studio_url}", read_project(
            app.studio, project, labels, fields
        )
    if file is None:
        raise InvalidInput("file: missing")
    return f"{tool} {file.name}", read_export(file, tool, labels, fields)


def _fields(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        ours, equals, theirs = pair.partition("=")
        if not equals or not ours or not theirs:
            raise typer.BadParameter(f"{pair!r}: write it as --field language=lang")
        found[ours] = theirs
    return found


def _tell(round_id: str, items: list[ImportedItem], added: int, done: ImportReport | None) -> None:
    answers = sum(len(item.answers) for item in items)
    if done is None:
        out.print(f"Would import {len(items)} items ({added} new) with {answers} answers; nothing was written")
        return
    out.print(f"Round {round_id}: {done.items} items ({added} new), {done.answers} answers, {done.events} of them new")
    if done.assisted:
        out.print(f"{done.assisted} answers are kept and certify no gold: not said, or shown, to be given blind")
    if done.stopped:
        out.print(f"{done.stopped} items were left out: stopped for legal reasons (goldfold stops)")
    if done.unanswered or done.judged:
        out.print(f"{done.unanswered} items have no answer; {done.judged} were judged in another round already")
    out.print("Answers settle with the next: goldfold sync")
