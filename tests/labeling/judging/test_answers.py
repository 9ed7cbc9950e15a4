from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from labeling.errors import StoreError
from labeling.judging.answers import AnswerBook, forget
from labeling.judging.prompts import READ, UNREADABLE, Said

SAID = Said(READ, "violates", "general", 0.5, 7, 3, "m-1")


def test_answers_are_kept_for_the_next_process(tmp_path: Path) -> None:
    book = AnswerBook(tmp_path / "data" / "answers.db")
    book.add("p", "it-1", 0, SAID)
    book.add("p", "it-1", 0, Said(UNREADABLE))  # what was paid for stays
    book.add("p", "it-1", 2, Said(UNREADABLE))
    book.add("other", "it-1", 0, Said(UNREADABLE))
    book.close()
    again = AnswerBook(tmp_path / "data" / "answers.db")
    assert again.get("p", ["it-1", "it-2"], 2) == {("p", "it-1", 0): SAID}
    assert set(again.get("p", [f"it-{n}" for n in range(1200)], 3)) == {("p", "it-1", 0), ("p", "it-1", 2)}
    again.close()
    assert stat.S_IMODE((tmp_path / "data" / "answers.db").stat().st_mode) == 0o600


def test_an_erased_item_leaves_nothing_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    forget(path, "it-secret")
    assert not path.exists()
    book = AnswerBook(path)
    book.add("p", "it-secret", 0, SAID)
    book.add("p", "it-other", 0, SAID)
    book.close()
    forget(path, "it-secret")
    assert b"it-secret" not in b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert b"it-other" in path.read_bytes()


def test_two_books_on_one_file_write_side_by_side(tmp_path: Path) -> None:
    books = [AnswerBook(tmp_path / "answers.db") for _ in range(2)]

    def write(book: AnswerBook, start: int) -> None:
        for n in range(start, start + 20):
            book.add("p", f"it-{n}", 0, SAID)

    threads = [threading.Thread(target=write, args=(book, 10 * n)) for n, book in enumerate(books)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(books[0].get("p", [f"it-{n}" for n in range(40)], 1)) == 30
    for book in books:
        book.close()


def test_a_file_that_is_no_book_is_told(tmp_path: Path) -> None:
    (tmp_path / "answers.db").write_text("not a database, but long enough to look at" * 50)
    with pytest.raises(StoreError, match="answers cannot be kept or read"):
        AnswerBook(tmp_path / "answers.db")
