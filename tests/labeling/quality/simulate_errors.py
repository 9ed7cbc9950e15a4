"""A review floor whose errors have a cause that is known: what the miner and its verdicts are measured on.

24 people in 6 teams read 3 languages, two teams each; 4 queues, 3 shifts, 12 content clusters, 6 rules of one policy.
An item is decided by two people who read its language, and one decision in eight is an agent's. Everybody errs in 4 %
of decisions; people, clusters and rules are not equally hard. Then one cause is planted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from labeling.quality.judged import Judged, label
from labeling.quality.patterns import Mined, mine

PEOPLE, TEAMS, LANGUAGES, TOOLS, SHIFTS, CLUSTERS = 24, 6, ("en", "es", "pt"), 4, ("day", "late", "night"), 12
RULES = ("threat", "slur", "dehumanising", "harassment", "incitement")
LABELS = (label("harm", "allowed"), *(label("harm", "violates", rule) for rule in RULES))
WEIGHTS = (0.4, 0.15, 0.15, 0.1, 0.1, 0.1)
ITEMS = 4000
BASE = 0.04
CAUSES = ("person", "content", "language", "tool", "everyone", "agent")

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Planted:
    """``table`` with one ``cause``, which befalls ``level`` (a name of the cohort, or a cluster)."""

    table: Judged
    cause: str
    level: str


def simulate(
    cause: str, seed: int, *, items: int = ITEMS, plain: bool = False, teams_are_languages: bool = False
) -> Planted:
    """One floor. ``teams_are_languages``: one team reads each language, so that the two cannot be told apart.
    ``cause``: one of CAUSES, or "": nothing is planted. ``plain``: everybody and everything is alike, so that whatever
    is found is false; items alone are not equally hard."""
    rng = np.random.default_rng([seed, len(cause), sum(map(ord, cause))])
    n = items * 2
    item = np.repeat(np.arange(items), 2)
    language = np.repeat(rng.integers(0, 3, items), 2)
    cluster = np.repeat(rng.integers(0, CLUSTERS, items), 2)
    gold = np.repeat(rng.choice(len(LABELS), items, p=WEIGHTS), 2)
    person = _readers(rng, language)
    is_agent = rng.random(n) < 1 / 8
    tool = np.where(rng.random(n) < 0.6, person % TOOLS, rng.integers(0, TOOLS, n))
    shift = np.where(rng.random(n) < 0.7, (person // 2) % 3, rng.integers(0, 3, n))
    logit = np.log(BASE / (1 - BASE)) + np.repeat(rng.normal(0, 0.5, items), 2)
    if not plain:
        logit += rng.normal(0, 0.3, PEOPLE)[person] + rng.normal(0, 0.2, CLUSTERS)[cluster]
        logit += rng.normal(0, 0.2, len(LABELS))[gold]
    wrong = rng.random(n) < 1 / (1 + np.exp(-logit))
    given = np.where(wrong, (gold + rng.integers(1, len(LABELS), n)) % len(LABELS), gold)
    rule, taken = int(rng.integers(1, len(LABELS))), 0
    befallen, level, odds = np.zeros(n, dtype=np.bool_), "", 0.0
    if cause == "person":
        who = int(rng.integers(PEOPLE))
        befallen, level, odds = (person == who) & ~is_agent, f"p{who:02}", 0.25
        taken = -1
    elif cause == "content":
        which = int(rng.integers(CLUSTERS))
        befallen, level, odds = (cluster == which) & (gold == rule), f"c{which:02}", 0.5
    elif cause == "language":
        which = int(rng.integers(3))
        befallen, level, odds = (language == which) & (gold == rule) & ~is_agent, LANGUAGES[which], 0.4
    elif cause == "tool":
        which = int(rng.integers(TOOLS))
        befallen, level, odds = (tool == which) & ~is_agent, f"q{which}", 0.15
    elif cause == "everyone":
        befallen, odds = gold == rule, 0.35
    elif cause == "agent":
        befallen, level, odds = is_agent & (gold == rule), "agent-1", 0.5
    strikes = befallen & (rng.random(n) < odds)
    given = np.where(strikes, (gold + rng.integers(1, len(LABELS), n)) % len(LABELS) if taken < 0 else taken, given)
    names = np.array(LABELS, dtype=object)
    table = Judged.of(
        {
            "item": [f"it-{i:05}" for i in item],
            "gold": names[gold].tolist(),
            "given": names[given].tolist(),
            "cluster": [f"c{c:02}" for c in cluster],
            "person": ["agent-1" if agent else f"p{p:02}" for p, agent in zip(person, is_agent, strict=True)],
            "team": [
                "" if agent else f"t{p // (8 if teams_are_languages else 4)}"
                for p, agent in zip(person, is_agent, strict=True)
            ],
            "language": [LANGUAGES[code] for code in language],
            "shift": ["" if agent else SHIFTS[s] for s, agent in zip(shift, is_agent, strict=True)],
            "source": ["agent" if agent else "human" for agent in is_agent],
            "tool": ["" if agent else f"q{t}" for t, agent in zip(tool, is_agent, strict=True)],
        }
    )
    return Planted(table, cause, level)


@cache
def mined_floor(cause: str) -> tuple[Planted, Mined]:
    """A floor with its patterns, made once for all tests."""
    planted = simulate(cause, 1)
    return planted, mine(planted.table)


def _readers(rng: np.random.Generator, language: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Two different people for each item, of the eight who read its language."""
    each = PEOPLE // len(LANGUAGES)
    first = rng.integers(0, each, len(language) // 2)
    second = (first + rng.integers(1, each, len(first))) % each
    return language * each + np.column_stack([first, second]).ravel()
