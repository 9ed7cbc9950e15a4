"""Answers that were paid for, kept in a file below the data folder so that no question is paid for twice.

An answer is known by the hash of its prompt, the item, and which repeat it was. It holds no word of the content, nor of
the model's own. Each is written for good before the next is asked for by the same caller; what was under way when a
process was killed is asked again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from threading import Lock

from labeling.errors import StoreError
from labeling.judging.prompts import Said

FILE = "answers.db"
WAIT_S = 30.0  # for another process that writes
AT_ONCE = 500  # items in one query
_TABLE = """CREATE TABLE IF NOT EXISTS answers (
    prompt TEXT NOT NULL, item_id TEXT NOT NULL, repeat INTEGER NOT NULL, kind TEXT NOT NULL, outcome TEXT, rule TEXT,
    confidence REAL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, served TEXT NOT NULL,
    PRIMARY KEY (prompt, item_id, repeat)) WITHOUT ROWID"""
_SAID = "kind, outcome, rule, confidence, tokens_in, tokens_out, served"
Key = tuple[str, str, int]  # prompt, item, repeat


class AnswerBook:
    """The file at ``path``, made when it is first opened, its owner's alone. Safe for threads, and for several
    processes. Raises StoreError whenever it cannot be read or written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            self._connection = sqlite3.connect(path, timeout=WAIT_S, check_same_thread=False, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")  # an answer that was paid for outlives the power too
            self._connection.execute("PRAGMA secure_delete=ON")
            self._connection.execute(_TABLE)

    def add(self, prompt: str, item_id: str, repeat: int, said: Said) -> None:
        """Keep one answer; one that is there already stays."""
        with self._told(), self._lock:
            self._connection.execute(
                "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (prompt, item_id, repeat, *astuple(said)),
            )

    def get(self, prompt: str, item_ids: Sequence[str], repeats: int) -> dict[Key, Said]:
        """Those of the first ``repeats`` answers about these items that are kept."""
        found: dict[Key, Said] = {}
        for start in range(0, len(item_ids), AT_ONCE):
            part = item_ids[start : start + AT_ONCE]
            marks = ", ".join("?" * len(part))
            query = (
                f"SELECT item_id, repeat, {_SAID} FROM answers WHERE prompt = ? AND repeat < ? AND item_id IN ({marks})"  # noqa: S608
            )
            with self._told(), self._lock:
                rows = self._connection.execute(query, (prompt, repeats, *part)).fetchall()
            found |= {(prompt, item_id, repeat): Said(*said) for item_id, repeat, *said in rows}
        return found

    def forget(self, item_id: str) -> None:
        """Delete every answer about an item, of all prompts, from the file too."""
        with self._told(), self._lock:
            self._connection.execute("DELETE FROM answers WHERE item_id = ?", (item_id,))
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"{self.path}: answers cannot be kept or read ({error}); check the disk") from error


def forget(path: Path, item_id: str) -> None:
    """Delete every answer about an item, where such a file is there. Raises StoreError."""
    if path.is_file():
        book = AnswerBook(path)
        try:
            book.forget(item_id)
        finally:
            book.close()
