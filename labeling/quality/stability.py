"""Does somebody who is asked the same thing several times say the same? Of a model that draws its answers, mostly.

A unit is an item under a policy; an answer is its outcome. The mean pairwise agreement of a unit's answers is Po of
``labeling.quality.agreement``, with repeats in the place of people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labeling.quality.agreement import summary
from labeling.quality.intervals import INSUFFICIENT, Figure, proportion

STABLE = 0.9  # the share of units answered alike that an agent should reach
Answers = Sequence[str | None]  # of one unit; None: that answer could not be read


def stability(units: Mapping[str, Sequence[Answers]], groups: Mapping[str, Sequence[str]]) -> dict[str, object]:
    """``units`` and their near-duplicate ``groups`` (row by row) by policy, k answers each. JSON-able: for all and by
    policy ``alike``: the share of units whose k answers are the same, with its interval, among the units whose k
    answers could all be read; ``pairwise``: the mean share of agreeing pairs, bootstrapped by group; ``incomplete``:
    units left out of ``alike``; ``verdict``: stable, unstable, cannot tell or insufficient. ``unstable``: the policies
    that are, for sure; ``least``: the share asked for. Empty where nothing was asked twice."""
    if not any(len(answers) > 1 for rows in units.values() for answers in rows):
        return {}
    by_policy = {policy: _told(units[policy], groups[policy]) for policy in sorted(units)}
    everything = [answers for policy in sorted(units) for answers in units[policy]]
    whole = _told(everything, [group for policy in sorted(units) for group in groups[policy]])
    unstable = [policy for policy, told in by_policy.items() if told["verdict"] == "unstable"]
    return {"all": whole, "policies": by_policy, "unstable": unstable, "least": STABLE}


def _told(units: Sequence[Answers], groups: Sequence[str]) -> dict[str, object]:
    whole = [answers for answers in units if None not in answers]
    alike = proportion(sum(len(set(answers)) == 1 for answers in whole), len(whole))
    return {
        "alike": alike.as_dict(),
        "pairwise": summary(units, groups).observed.as_dict(),
        "incomplete": len(units) - len(whole),
        "verdict": _verdict(alike),
    }


def _verdict(alike: Figure) -> str:
    if alike.value is None:
        return INSUFFICIENT
    if alike.low >= STABLE:
        return "stable"
    return "unstable" if alike.high < STABLE else "cannot tell"
