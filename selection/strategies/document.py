"""Writes docs/selection.md from the registry: ``python -m selection.strategies.document > docs/selection.md``."""

from __future__ import annotations

import inspect
import sys

from selection.strategies.registry import STRATEGIES, find
from selection.strategies.shortlist import A_PICK, LEAST, LINEAR, PAIRWISE

HEAD = f"""# Selection strategies

The lane `uncertain` chooses by one of these: `goldfold round --strategy NAME`, or `"strategy": "NAME"` in
`POST /v1/rounds`. An unknown name is refused, with the known ones.

- **What is chosen on purpose has no known probability.** No strategy keeps `pi`: figures about the population come from
  the lanes `random` and `risk` alone. That holds for the strategy `random` too, which is there to compare with.
- **Policies.** An item is asked about under the policy whose utility times severity is largest among its open ones.
  Strategies that go by content alone take the policy nearest its operating threshold.
- **At the operating threshold.** "Prior-adjusted" probabilities are shifted in logit space until the policy's threshold
  becomes 0.5. For a yes-or-no question least confidence and margin are then the same number, and entropy ranks as they
  do.
- **Needs.** `labels`: something must be labelled already. `committee`: the probabilities of each member of an ensemble
  must be there. `disagreement`: a committee must have scored. Without it a strategy is refused, and the message says
  the cure.
- **Large pools.** Nothing is quadratic in the pool. N candidates (one of each group of near-duplicates), n picks, k
  policies, d dimensions, l labelled items, c members or clusters, M rows that are looked at closely: the best by value
  where uncertainty counts ({A_PICK} n, for most at least {LEAST:,}), a fixed random part of the pool where content
  alone counts, and then the round's notes say so. M is at most {PAIRWISE:,} where rows are compared with each other and
  {LINEAR:,} where they are compared with the picks, unless more picks are asked for.
- **The same picks** come from the same seed in any order of the pool and with any number of threads.
- **Fallbacks are said.** Where a strategy runs out (all is covered, nothing labelled violates), the rest is chosen by
  value, and the reasons of those picks and the round's notes say so.

| strategy | what it chooses | source | cost | needs |
| --- | --- | --- | --- | --- |
"""


def row(name: str) -> str:
    """One line of the table; what a strategy chooses is the first paragraph of its function's docstring."""
    entry = STRATEGIES[name]
    what = " ".join((inspect.getdoc(find(name)) or "").split("\n\n")[0].split())
    cells = (f"`{name}`", what.replace("``", "`"), entry.source, entry.cost, ", ".join(entry.needs))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def page() -> str:
    """The whole of docs/selection.md."""
    return HEAD + "\n".join(row(name) for name in STRATEGIES) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
