from __future__ import annotations

import pytest

from api.online.pace import Pace


def warm() -> Pace:
    pace = Pace()
    pace.saw(1, 1000.0)
    return pace


@pytest.mark.parametrize("pace", [Pace(), warm()])
def test_nothing_is_known_before_the_second_batch(pace: Pace) -> None:
    assert pace.seconds(1000) == 0
    assert pace.tokens(1.0, unknown=7) == 7


def test_it_tells_what_it_saw() -> None:
    pace = warm()
    pace.saw(100, 2.0)
    assert pace.seconds(50) == pytest.approx(1.0)
    assert pace.tokens(0.5, unknown=7) == 25


def test_a_stall_is_forgotten() -> None:
    pace = warm()
    pace.saw(10, 100.0)
    for _ in range(60):
        pace.saw(100, 1.0)
    assert pace.seconds(100) == pytest.approx(1.0, rel=0.1)


def test_a_batch_in_no_time_has_no_pace() -> None:
    pace = warm()
    pace.saw(10, 0.0)
    assert pace.tokens(1.0, unknown=7) == 7
