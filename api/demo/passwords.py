"""Passwords of the demo's accounts: made at random on the first start, kept in a file only its owner may read."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

EMAILS = ("annotator-1@demo.example", "annotator-2@demo.example", "lead@demo.example")


def demo_passwords(folder: Path) -> dict[str, str]:
    """E-mail -> password, in the order first annotator, second annotator, lead."""
    path = folder / "accounts.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({email: secrets.token_urlsafe(16) for email in EMAILS}, file)
        fresh.replace(path)
    known = json.loads(path.read_text(encoding="utf-8"))
    return {email: str(known[email]) for email in EMAILS}
