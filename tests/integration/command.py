"""The command ``goldfold`` on an installation of its own: everything is real but the scorer, which needs no weights."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import api.composition
from api.cli.main import main
from api.jobs import runtime, workflows
from configs.settings import PACKAGED_POLICIES
from labeling.records import PickRow, Task
from labeling.store.lake import LanceLake
from labeling.store.ledger import SqlLedger, open_ledger
from labeling.studio import transport
from tests.integration.crash_child import WordGoldfold

HARM = "hate_speech"
UNTOLD = ("executors", "alembic_version")  # heartbeats: not what a command is asked to write
ROUND = ("round", "--id", "r-1", "--budget", "8", "--seed", "7")


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The error it told, which is one or two lines and no traceback."""
        lines = [line for line in self.err.splitlines() if line.startswith("Error: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err + self.out
        assert self.code == 1, self
        return lines[0]


@dataclass
class Site:
    """One installation in a folder; ``environment`` is what its commands see."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def policies(self) -> Path:
        return self.folder / "policies"

    @property
    def data(self) -> Path:
        return Path(self.environment["GOLDFOLD_DATA_DIR"])

    def run(self, *arguments: str) -> Said:
        """Run one command to its end."""
        out, err = io.StringIO(), io.StringIO()  # not pytest's, which it closes: DBOS' log holds on to what it met
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name in [name for name in os.environ if name.startswith("GOLDFOLD_")]:
                patch.delenv(name)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            patch.setattr(api.composition, "Goldfold", WordGoldfold)
            patch.setattr(workflows, "WAITS_S", (0.1,))
            patch.setattr(transport, "FIRST_WAIT_S", 0.01)
            patch.setattr(runtime, "UNRECORDED_S", 0.5)
            code = main(list(arguments))
        return Said(code, out.getvalue(), err.getvalue())

    def result(self, *arguments: str) -> Any:
        """What a command that does its work prints as JSON."""
        said = self.run(*arguments, "--json")
        assert said.code == 0, said
        return json.loads(said.out)

    def write(self, name: str, *rows: dict[str, Any]) -> str:
        """A JSONL file; its path."""
        return self.put(name, "".join(json.dumps(row) + "\n" for row in rows).encode())

    def put(self, name: str, content: bytes) -> str:
        path = self.folder / name
        path.write_bytes(content)
        return str(path)

    def kept(self) -> dict[str, Any]:
        """All that the ledger and the lake hold: every row of every table, every id of every column group."""
        found: dict[str, Any] = {}
        if (self.data / "ledger.db").exists():
            copy = self.folder / "copy.db"  # a full disk has no room for what reading it would write beside it
            for end in ("", "-wal"):
                copy.with_name(f"copy.db{end}").unlink(missing_ok=True)
                if (self.data / f"ledger.db{end}").exists():
                    shutil.copy(self.data / f"ledger.db{end}", copy.with_name(f"copy.db{end}"))
            with closing(sqlite3.connect(copy)) as ledger:
                names = ledger.execute("select name from sqlite_master where type = 'table' order by name").fetchall()
                for (name,) in names:
                    if name not in UNTOLD:
                        found[name] = sorted(ledger.execute(f'select * from "{name}"').fetchall(), key=repr)  # noqa: S608
        if (self.data / "lake").is_dir():
            lake = LanceLake(self.data / "lake")
            found["lake"] = {group: lake.ids(group) for group in lake.groups()}
        return found

    def tasks(self) -> list[Task]:
        with self.ledger() as ledger:
            return ledger.tasks.where()

    def picks(self) -> list[PickRow]:
        with self.ledger() as ledger:
            return ledger.rounds.picks()

    @contextmanager
    def ledger(self) -> Iterator[SqlLedger]:
        ledger = open_ledger(f"sqlite:///{self.data}/ledger.db")
        try:
            yield ledger
        finally:
            ledger.close()


def rows(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Items that no near-duplicate rule merges."""
    return [
        {"external_id": f"post-{n}", "text": f"post number {n} about topic {n % 7} and {n * n}", "language": "en"}
        for n in range(start, start + count)
    ]


def new_site(folder: Path, **settings: str) -> Site:
    """An installation with one policy and no items."""
    (folder / "policies").mkdir(parents=True)
    (folder / "policies" / f"{HARM}.yaml").write_text((PACKAGED_POLICIES / f"{HARM}.yaml").read_text())
    given = {"DATA_DIR": str(folder / "data"), "POLICIES_DIR": str(folder / "policies"), "STUDIO_SETTLE_S": "1"}
    given |= settings
    return Site(folder, {f"GOLDFOLD_{name}": value for name, value in given.items()})
