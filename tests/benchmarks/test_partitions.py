from __future__ import annotations

from benchmarks import partitions


def test_rows_are_those_that_are_promised() -> None:
    rows = partitions.rows(400)
    assert tuple(row.name for row in rows) == partitions.NAMES
    assert all(row.value > 0 for row in rows)


def test_made_rows_hold_copies() -> None:
    made = partitions.texts(40)
    assert [made[19], made[39]] == [made[18].upper().replace(" ", "  "), made[38].upper().replace(" ", "  ")]
    vectors = partitions.Rows(40)(["18", "19", "20"])
    assert vectors["18"] @ vectors["19"] > 0.99 > 0.5 > vectors["18"] @ vectors["20"]
