from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer

from api.cli import main as main_module
from api.cli import rounds
from api.cli.lazy import LazyGroup
from api.cli.main import Commands, main
from tests.api.cli.commands import Command, commands, groups, root
from tests.api.cli.conftest import Terminal
from tests.api.rooms import ROOT

EVERY = commands()
PAGE = ROOT / "docs" / "cli.md"


@pytest.mark.parametrize("command", EVERY, ids=lambda command: command.path)
def test_every_command_has_help_with_an_example_that_parses(command: Command) -> None:
    assert command.help
    examples = re.findall(rf"goldfold {command.path}\b[^\n]*", command.help)
    assert examples, f"{command.path} shows no example"
    for example in examples:
        used = set(re.findall(r"(?<= )--[a-z-]+", example))
        assert used <= set(command.options), f"{example}: unknown option"


@pytest.mark.parametrize("command", EVERY, ids=lambda command: command.path)
def test_every_command_prints_json_when_asked(command: Command) -> None:
    assert "--json" in command.options


def test_the_short_help_is_there_for_each_command_and_says_what_the_long_one_says() -> None:
    for name, entry in Commands.entries.items():
        assert entry.help.endswith(".")
        assert any(name == one.path.split()[0] for one in EVERY), name


def test_help_imports_no_command(goldfold: Terminal) -> None:
    code = (
        "import sys; from api.cli.main import main; main(sys.argv[1:]); "
        "heavy = ('torch', 'transformers', 'dbos', 'fastapi', 'lance', 'sklearn', 'pandas', 'sqlalchemy'); "
        "print('HEAVY', [name for name in heavy if name in sys.modules])"
    )
    for arguments in (["--version"], ["--help"], ["nonsense"], []):
        ran = subprocess.run(
            [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert ran.stdout.splitlines()[-1] == "HEAVY []", arguments


def test_version_and_help(goldfold: Terminal) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", goldfold("--version").out)
    said = goldfold("--help")
    assert said.code == 0
    for name in Commands.entries:
        assert re.search(rf"\b{name}\b", said.out), name
    for name in groups():
        assert goldfold(*name.split(), "--help").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["ingest"],
        ["rounds", "--nonsense"],
        ["--log-level", "loud", "rounds"],
        ["round", "--budget", "many"],
        ["round", "--lane", "random"],
        ["round", "--lane", "random=much"],
        ["round", "--quota", "language=pt"],
        ["round", "--quota", "language:pt=x.."],
        ["keys", "create"],
        ["keys", "create", "x", "--role", "owner"],
        ["golden", "nonsense"],
        ["golden"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2_and_says_what_is_wrong(goldfold: Terminal, arguments: list[str]) -> None:
    said = goldfold(*arguments)
    assert said.code == 2
    assert "Traceback" not in said.err
    assert said.err or "Usage" in said.out


def test_an_error_is_1_one_line_on_stderr_and_a_document_for_programs(goldfold: Terminal) -> None:
    said = goldfold("golden", "verify", "9.9.9")
    assert (said.code, said.out) == (1, "")
    assert said.err == "Error: no golden version is called '9.9.9'\n"
    said = goldfold("golden", "verify", "9.9.9", "--json")
    assert said.code == 1
    assert said.json == {"error": "not-found", "detail": "no golden version is called '9.9.9'", "problems": []}
    assert "9.9.9" in said.err


def test_settings_that_are_wrong_are_named_with_their_origin(
    goldfold: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = goldfold.file("goldfold.yaml", "budgett: 5\noverlap: 99\n")
    said = goldfold("--config", file, "rounds")
    assert (said.code, "budgett" in said.err, "goldfold.yaml" in said.err) == (1, True, True)
    goldfold.file("goldfold.yaml", "{}")
    monkeypatch.setenv("GOLDFOLD_BUDGET", "0")
    said = goldfold("rounds")
    assert (said.code, "budget" in said.err, "environment" in said.err) == (1, True, True)


def test_a_flag_ranks_above_the_environment(goldfold: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDFOLD_DATA_DIR", "/dev/null/nowhere")
    assert goldfold("rounds", "--json").json == []


def test_an_interrupt_is_130(goldfold: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rounds, "table", interrupted)
    said = goldfold("rounds")
    assert (said.code, said.err) == (130, "Interrupted; nothing is half-written\n")


def test_what_nobody_foresaw_is_not_hidden(goldfold: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(rounds, "table", bug)
    with pytest.raises(ZeroDivisionError):
        goldfold("rounds")


def test_a_step_that_outlives_its_grace_does_not_hold_up_the_end() -> None:
    code = """
import sys, threading, time
from api.cli import main
from api.jobs.running import STEPS

def hang():
    with STEPS.one("job"):
        time.sleep(60)

STEPS.open()
threading.Thread(target=hang).start()
time.sleep(0.2)
sys.argv = ["goldfold", "--version"]
main.run()
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, version("goldfold") + "\n")


def test_an_unknown_command_of_a_lazy_group_is_none() -> None:
    top = typer.main.get_command(main_module.app)
    assert isinstance(top, LazyGroup)
    assert top.get_command(None, "nonsense") is None


def test_the_page_names_each_command_and_option_and_nothing_else() -> None:
    page = PAGE.read_text(encoding="utf-8")
    titles = re.findall(r"^## `goldfold ([a-z ]+)`$", page, flags=re.MULTILINE)
    assert titles == [command.path for command in EVERY]
    sections = dict(zip(titles, re.split(r"^## `goldfold [a-z ]+`$", page, flags=re.MULTILINE)[1:], strict=True))
    for command in EVERY:
        named = set(re.findall(r"^\| `(--[a-z-]+|[a-z_]+)", sections[command.path], flags=re.MULTILINE))
        named |= set(re.findall(r"^\| `--[a-z-]+` / `(--[a-z-]+)`", sections[command.path], flags=re.MULTILINE))
        assert named == {*command.options, *command.arguments}, command.path
    head = page[: page.index("\n## `goldfold ")]
    assert set(re.findall(r"^\| `(--[a-z-]+)", head, flags=re.MULTILINE)) == set(root().options)


def test_the_pages_examples_parse() -> None:
    page = PAGE.read_text(encoding="utf-8")
    known = {command.path: command for command in EVERY}
    examples = re.findall(r"^goldfold ([^\n#]+)", page, flags=re.MULTILINE)
    assert len(examples) >= len(EVERY)
    for example in examples:
        words = example.split()
        path = next(path for path in (" ".join(words[:2]), words[0]) if path in known)
        used = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert used <= set(known[path].options), example


def test_json_is_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data-dir", str(tmp_path), "models", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
