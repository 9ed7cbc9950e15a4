from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from labeling.judging.slices import by_severity, cells, hidden, one_a_group
from labeling.records import GoldenItem, Outcome
from tests.labeling.golden.made import golden_item

LANGUAGE = {"language": lambda row: row.language}


def rows(spec: dict[str, int], policy: str = "harm") -> list[GoldenItem]:
    return [
        replace(golden_item(f"{policy}-{language}-{n:03}", policy_id=policy), language=language)
        for language, count in spec.items()
        for n in range(count)
    ]


def test_a_policy_is_cut_by_each_dimension_with_two_values() -> None:
    found = cells([*rows({"en": 3, "pt": 2}), *rows({"en": 4}, "fraud")], LANGUAGE)
    assert [(cell.name, len(cell.places)) for cell in found] == [
        ("policy=fraud", 4),
        ("policy=harm", 5),
        ("policy=harm language=en", 3),
        ("policy=harm language=pt", 2),
    ]


def test_severities_are_of_what_violates_over_all_policies() -> None:
    given_ = [
        golden_item("a"),
        replace(golden_item("b"), severity=4),
        golden_item("c", policy_id="fraud"),
        golden_item("d", outcome=Outcome.ALLOWED),
    ]
    assert [(cell.name, cell.places) for cell in by_severity(given_)] == [("severity=4", (1,)), ("severity=2", (0, 2))]


def test_copies_count_once_whatever_the_order() -> None:
    copies = [golden_item(name, group_id="g") for name in ("a", "b", "c")]
    other = golden_item("d")
    kept = one_a_group([*copies, other])
    assert len(kept) == 2
    assert one_a_group([other, *reversed(copies)]) == kept


def test_a_small_cell_and_one_it_could_be_had_from_are_hidden() -> None:
    found = cells(rows({"en": 50, "pt": 30, "fi": 4}), LANGUAGE)
    assert sorted(cell.name for cell in hidden(found, 20)) == ["policy=harm language=fi", "policy=harm language=pt"]
    assert hidden(cells(rows({"en": 50, "pt": 30}), LANGUAGE), 20) == set()


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 60), min_size=1), st.integers(13, 40))
def test_what_is_told_never_leaves_a_few_answers_over(spec: dict[str, int], least: int) -> None:
    found = cells(rows(spec), LANGUAGE)
    secret = hidden(found, least)
    told = [cell for cell in found if cell not in secret]
    assert all(len(cell.places) >= least for cell in told)
    if any(cell.dimension == "all" for cell in told):
        parts = sum(len(cell.places) for cell in told if cell.dimension == "language")
        left = sum(spec.values()) - parts
        assert parts == 0 or left == 0 or left >= least
