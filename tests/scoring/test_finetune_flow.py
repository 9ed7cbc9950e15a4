from __future__ import annotations

from typing import Any

import pytest

from scoring.finetune_flow import best_step, is_over


def judged(*losses: float) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for n, loss in enumerate(losses, 1):
        rows += [{"step": 10 * n, "loss": 9.0}, {"step": 10 * n, "dev_loss": loss}]
    return rows


@pytest.mark.parametrize(
    ("losses", "step", "over"),
    [
        ((), 5, False),
        ((), 100, True),
        ((0.5, 0.4), 20, False),
        ((0.5, 0.5), 20, False),
        ((0.5, 0.5, 0.5), 30, True),
        ((0.5, 0.4, 0.45, 0.42), 40, True),
        ((0.5, 0.4, 0.45, 0.39), 40, False),
        ((0.5, 0.4, 0.45, 0.39), 100, True),
    ],
)
def test_two_judgements_without_a_lower_loss_end_it(losses: tuple[float, ...], step: int, over: bool) -> None:
    assert is_over(judged(*losses), 2, step, 100) is over


def test_the_first_of_the_lowest_losses_is_the_best() -> None:
    assert best_step(judged(0.5, 0.3, 0.4, 0.3)) == 20
    assert best_step([{"step": 1, "loss": 0.1}]) is None
