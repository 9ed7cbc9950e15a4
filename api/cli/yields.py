"""The saving ledger as tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from api.cli.output import out, show_json, table
from labeling.quality.intervals import Figure
from labeling.quality.lift import Range
from labeling.yields import LaneYield, Yields, yields

if TYPE_CHECKING:
    from api.composition import Goldfold

COLUMNS = ("lane", "policy", "picks", "n", "violate", "changed", "gold", "lift", "random's labels", "saved")


def show_yields(app: Goldfold, round_id: str, cost_per_label: float | None, more: int, *, as_json: bool) -> None:
    """Of one round, or of every closed one where ``round_id`` is empty."""
    told = yields(app.ledger, round_id or None, cost_per_label=cost_per_label, more=more)
    if as_json:
        show_json(told.as_dict())
        return
    table(f"What the lanes brought ({len(told.rounds)} rounds; sample, no population claim)", list(COLUMNS), rows(told))
    for line in notes(told):
        out.print(line)


def rows(told: Yields) -> list[tuple[object, ...]]:
    """As ``COLUMNS`` says, intervals at 95 %."""
    return [(*_counts(lane), *_lift(lane)) for lane in told.lanes]


def notes(told: Yields) -> Iterator[str]:
    """What stands below the table."""
    withheld = sum(lane.withheld for lane in told.lanes if not lane.policy)
    if withheld:
        yield f"{withheld} answers of the partitions sealed and anchor are withheld"
    again = next((lane.flipped for lane in told.lanes if not lane.policy and lane.flipped is not None), None)
    if again is not None:
        yield f"Second looks: {again.n - again.events} confirmed a label, {again.events} changed it"
    ahead = told.forecast
    yield f"Forecast: {ahead.verdict}: {ahead.reason}" + (f" (n = {ahead.n} models)" if ahead.n else "")


def _counts(lane: LaneYield) -> tuple[object, ...]:
    shares = (share(lane.violating), share(lane.changed), share(lane.gold))
    return lane.lane, lane.policy or "all", lane.picks, lane.violating.n, *shares


def share(figure: Figure) -> str:
    """A share in percent; no value where there are too few answers."""
    value = "insufficient" if figure.value is None else f"{figure.value:.1%}"
    return f"{value} [{figure.low:.1%}, {figure.high:.1%}]"


def _lift(lane: LaneYield) -> tuple[str, str, str]:
    if lane.lift is None:
        return "-", "-", "-"
    saved = "-" if lane.lift.saved is None else _range(lane.lift.saved, ".0f")
    return _range(lane.lift.lift, ".2f"), _range(lane.lift.random_labels, ".0f"), saved


def _range(found: Range, form: str) -> str:
    value = "insufficient" if found.value is None else format(found.value, form)
    return f"{value} [{format(found.low, form)}, {'?' if found.high is None else format(found.high, form)}]"
