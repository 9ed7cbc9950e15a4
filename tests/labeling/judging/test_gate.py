from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labeling.judging.gate import FAIL, PASS, UNDERPOWERED, Ruling, Terms, right_shares, rule
from labeling.records import GoldenItem, Outcome
from tests.labeling.golden.made import golden_item

TERMS = Terms({0: 0.1, 1: 0.08, 2: 0.05, 3: 0.03, 4: 0.02}, {"harm": 4, "fraud": 1}, 20)


def rows(count: int, policy: str = "harm", *, violating: float = 0.5, severity: int = 2) -> list[GoldenItem]:
    made = []
    for n in range(count):
        outcome = Outcome.VIOLATES if n < violating * count else Outcome.ALLOWED
        made.append(golden_item(f"{policy}-{n:04}", policy_id=policy, outcome=outcome))
        if outcome is Outcome.VIOLATES:
            made[-1] = replace(made[-1], severity=severity)
    return made


def judge(
    given: list[GoldenItem], wins: int = 0, losses: int = 0, anchors: tuple[int, int] = (0, 0), terms: Terms = TERMS
) -> Ruling:
    """The last ``wins`` rows are won, the ``losses`` before them lost, all others decided rightly by both."""
    champion, challenger = np.ones(len(given), bool), np.ones(len(given), bool)
    champion[len(given) - wins :] = False
    challenger[len(given) - wins - losses : len(given) - wins] = False
    return rule(given, champion, challenger, anchors, terms)


def test_an_equal_model_with_enough_pairs_passes() -> None:
    ruling = judge(rows(1000, violating=0.2), wins=28, losses=28)
    assert (ruling.verdict, ruling.reasons, ruling.needed) == (PASS, (), None)
    whole = ruling.slices[0]
    assert (whole.name, whole.n, whole.margin, whole.verdict) == ("policy=harm", 1000, 0.02, "not worse")
    assert (whole.wins, whole.losses) == (28, 28)
    assert whole.challenger_right == whole.champion_right == pytest.approx(0.972)


def test_the_fixture_twelve_against_three_is_told_apart_and_nine_against_four_is_not() -> None:
    worse = judge(rows(150, violating=0), wins=3, losses=12)
    assert (worse.verdict, worse.reasons) == (FAIL, ("policy=harm: worse than the champion",))
    assert worse.slices[0].p_differs == pytest.approx(0.035, abs=5e-4)
    unsure = judge(rows(150, violating=0), wins=4, losses=9)
    assert unsure.verdict == UNDERPOWERED
    assert unsure.slices[0].p_differs == pytest.approx(0.27, abs=5e-3)


def test_the_fixture_of_928_pairs_is_what_an_underpowered_gate_asks_for() -> None:
    ruling = judge(rows(100, violating=0), wins=3, losses=3)
    assert (ruling.verdict, ruling.needed) == (UNDERPOWERED, 928)
    assert ruling.reasons == ("policy=harm: cannot tell with 100 pairs; 928 would do",)


def test_what_would_do_is_more_than_what_there_is() -> None:
    ruling = judge(rows(2000, violating=0), wins=60, losses=82)
    assert ruling.verdict == UNDERPOWERED
    assert ruling.needed is not None
    assert ruling.needed > 2000


def test_one_wrong_anchor_fails_whatever_the_rest() -> None:
    given = rows(1000, violating=0.2)
    assert judge(given, anchors=(12, 12)).verdict == PASS
    ruling = judge(given, anchors=(12, 11))
    assert (ruling.verdict, ruling.reasons) == (FAIL, ("1 of 12 anchors are decided wrongly",))


def test_a_worse_language_fails_though_the_whole_does_not() -> None:
    given = [replace(row, language="pt" if n >= 450 else "en") for n, row in enumerate(rows(500, "fraud", violating=0))]
    ruling = judge(given, losses=12)
    assert ruling.slices[0].verdict == "not worse"
    assert (ruling.verdict, ruling.reasons) == (FAIL, ("policy=fraud language=pt: worse than the champion",))


def test_misses_of_a_severity_are_judged_by_its_own_margin() -> None:
    given = rows(400, "fraud", violating=0.5, severity=4)
    champion, challenger = np.ones(400, bool), np.ones(400, bool)
    challenger[:8] = False  # of 200 of severity 4
    ruling = rule(given, champion, challenger, (0, 0), TERMS)
    told = {one.name: (one.margin, one.verdict) for one in ruling.slices}
    assert told == {"policy=fraud": (0.08, "not worse"), "severity=4": (0.02, "worse")}
    assert ruling.verdict == FAIL


def test_small_slices_tell_nothing_but_their_size() -> None:
    given = [replace(row, language="fi" if n < 5 else "en") for n, row in enumerate(rows(200, "fraud", violating=0))]
    ruling = judge(given)
    small = [one for one in ruling.slices if one.verdict == "insufficient"]
    assert [one.name for one in small] == ["policy=fraud language=en", "policy=fraud language=fi"]
    for one in small:
        assert {name for name, value in one.as_dict().items() if value is not None} == {
            "name",
            "n",
            "margin",
            "verdict",
        }


def test_a_policy_with_too_few_answers_leaves_the_gate_underpowered() -> None:
    ruling = judge([*rows(200, "fraud", violating=0), *rows(10, violating=0)])
    assert ruling.verdict == UNDERPOWERED
    assert ruling.reasons == ("policy=harm: too few sealed answers to tell",)
    assert ruling.needed is not None
    assert ruling.needed > 100


def test_many_slices_do_not_fail_a_model_by_chance() -> None:
    generator = np.random.default_rng(3)
    failed = 0
    given = [replace(row, language=f"l{n % 10}") for n, row in enumerate(rows(600, violating=0.5))]
    for _ in range(100):
        draws = generator.random(600)
        champion, challenger = draws > 0.06, (draws < 0.06) | (draws > 0.12)
        failed += rule(given, champion, challenger, (0, 0), TERMS).verdict == FAIL
    assert failed <= 5


def test_the_shares_that_each_side_is_right_about_have_intervals() -> None:
    told = {"n": 40, "challenger_right": 36 / 40, "champion_right": 30 / 40}
    shares = right_shares(told)
    assert {side: (one.events, one.n, one.value) for side, one in shares.items()} == {
        "challenger": (36, 40, 0.9),
        "champion": (30, 40, 0.75),
    }
    assert shares["challenger"].low < 0.9 < shares["challenger"].high
    assert right_shares({"n": 3, "champion_right": None, "challenger_right": None}) == {}
