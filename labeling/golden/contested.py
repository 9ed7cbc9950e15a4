"""Gold without one right answer: kept, with all its votes, and used only where that does no harm.

A lead may find several answers defensible, or the question contested, and two leads may decide differently. Whoever is
judged by one of those answers, a model or a person, is judged by a coin. So contested rows judge nobody: they are no
part of the figures on ``dev``, ``sealed`` and ``anchor``, of calibrations, nor are they injected. They stay active: a
version holds them, an export shows their votes and ``soft_label``, they are trained on, and as evaluation items they
are kept out of training like all others.
"""

from __future__ import annotations

from labeling.records import GoldenItem, How, Verdict


def is_contested(item: GoldenItem) -> bool:
    """Has it no single right answer, as far as anybody knows?"""
    return item.how is How.CONTESTED or item.verdict in (Verdict.SEVERAL, Verdict.CONTESTED)
