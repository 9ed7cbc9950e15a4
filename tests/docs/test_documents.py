"""What the documents name exists: commands, options, make targets, settings, files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from api.cli.main import app
from configs.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
NAMES = [path.name for path in DOCUMENTS]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.fixture(params=DOCUMENTS, ids=NAMES)
def text(request: pytest.FixtureRequest) -> str:
    path: Path = request.param
    return path.read_text(encoding="utf-8")


def commands() -> dict[str, Any]:
    """Every command by the words that call it."""
    found: dict[str, Any] = {}

    def walk(command: Any, words: tuple[str, ...]) -> None:
        if hasattr(command, "list_commands"):
            if words and command.invoke_without_command:
                found[" ".join(words)] = command
            for name in command.list_commands(None):
                walk(command.get_command(None, name), (*words, name))
        else:
            found[" ".join(words)] = command

    walk(typer.main.get_command(app), ())
    return found


def called(text: str) -> list[tuple[str, list[str]]]:
    """(command, options) of every ``goldfold ...`` in code, global options and arguments left out."""
    known = commands()
    uses = []
    for line in re.findall(r"(?:^|[`$ ])goldfold ((?:[a-z]|--)[^`\n#]*)", text, re.MULTILINE):
        words = [word for word in line.split() if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-")]
        name = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in known), line)
        uses.append((name, re.findall(r"(?<!\S)(--[a-z-]+)", line)))
    return uses


def test_every_command_and_option_exists(text: str) -> None:
    known = commands()
    globally = {option for parameter in typer.main.get_command(app).params for option in parameter.opts}
    for name, options in called(text):
        assert name in known, f"there is no command `goldfold {name}`"
        there = {o for p in known[name].params for o in (*p.opts, *p.secondary_opts)} | globally | {"--help"}
        assert not set(options) - there, f"goldfold {name} has no {set(options) - there}"


def test_every_make_target_exists(text: str) -> None:
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    assert not named - TARGETS


def test_every_setting_exists(text: str) -> None:
    variables = set(re.findall(r"GOLDFOLD_([A-Z_]+[A-Z])", text)) - {
        "CONFIG",
        "TEST_DATA_DIR",
        "TEST_SCREENS",
        "STUDIO_VENV",
    }
    assert not variables - {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_every_link_leads_to_a_file(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{path.name} links to {target}, which is not there"


def test_the_readme_tells_the_real_defaults() -> None:
    settings = Settings()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    lanes = " + ".join(f"{share:.0%} {name}".replace("%", " %") for name, share in settings.lanes.items())
    shares = ", ".join(f"{share:.0%} {name}".replace("%", " %") for name, share in settings.partitions.items())
    assert f"{settings.budget}, {lanes}, {settings.overlap}" in readme
    assert shares in readme
    assert settings.studio_url in readme


def test_the_readme_names_the_commands_a_newcomer_needs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = {name for name, _ in called(readme)}
    assert {"doctor", "ingest", "round", "sync", "adjudicate", "golden publish", "train head", "promote"} <= named
    assert {"demo", "test", "run"} <= set(re.findall(r"make ([a-z]+)", readme))
