"""The lane ``relabel``: second looks in place of the new picks that are worth the least.

The lane ``uncertain`` chooses for both. Of what it chose last, as many picks as ``relabel`` may have are up for
exchange, and each goes where a second look is worth more. Chosen on purpose, like those that they replace: no pi.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from selection.frame import Frame
from selection.hashing import F64
from selection.purposive import Choice
from selection.relabel import SecondLooks, Voices, voices, worth_again, worth_new
from selection.strategies.pointwise import adjusted
from selection.types import RELABEL, Pick, Plan, Quota

_DIGITS = 9  # worths that differ by less are equal


@dataclass(frozen=True, slots=True)
class Exchange:
    """``kept`` of the new picks, the second looks taken instead, and what the round's notes and frame say of them."""

    kept: tuple[Choice, ...]
    picks: tuple[Pick, ...]
    notes: tuple[str, ...]
    told: dict[str, object]


@dataclass(frozen=True, slots=True)
class _Slot:
    """A place that a second look may take: a choice and its worth, or None and 0 where nothing new is open."""

    worth: float
    choice: Choice | None


def exchange(
    frame: Frame,
    plan: Plan,
    choices: Sequence[Choice],
    looks: SecondLooks | None,
    most: int,
    *,
    vacant: int = 0,
    spent: float = 0.0,
) -> Exchange:
    """Give up to ``most`` places to second looks, one a near-duplicate group. ``vacant``: picks that nothing new was
    left for; ``spent``: minutes of the lanes of chance. Picks that fill a quota's guarantee stay, and neither a quota's
    ``at_most`` nor ``max_minutes`` is passed; ``per`` and ``per_author`` are about new items only."""
    if looks is None or not len(looks):
        note = f"lane {RELABEL}: no label may be looked at again yet, so its {most} picks went to uncertain"
        told = {"most": most, "candidates": 0, "taken": 0}
        return Exchange(tuple(choices), (), (note,), {"second_looks": told})
    run = _Exchange(frame, plan, looks, choices, spent)
    taken = run.take(run.slots(most, vacant))
    gone = {id(slot.choice) for _, slot in taken if slot.choice is not None}
    kept = tuple(choice for choice in choices if id(choice) not in gone)
    picks = tuple(run.pick(row, slot) for row, slot in taken)
    return Exchange(kept, picks, run.notes(taken, most), {"second_looks": run.told(taken, most)})


class _Exchange:
    """One exchange over a frame, and what is picked and spent as it goes on."""

    def __init__(self, frame: Frame, plan: Plan, looks: SecondLooks, choices: Sequence[Choice], spent: float) -> None:
        self._frame, self._plan, self._looks, self._choices = frame, plan, looks, choices
        self._found: Voices = voices(looks)
        names = frame.pool.policies
        severities = np.array([plan.severities[name] for name in names], np.float64)
        self._weights: F64 = severities / severities.max()
        self._taus = np.array([plan.thresholds[name] for name in names], np.float64)
        worth = worth_again(looks, self._found) * self._weights[looks.policies]
        self.worth: F64 = np.round(worth, _DIGITS)
        self._rows = [bisect_left(frame.pool.ids, item_id) for item_id in looks.ids]
        bounded = [quota for quota in plan.quotas if quota.at_most is not None]
        self._counts = {quota: sum(self._of_choice(quota, choice) for choice in choices) for quota in bounded}
        self._spent = spent + sum(self._minutes(choice) for choice in choices)

    def slots(self, most: int, vacant: int) -> list[_Slot]:
        """The least worth first."""
        free = [choice for choice in self._choices if choice.quota is None]
        empty = [_Slot(0.0, None)] * min(vacant, most)
        marginal = free[len(free) - min(most - len(empty), len(free)) :]
        worths = self._worth_new(marginal)
        ids = [self._frame.pool.ids[self._frame.row[choice.unit]] for choice in marginal]
        order = sorted(range(len(marginal)), key=lambda i: (worths[i], ids[i]))
        return empty + [_Slot(float(worths[i]), marginal[i]) for i in order]

    def take(self, slots: Sequence[_Slot]) -> list[tuple[int, _Slot]]:
        """(row of the looks, the place it takes), the most worth first."""
        looks = self._looks
        order = sorted(range(len(looks)), key=lambda i: (-self.worth[i], looks.ids[i], int(looks.policies[i])))
        taken: list[tuple[int, _Slot]] = []
        groups: set[int] = set()
        for row in order:
            if len(taken) == len(slots) or self.worth[row] <= slots[len(taken)].worth:
                break
            slot, group = slots[len(taken)], int(looks.groups[row])
            if group in groups or not self._fits(row, slot):
                continue
            groups.add(group)
            taken.append((row, slot))
        return taken

    def pick(self, row: int, slot: _Slot) -> Pick:
        looks, pool, column = self._looks, self._frame.pool, int(self._looks.policies[row])
        label = "violates" if looks.answers[row] else "allowed"
        instead = "" if slot.choice is None else f", the new pick it replaced {slot.worth:.2f}"
        said = f"{looks.agreeing[row]} of {looks.votes[row]} answers agree with {label}"
        reason = f"{RELABEL}: the model says {looks.probabilities[row]:.2f}, {said}; worth {self.worth[row]:.2f}"
        return Pick(
            item_id=looks.ids[row],
            policy=pool.policies[column],
            lane=RELABEL,
            pi=None,
            probability=float(pool.probabilities[self._rows[row], column]),
            group=looks.ids[row],
            reasons=(reason + instead,),
        )

    def notes(self, taken: Sequence[tuple[int, _Slot]], most: int) -> tuple[str, ...]:
        """How many were taken, and why no more."""
        told = f"lane {RELABEL}: {len(taken)} of at most {most} picks are second looks"
        if taken:
            worths = [float(self.worth[row]) for row, _ in taken]
            instead = [slot.worth for _, slot in taken]
            told += f", worth {_range(worths)}, in place of new picks worth {_range(instead)}"
        if len(taken) < most:
            told += "; the rest went to uncertain, whose picks are worth as much or more"
        if self._found.known:
            return (told,)
        return (
            told,
            f"lane {RELABEL}: too few labels have two answers to tell how good answers are, so everybody counts alike, "
            f"and an answer is taken to be right in {self._found.accuracy:.0%} of the cases",
        )

    def told(self, taken: Sequence[tuple[int, _Slot]], most: int) -> dict[str, object]:
        """What the frame keeps."""
        return {
            "most": most,
            "candidates": len(self._looks),
            "taken": len(taken),
            "worth": [round(float(self.worth[row]), 4) for row, _ in taken],
            "replaced": [round(slot.worth, 4) for _, slot in taken],
            "accuracy": round(self._found.accuracy, 4) if self._found.known else None,
        }

    def _worth_new(self, choices: Sequence[Choice]) -> F64:
        units = np.array([choice.unit for choice in choices], dtype=np.int64)
        columns = self._frame.policy[units]
        chances = adjusted(self._frame.moved[units], self._taus[columns])
        return np.round(worth_new(chances, self._found) * self._weights[columns], _DIGITS)

    def _minutes(self, choice: Choice | None) -> float:
        minutes = self._frame.pool.minutes
        return 0.0 if minutes is None or choice is None else float(minutes[self._frame.row[choice.unit]])

    def _of_choice(self, quota: Quota, choice: Choice | None) -> bool:
        if choice is None:
            return False
        return self._inside(quota, int(self._frame.row[choice.unit]), int(self._frame.policy[choice.unit]))

    def _inside(self, quota: Quota, row: int, column: int) -> bool:
        pool = self._frame.pool
        if quota.key == "policy":
            return pool.policies[column] == quota.value
        words = pool.words(quota.key)
        return words is not None and words[row] == quota.value

    def _fits(self, row: int, slot: _Slot) -> bool:
        """Do the bounds let it in? If so, it is counted."""
        column, minutes = int(self._looks.policies[row]), self._looks.minutes
        after = {
            quota: count + self._inside(quota, self._rows[row], column) - self._of_choice(quota, slot.choice)
            for quota, count in self._counts.items()
        }
        spent = self._spent + (0.0 if minutes is None else float(minutes[row])) - self._minutes(slot.choice)
        bound = self._plan.max_minutes
        if bound is not None and spent > bound:
            return False
        if any(quota.at_most is not None and count > quota.at_most for quota, count in after.items()):
            return False
        self._counts, self._spent = after, spent
        return True


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}"
