from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from api.console.formats import be, commands, count, moment, number, policy, share, words


@pytest.mark.parametrize(
    ("value", "told"),
    [(None, "–"), (1234567, "1,234,567"), (0.12345, "0.123"), (2, "2"), (1.0, "1.000"), (1234.5, "1,234.500")],
)
def test_numbers(value: float | None, told: str) -> None:
    assert number(value) == told


def test_shares_times_and_words() -> None:
    assert (share(0.1234), share(None)) == ("12.3 %", "–")
    at = datetime(2026, 3, 1, 12, 30, tzinfo=timezone(timedelta(hours=2)))
    assert moment(at) == moment(at.isoformat()) == "2026-03-01 10:30 UTC"
    assert moment(datetime(2026, 3, 1, tzinfo=UTC)) == "2026-03-01 00:00 UTC"
    assert (moment(None), moment("")) == ("–", "–")
    assert words("over_enforcement") == "over enforcement"


def test_one_is_not_many() -> None:
    assert count(1, "item") == "1 item"
    assert count(1_200, "box", "boxes") == "1,200 boxes"


def test_a_policy_is_called_by_its_name() -> None:
    assert policy("hate_speech") == "Hate speech"


@pytest.mark.parametrize(
    ("subject", "verb"),
    [
        ("The picks", "are"),
        ("Cost and yield", "are"),
        ("The map of the picks", "is"),
        ("This page", "is"),
        ("What a threshold misses and costs", "is"),
        ("Coverage", "is"),
    ],
)
def test_a_heading_has_its_verb(subject: str, verb: str) -> None:
    assert be(subject) == verb


def test_commands_stand_apart_from_words_and_nothing_runs() -> None:
    said = "day 2026-11-26 was not sampled yet: goldfold qa sample --day 2026-11-26"
    assert commands(said).endswith("yet: <code>goldfold qa sample --day 2026-11-26</code>")
    assert commands("<b>: run it first (goldfold score)") == "&lt;b&gt;: run it first (<code>goldfold score</code>)"
