"""Commands on the system: serve, doctor, keys."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from api import logs
from api.auth import Role, ensure_first_key, make_key
from api.checks import run_checks
from api.cli.output import err, out, show_json, table
from api.cli.session import JsonFlag, given, goldfold
from api.server import serve
from api.service import Service
from labeling.errors import NotFound

COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}

keys_app = typer.Typer(no_args_is_help=True, add_completion=False, help="API keys: create, list, revoke.")


def serve_command(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on (setting: host).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (setting: port).")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Run the service: REST, the console, jobs, and the sweep of Label Studio. The first admin key is printed once.

    With --json it prints one document, its address and that key (or null), as soon as it listens.

    Examples:

      goldfold serve --port 8080

      goldfold serve --json
    """
    settings = given(context).settings(host=host, port=port)
    logs.configure(settings.log_level, as_json=settings.log_json)
    with Service(settings) as service:
        if not settings.studio_token.get_secret_value():
            err.print("Label Studio is not set up: set GOLDFOLD_STUDIO_URL and GOLDFOLD_STUDIO_TOKEN to send tasks")
        address = f"http://{settings.host}:{settings.port}"

        def ready() -> None:
            first = ensure_first_key(service.goldfold.ledger.keys)  # not before: nobody sees it when the start fails
            if as_json:
                show_json({"address": address, "first_admin_key": first})
            elif first:
                out.print(f"First admin key, shown this once: {first}")
            err.print(f"Goldfold listens on {address}; its console is at {address}/console/")

        serve(service, ready)


def doctor_command(context: typer.Context, as_json: JsonFlag = False) -> None:
    """Check device, models, Label Studio, disk, ports and databases, and say the cure of what is wrong.

    Exit code 0 when everything that a round needs works, else 1. Example: goldfold doctor --json
    """
    results = run_checks(given(context).settings())
    if as_json:
        show_json(results)
    else:
        rows = [(r.name, Text(r.state, COLOURS[r.state]), r.found, r.cure) for r in results]
        table("Doctor", ["check", "state", "found", "cure"], rows)
    if any(result.state == "failed" for result in results):
        raise typer.Exit(1)


@keys_app.command("create")
def create_key(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.VIEWER,
    as_json: JsonFlag = False,
) -> None:
    """Make a key; it is shown this once. Example: goldfold keys create nightly --role engineer"""
    key, plaintext = make_key(name, role)
    with goldfold(context) as app:
        app.ledger.keys.add(key)
        app.ledger.audit.add("cli", "key.create", key.key_id, {"name": key.name, "role": str(role)})
    if as_json:
        show_json({"key_id": key.key_id, "name": key.name, "role": str(role), "key": plaintext})
        return
    out.print(f"Key {key.key_id} ({role}), shown this once: {plaintext}")


@keys_app.command("list")
def list_keys(context: typer.Context, as_json: JsonFlag = False) -> None:
    """List the keys, without their secrets. Example: goldfold keys list"""
    with goldfold(context) as app:
        keys = app.ledger.keys.all()
    shown = [(k.key_id, k.name, k.role, k.created_at, k.revoked_at) for k in keys]
    columns = ["key_id", "name", "role", "created_at", "revoked_at"]
    if as_json:
        show_json([dict(zip(columns, row, strict=True)) for row in shown])
        return
    table("Keys", columns, shown)


@keys_app.command("revoke")
def revoke_key(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(help="Id of the key (goldfold keys list).")],
    as_json: JsonFlag = False,
) -> None:
    """Revoke a key. A service that runs refuses it within 2 seconds.

    Example: goldfold keys revoke 5f0c2b9a1d3e
    """
    with goldfold(context) as app:
        if key_id not in {key.key_id for key in app.ledger.keys.all()}:
            raise NotFound(f"no key has the id {key_id!r} (goldfold keys list)")
        app.ledger.keys.revoke(key_id)
        app.ledger.audit.add("cli", "key.revoke", key_id)
    if as_json:
        show_json({"key_id": key_id, "revoked": True})
        return
    out.print(f"Key {key_id} is revoked")
