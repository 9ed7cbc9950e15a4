from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.api.cli.conftest import Terminal

WORDS = [f"w-{i}" for i in range(40)]
SHORT = ("--seeds", "2", "--budget", "90", "--batch", "20", "--start", "30")


@pytest.fixture
def labelled(goldfold: Terminal) -> str:
    draw = random.Random(0)
    rows = []
    for _ in range(400):
        words = draw.choices(WORDS, k=6)
        rows.append({"text": " ".join(words), "labels": {"hate": int("w-1" in words), "spam": int("w-2" in words)}})
    return goldfold.file("labelled.jsonl", "\n".join(json.dumps(row) for row in rows))


@pytest.mark.slow
def test_a_file_is_replayed_and_the_run_goes_on_where_it_was(goldfold: Terminal, labelled: str, tmp_path: Path) -> None:
    where = ("--out", str(tmp_path / "report"), "--data", labelled)
    said = goldfold("simulate", *where, "--strategies", "auto,margin", *SHORT)
    assert said.code == 0, said.err
    assert "Report: " in said.out
    page = (tmp_path / "report" / "report.html").read_text()
    assert "margin" in page
    assert "w-1" not in page
    assert (tmp_path / "report" / "curves.png").read_bytes().startswith(b"\x89PNG")
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "report").glob("curves-*/*.json")}
    assert len(kept) == 6
    again = goldfold("simulate", *where, "--strategies", "auto,margin", *SHORT, "--json").json
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert [(one["strategy"], one["area"]["n"]) for one in again["comparisons"]] == [
        ("auto", 2),
        ("auto", 2),
        ("margin", 2),
        ("margin", 2),
    ]


def test_a_dry_run_says_what_the_file_holds(goldfold: Terminal, labelled: str, tmp_path: Path) -> None:
    told = goldfold("simulate", "--data", labelled, "--out", str(tmp_path / "no"), "--dry-run", "--json").json
    assert told["items"] == 400
    assert 0 < told["policies"]["hate"] < 0.3
    assert "400 items; hate" in goldfold("simulate", "--data", labelled, "--dry-run").out
    assert not (tmp_path / "no").exists()


def test_an_unknown_strategy_is_refused_before_anything_is_replayed(
    goldfold: Terminal, labelled: str, tmp_path: Path
) -> None:
    said = goldfold("simulate", "--data", labelled, "--strategies", "magic", "--out", str(tmp_path / "no"), *SHORT)
    assert said.code == 1
    assert "'magic' is unknown" in said.err
    assert not (tmp_path / "no").exists()


ROW = '{"text": "a", "label": "x"}\n'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (ROW * 10, "10 rows; a replay says nothing below 200"),
        (ROW * 300, "x: needs items that violate and items that do not"),
        ('{"text": " ", "label": "x"}\n', "row 1: text: expected the words of the item, found a str"),
        ('{"label": "x"}\n', "row 1: text: expected the words of the item, found nothing"),
        ('{"text": "a"}\n', "row 1: expected label (a word) or labels"),
        ('{"text": "a", "labels": {"x": 0.5}}\n', "row 1: labels: x: expected 0, 1 or null, found a float"),
        ('{"text": "a", "labels": {"x": null}}\n', "row 1: labels: says nothing of any policy; leave the row out"),
        (ROW + '{"text": "a", "labels": {"x": 1}}\n', "some rows have label and others labels"),
        (ROW + "{\n", "row 2: is not a JSON row"),
    ],
)
def test_a_bad_file_is_refused_by_row_and_field(goldfold: Terminal, content: str, says: str) -> None:
    said = goldfold("simulate", "--data", goldfold.file("bad.jsonl", content), "--dry-run")
    assert (said.code, says in said.err) == (1, True), said.err
